//! The superuser of alternating users: who it is, where its password may go, and what it sees of a role.

use super::subject::Subject;
use crate::aws::{Address, AwsError};
use crate::error::{Error, Kind};
use crate::login::{Endpoint, Login, Pair, RoleName};
use crate::postgres::{Connector, Obstacle, Session, Usage};
use crate::secret::{Inadmissible, SecretId, StagingLabel, SuperuserDocument};

/// Reads the superuser's secret and makes sure that its server is the rotated secret's own, or the writer behind it: its
/// password goes nowhere else. And that it is neither of the pair: its own password would be replaced behind its secret.
pub(crate) async fn read_login(
    subject: &Subject<'_>,
    pair: &Pair,
    secret: &SecretId,
) -> Result<Login, Error> {
    let document = read(subject, secret).await?;
    let role = &document.credentials.role;
    if [&pair.original, &pair.clone].contains(&role) {
        return Err(foreign(format!(
            "the superuser secret {secret} names {:?}, one of the two roles that take turns: the superuser must be a third",
            role.as_str()
        )));
    }
    let (host, port) = match document.address {
        Some(address) => address,
        None => managed_address(subject, secret).await?,
    };
    let rotated = &subject.current.login.endpoint;
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
    if !is_its_host && !is_writer_of(subject, &endpoint, rotated).await? {
        return Err(foreign(format!(
            "the superuser secret {secret} is for {endpoint}, which is neither {rotated} nor the writer of which that is a replica"
        )));
    }
    Ok(Login {
        endpoint,
        credentials: document.credentials,
    })
}

async fn read(subject: &Subject<'_>, secret: &SecretId) -> Result<SuperuserDocument, Error> {
    let secrets_manager = &subject.secrets_manager;
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
    Ok(SuperuserDocument::parse(value)?)
}

/// The session of the credential in use.
///
/// # Errors
/// It is refused, or that can't be told.
pub(crate) async fn log_in_current(
    subject: &Subject<'_>,
    connector: &Connector<'_>,
) -> Result<Session, Error> {
    let current = &subject.current.login;
    let in_use = connector.log_in(current).await;
    in_use.session(|| Error::no_working_credential(current, "AWSCURRENT: password refused"))
}

/// The superuser's session.
///
/// # Errors
/// Its password is refused, or that can't be told.
pub(crate) async fn log_in(connector: &Connector<'_>, superuser: &Login) -> Result<Session, Error> {
    connector.log_in(superuser).await.session(|| {
        Error::no_working_credential(
            superuser,
            "AWSCURRENT of the superuser secret: password refused",
        )
    })
}

/// Why the credential in use does not log in, with an advice that mends it, where the superuser sees what is in the way.
pub(crate) async fn explain(subject: &Subject<'_>, superuser: &Session, error: Error) -> Error {
    let role = &subject.current.login.credentials.role;
    match superuser.obstacle_of(role).await {
        Some(obstacle) => error.advising(advice(role, obstacle)),
        None => error,
    }
}

/// What removes an obstacle to `role`'s login.
pub(crate) fn advice(role: &RoleName, obstacle: Obstacle) -> String {
    let role = role.quoted();
    match obstacle {
        Obstacle::Missing => format!(
            "Role {role}, which AWSCURRENT names, does not exist: the database may have been restored from a time before it. As an administrator, create it with the password in AWSCURRENT; or make the version current that names the other role (update-secret-version-stage)"
        ),
        Obstacle::NoLogin => format!("As an administrator: ALTER ROLE {role} LOGIN"),
        Obstacle::Expired => format!(
            "The role's VALID UNTIL has passed. As an administrator: ALTER ROLE {role} VALID UNTIL 'infinity', or a later date"
        ),
        Obstacle::NoConnect => {
            format!("As an administrator of this database: GRANT CONNECT ON DATABASE … TO {role}")
        }
        Obstacle::Full => format!(
            "The role has as many sessions as its CONNECTION LIMIT allows. End some, or as an administrator: ALTER ROLE {role} CONNECTION LIMIT … with a higher number, or -1"
        ),
        Obstacle::RdsIam => format!(
            "The role is a member of rds_iam, by itself or through another role, so RDS takes no password from it. As an administrator: REVOKE rds_iam FROM {role}, or from the role through which it is"
        ),
    }
}

/// Says that `role`, whose turn it is, is still in use.
pub(crate) fn in_use(role: &RoleName, usage: &Usage) -> Error {
    let role = role.as_str();
    let problem = format!("role {role:?}, whose turn it is, is still in use ({usage})");
    Error::new(Kind::RoleInUse, problem)
}

async fn is_writer_of(
    subject: &Subject<'_>,
    endpoint: &Endpoint,
    reader: &Endpoint,
) -> Result<bool, Error> {
    let writer = subject.rds().writer_of(&reader.host, &endpoint.host).await;
    let writer = writer.map_err(|error| {
        let error = Error::from(error);
        error.after(&format!("the superuser's secret is for {endpoint} and the rotated one for {reader}; RDS could not be asked whether that is a replica"))
    })?;
    Ok(writer.is_some_and(|writer| writer.eq_ignore_ascii_case(&endpoint.host)))
}

/// A secret that RDS manages says where its database is by a tag.
async fn managed_address(subject: &Subject<'_>, secret: &SecretId) -> Result<(String, u16), Error> {
    let unknown = |why: String| {
        foreign(format!(
            "the superuser secret {secret} names no host, and {why}"
        ))
    };
    let Some(arn) = subject.secrets_manager.tag(secret, &MANAGED_BY).await? else {
        let tags = MANAGED_BY.join(", ");
        return Err(unknown(format!("has none of the tags {tags}")));
    };
    match subject.rds().address_of(&arn).await? {
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
