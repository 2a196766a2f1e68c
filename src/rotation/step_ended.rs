//! The one line that is logged when a step ends.

use tokio::time::Instant;

use crate::error::Error;
use crate::request::RotationRequest;

/// What is known of the step under way.
pub(super) struct StepEnded {
    begun: Instant,
    /// What was asked, once it is understood.
    pub(super) request: Option<RotationRequest>,
    /// Whom it is about, once the secret was read.
    pub(super) target: Option<Target>,
}

/// Whom and what a step is about.
pub(super) struct Target {
    /// `single user` or `alternating users`.
    pub(super) strategy: &'static str,
    /// The role whose password is pending.
    pub(super) role: String,
    /// The host of its database.
    pub(super) host: String,
}

/// How a step ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The version is `AWSCURRENT` already; nothing was touched.
    AlreadyCurrent,
    /// createSecret: a new value is pending.
    Created,
    /// createSecret: the pending value was there, and was kept.
    Kept,
    /// setSecret: the database has the new password.
    Set,
    /// setSecret: the database had it already.
    AlreadySet,
    /// testSecret: the new password logs in.
    Tested,
    /// finishSecret: `AWSCURRENT` moved.
    Promoted,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyCurrent => "already current",
            Self::Created => "created",
            Self::Kept => "kept",
            Self::Set => "set",
            Self::AlreadySet => "already set",
            Self::Tested => "tested",
            Self::Promoted => "promoted",
        }
    }
}

impl StepEnded {
    pub(super) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            request: None,
            target: None,
        }
    }

    pub(super) fn log(&self, result: &Result<Outcome, Error>) {
        let request = self.request.as_ref();
        let step = request.map(|request| request.step.as_str());
        let secret_id = request.map(|request| request.secret_id.as_str());
        let version = request.map(|request| request.version.as_str());
        let target = self.target.as_ref();
        let strategy = target.map(|target| target.strategy);
        let role = target.map(|target| target.role.as_str());
        let host = target.map(|target| target.host.as_str());
        let duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        // A level is a constant of the place where it is logged: one place for each.
        match result {
            Ok(outcome) => {
                let outcome = outcome.as_str();
                tracing::info!(
                    step,
                    secret_id,
                    version,
                    strategy,
                    role,
                    host,
                    outcome,
                    duration_ms,
                    "step ended"
                );
            }
            Err(error) => {
                let outcome = error.name();
                let error = error.report();
                tracing::error!(
                    step,
                    secret_id,
                    version,
                    strategy,
                    role,
                    host,
                    outcome,
                    duration_ms,
                    error,
                    "step ended"
                );
            }
        }
    }
}
