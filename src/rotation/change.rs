//! Look and change are one: lock, then look at the labels, then change and commit.

use std::time::Duration;

use super::context::Context;
use crate::error::Error;
use crate::login::Credentials;
use crate::postgres::{Committed, DatabaseError, Failure, Session, VerifierChoice, VerifierKind};

/// What became of a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// It was committed, with a verifier of this kind.
    With(VerifierKind),
    /// It was not made: the rotation was finished meanwhile.
    RotationFinished,
}

/// Gives the role of `credentials` its password through `session`, with the kind of verifier that is chosen.
///
/// The labels are looked at while the transaction holds the lock, so that a call whose rotation is over changes nothing,
/// however late its messages arrive. Where somebody else's change came between, all of it is tried again.
///
/// # Errors
/// After a lost connection the change may have been made; after any other error it was not.
pub(super) async fn change(
    context: &Context<'_>,
    session: &Session,
    credentials: &Credentials,
    choice: VerifierChoice,
) -> Result<Changed, Error> {
    let pair = context.strategy.pair();
    let mut pause = FIRST_PAUSE;
    loop {
        let change = session.begin_change(&credentials.role, pair).await?;
        match context.is_finished().await {
            Ok(false) => {}
            Ok(true) => {
                change.roll_back().await?;
                return Ok(Changed::RotationFinished);
            }
            Err(error) => {
                // The server ends the transaction with the session, if not now.
                change.roll_back().await.ok();
                return Err(error);
            }
        }
        let transport = context.config().transport;
        match change.commit(credentials, transport, choice).await {
            Ok(Committed { kind, not_copied }) => {
                if let Some(not_copied) = not_copied {
                    let role = &credentials.role;
                    tracing::warn!(%role, not_copied, "settings not copied to the clone");
                }
                return Ok(Changed::With(kind));
            }
            Err(DatabaseError {
                failure: Failure::Conflict(_),
                ..
            }) if pause <= LAST_PAUSE && context.deadline.pause(pause).await => {
                session.roll_back().await?;
                pause *= 2;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Between two tries at a change that met another.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(320);
