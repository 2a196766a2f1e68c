//! A single user: the role changes its own password, once a password was found that it logs in with.

use std::time::Duration;

use super::change::{Attempt, Changed, change};
use super::context::Context;
use super::search::{Found, Search};
use super::step_ended::Outcome;
use crate::error::{Error, Kind};
use crate::login::Login;
use crate::postgres::{LoginOutcome, Reached, Session, VerifierChoice, VerifierKind};
use crate::secret::SecretDocument;

/// Gives the role the pending password, unless an earlier call did; and proves that it logs in, or takes it back.
pub(super) async fn set_password(
    context: &Context<'_>,
    pending: &SecretDocument,
) -> Result<Attempt, Error> {
    let search = Search::new(&context.subject, context.connector(), &context.versions);
    let session = match search.with_pending(&pending.login).find().await? {
        Found::AlreadySet(session) => {
            session.close().await;
            context.note_login();
            return Ok(Attempt::Ended(Outcome::AlreadySet));
        }
        Found::Current(session) => session,
        Found::Older(session, found) => {
            tracing::warn!(
                found,
                "AWSCURRENT and AWSPENDING are refused: logged in with an older version"
            );
            session
        }
    };
    if !session.checks_passwords() {
        let host = &pending.login.endpoint;
        tracing::warn!(%host, "the server lets this role in without a password");
    }
    let outcome = set_and_prove(context, &session, &pending.login).await;
    session.close().await;
    outcome
}

/// `AWSCURRENT` does not log in between the change and the label's move: so the connection for the proof is made before.
async fn set_and_prove(
    context: &Context<'_>,
    session: &Session,
    pending: &Login,
) -> Result<Attempt, Error> {
    let credentials = &pending.credentials;
    let reached = context.connector().reach(&pending.endpoint).await;
    let mut choice = VerifierChoice::ServersDefault;
    let mut proof = Proof::new(context, pending, reached);
    loop {
        let kind = match change(context, session, credentials, choice).await? {
            Changed::With(kind) => kind,
            Changed::RotationFinished => return Ok(Attempt::Ended(Outcome::AlreadySet)),
            Changed::Unanswered(error) => return Ok(Attempt::Unanswered(error)),
        };
        if proof.holds().await {
            return Ok(Attempt::Ended(Outcome::Set));
        }
        if kind != VerifierKind::Md5 || choice == VerifierChoice::Scram {
            return Err(take_back(context, session, pending).await);
        }
        // `pg_hba.conf` may demand SCRAM where the server makes md5 verifiers.
        choice = VerifierChoice::Scram;
    }
}

/// The proof of a change: the pending login, tried.
struct Proof<'a> {
    context: &'a Context<'a>,
    pending: &'a Login,
    reached: Option<Reached>,
}

impl<'a> Proof<'a> {
    fn new(context: &'a Context<'a>, pending: &'a Login, reached: Option<Reached>) -> Self {
        Self {
            context,
            pending,
            reached,
        }
    }

    /// Whether nothing speaks against the change: a login that is inconclusive does not. A pooler may be a moment late, so
    /// a refusal is not final for a while.
    async fn holds(&mut self) -> bool {
        let connector = self.context.connector();
        let patience = self.context.subject.deadline.within(PATIENCE);
        let mut pause = FIRST_PAUSE;
        loop {
            let outcome = match self.reached.take() {
                Some(reached) => connector.log_in_to(reached, self.pending).await,
                None => connector.log_in(self.pending).await,
            };
            match outcome {
                LoginOutcome::In(session) => {
                    session.close().await;
                    self.context.note_login();
                    return true;
                }
                LoginOutcome::Unknown(_) => return true,
                LoginOutcome::Refused if patience.pause(pause).await => pause *= 2,
                LoginOutcome::Refused => return false,
            }
        }
    }
}

/// Puts the password back that the session logged in with, unless the rotation is over by now.
async fn take_back(context: &Context<'_>, session: &Session, pending: &Login) -> Error {
    let before = session.credentials();
    let changed = change(context, session, before, VerifierChoice::AsBefore).await;
    let state = match changed {
        Ok(Changed::With(_)) => "the password before it was put back".to_owned(),
        Ok(Changed::RotationFinished) => {
            "it was not put back: the rotation was finished meanwhile".to_owned()
        }
        Ok(Changed::Unanswered(error)) | Err(error) => {
            format!("the password before it could not be put back: {error}")
        }
    };
    let problem = format!(
        "the database took the new password and refuses to log in to {pending} with it; {state}"
    );
    Error::new(Kind::PasswordNotAccepted, problem)
}

/// How long a refusal right after the change may turn out to be a pooler's delay.
const PATIENCE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
