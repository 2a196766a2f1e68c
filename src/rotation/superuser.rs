//! The superuser of alternating users: where it may be sent, and nowhere else.

use super::strategy::Opening;
use super::{Rotation, refused, within};
use crate::error::Error;
use crate::login::{Endpoint, Login, Pair, TlsMode};
use crate::secret::{Address, SecretId, StagingLabel, StoreError, SuperuserDocument};

/// The superuser, once it is sure that the credential in use works: nothing is changed for a secret that is not the
/// application's.
pub(super) async fn open(
    rotation: &Rotation<'_>,
    pair: &Pair,
    superuser: &SecretId,
) -> Result<Opening, Error> {
    let current = &rotation.current.login;
    let superuser = find(rotation, pair, superuser).await?;
    let connector = rotation
        .connector(rotation.until)
        .hushing(&superuser.credentials.password);
    let (in_use, above) = tokio::join!(connector.log_in(current), connector.log_in(&superuser));
    let in_use = in_use.session(|| refused(StagingLabel::Current.as_str(), current));
    let above = above.session(|| refused("AWSCURRENT of the superuser secret", &superuser));
    match (in_use, above) {
        (Ok(in_use), Ok(above)) => {
            let above = above.challenged_as(&in_use);
            in_use.close().await;
            Opening::unless(rotation.is_over_by_now().await, above).await
        }
        (Ok(session), Err(error)) | (Err(error), Ok(session)) => {
            session.close().await;
            Err(error)
        }
        (Err(error), Err(_)) => Err(error),
    }
}

/// Reads the superuser's secret and makes sure that its server is the rotated secret's own, or the writer behind it: its
/// password goes nowhere else. And that it is neither of the pair: its own password would be replaced behind its secret.
async fn find(rotation: &Rotation<'_>, pair: &Pair, secret: &SecretId) -> Result<Login, Error> {
    let value = rotation.store.labelled(secret, StagingLabel::Current, None);
    let value = within(
        rotation.until,
        "waiting for the superuser secret (GetSecretValue)",
        value,
    )
    .await?;
    let Some(value) = value else {
        return Err(Error::Store(StoreError::SecretNotFound {
            action: "secretsmanager:GetSecretValue",
            resource: secret.to_string(),
        }));
    };
    let document = SuperuserDocument::parse(value)?;
    let role = &document.credentials.role;
    if [&pair.original, &pair.clone].contains(&role) {
        return Err(Error::ForeignTarget(format!(
            "the superuser secret {secret} names {:?}, whose password this rotation is about: it takes a role of its own",
            role.as_str()
        )));
    }
    let (host, port) = match document.host {
        Some(host) => (host, document.port),
        None => managed_address(rotation, secret).await?,
    };
    let rotated = &rotation.current.login.endpoint;
    // Who may write the application's secret does not decide how the superuser's password travels.
    let tls = match document.tls {
        TlsMode::VerifyFull => TlsMode::VerifyFull,
        TlsMode::Disabled => rotated.tls,
    };
    let endpoint = Endpoint {
        host,
        port,
        tls,
        ..rotated.clone()
    };
    if !endpoint.is_same_server(rotated) && !is_writer_of(rotation, &endpoint, rotated).await? {
        return Err(Error::ForeignTarget(format!(
            "the superuser secret {secret} is for {endpoint}, which is neither {rotated} nor the writer that it replicates"
        )));
    }
    Ok(Login {
        endpoint,
        credentials: document.credentials,
    })
}

async fn is_writer_of(
    rotation: &Rotation<'_>,
    endpoint: &Endpoint,
    reader: &Endpoint,
) -> Result<bool, Error> {
    let writer = rotation.instances.writer_of(&reader.host);
    let writer = within(rotation.until, "asking RDS for the writer", writer).await;
    let writer = writer.inspect_err(|_| {
        tracing::warn!(superuser = %endpoint, rotated = %reader, "the secrets name two servers: RDS was asked which replicates which");
    })?;
    Ok(writer.is_some_and(|writer| writer.eq_ignore_ascii_case(&endpoint.host)))
}

/// A secret that RDS manages says where its database is by a tag.
async fn managed_address(
    rotation: &Rotation<'_>,
    secret: &SecretId,
) -> Result<(String, u16), Error> {
    let unknown = |why: String| {
        Error::ForeignTarget(format!(
            "the superuser secret {secret} names no host, and {why}"
        ))
    };
    let tag = rotation.store.tag(secret, &MANAGED_BY);
    let Some(arn) = within(
        rotation.until,
        "reading the superuser secret's tags (DescribeSecret)",
        tag,
    )
    .await?
    else {
        return Err(unknown(format!(
            "has none of the tags {}",
            MANAGED_BY.join(", ")
        )));
    };
    let address = rotation.instances.address_of(&arn);
    match within(
        rotation.until,
        "asking RDS for the superuser's host",
        address,
    )
    .await?
    {
        Some(Address { host, port, engine })
            if engine == "postgres" || engine == "aurora-postgresql" =>
        {
            Ok((host, port.unwrap_or(5432)))
        }
        Some(Address { engine, .. }) => Err(unknown(format!("{arn} is of the engine {engine:?}"))),
        None => Err(unknown(format!("RDS knows no {arn}"))),
    }
}

const MANAGED_BY: [&str; 2] = [
    "aws:rds:primaryDBInstanceArn",
    "aws:rds:primaryDBClusterArn",
];
