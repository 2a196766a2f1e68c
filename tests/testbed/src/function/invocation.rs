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
    /// CPU time of all the process's threads, until the function asked for its next event.
    pub cpu: Duration,
    /// The most memory that the process ever held until then, in bytes.
    pub peak_memory: u64,
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
#[derive(Clone, Debug, Default)]
pub struct StartFailure {
    /// How it ended; none where it was killed for taking too long, or couldn't be started.
    pub exit: Option<ExitStatus>,
    /// What it wrote.
    pub output: String,
    /// What it reported to the Runtime API, or what kept it from being started.
    pub reported: Option<Failure>,
}

impl Invocation {
    /// The error's name, where it is one.
    pub fn error_type(&self) -> Option<&str> {
        self.answer
            .as_ref()
            .err()
            .map(|failure| failure.error_type.as_str())
    }

    /// The success, or what went wrong with the log as a test's failure.
    pub fn success(&self) -> crate::Result<&Value> {
        self.answer.as_ref().map_err(|failure| {
            Error::new(format!(
                "the function failed: {failure}\n{}",
                self.log.join("\n")
            ))
        })
    }

    /// The failure, or a test's failure where it was a success.
    pub fn failure(&self) -> crate::Result<&Failure> {
        match &self.answer {
            Err(failure) => Ok(failure),
            Ok(value) => Err(Error::new(format!(
                "the function succeeded: {value}\n{}",
                self.log.join("\n")
            ))),
        }
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
        let died = failure.exit;
        let reported = failure.reported.clone();
        let failure_of_lambda = Failure::named("Runtime.ExitError", &failure.to_string());
        Self {
            answer: Err(reported.unwrap_or(failure_of_lambda)),
            took: Duration::ZERO,
            cpu: Duration::ZERO,
            peak_memory: 0,
            log: failure.output.lines().map(str::to_owned).collect(),
            timed_out: false,
            died,
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
        let text = |field| {
            value
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let raw = String::from_utf8_lossy(payload).into_owned();
        Self {
            error_type: text("errorType"),
            error_message: text("errorMessage"),
            raw,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.error_message)
    }
}

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reported, self.exit) {
            (Some(failure), _) => write!(f, "the function did not start: {failure}")?,
            (None, Some(exit)) => write!(f, "the function did not start, it ended with {exit}")?,
            (None, None) => write!(f, "the function did not ask for an event in time")?,
        }
        write!(f, "\n{}", self.output)
    }
}

impl std::error::Error for StartFailure {}

impl From<StartFailure> for Error {
    fn from(failure: StartFailure) -> Self {
        Self::new(failure.to_string())
    }
}

impl From<Error> for StartFailure {
    fn from(error: Error) -> Self {
        let reported = Some(Failure::named("Testbed", &format!("{error:?}")));
        Self {
            exit: None,
            output: String::new(),
            reported,
        }
    }
}
