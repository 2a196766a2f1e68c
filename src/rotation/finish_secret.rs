//! `finishSecret`: makes the pending version the current one.

use super::context::Context;
use super::step_ended::Outcome;
use crate::error::Error;
use crate::postgres::LoginOutcome;
use crate::secret::{SecretDocument, StagingLabel};

/// Moves `AWSCURRENT`, unless the database refuses the pending login, or, with alternating users, can't be asked.
pub(super) async fn finish_secret(context: &Context<'_>) -> Result<Outcome, Error> {
    let pending = context.pending()?;
    if !context.has_logged_in() {
        verify(context, pending).await?;
    }
    let secret = &context.request.secret_id;
    let version = &context.request.version;
    let from = context.versions.version_with(StagingLabel::Current);
    let secrets_manager = &context.subject.secrets_manager;
    let Err(error) = secrets_manager.move_current(secret, from, version).await else {
        return Ok(Outcome::Promoted);
    };
    // An answer may have been lost, and the SDK's second try refused since the label has moved.
    match secrets_manager.versions(secret).await {
        Ok(versions) if versions.has(version, StagingLabel::Current) => Ok(Outcome::Promoted),
        _ => Err(error.into()),
    }
}

/// Refuses what the database refuses.
///
/// With a single user, a database that can't be asked does not hold the label back: nobody can log in until it moves. So the
/// login takes no more than half of what time is left. With alternating users the credential in use works, and there is time
/// to make sure.
async fn verify(context: &Context<'_>, pending: &SecretDocument) -> Result<(), Error> {
    Context::warn_of_weak_tls(&pending.login);
    let mut connector = context.connector();
    connector.deadline = connector
        .deadline
        .within(context.subject.deadline.left() / 2);
    match connector.log_in(&pending.login).await {
        LoginOutcome::In(session) => session.close().await,
        LoginOutcome::Refused => {
            return Err(Error::no_working_credential(
                &pending.login,
                "AWSPENDING: password refused",
            ));
        }
        LoginOutcome::Unknown(error) if context.subject.strategy.pair().is_some() => {
            return Err(error.into());
        }
        LoginOutcome::Unknown(error) => {
            let error = Error::from(error);
            tracing::warn!(
                reason = error.name(),
                error = error.report(),
                "promoted without verification: the login could not be tried"
            );
        }
    }
    Ok(())
}
