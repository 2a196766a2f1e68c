//! What can happen to a call, and to which.

use std::fmt;
use std::future::Future;
use std::ops::{RangeFrom, RangeInclusive};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nth(RangeInclusive<usize>);

impl From<usize> for Nth {
    fn from(nth: usize) -> Self {
        Self(nth..=nth)
    }
}

impl From<RangeFrom<usize>> for Nth {
    fn from(range: RangeFrom<usize>) -> Self {
        Self(range.start..=usize::MAX)
    }
}

/// What a test does in between.
pub(super) type Callback =
    Arc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What happens to a call.
#[derive(Clone)]
pub(super) enum Intervention {
    Fault(Fault),
    /// Before it takes effect.
    Before(Callback),
    /// After it took effect, before the function hears of it.
    After(Callback),
}

/// What happens to which calls, and how many of them there have been.
pub(super) struct Rule {
    pub(super) operation: String,
    pub(super) nth: Nth,
    pub(super) seen: usize,
    pub(super) intervention: Intervention,
}

impl Rule {
    /// Counts a call; what happens to it, if the rule is for this one.
    pub(super) fn notice(&mut self, call: &Call) -> Option<Intervention> {
        if ![call.operation.as_str(), &call.name(), "*"].contains(&self.operation.as_str()) {
            return None;
        }
        self.seen += 1;
        let Nth(range) = &self.nth;
        range
            .contains(&self.seen)
            .then(|| self.intervention.clone())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.operation, self.nth)
    }
}
