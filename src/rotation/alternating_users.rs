//! Alternating users: a superuser changes the password of the role whose turn it is. Its own password goes where it may go,
//! and nowhere else.

use super::change::{Attempt, Changed, change};
use super::context::Context;
use super::step_ended::Outcome;
use crate::aws::{Address, AwsError};
use crate::error::{Error, Kind};
use crate::login::{Endpoint, Login, Pair};
use crate::postgres::{LoginOutcome, Obstacle, Session, Usage, VerifierChoice, VerifierKind};
use crate::secret::{Inadmissible, SecretDocument, SecretId, StagingLabel, SuperuserDocument};

/// Gives the pending role the pending password, and makes the clone of `pair` level with its original.
pub(super) async fn set_password(
    context: &Context<'_>,
    pending: &SecretDocument,
    pair: &Pair,
    superuser: &SecretId,
) -> Result<Attempt, Error> {
    let superuser = superuser_login(context, pair, superuser).await?;
    let session = log_in(context, &superuser).await?;
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
    superuser: &Session,
    pending: &Login,
) -> Result<(), Error> {
    let role = &pending.credentials.role;
    let Some(usage) = superuser.usage_of(role).await else {
        return Ok(());
    };
    let Usage {
        sessions,
        applications,
        addresses,
        since,
    } = usage;
    if !context.config().refuse_while_in_use {
        tracing::warn!(
            %role,
            sessions,
            applications,
            addresses,
            since,
            "the role whose turn it is still has sessions"
        );
        return Ok(());
    }
    let role = role.as_str();
    let problem = format!(
        "role {role:?}, whose turn it is, still has {sessions} sessions (applications: {applications}; addresses: {addresses}; since: {since})"
    );
    Err(Error::new(Kind::RoleInUse, problem))
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
    let current = &context.current.login;
    let connector = context
        .connector()
        .redacting(&superuser.credentials.password);
    let (in_use, superuser_session) =
        tokio::join!(connector.log_in(current), connector.log_in(superuser));
    let in_use =
        in_use.session(|| Error::no_working_credential(current, "AWSCURRENT: password refused"));
    let superuser_session = superuser_session.session(|| {
        Error::no_working_credential(
            superuser,
            "AWSCURRENT of the superuser secret: password refused",
        )
    });
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
            let error = explained(context, &session, error).await;
            session.close().await;
            Err(error)
        }
        (Err(error), Err(_)) => Err(error),
    }
}

/// Why the credential in use does not log in, with an advice that mends it, where the superuser sees what is in the way.
async fn explained(context: &Context<'_>, superuser: &Session, error: Error) -> Error {
    let role = &context.current.login.credentials.role;
    let Some(obstacle) = superuser.obstacle_of(role).await else {
        return error;
    };
    let role = role.quoted();
    error.advising(match obstacle {
        Obstacle::Missing => format!(
            "Role {role}, which AWSCURRENT names, does not exist: the database may have been restored from a time before it. As an administrator, create it with the password in AWSCURRENT; or make the version current that names the other role (update-secret-version-stage)"
        ),
        Obstacle::NoLogin => format!("As an administrator: ALTER ROLE {role} LOGIN"),
        Obstacle::Expired => format!(
            "The role's VALID UNTIL has passed. As an administrator: ALTER ROLE {role} VALID UNTIL 'infinity', or a later date"
        ),
        Obstacle::RdsIam => format!(
            "The role is a member of rds_iam, by itself or through another role, so RDS takes no password from it. As an administrator: REVOKE rds_iam FROM {role}, or from the role through which it is"
        ),
    })
}

