//! `setSecret`: tells the database.

use super::report::Outcome;
use super::strategy::Opening;
use super::{Rotation, warn_of_clear_text};
use crate::error::Error;
use crate::postgres::{DatabaseError, Fault};

/// Gives the pending role the pending password.
///
/// A connection that dies with the answer leaves open whether the change was made: logging in again tells.
pub(super) async fn set_secret(rotation: &Rotation<'_>) -> Result<Outcome, Error> {
    let pending = rotation.pending()?;
    warn_of_clear_text(&pending.login);
    let mut tries_left = TRIES;
    loop {
        let session = match rotation.strategy.open(rotation, pending).await? {
            Opening::AlreadySet => return Ok(Outcome::AlreadySet),
            Opening::Session(session) => session,
        };
        if !session.checks_passwords() {
            tracing::warn!(host = %pending.login.endpoint, "the server lets this role in without a password");
        }
        let changed = rotation
            .connector(rotation.until)
            .set_password(&session, &pending.login, rotation.strategy.pair())
            .await;
        session.close().await;
        tries_left -= 1;
        match changed {
            Ok(()) => return Ok(Outcome::Set),
            Err(DatabaseError {
                fault: Fault::ConnectionLost(_),
                ..
            }) if tries_left > 0 => {
                tracing::warn!(host = %pending.login.endpoint, "the connection died during the change: logging in again");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

const TRIES: u32 = 3;
