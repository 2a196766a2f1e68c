//! The role whose password is rotated, as an administrator sees it.

use super::World;
use crate::error::Result;
use crate::postgres::{Session, quoted};

impl World {
    /// Whether this password is the role's, by a login of the testbed's own.
    pub async fn logs_in(&self, password: &str) -> Result<bool> {
        self.postgres
            .logs_in(&self.role, password, &self.database)
            .await
    }

    /// Whether the role and the password of a version, by its label or its name, log in.
    pub async fn version_logs_in(&self, version: &str) -> Result<bool> {
        let (role, password) = self.credentials(version).await?;
        self.postgres
            .logs_in(&role, &password, &self.database)
            .await
    }

    /// Gives the role another password, as an administrator.
    pub async fn set_password(&self, password: &str) -> Result<()> {
        self.postgres.set_password(&self.role, password).await
    }

    /// What the server has instead of the role's password.
    pub async fn verifier(&self) -> Result<Option<String>> {
        self.postgres.verifier(&self.role).await
    }

    /// Locks the role against any change, until the session commits, rolls back or is dropped.
    pub async fn lock_role(&self) -> Result<Session> {
        let session = self.postgres.admin_session("postgres").await?;
        let role = quoted(&self.role);
        let change = format!("BEGIN; ALTER ROLE {role} CONNECTION LIMIT 9");
        session.run(&change).await?;
        Ok(session)
    }
}
