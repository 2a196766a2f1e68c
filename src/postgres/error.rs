//! How a database says no.

use std::io;
use std::time::Duration;

use tokio_postgres::error::DbError;

use crate::password::Password;

/// What was tried on a database, and why it failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {attempt}")]
pub struct DatabaseError {
    /// What was tried on what: `log in to db.example:5432/app as "app"`.
    pub attempt: String,
    /// Why it failed.
    #[source]
    pub fault: Fault,
}

/// Why something failed, in the order in which a session can meet it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// DNS has no address for the host.
    #[error("the host name has no address: {0}")]
    HostNotFound(#[source] io::Error),
    /// Nothing answers at the address.
    #[error("no connection: {0}")]
    Unreachable(#[source] io::Error),
    /// The server has no TLS, or somebody between says so.
    #[error("the server does not offer TLS")]
    TlsNotOffered,
    /// The handshake failed: an unknown authority, another host's name, an expired certificate, an old protocol.
    #[error("{0}")]
    Tls(native_tls::Error),
    /// The password is wrong: SQLSTATE 28P01, and nothing else.
    #[error("the password is refused")]
    Refused,
    /// The server wants to see the password itself.
    #[error("the server asks for the password in clear text")]
    ClearTextAsked,
    /// The server wants another proof than a password, or its SCRAM is not acceptable.
    #[error("the server and this function do not agree on a way to log in")]
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
    /// The server is a replica, or read only (25006).
    #[error("{0}")]
    ReadOnly(&'static str),
    /// The database does not confirm that two roles are a pair (`DBR01`, of `level.sql`).
    #[error("{0}")]
    NotAPair(Complaint),
    /// The role may not do it (42501, and `DBR02` of `level.sql`).
    #[error("{0}")]
    PermissionDenied(Complaint),
    /// The server's password policy says no.
    #[error("{0}")]
    PasswordRefused(Complaint),
    /// Somebody else changed the same thing at the same time (40001, 40P01, XX000).
    #[error("{0}")]
    Conflict(Complaint),
    /// It took too long.
    #[error("no answer within {} ms while {phase}", after.as_millis())]
    TimedOut {
        /// What the time went by with.
        phase: &'static str,
        /// How long it was given.
        after: Duration,
    },
    /// The connection died: whether the last statement was carried out is not known.
    #[error("the connection was lost: {0}")]
    ConnectionLost(String),
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

impl Fault {
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
            return match error.to_string().as_str() {
                // SCRAM came to no end: a mechanism, a number of rounds or a proof that is not accepted.
                "authentication error" => Self::AuthenticationUnsupported,
                _ => Self::of_wire(error),
            };
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

    /// Why a statement failed, or may have.
    pub(super) fn of_statement(error: &tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            return Self::of_wire(error);
        };
        let complaint = Complaint::from(said);
        match said.code().code() {
            "25006" => Self::ReadOnly("the server is read only"),
            "DBR01" => Self::NotAPair(complaint),
            "42501" | "DBR02" => Self::PermissionDenied(complaint),
            "40001" | "40P01" | "XX000" => Self::Conflict(complaint),
            "55P03" => Self::TimedOut {
                phase: "waiting for a lock",
                after: super::bound::LOCK,
            },
            "57014" => Self::TimedOut {
                phase: "running a statement",
                after: super::bound::STATEMENT,
            },
            "57P01" | "57P02" | "57P03" | "57P05" => {
                Self::ConnectionLost(format!("SQLSTATE {}", complaint.code))
            }
            code if code.starts_with("08") => {
                Self::ConnectionLost(format!("SQLSTATE {}", complaint.code))
            }
            _ => Self::Failed(complaint),
        }
    }

    /// The same fault, but for a message that repeats `secret`.
    pub(super) fn without(mut self, secret: &Password) -> Self {
        if let Some(said) = self.complaint().filter(|said| secret.is_in(&said.message)) {
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
            | Self::PermissionDenied(said)
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

const WITHHELD: &str = "the server's message repeats a secret and is not told here";
