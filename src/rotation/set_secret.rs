//! `setSecret`: tells the database.

use super::change::Attempt;
use super::context::Context;
use super::step_ended::Outcome;
use super::strategy::Strategy;
use super::{alternating_users, single_user};
use crate::error::Error;

/// Gives the pending role the pending password.
///
/// A connection that dies with the answer leaves open whether the change was made: logging in again tells.
pub(super) async fn set_secret(context: &Context<'_>) -> Result<Outcome, Error> {
    let pending = context.pending()?;
    context.subject.refuse_proxy()?;
    Context::warn_of_weak_tls(&pending.login);
    let mut tries_left = TRIES;
    loop {
        let attempt = match &context.subject.strategy {
            Strategy::SingleUser => single_user::set_password(context, pending).await?,
            Strategy::AlternatingUsers { pair, superuser } => {
                alternating_users::set_password(context, pending, pair, superuser).await?
            }
        };
        tries_left -= 1;
        match attempt {
            Attempt::Ended(outcome) => return Ok(outcome),
            Attempt::Unanswered(error) if tries_left == 0 => return Err(error),
            Attempt::Unanswered(error) => {
                tracing::warn!(
                    host = %pending.login.endpoint,
                    error = error.report(),
                    "connection lost: logging in again to find out whether the password was changed"
                );
            }
        }
    }
}

const TRIES: u32 = 3;
