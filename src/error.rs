//! Every way to fail: its name for machines, its words and its advice for people.

use std::error::Error as _;
use std::time::Duration;

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
    /// No version of the secret logs in.
    #[error("no version of the secret logs in to {target}: {tried}")]
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

/// Every name, with what to do; the README's table has the same names.
const ADVICE: [(&str, &str); 30] = [
    (
        "AccessDenied",
        "Allow the function's role this action, and kms:Decrypt and kms:GenerateDataKey on the secret's key; look for a Deny in the secret's resource policy and in the endpoint's",
    ),
    (
        "AuthenticationUnsupported",
        "Use scram-sha-256 in pg_hba.conf for this role; a server that must see passwords as text needs PASSWORD_TRANSPORT=plaintext",
    ),
    (
        "AwsCallFailed",
        "Secrets Manager repeats a failed rotation by itself; if this stays, look the code up in the API's reference",
    ),
    (
        "CloneNameInvalid",
        "Give the role a shorter name, or rotate it as a single user (without masterarn)",
    ),
    (
        "CloneNotEqual",
        "Rotate again: setSecret makes the clone a member of its original and lets its sessions start as it; look for a warning that this could not be done",
    ),
    (
        "ConnectDenied",
        "As an administrator: GRANT CONNECT ON DATABASE … TO the role",
    ),
    (
        "ConnectionLost",
        "Nothing is lost: the next try finds out whether the change was made, and goes on from there",
    ),
    (
        "ConnectionNotAllowed",
        "Add a line to pg_hba.conf for this role, this database and the function's subnets, with scram-sha-256",
    ),
    (
        "DatabaseFailed",
        "Look the SQLSTATE up in PostgreSQL's manual, appendix A, and in the server's log",
    ),
    (
        "DatabaseNotFound",
        "Put the name of an existing database into the secret's dbname",
    ),
    (
        "DatabaseNotReady",
        "Wait until the server is up; Secrets Manager tries again",
    ),
    (
        "DatabaseReadOnly",
        "Name the writer in the secret's host: a replica takes no new password",
    ),
    (
        "DatabaseUnreachable",
        "Check that the database runs, the secret's host and port, and that the security groups let the function reach it",
    ),
    (
        "DeadlineExceeded",
        "Look at what did not answer: a security group that drops packets, a lock held on the role, an overloaded server. If it is only slow, raise the function's timeout",
    ),
    (
        "ForeignTarget",
        "Nothing was changed. If another host or role is meant, take AWSPENDING off its version and rotate again; a clone made by hand must be a member of its original",
    ),
    ("HostNotFound", "Check the secret's host, and the VPC's DNS"),
    (
        "InvalidEvent",
        "Only Secrets Manager calls this function: start a rotation with `aws secretsmanager rotate-secret`",
    ),
    ("LoginNotAllowed", "As an administrator: ALTER ROLE … LOGIN"),
    (
        "NoWorkingCredential",
        "The database and the labels are as they were. As an administrator, ALTER ROLE … PASSWORD to what AWSCURRENT holds, then rotate again",
    ),
    (
        "PasswordRefused",
        "Fit PASSWORD_LENGTH and the EXCLUDE_… settings to the server's password policy; a policy that wants to see the text needs PASSWORD_TRANSPORT=plaintext. Then take AWSPENDING off its version and rotate again",
    ),
    (
        "PermissionDenied",
        "Allow the role this change; on RDS, where rds.restrict_password_commands is on, GRANT rds_password TO it",
    ),
    (
        "RotationNotEnabled",
        "Enable rotation for the secret, or leave it alone",
    ),
    (
        "SecretMalformed",
        "Mend that version's value. A pending one beyond repair loses its label with `aws secretsmanager update-secret-version-stage --version-stage AWSPENDING --remove-from-version-id …`, and the next rotation makes another",
    ),
    ("SecretNotFound", "Check the secret's name and region"),
    (
        "SecretPendingDeletion",
        "Restore the secret first: `aws secretsmanager restore-secret`",
    ),
    (
        "SecretsManagerUnreachable",
        "A function in a VPC needs a NAT gateway or an interface endpoint (with private DNS, and port 443 open in both security groups)",
    ),
    (
        "TlsFailed",
        "The password was not sent. No TLS: ssl = on in the server, or \"ssl\": false in the secret where clear text is acceptable. Unknown authority: its PEM file in PGSSLROOTCERT. Wrong host name: the certificate's name in the secret. Expired: a new certificate",
    ),
    (
        "TooManyConnections",
        "Free a connection, or raise max_connections or the role's CONNECTION LIMIT by one",
    ),
    (
        "UnexpectedRole",
        "A pooler or a mapping in pg_ident.conf stands between: give the secret the database's own address",
    ),
    (
        "VersionNotStaged",
        "The rotation was cancelled or replaced: start a new one",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c45_every_name_has_advice_and_a_place_in_the_readme() {
        let source = include_str!("error.rs")
            .split("const ADVICE")
            .next()
            .unwrap();
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
