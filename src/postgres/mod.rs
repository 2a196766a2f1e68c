//! `PostgreSQL`, as this function uses it: log in, ask, change a password, leave.

mod change;
mod connector;
mod error;
mod identity;
mod seen;
mod server;
mod session;
mod statement;
mod stream;
mod tls;
mod usage;
mod verifier;

pub(crate) use change::{Committed, Level, PasswordTransport};
pub(crate) use connector::{Connector, LoginOutcome, Reached};
pub(crate) use error::{DatabaseError, Failure};
pub(crate) use identity::{Equality, Identity};
pub(crate) use server::Server;
pub(crate) use session::Session;
pub(crate) use tls::{Certificate, Roots};
pub(crate) use usage::{Obstacle, Usage};
pub(crate) use verifier::{VerifierChoice, VerifierKind};
