//! `PostgreSQL`, as this function uses it: log in, find out, change a password, leave.

mod bound;
mod challenge;
mod error;
mod role;
mod session;
mod statement;
mod tls;
mod verifier;

pub(crate) use error::{DatabaseError, Fault};
pub(crate) use session::{Connector, LoginOutcome, Session};
pub(crate) use tls::Roots;
