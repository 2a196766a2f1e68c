//! What was found, check by check.

use serde_json::{Value, json};

use crate::error::Error;
use crate::secret::SecretId;

/// What is checked, in the order in which a rotation meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Check {
    /// The function's own.
    Settings,
    /// `DescribeSecret`: the secret, and its labels.
    Secret,
    /// Whether and how it rotates.
    Rotation,
    /// A rotation that has not ended.
    Pending,
    /// The current value.
    Current,
    /// What in it follows.
    ConnectionStrings,
    /// RDS Proxy.
    Proxy,
    RandomPassword,
    PutSecretValue,
    UpdateSecretVersionStage,
    /// DNS.
    Host,
    Tcp,
    Tls,
    /// With the current password.
    Login,
    /// What the server is.
    Server,
    /// Any other proxy.
    Pooler,
    SuperuserSecret,
    SuperuserLogin,
    /// Of the role whose turn it is.
    Sessions,
    /// Whether the role whose turn it is would be let in.
    NextLogin,
    /// Made, and rolled back.
    Change,
    /// What of the original the clone lacks.
    Clone,
}

impl Check {
    const ALL: [Self; 22] = [
        Self::Settings,
        Self::Secret,
        Self::Rotation,
        Self::Pending,
        Self::Current,
        Self::ConnectionStrings,
        Self::Proxy,
        Self::RandomPassword,
        Self::PutSecretValue,
        Self::UpdateSecretVersionStage,
        Self::Host,
        Self::Tcp,
        Self::Tls,
        Self::Login,
        Self::Server,
        Self::Pooler,
        Self::SuperuserSecret,
        Self::SuperuserLogin,
        Self::Sessions,
        Self::NextLogin,
        Self::Change,
        Self::Clone,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Secret => "secret",
            Self::Rotation => "rotation",
            Self::Pending => "AWSPENDING",
            Self::Current => "AWSCURRENT",
            Self::ConnectionStrings => "connection strings",
            Self::Proxy => "RDS Proxy",
            Self::RandomPassword => "GetRandomPassword",
            Self::PutSecretValue => "PutSecretValue",
            Self::UpdateSecretVersionStage => "UpdateSecretVersionStage",
            Self::Host => "host",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Login => "login",
            Self::Server => "server",
            Self::Pooler => "pooler",
            Self::SuperuserSecret => "superuser's secret",
            Self::SuperuserLogin => "superuser's login",
            Self::Sessions => "sessions of the next role",
            Self::NextLogin => "login of the next role",
            Self::Change => "password change",
            Self::Clone => "clone",
        }
    }

    /// Whether it is made for alternating users alone.
    const fn is_for_pairs(self) -> bool {
        matches!(
            self,
            Self::SuperuserSecret
                | Self::SuperuserLogin
                | Self::Sessions
                | Self::NextLogin
                | Self::Clone
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    Warning,
    Failed,
    NotTried,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::NotTried => "not tried",
        }
    }
}

/// The checks that were made.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Checked>);

#[derive(Debug)]
struct Checked {
    check: Check,
    outcome: Outcome,
    found: String,
    advice: Option<String>,
}

impl Report {
    pub(super) fn ok(&mut self, check: Check, found: impl Into<String>) {
        self.note(check, Outcome::Ok, found.into(), None);
    }

    /// Would not keep a rotation from succeeding.
    pub(super) fn warning(
        &mut self,
        check: Check,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let advice = Some(advice.into());
        self.note(check, Outcome::Warning, found.into(), advice);
    }

    /// Would make a rotation fail, with this error.
    pub(super) fn failure(&mut self, check: Check, error: &Error) {
        let found = format!("{}: {}", error.name(), error.explanation());
        self.refusal(check, found, error.advice());
    }

    /// Would keep a rotation from beginning.
    pub(super) fn refusal(
        &mut self,
        check: Check,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let advice = Some(advice.into());
        self.note(check, Outcome::Failed, found.into(), advice);
    }

    pub(super) fn not_tried(&mut self, check: Check, why: impl Into<String>) {
        self.note(check, Outcome::NotTried, why.into(), None);
    }

    /// What a check came to; an error fails it.
    pub(super) fn pass<T, E: Into<Error>>(
        &mut self,
        check: Check,
        result: Result<T, E>,
    ) -> Option<T> {
        result
            .map_err(|error| self.failure(check, &error.into()))
            .ok()
    }

    fn note(&mut self, check: Check, outcome: Outcome, found: String, advice: Option<String>) {
        self.0.push(Checked {
            check,
            outcome,
            found,
            advice,
        });
    }

    /// Puts the checks in order, and names those that another one's failure left out.
    pub(super) fn complete(&mut self, is_of_pair: bool) {
        for check in Check::ALL {
            let is_made = self.0.iter().any(|checked| checked.check == check);
            if !is_made && (is_of_pair || !check.is_for_pairs()) {
                self.not_tried(check, "depends on a check that failed");
            }
        }
        self.0.sort_by_key(|checked| checked.check);
    }

    /// The names of the checks that failed, with commas between.
    pub(super) fn failed(&self) -> String {
        let failed = self.0.iter().filter(|c| c.outcome == Outcome::Failed);
        let names: Vec<_> = failed.map(|checked| checked.check.name()).collect();
        names.join(", ")
    }

    pub(super) fn answer(self, secret_id: &SecretId) -> Value {
        let ready = self.failed().is_empty();
        let checks = self.0.into_iter().map(|checked| {
            json!({
                "check": checked.check.name(),
                "outcome": checked.outcome.as_str(),
                "found": checked.found,
                "advice": checked.advice,
            })
        });
        let checks: Vec<_> = checks.collect();
        json!({ "secret_id": secret_id.as_str(), "ready": ready, "checks": checks })
    }
}
