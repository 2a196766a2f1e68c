//! Every way to fail: its name for machines, its words and its advice for people.

mod kind;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::time::Duration;

pub(crate) use self::kind::Kind;
use crate::aws::AwsError;
use crate::login::Login;
use crate::postgres::{DatabaseError, Failure};
use crate::request::InvalidRequest;
use crate::secret::{Inadmissible, MalformedSecret};

/// Why an invocation failed: [`Error::name`] is stable, [`Error::report`] is for people.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct Error {
    kind: Kind,
    /// What was tried on what, or what is wrong with what.
    problem: String,
    #[source]
    cause: Option<Box<dyn StdError + Send + Sync>>,
    /// What to do, where that is something else than its kind advises.
    advice: Option<Cow<'static, str>>,
}

impl Error {
    /// An error without a deeper cause; `problem` says what is wrong with what.
    pub(crate) fn new(kind: Kind, problem: String) -> Self {
        Self {
            kind,
            problem,
            cause: None,
            advice: None,
        }
    }

    /// The same with an advice of its own, for a cause that is known better than by its kind.
    pub(crate) fn advising(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// The same, said after `what`: what was found before it.
    pub(crate) fn after(mut self, what: &str) -> Self {
        self.problem = format!("{what}: {}", self.problem);
        self
    }

    /// No password that may be used logs in to `login`'s database; `tried` lists each with its outcome.
    pub(crate) fn no_working_credential(login: &Login, tried: &str) -> Self {
        let problem = format!("no password that was tried logs in to {login}: {tried}");
        Self::new(Kind::NoWorkingCredential, problem)
    }

    /// The `errorType` that the invocation answers.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// The `errorMessage`: what was tried on what, the chain of causes, and what to do.
    #[must_use]
    pub fn report(&self) -> String {
        format!("{}. {}", self.explanation(), self.advice())
    }

    /// What was tried on what, and the chain of causes.
    pub(crate) fn explanation(&self) -> String {
        let mut words = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            words = format!("{words}: {cause}");
            source = cause.source();
        }
        words
    }

    /// What to do.
    pub(crate) fn advice(&self) -> &str {
        self.advice.as_deref().unwrap_or(self.kind.advice())
    }
}

impl From<InvalidRequest> for Error {
    fn from(error: InvalidRequest) -> Self {
        Self::new(Kind::InvalidEvent, error.to_string())
    }
}

impl From<Inadmissible> for Error {
    fn from(error: Inadmissible) -> Self {
        let kind = match error {
            Inadmissible::RotationNotEnabled(_) => Kind::RotationNotEnabled,
            Inadmissible::SecretPendingDeletion(_) => Kind::SecretPendingDeletion,
            Inadmissible::VersionNotStaged { .. } => Kind::VersionNotStaged,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<MalformedSecret> for Error {
    fn from(error: MalformedSecret) -> Self {
        Self::new(Kind::SecretMalformed, error.to_string())
    }
}

impl From<AwsError> for Error {
    fn from(error: AwsError) -> Self {
        let kind = match &error {
            AwsError::AccessDenied { .. } => Kind::AccessDenied,
            AwsError::Failed { .. } => Kind::AwsCallFailed,
            AwsError::SecretNotFound { .. } => Kind::SecretNotFound,
            // The client gives up by itself only after some time: in an invocation shorter than that, silence means the same.
            AwsError::TimedOut { after, .. } if *after < SILENCE => Kind::DeadlineExceeded,
            AwsError::TimedOut { .. } | AwsError::Unreachable { .. } => {
                Kind::SecretsManagerUnreachable
            }
        };
        Self::new(kind, error.to_string())
    }
}

impl From<DatabaseError> for Error {
    fn from(error: DatabaseError) -> Self {
        Self {
            kind: database_kind(&error.failure),
            problem: error.to_string(),
            advice: database_advice(&error.failure).map(Cow::Borrowed),
            cause: Some(Box::new(error.failure)),
        }
    }
}

const fn database_kind(failure: &Failure) -> Kind {
    match failure {
        Failure::HostNotFound(_) => Kind::HostNotFound,
        Failure::Unreachable(_) => Kind::DatabaseUnreachable,
        Failure::NoRoots { .. } | Failure::TlsNotOffered | Failure::Tls(_) => Kind::TlsFailed,
        Failure::Refused => Kind::NoWorkingCredential,
        Failure::ClearTextAsked | Failure::AuthenticationUnsupported => {
            Kind::AuthenticationUnsupported
        }
        Failure::NotReady(_) => Kind::DatabaseNotReady,
        Failure::TooManyConnections(_) => Kind::TooManyConnections,
        Failure::ConnectionNotAllowed(_) => Kind::ConnectionNotAllowed,
        Failure::LoginNotAllowed(_) => Kind::LoginNotAllowed,
        Failure::DatabaseNotFound(_) => Kind::DatabaseNotFound,
        Failure::ConnectDenied(_) => Kind::ConnectDenied,
        Failure::ReadOnly => Kind::DatabaseReadOnly,
        Failure::NotAPair(_) => Kind::ForeignTarget,
        Failure::AdminLacking(_)
        | Failure::LanguageDenied { .. }
        | Failure::PermissionDenied(_)
        | Failure::ObjectDenied(_) => Kind::PermissionDenied,
        Failure::PasswordRefused(_) => Kind::PasswordRefused,
        Failure::PasswordUnanswered { .. } | Failure::TimedOut(_) => Kind::DeadlineExceeded,
        Failure::AnswerUnreadable | Failure::ConnectionLost(_) => Kind::ConnectionLost,
        Failure::Conflict(_) | Failure::Failed(_) | Failure::NoVerifier(_) => Kind::DatabaseFailed,
    }
}

/// What to do about a failure of which more is known than its kind.
const fn database_advice(failure: &Failure) -> Option<&'static str> {
    match failure {
        Failure::NoRoots { .. } => Some(
            "The password was not sent. The region is newer than this function: use a newer release, or put AWS's current bundle (https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem) beside it and name that in PGSSLROOTCERT",
        ),
        Failure::NotAPair(_) | Failure::AdminLacking(_) | Failure::LanguageDenied { .. } => Some(
            "Nothing was changed. Run what is printed here as an administrator; the next try goes on from there",
        ),
        Failure::ObjectDenied(_) => Some(
            "As an administrator of this database, grant the role what it is denied here: SELECT on a table or view, EXECUTE on a function, USAGE on a schema or language",
        ),
        _ => None,
    }
}

/// How long a service must have said nothing to be called unreachable.
const SILENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c45_a_report_says_what_was_tried_why_it_failed_and_what_to_do() {
        let failure = Failure::Unreachable(std::io::Error::other("connection refused"));
        let error = Error::from(DatabaseError {
            attempt: "log in to db:5432/app as \"app\"".to_owned(),
            failure,
        });
        let report = error.report();
        assert!(report.starts_with("could not log in to db:5432/app as \"app\": no connection: connection refused. Check that"));
        assert_eq!(report.matches("connection refused").count(), 1, "{report}");
    }
}
