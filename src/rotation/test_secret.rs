//! `testSecret`: tries the new password.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::report::Outcome;
use super::{Rotation, refused, warn_of_clear_text};
use crate::error::Error;
use crate::postgres::{LoginOutcome, Session};
use crate::secret::{SecretDocument, StagingLabel};

/// Logs in with the pending value and sees who that is. Changes nothing.
pub(super) async fn test_secret(rotation: &Rotation<'_>) -> Result<Outcome, Error> {
    let pending = rotation.pending()?;
    warn_of_clear_text(&pending.login);
    let session = log_in(rotation, pending).await?;
    let connector = rotation.connector(rotation.until);
    let (in_use, role) = (
        &rotation.current.login.credentials.role,
        &pending.login.credentials.role,
    );
    // A copy of the current value is tested as it is: no setSecret came before, to make anything level.
    let pair = rotation.strategy.pair_of_next(in_use, role);
    let identity = connector.identity(&session, pair).await;
    session.close().await;
    let identity = identity?;
    if identity.role != role.as_str() {
        return Err(Error::UnexpectedRole {
            target: pending.login.to_string(),
            found: identity.role,
        });
    }
    if !identity.is_equal {
        return Err(Error::NotEqual {
            target: pending.login.to_string(),
        });
    }
    Ok(Outcome::Tested)
}

/// A replica or a pooler may not know the new password yet: a refusal is not final for a while.
async fn log_in(rotation: &Rotation<'_>, pending: &SecretDocument) -> Result<Session, Error> {
    let give_up = rotation.until.min(Instant::now() + PATIENCE);
    let mut pause = FIRST_PAUSE;
    loop {
        match rotation
            .connector(rotation.until)
            .log_in(&pending.login)
            .await
        {
            LoginOutcome::In(session) => return Ok(session),
            LoginOutcome::Unknown(error) => return Err(error.into()),
            LoginOutcome::Refused if Instant::now() + pause < give_up => {
                sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            LoginOutcome::Refused => {
                return Err(refused(StagingLabel::Pending.as_str(), &pending.login));
            }
        }
    }
}

/// How long a refusal may turn out to be replication's delay.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
