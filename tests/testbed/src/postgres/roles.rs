//! Roles and their passwords, set without the server ever reading one.

use postgres_protocol::password;

use super::Postgres;
use crate::error::Result;

/// What a server keeps instead of a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verifier {
    /// Of old servers.
    Md5,
    /// Of all since 14.
    #[default]
    Scram,
}

impl Verifier {
    /// The text that stands for `password`; every call's is another with `Scram`.
    pub fn of(self, role: &str, password: &str) -> String {
        match self {
            Self::Md5 => password::md5(password.as_bytes(), role),
            Self::Scram => password::scram_sha_256(password.as_bytes()),
        }
    }
}

impl Postgres {
    /// Makes a role that logs in with `password`, which shows in no log.
    pub async fn create_role(&self, role: &str, password: &str) -> Result<()> {
        self.admin(&format!("CREATE ROLE {} LOGIN", quoted(role)))
            .await?;
        self.set_password(role, password).await
    }

    /// Gives a role a password, in the form that the server's `password_encryption` asks for.
    pub async fn set_password(&self, role: &str, password: &str) -> Result<()> {
        let form = match self.value("SHOW password_encryption").await?.as_deref() {
            Some("md5") => Verifier::Md5,
            _ => Verifier::Scram,
        };
        self.set_verifier(role, &form.of(role, password)).await
    }

    /// Gives a role a verifier.
    pub async fn set_verifier(&self, role: &str, verifier: &str) -> Result<()> {
        self.admin(&format!(
            "ALTER ROLE {} PASSWORD '{verifier}'",
            quoted(role)
        ))
        .await
        .map(drop)
    }

    /// The verifier that the server has for a role.
    pub async fn verifier(&self, role: &str) -> Result<Option<String>> {
        let role = role.replace('\'', "''");
        self.value(&format!(
            "SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'"
        ))
        .await
    }
}

/// A name as an identifier in SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
