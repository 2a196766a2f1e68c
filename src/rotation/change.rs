//! Look and change are one: lock, then look at the labels, then change and commit.

use std::time::Duration;

use super::context::Context;
use super::step_ended::Outcome;
use crate::error::Error;
use crate::login::{Credentials, Pair, RoleName};
use crate::postgres::{
    Committed, DatabaseError, Failure, Level, Session, VerifierChoice, VerifierKind,
};

/// What became of a change.
#[derive(Debug)]
pub(super) enum Changed {
    /// It was committed, with a verifier of this kind.
    With(VerifierKind),
    /// It was not made: the rotation was finished meanwhile.
    RotationFinished,
    /// The connection died, perhaps after the change.
    Unanswered(Error),
}

/// What became of setSecret's work, as far as one session took it.
pub(super) enum Attempt {
    /// It is done.
    Ended(Outcome),
    /// The connection died during the change: logging in again tells whether it was made.
    Unanswered(Error),
}

/// Gives the role of `credentials` its password through `session`, with the kind of verifier that is chosen.
///
/// The labels are looked at while the transaction holds the lock, so that a call whose rotation is over changes nothing,
/// however late its messages arrive. Where somebody else's change came between, all of it is tried again.
///
/// # Errors
/// The change was not made.
pub(super) async fn change(
    context: &Context<'_>,
    session: &Session,
    credentials: &Credentials,
    choice: VerifierChoice,
) -> Result<Changed, Error> {
    let pair = context.subject.strategy.pair();
    let mut pause = FIRST_PAUSE;
    loop {
        let change = match session.begin_change(&credentials.role, pair).await {
            Ok(change) => change,
            Err(error) => return unless_refused(error),
        };
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
        let transport = context.subject.config().transport;
        match change.commit(credentials, transport, choice).await {
            Ok(Committed { kind, level }) => {
                warn_of(&level, pair, session);
                return Ok(Changed::With(kind));
            }
            Err(DatabaseError {
                failure: Failure::Conflict(_),
                ..
            }) if pause <= LAST_PAUSE && context.subject.deadline.pause(pause).await => {
                session.roll_back().await?;
                pause *= 2;
            }
            Err(error) => return unless_refused(error),
        }
    }
}

/// A connection that died may have carried the change or not; whatever the server answered, it did not make it.
fn unless_refused(error: DatabaseError) -> Result<Changed, Error> {
    match error.failure {
        Failure::AnswerUnreadable | Failure::ConnectionLost(_) => {
            Ok(Changed::Unanswered(error.into()))
        }
        _ => Err(error.into()),
    }
}

/// Says what of a clone is not as its original, or belongs to it and should not.
fn warn_of(level: &Level, pair: Option<&Pair>, session: &Session) {
    let Some(Pair { original, clone }) = pair else {
        return;
    };
    if let Some(not_copied) = &level.not_copied {
        tracing::warn!(role = %clone, not_copied, "settings not copied to the clone");
    }
    if let Some(objects) = level.owned {
        let [from, to] = [clone, original].map(RoleName::quoted);
        let statement = format!("REASSIGN OWNED BY {from} TO {to}");
        tracing::warn!(
            role = %clone,
            objects,
            database = session.database(),
            statement,
            "the clone owns objects that the original cannot alter: run the statement as an administrator, in this database"
        );
    }
}

/// Between two tries at a change that met another.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(320);
