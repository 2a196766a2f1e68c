//! A world whose secret names a superuser, so that two roles take turns.

use serde_json::{Value, json};

use super::{Builder, World};
use crate::error::{Context as _, Error, Result};
use crate::postgres::quoted;
use crate::secrets::Secret;
use crate::unique::unique;

/// A world of alternating users, and the superuser who changes their passwords.
#[derive(Debug)]
pub struct Alternating {
    /// The secret that is rotated, and all around it.
    pub world: World,
    /// The superuser's secret, which `masterarn` names.
    pub superuser: Secret,
    /// The superuser's name.
    pub superuser_role: String,
    /// The superuser's password.
    pub superuser_password: String,
}

/// What the superuser may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Superuser {
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
    /// As `TESTBED_SUPERUSER` says: `SUPERUSER`, or `CREATEROLE`, the default.
    pub fn chosen() -> Result<Self> {
        match std::env::var("TESTBED_SUPERUSER").as_deref() {
            Ok("SUPERUSER") => Ok(Self::Full),
            Ok("CREATEROLE") | Err(_) => Ok(Self::Maker),
            Ok(other) => Err(Error::new(format!(
                "TESTBED_SUPERUSER is {other:?}, neither SUPERUSER nor CREATEROLE"
            ))),
        }
    }

    /// What gives the superuser its power over the original, whose verifier is known.
    fn reach(self, superuser: &str, original: &str, verifier: &str, major: u16) -> Option<String> {
        let original = quoted(original);
        match self {
            Self::Granted if major >= 16 => {
                Some(format!("GRANT {original} TO {superuser} WITH ADMIN OPTION"))
            }
            Self::Maker => Some(format!(
                "DROP ROLE {original}; SET ROLE {superuser}; CREATE ROLE {original} LOGIN PASSWORD '{verifier}'"
            )),
            Self::Full | Self::Granted | Self::Bare => None,
        }
    }
}

impl Builder {
    /// Starts it with the superuser that was chosen for the run.
    pub async fn alternating(self) -> Result<Alternating> {
        self.alternating_by(Superuser::chosen()?).await
    }

    /// Starts it with a superuser of this kind, whose secret `masterarn` names, behind the value's last key.
    pub async fn alternating_by(mut self, kind: Superuser) -> Result<Alternating> {
        let (postgres, secrets) = self.servers().await?;
        let [role, password] = ["rotator", "rotator-password"].map(unique);
        postgres.create_role(&role, &password).await?;
        let is_full = kind == Superuser::Full;
        let attribute = if is_full { "SUPERUSER" } else { "CREATEROLE" };
        let empower = format!("ALTER ROLE {role} {attribute}");
        postgres.admin(&empower).await?;
        let superuser = secrets.create_secret(&unique("superuser"), "{}").await?;
        let arn = superuser.arn.clone();
        let builder = self.postgres(&postgres).secrets_manager(&secrets);
        let builder = builder.secret_text(move |text| with_superuser(&text, &arn));
        let world = builder.start().await?;
        world.keep_secret(&password);
        let verifier = postgres.verifier(&role).await?;
        world.keep_verifier(&verifier.context("the superuser has no verifier")?);
        let verifier = world.verifier().await?.unwrap_or_default();
        if let Some(sql) = kind.reach(&role, &world.role, &verifier, postgres.major()) {
            postgres.admin(&sql).await?;
        }
        let this = Alternating {
            world,
            superuser,
            superuser_role: role,
            superuser_password: password,
        };
        this.name_superuser(|_| ()).await?;
        Ok(this)
    }
}

impl World {
    /// A world of each strategy, for what both promise: a single user's, then alternating users'.
    pub async fn of_each_strategy(builder: impl Fn() -> Builder) -> Result<[Self; 2]> {
        let single = builder().start().await?;
        Ok([single, builder().alternating().await?.world])
    }
}

impl Alternating {
    /// Writes the superuser's secret, with changes.
    pub async fn name_superuser(&self, edit: impl FnOnce(&mut Value)) -> Result<()> {
        let mut value = json!({
            "engine": "postgres", "host": self.world.postgres.host(), "port": self.world.db.port(),
            "username": self.superuser_role, "password": self.superuser_password,
        });
        edit(&mut value);
        let secrets = &self.world.secrets;
        let value = value.to_string();
        let put = secrets.put_value(&self.superuser, None, &["AWSCURRENT"], &value);
        put.await.map(drop)
    }

    /// The name of the second role.
    pub fn clone_role(&self) -> String {
        format!("{}_clone", self.world.role)
    }

    /// The role and the password of `AWSCURRENT`.
    pub async fn current(&self) -> Result<(String, String)> {
        self.world.credentials("AWSCURRENT").await
    }
}

fn with_superuser(value: &str, arn: &str) -> String {
    match value.trim_end().strip_suffix('}') {
        Some(open) => format!("{open},\"masterarn\":\"{arn}\"}}"),
        None => value.to_owned(),
    }
}
