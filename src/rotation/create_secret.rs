//! `createSecret`: makes the next value and stores it as pending.

use super::report::Outcome;
use super::{Rotation, within};
use crate::error::Error;
use crate::password::Password;
use crate::secret::{SecretDocument, StagingLabel};

/// Stores a pending value with `new_password`, unless there is one: the database may have it already.
pub(super) async fn create_secret(
    rotation: &Rotation<'_>,
    new_password: Result<Option<Password>, Error>,
) -> Result<Outcome, Error> {
    if rotation.pending.is_some() {
        rotation.pending()?;
        return Ok(Outcome::Kept);
    }
    let role = rotation
        .strategy
        .next_role(&rotation.current.login.credentials.role);
    let new_password =
        new_password?.ok_or_else(|| SecretDocument::missing(StagingLabel::Pending))?;
    if rotation.is_over_by_now().await? {
        return Ok(Outcome::AlreadyCurrent);
    }
    let value = rotation.current.next(role, &new_password);
    let token = rotation.event.rotation_token.as_ref();
    let put =
        rotation
            .store
            .put_pending(&rotation.event.secret_id, rotation.version(), &value, token);
    let is_new = within(rotation.until, "storing AWSPENDING (PutSecretValue)", put).await?;
    Ok(if is_new {
        Outcome::Created
    } else {
        Outcome::Kept
    })
}
