//! One belief, and how all of them are asked.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::pin::Pin;
use std::time::Duration;

use crate::account::Account;

/// Why a belief does not hold.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// What we believe, and why.
pub(crate) struct Belief {
    /// A sentence that can be false.
    pub(crate) says: &'static str,
    /// AWS's pages and reports, or that none says so.
    pub(crate) sources: &'static [&'static str],
    pub(crate) asked: Asked,
}

/// Who is asked.
pub(crate) enum Asked {
    /// The testbed, and AWS.
    Both(Check),
    /// The testbed. Of AWS it takes a rotation by the service itself, which `observe` watches.
    Testbed(Check),
    /// AWS alone, by `observe`.
    Watched,
    /// Nobody yet: it is to be tried by hand.
    Nobody,
}

/// Asks an account whether a belief holds.
pub(crate) type Check = fn(Account) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;

pub(crate) type Outcome = Result<Answer, Failure>;

#[derive(Debug)]
pub(crate) enum Answer {
    Holds,
    /// It holds either way; this is what was seen.
    Either(&'static str),
    /// This account has nothing to ask.
    NotAsked(&'static str),
}

/// Which beliefs hold.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) holding: usize,
    pub(crate) not_asked: usize,
    /// What doesn't hold, and what could not be cleaned up.
    pub(crate) wrong: Vec<String>,
}

/// Asks them one after the other, and deletes what each has made, also where it has failed or panicked. AWS is asked again with
/// more time, since its reads can lag.
pub(crate) async fn ask<'a>(
    account: &Account,
    beliefs: impl IntoIterator<Item = &'a Belief>,
) -> Report {
    let lags: &[u64] = if account.testbed.is_some() {
        &[0]
    } else {
        &[300, 2000, 5000]
    };
    let mut report = Report::default();
    for belief in beliefs {
        let (Asked::Both(check) | Asked::Testbed(check)) = belief.asked else {
            continue;
        };
        let mut outcome = Ok(Answer::Holds);
        for lag in lags.iter().copied().map(Duration::from_millis) {
            let account = account.lagging(lag);
            let checked = tokio::spawn(check(account.clone())).await;
            outcome = checked.unwrap_or_else(|panic| Err(format!("{panic}").into()));
            let left = account.clean_up().await;
            report
                .wrong
                .extend(left.iter().map(|name| format!("not deleted: {name}")));
            if outcome.is_ok() {
                break;
            }
        }
        report.note(belief, &outcome);
    }
    report
}

impl Report {
    fn note(&mut self, belief: &Belief, outcome: &Outcome) {
        let found = match outcome {
            Ok(Answer::Holds) => "holds".to_owned(),
            Ok(Answer::Either(seen)) => format!("holds: {seen}"),
            Ok(Answer::NotAsked(why)) => format!("not asked: {why}"),
            Err(failure) => format!("DOES NOT HOLD: {failure}"),
        };
        match outcome {
            Ok(Answer::NotAsked(_)) => self.not_asked += 1,
            Ok(_) => self.holding += 1,
            Err(_) => self.wrong.push(format!("{}: {found}", belief.says)),
        }
        let _ = writeln!(self.text, "{}\n    {found}", belief.says);
    }
}

/// Says something whether or not the test's output is shown.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "contract: {text}");
}

/// What was expected, or a failure that tells what came instead.
pub(crate) fn is<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(format!("expected {expected:?}, found {found:?}").into())
}

/// That a call was refused with this code.
pub(crate) fn refused<T>(answer: Result<T, Failure>, code: &str) -> Result<(), Failure> {
    match answer {
        Ok(_) => Err(format!("expected {code}, but it was accepted").into()),
        Err(failure) => is(&failure.to_string().as_str(), &code),
    }
}
