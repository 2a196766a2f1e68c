//! What can happen to a call, and to which.

use std::fmt;
use std::future::Future;
use std::ops::RangeFrom;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::call::Call;

/// What happens to a call of the function's to an AWS service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Passed on after a while.
    Delay(Duration),
    /// The connection closes after the call took effect: the answer is lost.
    DropAfter,
    /// The connection closes and the call never took effect.
    DropBefore,
    /// This error, by AWS's name, instead of an effect: `ThrottlingException`, `AccessDeniedException`, …
    Error(String),
    /// The call takes effect; the answer's JSON lacks its end.
    MalformedBody,
    /// An answer of an earlier, equal call: what was true a moment ago. Passed on where there was none.
    Stale,
    /// Neither effect nor answer; the connection stays open.
    Stall,
    /// This status and body instead of an effect.
    Status(u16, String),
    /// The call takes effect; the answer breaks off in the middle.
    TruncatedBody,
}

impl Fault {
    /// An AWS error by its name.
    pub fn error(code: &str) -> Self {
        Self::Error(code.to_owned())
    }
}

/// Which of an operation's calls, counted from when the rule was made: `1` is the next one, `1..` all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nth {
    first: usize,
    last: usize,
}

impl Nth {
    pub(crate) fn holds(self, count: usize) -> bool {
        (self.first..=self.last).contains(&count)
    }
}

impl From<usize> for Nth {
    fn from(nth: usize) -> Self {
        Self {
            first: nth,
            last: nth,
        }
    }
}

impl From<RangeFrom<usize>> for Nth {
    fn from(range: RangeFrom<usize>) -> Self {
        Self {
            first: range.start,
            last: usize::MAX,
        }
    }
}

/// What a test does in between.
pub(crate) type Deed = Arc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// When a rule's deed is done.
#[derive(Clone)]
pub(crate) enum Rule {
    /// Instead of the plain way.
    Fault(Fault),
    /// Before the call takes effect.
    Before(Deed),
    /// After it took effect, before the function hears of it.
    After(Deed),
}

/// A rule, and how many calls it has seen.
pub(crate) struct Watch {
    pub(crate) operation: String,
    pub(crate) nth: Nth,
    pub(crate) seen: usize,
    pub(crate) rule: Rule,
}

impl Watch {
    /// Counts a call; the rule, if it is for this one.
    pub(crate) fn notice(&mut self, call: &Call) -> Option<Rule> {
        if ![call.operation.as_str(), &call.name(), "*"].contains(&self.operation.as_str()) {
            return None;
        }
        self.seen += 1;
        self.nth.holds(self.seen).then(|| self.rule.clone())
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("operation", &self.operation)
            .field("nth", &self.nth)
            .finish_non_exhaustive()
    }
}
