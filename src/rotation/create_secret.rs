//! `createSecret`: makes the next value and stores it as pending.

use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::step_ended::Outcome;
use crate::error::Error;

/// Stores a pending value with a new password, unless there is one: the database may have it already.
pub(super) async fn create_secret(context: &Context<'_>) -> Result<Outcome, Error> {
    context.subject.refuse_proxy()?;
    if context.unchecked_pending.is_some() {
        context.pending()?;
        return Ok(Outcome::Kept);
    }
    let secrets_manager = &context.subject.secrets_manager;
    let asked = Instant::now();
    let password = secrets_manager
        .random_password(&context.subject.config().policy)
        .await?;
    // A value stored late takes AWSPENDING from the rotation that came after.
    if asked.elapsed() > QUICK && context.is_finished().await? {
        return Ok(Outcome::AlreadyCurrent);
    }
    let current = &context.subject.current;
    let role = context
        .subject
        .strategy
        .next_role(&current.login.credentials.role);
    let request = context.request;
    let next = current.next(role, &password);
    if !next.not_followed.is_empty() {
        tracing::warn!(
            keys = next.not_followed.join(", "),
            "connection string not followed: it holds the password in a form that is not known"
        );
    }
    let is_new = secrets_manager
        .put_pending(
            &request.secret_id,
            &request.version,
            &next.text,
            request.rotation_token.as_ref(),
        )
        .await?;
    Ok(if is_new {
        Outcome::Created
    } else {
        Outcome::Kept
    })
}

/// An answer that comes so quickly leaves no other rotation the time to begin.
const QUICK: Duration = Duration::from_secs(1);
