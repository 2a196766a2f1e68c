//! Alternating users: two roles take turns, and nobody notices.

mod cost;
mod equality;
mod failing;
mod level;
mod managed;
mod overtaken;
mod pair;
mod promotion;
mod replica;
mod secrecy;
mod superuser;
mod there_and_back;
mod twins;

use serde_json::{Value, json};
use testbed::world::Builder;
use testbed::{Postgres, Secret, SecretsManager, World, unique};

use crate::world;

/// A world whose secret has a superuser.
pub(super) struct Alternating {
    pub(super) world: World,
    pub(super) superuser: Secret,
    pub(super) superuser_role: String,
    pub(super) superuser_password: String,
}

/// What the superuser may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Superuser {
    /// Everything: `SUPERUSER`.
    Full,
    /// `CREATEROLE`, and it made the original.
    Maker,
    /// `CREATEROLE`, and an administrator gave it ADMIN on the original.
    Granted,
    /// `CREATEROLE` and no more: too little since version 16.
    Bare,
}

impl Superuser {
    /// As `TESTBED_SUPERUSER` says, `SUPERUSER` or `CREATEROLE`, the default.
    pub(super) fn chosen() -> Self {
        match std::env::var("TESTBED_SUPERUSER").as_deref() {
            Ok("SUPERUSER") => Self::Full,
            Ok("CREATEROLE") | Err(_) => Self::Maker,
            Ok(other) => panic!("TESTBED_SUPERUSER is {other:?}, neither SUPERUSER nor CREATEROLE"),
        }
    }

    const fn attribute(self) -> &'static str {
        match self {
            Self::Full => "SUPERUSER",
            Self::Maker | Self::Granted | Self::Bare => "CREATEROLE",
        }
    }
}

impl Alternating {
    /// On the shared cluster, with the superuser that was chosen for the run.
    pub(super) async fn start() -> Self {
        Self::of(world(), Superuser::chosen()).await
    }

    /// On the shared cluster.
    pub(super) async fn of(builder: Builder, kind: Superuser) -> Self {
        let cluster = Postgres::shared().await.unwrap();
        Self::with(builder, &cluster, kind).await
    }

    pub(super) async fn with(builder: Builder, cluster: &Postgres, kind: Superuser) -> Self {
        let secrets = SecretsManager::shared().await.unwrap();
        let (superuser_role, superuser_password) = (unique("rotator"), unique("rotator-password"));
        cluster
            .create_role(&superuser_role, &superuser_password)
            .await
            .unwrap();
        let attribute = kind.attribute();
        cluster
            .admin(&format!("ALTER ROLE {superuser_role} {attribute}"))
            .await
            .unwrap();
        let superuser = secrets
            .create_secret(&unique("superuser"), "{}")
            .await
            .unwrap();
        let arn = superuser.arn.clone();
        let builder = builder
            .postgres(cluster)
            .secret_text(move |text| with_superuser(&text, &arn));
        let world = builder.start().await.unwrap();
        world.keep_secret(&superuser_password);
        let verifier = cluster.verifier(&superuser_role).await.unwrap();
        world.keep_verifier(&verifier.unwrap());
        let this = Self {
            world,
            superuser,
            superuser_role,
            superuser_password,
        };
        this.name_superuser(|_| ()).await;
        this.give_reach(kind).await;
        this
    }

    /// Gives the superuser its way to the original.
    async fn give_reach(&self, kind: Superuser) {
        let (superuser, cluster) = (&self.superuser_role, &self.world.postgres);
        let original = quoted(&self.world.role);
        let sql = match kind {
            Superuser::Granted if cluster.major() >= 16 => {
                format!("GRANT {original} TO {superuser} WITH ADMIN OPTION")
            }
            Superuser::Maker => {
                let verifier = cluster.verifier(&self.world.role).await.unwrap().unwrap();
                format!(
                    "DROP ROLE {original}; SET ROLE {superuser}; CREATE ROLE {original} LOGIN PASSWORD '{verifier}'"
                )
            }
            Superuser::Full | Superuser::Granted | Superuser::Bare => return,
        };
        cluster.admin(&sql).await.unwrap();
    }

    /// Writes the superuser secret, with changes.
    pub(super) async fn name_superuser(&self, edit: impl FnOnce(&mut Value)) {
        let mut value = json!({
            "engine": "postgres", "host": self.world.postgres.host(), "port": self.world.db.port(),
            "username": self.superuser_role, "password": self.superuser_password,
        });
        edit(&mut value);
        let value = value.to_string();
        let put = self
            .world
            .secrets
            .put_value(&self.superuser, None, &["AWSCURRENT"], &value);
        put.await.unwrap();
    }

    pub(super) fn clone_role(&self) -> String {
        format!("{}_clone", self.world.role)
    }

    /// The role and password of `AWSCURRENT`.
    pub(super) async fn current(&self) -> (String, String) {
        let value = self.world.current().await.unwrap().unwrap();
        (text(&value, "username"), text(&value, "password"))
    }

    pub(super) async fn value(&self, sql: &str) -> Option<String> {
        self.world.postgres.value(sql).await.unwrap()
    }
}

/// The value with a `masterarn` behind its last key.
fn with_superuser(value: &str, arn: &str) -> String {
    let open = value.trim_end().strip_suffix('}').unwrap();
    format!("{open},\"masterarn\":\"{arn}\"}}")
}

/// A name as an identifier in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name that RDS takes and nobody has.
fn rds_name(prefix: &str) -> String {
    unique(prefix).replace('_', "-")
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}
