//! How a database says no.

use std::io;
use std::time::Duration;

use openssl::error::ErrorStack;
use tokio_postgres::error::DbError;

use crate::deadline::TimedOut;
use crate::login::quoted_identifier;
use crate::sensitive::Redaction;

/// What was tried on a database, and why it failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {attempt}")]
pub struct DatabaseError {
    /// What was tried on what: `log in to db.example:5432/app as "app"`.
    pub attempt: String,
    /// Why it failed.
    #[source]
    pub failure: Failure,
}

/// Why something failed, in the order in which a session can meet it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// DNS has no address for the host.
    #[error("the host name was not found")]
    HostNotFound(#[source] io::Error),
    /// Nothing answers at the address.
    #[error("no connection")]
    Unreachable(#[source] io::Error),
    /// The server has no TLS, or somebody between says so.
    #[error("the server does not offer TLS")]
    TlsNotOffered,
    /// The handshake failed: an unknown authority, another host's name, an expired certificate, an old protocol.
    // Not its source: the library's own words hold its cause already.
    #[error("TLS handshake failed: {0}")]
    Tls(native_tls::Error),
    /// The same, to a host of RDS's in a region whose authorities are not built in.
    #[error("no certificate authorities of the region {region} are built in: {error}")]
    NoRoots {
        /// The region, as the host's name has it.
        region: String,
        /// What the handshake failed of.
        error: native_tls::Error,
    },
    /// The password is wrong: SQLSTATE 28P01, and nothing else.
    #[error("password refused")]
    Refused,
    /// The server wants to see the password itself.
    #[error("the server asks for the password in clear text")]
    ClearTextAsked,
    /// The server wants another proof than a password, or its SCRAM is not acceptable.
    #[error("the server offers no way to log in that this function supports")]
    AuthenticationUnsupported,
    /// Starting up, shutting down or recovering (57P03).
    #[error("{0}")]
    NotReady(Complaint),
    /// No slot left (53300).
    #[error("{0}")]
    TooManyConnections(Complaint),
    /// No line of `pg_hba.conf` lets this role in from here (28000).
    #[error("{0}")]
    ConnectionNotAllowed(Complaint),
    /// The password was right, and the role may not log in (28000).
    #[error("the password was accepted, then: {0}")]
    LoginNotAllowed(Complaint),
    /// The password was right, and there is no such database (3D000).
    #[error("the password was accepted, then: {0}")]
    DatabaseNotFound(Complaint),
    /// The password was right, and the role may not connect to the database (42501).
    #[error("the password was accepted, then: {0}")]
    ConnectDenied(Complaint),
    /// The server is a replica, or read only (25006; 0A000 where a transaction is to be writable).
    #[error("the server is a replica, or read only")]
    ReadOnly,
    /// The database does not confirm that two roles are a pair (`DBR01`, of `level_clone.sql`), and by which statements an
    /// administrator would.
    // Longer than any other message may be: names of 63 bytes, in statements to be run as they stand.
    #[error("{:.4000} (SQLSTATE {})", .0.message, .0.code)]
    NotAPair(Complaint),
    /// The role lacks ADMIN (`DBR02`, of `level_clone.sql`), and by which statements an administrator gives it.
    #[error("{:.4000} (SQLSTATE {})", .0.message, .0.code)]
    AdminLacking(Complaint),
    /// The role may not use the language in which a clone is made level.
    #[error(
        "role {role:?} lacks USAGE on the language plpgsql in this database; as an administrator of it: GRANT USAGE ON LANGUAGE plpgsql TO {}",
        quoted_identifier(role)
    )]
    LanguageDenied {
        /// Whose right it would be.
        role: String,
    },
    /// The role may not do it (42501).
    #[error("{0}")]
    PermissionDenied(Complaint),
    /// The role may not use what the statement needs: a table of the catalogue, a function (42501, of an ACL).
    #[error("{0}")]
    ObjectDenied(Complaint),
    /// The server's password policy says no.
    #[error("{0}")]
    PasswordRefused(Complaint),
    /// Somebody else changed the same thing at the same time (40001, 40P01, XX000).
    #[error("{0}")]
    Conflict(Complaint),
    /// It took too long.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The server was given a proof of the password and did not answer in time, as one with `auth_delay` does where it
    /// refuses.
    #[error("no answer within {} ms while the server checked the password", after.as_millis())]
    PasswordUnanswered {
        /// How long the answer was waited for.
        after: Duration,
    },
    /// The connection died: whether the last statement was carried out is not known.
    #[error("the connection was lost: {0}")]
    ConnectionLost(String),
    /// The answer is not one to what was asked.
    #[error("the server's answer makes no sense")]
    AnswerUnreadable,
    /// There is no verifier to send.
    #[error("OpenSSL made no verifier: {0}")]
    NoVerifier(ErrorStack),
    /// Any other error of the server's.
    #[error("{0}")]
    Failed(Complaint),
}

