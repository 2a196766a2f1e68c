//! `testSecret`: tries the new password.

use std::time::Duration;

use super::context::Context;
use super::step_ended::Outcome;
use crate::error::{Error, Kind};
use crate::postgres::{LoginOutcome, Session};
use crate::secret::SecretDocument;

/// Logs in with the pending value and sees who that is. Changes nothing.
pub(super) async fn test_secret(context: &Context<'_>) -> Result<Outcome, Error> {
    let pending = context.pending()?;
    Context::warn_of_clear_text(&pending.login);
    let session = log_in(context, pending).await?;
    let current = &context.current.login.credentials.role;
    let role = &pending.login.credentials.role;
    // A copy of the current value is tested as it is: no setSecret came before, to make anything level.
    let pair = context.strategy.pair_of_next(current, role);
    let identity = session.identity(pair).await;
    session.close().await;
    let identity = identity?;
    if identity.role != role.as_str() {
        let problem = format!(
            "logged in to {}, but the server says that this is {:?}",
            pending.login, identity.role
        );
        return Err(Error::new(Kind::UnexpectedRole, problem));
    }
    if !identity.acts_as_original {
        let problem = format!(
            "logged in to {}, but its sessions do not act as the original role",
            pending.login
        );
        return Err(Error::new(Kind::CloneNotEqual, problem));
    }
    context.note_login();
    Ok(Outcome::Tested)
}

/// A replica or a pooler may not know the new password yet: a refusal is not final for a while.
async fn log_in(context: &Context<'_>, pending: &SecretDocument) -> Result<Session, Error> {
    let connector = context.connector();
    let patience = context.deadline.within(PATIENCE);
    let mut pause = FIRST_PAUSE;
    loop {
        match connector.log_in(&pending.login).await {
            LoginOutcome::In(session) => return Ok(session),
            LoginOutcome::Unknown(error) => return Err(error.into()),
            LoginOutcome::Refused if patience.pause(pause).await => {
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            LoginOutcome::Refused => {
                return Err(Error::no_working_credential(
                    &pending.login,
                    "AWSPENDING: password refused",
                ));
            }
        }
    }
}

/// How long a refusal may turn out to be replication's delay.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
