//! `finishSecret`: makes the pending version the current one.

use tokio::time::Instant;

use super::report::Outcome;
use super::{Rotation, refused, warn_of_clear_text, within};
use crate::error::Error;
use crate::postgres::LoginOutcome;
use crate::secret::{SecretDocument, StagingLabel};

/// Moves `AWSCURRENT`, unless the database refuses the pending login, or, with alternating users, can't be asked.
pub(super) async fn finish_secret(rotation: &Rotation<'_>) -> Result<Outcome, Error> {
    let pending = rotation.pending()?;
    look(rotation, pending).await?;
    let secret = &rotation.event.secret_id;
    let from = rotation.versions.version_with(StagingLabel::Current);
    let moved = within(
        rotation.until,
        "moving AWSCURRENT (UpdateSecretVersionStage)",
        rotation.store.promote(secret, from, rotation.version()),
    )
    .await;
    let Err(error) = moved else {
        return Ok(Outcome::Promoted);
    };
    // An answer may have been lost, and the SDK's second try refused since the label has moved.
    match within(
        rotation.until,
        "reading the labels again (DescribeSecret)",
        rotation.store.versions(secret),
    )
    .await
    {
        Ok(versions) if versions.has(rotation.version(), StagingLabel::Current) => {
            Ok(Outcome::Promoted)
        }
        _ => Err(error),
    }
}

/// Refuses what the database refuses. With a single user, a database that can't be asked does not hold the label back: nobody
/// can log in until it moves. So the look takes no more than half of what time is left. With alternating users the credential in use
/// works, and there is time to make sure.
async fn look(rotation: &Rotation<'_>, pending: &SecretDocument) -> Result<(), Error> {
    warn_of_clear_text(&pending.login);
    let now = Instant::now();
    let half = now + rotation.until.saturating_duration_since(now) / 2;
    match rotation.connector(half).log_in(&pending.login).await {
        LoginOutcome::In(session) => session.close().await,
        LoginOutcome::Unknown(error) if rotation.strategy.pair().is_some() => {
            return Err(error.into());
        }
        LoginOutcome::Unknown(error) => {
            let error = Error::from(error);
            tracing::warn!(
                reason = error.name(),
                error = error.report(),
                "moving AWSCURRENT without a look at the database"
            );
        }
        LoginOutcome::Refused => {
            return Err(refused(StagingLabel::Pending.as_str(), &pending.login));
        }
    }
    Ok(())
}