/// What the server said: its message and SQLSTATE. Never its detail, hint or query, which may quote a statement.
#[derive(Debug, thiserror::Error)]
// No more of a message than fits a line: a hostile server's could fill the log.
#[error("{message:.500} (SQLSTATE {code})")]
pub struct Complaint {
    /// SQLSTATE (`PostgreSQL`, appendix A).
    pub code: String,
    /// The primary message.
    pub message: String,
}

impl From<&DbError> for Complaint {
    fn from(error: &DbError) -> Self {
        let code = error.code().code();
        let is_sqlstate = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self {
            code: if is_sqlstate { code } else { "none" }.to_owned(),
            message: error.message().to_owned(),
        }
    }
}

impl Failure {
    /// Why a handshake failed: not every failure is about certificates.
    pub(super) fn of_handshake(error: native_tls::Error) -> Self {
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            if let Some(network) = inner.downcast_ref::<io::Error>() {
                return Self::ConnectionLost(format!("in the TLS handshake: {network}"));
            }
            cause = inner.source();
        }
        Self::Tls(error)
    }

    /// Why a session could not begin.
    pub(super) fn of_start(error: &tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            return Self::of_wire(error);
        };
        let complaint = Complaint::from(said);
        match said.code().code() {
            "28P01" => Self::Refused,
            "57P01" | "57P02" | "57P03" => Self::NotReady(complaint),
            "53300" => Self::TooManyConnections(complaint),
            // One SQLSTATE for two refusals: before the password was asked for, and after it was right.
            "28000" if said.routine() == Some("InitializeSessionUserId") => {
                Self::LoginNotAllowed(complaint)
            }
            "28000" => Self::ConnectionNotAllowed(complaint),
            "3D000" => Self::DatabaseNotFound(complaint),
            "42501" => Self::ConnectDenied(complaint),
            _ => Self::Failed(complaint),
        }
    }

    /// Why a statement failed, or may have, after it ran for a time.
    pub(super) fn of_statement(error: &tokio_postgres::Error, after: Duration) -> Self {
        let Some(said) = error.as_db_error() else {
            return Self::of_wire(error);
        };
        let complaint = Complaint::from(said);
        let timed_out = |phase| Self::TimedOut(TimedOut { phase, after });
        match said.code().code() {
            "25006" => Self::ReadOnly,
            "DBR01" => Self::NotAPair(complaint),
            // One SQLSTATE for two lacks: of a right to an object, and of power over a role.
            "42501" if said.routine() == Some("aclcheck_error") => Self::ObjectDenied(complaint),
            "42501" => Self::PermissionDenied(complaint),
            "DBR02" => Self::AdminLacking(complaint),
            "40001" | "40P01" | "XX000" => Self::Conflict(complaint),
            "55P03" => timed_out("waiting for a lock"),
            "57014" => timed_out("running a statement"),
            "25P03" | "57P01" | "57P02" | "57P03" | "57P05" => {
                Self::ConnectionLost(format!("SQLSTATE {}", complaint.code))
            }
            code if code.starts_with("08") => {
                Self::ConnectionLost(format!("SQLSTATE {}", complaint.code))
            }
            _ => Self::Failed(complaint),
        }
    }

    /// Whether it is for want of a right.
    pub(super) const fn is_denied(&self) -> bool {
        matches!(self, Self::PermissionDenied(_) | Self::ObjectDenied(_))
    }

    /// The same, without a server's message that repeats what must not be told.
    pub(super) fn redacted(mut self, redaction: &Redaction) -> Self {
        if let Some(said) = self
            .complaint()
            .filter(|said| redaction.covers(&said.message))
        {
            WITHHELD.clone_into(&mut said.message);
        }
        self
    }

    fn complaint(&mut self) -> Option<&mut Complaint> {
        match self {
            Self::NotReady(said)
            | Self::TooManyConnections(said)
            | Self::ConnectionNotAllowed(said)
            | Self::LoginNotAllowed(said)
            | Self::DatabaseNotFound(said)
            | Self::ConnectDenied(said)
            | Self::NotAPair(said)
            | Self::AdminLacking(said)
            | Self::PermissionDenied(said)
            | Self::ObjectDenied(said)
            | Self::PasswordRefused(said)
            | Self::Conflict(said)
            | Self::Failed(said) => Some(said),
            _ => None,
        }
    }

    fn of_wire(error: &tokio_postgres::Error) -> Self {
        match std::error::Error::source(error) {
            Some(cause) => Self::ConnectionLost(format!("{error}: {cause}")),
            None => Self::ConnectionLost(error.to_string()),
        }
    }
}

const WITHHELD: &str = "the server's message repeats a secret and is not shown here";
