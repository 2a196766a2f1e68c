//! A world of alternating users, for the rows beside the single user's.

use serde_json::{Value, json};
use testbed::world::Builder;
use testbed::{Postgres, Result, SecretsManager, World, unique};

/// A world whose passwords a superuser changes, and all roles that log in there.
pub(crate) async fn start(builder: Builder) -> Result<(World, Vec<String>)> {
    let (postgres, secrets) = (Postgres::shared().await?, SecretsManager::shared().await?);
    let (superuser, password) = (unique("rotator"), unique("rotator-password"));
    postgres.create_role(&superuser, &password).await?;
    let grant = format!("ALTER ROLE {superuser} SUPERUSER");
    postgres.admin(&grant).await?;
    let secret = secrets.create_secret(&unique("superuser"), "{}").await?;
    let arn = secret.arn.clone();
    let builder = builder.secret(move |value: &mut Value| value["masterarn"] = json!(arn));
    let world = builder.start().await?;
    world.keep_secret(&password);
    let value = json!({
        "host": postgres.host(), "port": world.db.port(), "username": superuser, "password": password,
    });
    let value = value.to_string();
    secrets
        .put_value(&secret, None, &["AWSCURRENT"], &value)
        .await?;
    let roles = vec![
        world.role.clone(),
        format!("{}_clone", world.role),
        superuser,
    ];
    Ok((world, roles))
}
