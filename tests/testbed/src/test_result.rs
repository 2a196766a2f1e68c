//! What a test returns.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

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
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            why = format!("{why}\n  because: {inner}");
            cause = inner.source();
        }
        Self {
            at: Location::caller(),
            why,
        }
    }
}

/// What the harness shows of a test that returns it.
impl fmt::Debug for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.why)
    }
}
