//! How an event went.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

use crate::error::Error;

/// How an event went.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What the function answered; a time-out or a death is a failure by Lambda's own name.
    pub answer: Result<Value, Failure>,
    /// From handing over the event to the answer.
    pub took: Duration,
    /// The lines that the process wrote meanwhile.
    pub log: Vec<String>,
    /// Whether it was killed at its deadline.
    pub timed_out: bool,
    /// How the process ended, if it did.
    pub died: Option<ExitStatus>,
}

/// An error as Lambda hands it on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// `errorType`
    pub error_type: String,
    /// `errorMessage`
    pub error_message: String,
    /// The whole payload, as the function sent it.
    pub raw: String,
}

/// A process that never asked for an event.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("the function {}\n{output}", ended(*.exit))]
pub struct StartFailure {
    /// How it ended; none where it was killed for taking too long, or couldn't be started.
    pub exit: Option<ExitStatus>,
    /// What it wrote, or what kept it from being started.
    pub output: String,
}

fn ended(exit: Option<ExitStatus>) -> String {
    match exit {
        Some(exit) => format!("did not start, it ended with {exit}"),
        None => "could not be started, or did not ask for an event in time".to_owned(),
    }
}

impl Invocation {
    /// The error's name, where it is one.
    pub fn error_type(&self) -> Option<&str> {
        let failure = self.answer.as_ref().err();
        failure.map(|failure| failure.error_type.as_str())
    }

    /// The success, or what went wrong with the log as a test's failure.
    pub fn success(&self) -> crate::Result<&Value> {
        let failed = |failure| {
            Error::new(format!(
                "the function failed: {failure}\n{}",
                self.log.join("\n")
            ))
        };
        self.answer.as_ref().map_err(failed)
    }

    /// The failure, or a test's failure where it was a success.
    pub fn failure(&self) -> crate::Result<&Failure> {
        let succeeded = || Error::new(format!("the function succeeded: {self:?}"));
        self.answer.as_ref().err().ok_or_else(succeeded)
    }

    /// The message of a failure with this name, which the function reported itself, in its time.
    pub fn failed_with(&self, name: &str) -> crate::Result<String> {
        let failure = self.failure()?;
        if failure.error_type == name && !self.timed_out && self.died.is_none() {
            return Ok(failure.error_message.clone());
        }
        Err(Error::new(format!("not {name}: {self:?}")))
    }

    /// The warnings among what it wrote.
    pub fn warnings(&self) -> Vec<&String> {
        let lines = self.log.iter();
        lines.filter(|line| line.contains("WARN")).collect()
    }

    pub(super) fn never_started(failure: &StartFailure) -> Self {
        Self {
            answer: Err(Failure::named("Runtime.ExitError", &failure.to_string())),
            took: Duration::ZERO,
            log: failure.output.lines().map(str::to_owned).collect(),
            timed_out: false,
            died: failure.exit,
        }
    }
}

impl Failure {
    /// A failure that Lambda names.
    pub(super) fn named(error_type: &str, error_message: &str) -> Self {
        Self {
            error_type: error_type.to_owned(),
            error_message: error_message.to_owned(),
            raw: String::new(),
        }
    }

    /// `{"errorType": …, "errorMessage": …}`
    pub(super) fn of(payload: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |field| value.get(field).and_then(Value::as_str).unwrap_or_default();
        let failure = Self::named(text("errorType"), text("errorMessage"));
        Self {
            raw: String::from_utf8_lossy(payload).into_owned(),
            ..failure
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.error_message)
    }
}

impl From<StartFailure> for Error {
    fn from(failure: StartFailure) -> Self {
        Self::new(failure.to_string())
    }
}

impl From<Error> for StartFailure {
    fn from(error: Error) -> Self {
        Self {
            exit: None,
            output: format!("{error:?}"),
        }
    }
}
