//! Every way to fail: its name for machines, its words and its advice for people.

mod advice;

use std::error::Error as _;
use std::time::Duration;

use self::advice::ADVICE;
use crate::event::InvalidEvent;
use crate::login::InvalidRoleName;
use crate::postgres::{DatabaseError, Fault};
use crate::secret::{Inadmissible, MalformedSecret, StoreError};

/// Why an invocation failed. [`Error::name`] is stable; the words are for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The payload is no rotation event.
    #[error(transparent)]
    Event(#[from] InvalidEvent),
    /// The rotation may not go on.
    #[error(transparent)]
    Admission(#[from] Inadmissible),
    /// A version's value is no database secret, or there is none.
    #[error(transparent)]
    Secret(#[from] MalformedSecret),
    /// Secrets Manager said no, or nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret points elsewhere than the rotation may go.
    #[error("{0}")]
    ForeignTarget(String),
    /// No password that may be used is the right one.
    #[error("no password that was tried logs in to {target}: {tried}")]
    NoWorkingCredential {
        /// Where, and as whom.
        target: String,
        /// Each version tried, with its outcome.
        tried: String,
    },
    /// The role's clone can't be named after it.
    #[error("the clone of role {role:?} would have a name that {why}")]
    CloneName {
        /// The role.
        role: String,
        /// What is wrong with the name.
        why: InvalidRoleName,
    },
    /// The pending role is not what its original is.
    #[error("logged in to {target}, but its sessions do not act as its original role")]
    NotEqual {
        /// Where, and as whom.
        target: String,
    },
    /// A login reached another role than its own.
    #[error("logged in to {target}, but the server says that this is {found:?}")]
    UnexpectedRole {
        /// Where, and as whom.
        target: String,
        /// Whom the server sees.
        found: String,
    },
    /// The database said no, or nothing.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl Error {
    /// The `errorType` that the invocation answers.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Event(_) => "InvalidEvent",
            Self::Admission(Inadmissible::RotationNotEnabled(_)) => "RotationNotEnabled",
            Self::Admission(Inadmissible::SecretPendingDeletion(_)) => "SecretPendingDeletion",
            Self::Admission(Inadmissible::VersionNotStaged { .. }) => "VersionNotStaged",
            Self::Secret(_) => "SecretMalformed",
            Self::Store(StoreError::AccessDenied { .. }) => "AccessDenied",
            Self::Store(StoreError::Failed { .. } | StoreError::Stale(_)) => "AwsCallFailed",
            Self::Store(StoreError::SecretNotFound { .. }) => "SecretNotFound",
            // The client gives up by itself only after some time: in an invocation shorter than that, silence means the same.
            Self::Store(StoreError::Late { after, .. }) if *after < SILENCE => "DeadlineExceeded",
            Self::Store(StoreError::Late { .. } | StoreError::Unreachable { .. }) => {
                "SecretsManagerUnreachable"
            }
            Self::CloneName { .. } => "CloneNameInvalid",
            Self::ForeignTarget(_) => "ForeignTarget",
            Self::NoWorkingCredential { .. } => "NoWorkingCredential",
            Self::NotEqual { .. } => "CloneNotEqual",
            Self::UnexpectedRole { .. } => "UnexpectedRole",
            Self::Database(DatabaseError { fault, .. }) => database_name(fault),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        let name = self.name();
        ADVICE
            .iter()
            .find(|(n, _)| *n == name)
            .map_or("", |(_, advice)| advice)
    }

    /// The `errorMessage`: what was tried on what, the chain of causes, and what to do.
    #[must_use]
    pub fn report(&self) -> String {
        let mut words = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            let cause_words = cause.to_string();
            // An error that shows its cause itself has said it already.
            if !words.ends_with(&cause_words) {
                words = format!("{words}: {cause_words}");
            }
            source = cause.source();
        }
        format!("{words}. {}", self.advice())
    }
}

fn database_name(fault: &Fault) -> &'static str {
    match fault {
        Fault::HostNotFound(_) => "HostNotFound",
        Fault::Unreachable(_) => "DatabaseUnreachable",
        Fault::TlsNotOffered | Fault::Tls(_) => "TlsFailed",
        Fault::Refused => "NoWorkingCredential",
        Fault::ClearTextAsked | Fault::AuthenticationUnsupported => "AuthenticationUnsupported",
        Fault::NotReady(_) => "DatabaseNotReady",
        Fault::TooManyConnections(_) => "TooManyConnections",
        Fault::ConnectionNotAllowed(_) => "ConnectionNotAllowed",
        Fault::LoginNotAllowed(_) => "LoginNotAllowed",
        Fault::DatabaseNotFound(_) => "DatabaseNotFound",
        Fault::ConnectDenied(_) => "ConnectDenied",
        Fault::ReadOnly(_) => "DatabaseReadOnly",
        Fault::NotAPair(_) => "ForeignTarget",
        Fault::PermissionDenied(_) => "PermissionDenied",
        Fault::PasswordRefused(_) => "PasswordRefused",
        Fault::TimedOut { .. } => "DeadlineExceeded",
        Fault::ConnectionLost(_) => "ConnectionLost",
        Fault::Conflict(_) | Fault::Failed(_) => "DatabaseFailed",
    }
}

/// How long a service must have said nothing to be called unreachable.
const SILENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c45_every_name_has_advice_and_a_place_in_the_readme() {
        let source = include_str!("error.rs");
        let readme = include_str!("../README.md");
        let names: Vec<_> = source
            .split("=> \"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(names.len() > 25, "{names:?}");
        for name in names {
            assert!(
                ADVICE
                    .iter()
                    .any(|(n, advice)| *n == name && !advice.is_empty()),
                "{name} has no advice"
            );
            assert!(
                readme.contains(&format!("`{name}`")),
                "{name} is not in the README"
            );
        }
    }

    #[test]
    fn c45_a_report_says_what_was_tried_why_it_failed_and_what_to_do() {
        let fault = Fault::Unreachable(std::io::Error::other("connection refused"));
        let error = Error::Database(DatabaseError {
            attempt: "log in to db:5432/app as \"app\"".to_owned(),
            fault,
        });
        let report = error.report();
        assert!(report.starts_with("could not log in to db:5432/app as \"app\": no connection: connection refused. Check that"));
        assert_eq!(report.matches("connection refused").count(), 1, "{report}");
    }
}
