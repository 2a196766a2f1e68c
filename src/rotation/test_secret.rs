//! `testSecret`: tries the new password.

use std::time::Duration;

use super::context::Context;
use super::step_ended::Outcome;
use crate::error::{Error, Kind};
use crate::login::{Login, Pair};
use crate::postgres::{Equality, Identity, LoginOutcome, Session};
use crate::secret::SecretDocument;

/// Logs in with the pending value and sees who that is. Changes nothing.
pub(super) async fn test_secret(context: &Context<'_>) -> Result<Outcome, Error> {
    let pending = context.pending()?;
    Context::warn_of_weak_tls(&pending.login);
    let session = log_in(context, pending).await?;
    let current = &context.subject.current.login.credentials.role;
    let role = &pending.login.credentials.role;
    // A copy of the current value is tested as it is: no setSecret came before, to make anything level.
    let pair = context.subject.strategy.pair_of_next(current, role);
    let checked = check(&session, &pending.login, pair).await;
    session.close().await;
    checked?;
    context.note_login();
    Ok(Outcome::Tested)
}

/// Sees who logged in, and, with alternating users, whether that is the original's equal.
async fn check(session: &Session, pending: &Login, pair: Option<&Pair>) -> Result<(), Error> {
    let identity = session.identity().await?;
    expect_role(&identity, pending)?;
    let Some(pair) = pair else {
        return Ok(());
    };
    let role = &pair.clone;
    match session.equality(&identity, pair).await? {
        Equality::Equal => {}
        Equality::Ignored { version } => tracing::warn!(
            %role,
            version,
            "the clone's sessions do not act as the original, though told to: this version of PostgreSQL ignores ALTER ROLE … SET role, or forgets it at DISCARD ALL; update the server"
        ),
        Equality::Hidden(error) => {
            let error = Error::from(error).report();
            tracing::warn!(
                %role,
                error,
                "could not tell whether the clone's sessions act as the original"
            );
        }
        Equality::NotEqual => {
            let problem =
                format!("logged in to {pending}, but its sessions do not act as the original role");
            return Err(Error::new(Kind::CloneNotEqual, problem));
        }
    }
    Ok(())
}

/// Refuses a session that is another role's.
pub(crate) fn expect_role(identity: &Identity, login: &Login) -> Result<(), Error> {
    if identity.role == login.credentials.role.as_str() {
        return Ok(());
    }
    let problem = format!(
        "logged in to {login}, but the server says that this is {:?}",
        identity.role
    );
    Err(Error::new(Kind::UnexpectedRole, problem))
}

/// A replica or a pooler may not know the new password yet: a refusal is not final for a while.
async fn log_in(context: &Context<'_>, pending: &SecretDocument) -> Result<Session, Error> {
    let connector = context.connector();
    let patience = context.subject.deadline.within(PATIENCE);
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