/// Reads the superuser's secret and makes sure that its server is the rotated secret's own, or the writer behind it: its
/// password goes nowhere else. And that it is neither of the pair: its own password would be replaced behind its secret.
async fn superuser_login(
    context: &Context<'_>,
    pair: &Pair,
    secret: &SecretId,
) -> Result<Login, Error> {
    let secrets_manager = &context.secrets_manager;
    let value = match secrets_manager
        .labelled(secret, StagingLabel::Current)
        .await
    {
        Ok(value) => value,
        // What a deleted secret's value answers says no more than that the request is invalid.
        Err(error @ AwsError::Failed { .. }) => {
            let versions = secrets_manager.versions(secret).await;
            if versions.is_ok_and(|versions| versions.deleted) {
                return Err(Inadmissible::SecretPendingDeletion(secret.clone()).into());
            }
            return Err(error.into());
        }
        Err(error) => return Err(error.into()),
    };
    let Some(value) = value else {
        let problem = format!("the superuser secret {secret} does not exist, or has no AWSCURRENT");
        return Err(Error::new(Kind::SecretNotFound, problem));
    };
    let document = SuperuserDocument::parse(value)?;
    let role = &document.credentials.role;
    if [&pair.original, &pair.clone].contains(&role) {
        return Err(foreign(format!(
            "the superuser secret {secret} names {:?}, one of the two roles that take turns: the superuser must be a third",
            role.as_str()
        )));
    }
    let (host, port) = match document.address {
        Some(address) => address,
        None => managed_address(context, secret).await?,
    };
    let rotated = &context.current.login.endpoint;
    // Who may write the application's secret does not decide how the superuser's password travels.
    let tls = document.tls.max(rotated.tls);
    let database = rotated.database.clone();
    let endpoint = Endpoint {
        host,
        port,
        database,
        tls,
    };
    // Its port may be another: a pooler in front, the server behind.
    let is_its_host = endpoint.host.eq_ignore_ascii_case(&rotated.host);
    if !is_its_host && !is_writer_of(context, &endpoint, rotated).await? {
        return Err(foreign(format!(
            "the superuser secret {secret} is for {endpoint}, which is neither {rotated} nor the writer of which that is a replica"
        )));
    }
    Ok(Login {
        endpoint,
        credentials: document.credentials,
    })
}

async fn is_writer_of(
    context: &Context<'_>,
    endpoint: &Endpoint,
    reader: &Endpoint,
) -> Result<bool, Error> {
    let writer = context.rds().writer_of(&reader.host, &endpoint.host).await;
    let writer = writer.inspect_err(|_| {
        tracing::warn!(superuser = %endpoint, rotated = %reader, "the two secrets name different hosts, and RDS could not be asked whether one is the other's replica");
    })?;
    Ok(writer.is_some_and(|writer| writer.eq_ignore_ascii_case(&endpoint.host)))
}

/// A secret that RDS manages says where its database is by a tag.
async fn managed_address(context: &Context<'_>, secret: &SecretId) -> Result<(String, u16), Error> {
    let unknown = |why: String| {
        foreign(format!(
            "the superuser secret {secret} names no host, and {why}"
        ))
    };
    let Some(arn) = context.secrets_manager.tag(secret, &MANAGED_BY).await? else {
        let tags = MANAGED_BY.join(", ");
        return Err(unknown(format!("has none of the tags {tags}")));
    };
    match context.rds().address_of(&arn).await? {
        Some(Address { host, port, engine })
            if engine == "postgres" || engine == "aurora-postgresql" =>
        {
            Ok((host, port.unwrap_or(5432)))
        }
        Some(Address { engine, .. }) => Err(unknown(format!("{arn} has the engine {engine:?}"))),
        None => Err(unknown(format!("RDS knows no {arn}"))),
    }
}

fn foreign(problem: String) -> Error {
    let advice = "Nothing was changed, and the superuser's password was sent nowhere. Correct the superuser's secret, or the masterarn and host of the rotated one";
    Error::new(Kind::ForeignTarget, problem).advising(advice)
}

const MANAGED_BY: [&str; 2] = [
    "aws:rds:primaryDBInstanceArn",
    "aws:rds:primaryDBClusterArn",
];
