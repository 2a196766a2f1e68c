//! What is said of a step when it ends: one line.

use tokio::time::Instant;

use super::Rotation;
use crate::error::Error;
use crate::event::RotationEvent;

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

/// What is known so far of the step under way.
pub(super) struct Report {
    begun: Instant,
    step: Option<&'static str>,
    secret_id: Option<String>,
    version: Option<String>,
    strategy: Option<&'static str>,
    role: Option<String>,
    host: Option<String>,
}

impl Report {
    pub(super) fn begin() -> Self {
        Self {
            begun: Instant::now(),
            step: None,
            secret_id: None,
            version: None,
            strategy: None,
            role: None,
            host: None,
        }
    }

    pub(super) fn event(&mut self, event: &RotationEvent) {
        self.step = Some(event.step.as_str());
        self.secret_id = Some(event.secret_id.to_string());
        self.version = Some(event.version.to_string());
    }

    pub(super) fn rotation(&mut self, rotation: &Rotation<'_>) {
        let login = rotation
            .pending
            .as_ref()
            .map_or(&rotation.current.login, |pending| &pending.login);
        self.strategy = Some(rotation.strategy.as_str());
        self.role = Some(login.credentials.role.to_string());
        self.host = Some(login.endpoint.host.clone());
    }

    pub(super) fn end(self, result: &Result<Outcome, Error>) {
        match result {
            Ok(outcome) => self.line(tracing::Level::INFO, outcome.as_str(), None),
            Err(error) => self.line(tracing::Level::ERROR, error.name(), Some(&error.report())),
        }
    }

    fn line(self, level: tracing::Level, outcome: &str, error: Option<&str>) {
        let duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Self {
            step,
            secret_id,
            version,
            strategy,
            role,
            host,
            ..
        } = self;
        macro_rules! say {
            ($event:ident) => {
                tracing::$event!(
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
                )
            };
        }
        if level == tracing::Level::ERROR {
            say!(error);
        } else {
            say!(info);
        }
    }
}
