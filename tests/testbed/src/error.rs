//! What went wrong: a sentence, and what lies beneath it. And where, in a test.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

/// What the testbed's fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the testbed itself, never of what is tested with it.
///
/// `Debug` prints the whole chain of causes, since that is what a test returning `Err` shows.
#[derive(thiserror::Error)]
#[error("{what}")]
pub struct Error {
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure without a deeper cause.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            source: None,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(self))
    }
}

fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}\n  because: {inner}");
        cause = inner.source();
    }
    text
}

/// Says what was being tried when something else failed.
pub(crate) trait Context<T> {
    /// Wraps the failure into one that names what was tried.
    fn context(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|cause| Error {
            what: what.into(),
            source: Some(cause.into()),
        })
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.ok_or_else(|| Error::new(what))
    }
}

/// What a test returns, so that it may use `?`.
pub type TestResult<T = ()> = Result<T, TestFailure>;

/// Where a test could not go on, and why.
pub struct TestFailure {
    at: &'static Location<'static>,
    why: String,
}

impl<E: StdError> From<E> for TestFailure {
    #[track_caller]
    fn from(error: E) -> Self {
        Self {
            at: Location::caller(),
            why: with_causes(&error),
        }
    }
}

/// What the harness shows of a test that returns it.
impl fmt::Debug for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.why)
    }
}
