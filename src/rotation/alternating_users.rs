//! Alternating users: a superuser changes the password of the role whose turn it is.

use super::change::{Attempt, Changed, change};
use super::context::Context;
use super::step_ended::Outcome;
use super::superuser;
use crate::error::Error;
use crate::login::{Login, Pair};
use crate::postgres::{LoginOutcome, Session, Usage, VerifierChoice, VerifierKind};
use crate::secret::{SecretDocument, SecretId};

/// Gives the pending role the pending password, and makes the clone of `pair` level with its original.
pub(super) async fn set_password(
    context: &Context<'_>,
    pending: &SecretDocument,
    pair: &Pair,
    superuser_secret: &SecretId,
) -> Result<Attempt, Error> {
    let login = superuser::read_login(&context.subject, pair, superuser_secret).await?;
    let session = log_in(context, &login).await?;
    let changed = match check_usage(context, &session, &pending.login).await {
        Ok(()) => change_password(context, &session, &pending.login).await,
        Err(error) => Err(error),
    };
    session.close().await;
    Ok(match changed? {
        Changed::With(_) => Attempt::Ended(Outcome::Set),
        Changed::RotationFinished => Attempt::Ended(Outcome::AlreadySet),
        Changed::Unanswered(error) => Attempt::Unanswered(error),
    })
}

/// Sessions of the role whose turn it is are applications that did not take up the last rotation: after this one they can't
/// log in again.
async fn check_usage(
    context: &Context<'_>,
    session: &Session,
    pending: &Login,
) -> Result<(), Error> {
    let role = &pending.credentials.role;
    let Some(usage) = session.usage_of(role).await else {
        return Ok(());
    };
    if context.subject.config().refuse_while_in_use {
        return Err(superuser::in_use(role, &usage));
    }
    let Usage {
        sessions,
        applications,
        addresses,
        since,
    } = usage;
    tracing::warn!(
        %role,
        sessions,
        applications,
        addresses,
        since,
        "the role whose turn it is still has sessions"
    );
    Ok(())
}

/// `pg_hba.conf` may demand SCRAM where the server makes md5 verifiers: those are tried, and replaced where they are refused.
async fn change_password(
    context: &Context<'_>,
    superuser: &Session,
    pending: &Login,
) -> Result<Changed, Error> {
    let credentials = &pending.credentials;
    let changed = change(
        context,
        superuser,
        credentials,
        VerifierChoice::ServersDefault,
    )
    .await?;
    if !matches!(changed, Changed::With(VerifierKind::Md5)) {
        return Ok(changed);
    }
    match context.connector().log_in(pending).await {
        LoginOutcome::In(session) => {
            session.close().await;
            Ok(changed)
        }
        LoginOutcome::Refused | LoginOutcome::Unknown(_) => {
            change(context, superuser, credentials, VerifierChoice::Scram).await
        }
    }
}

/// The superuser's session, once it is sure that the credential in use works: nothing is changed for a secret that is not
/// the application's.
async fn log_in(context: &Context<'_>, superuser: &Login) -> Result<Session, Error> {
    let subject = &context.subject;
    let connector = context
        .connector()
        .redacting(&superuser.credentials.password);
    let (in_use, superuser_session) = tokio::join!(
        superuser::log_in_current(subject, &connector),
        superuser::log_in(&connector, superuser)
    );
    match (in_use, superuser_session) {
        (Ok(in_use), Ok(superuser_session)) => {
            in_use.close().await;
            Ok(superuser_session)
        }
        (Ok(session), Err(error)) => {
            session.close().await;
            Err(error)
        }
        (Err(error), Ok(session)) => {
            let error = superuser::explain(subject, &session, error).await;
            session.close().await;
            Err(error)
        }
        (Err(error), Err(_)) => Err(error),
    }
}
