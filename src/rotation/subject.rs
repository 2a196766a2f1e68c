//! What is rotated: a secret's current value, and what leads from it to the services.

use super::Rotator;
use super::strategy::Strategy;
use crate::aws::{Rds, SecretsManager};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::postgres::Connector;
use crate::secret::{SecretDocument, SecretId};
use crate::sensitive::Redaction;

/// A secret that is rotated, as its current value has it.
pub(crate) struct Subject<'a> {
    rotator: Rotator<'a>,
    pub(crate) secret_id: &'a SecretId,
    pub(crate) secrets_manager: SecretsManager,
    pub(crate) strategy: Strategy,
    pub(crate) current: SecretDocument,
    pub(crate) deadline: Deadline,
}

impl<'a> Subject<'a> {
    /// # Errors
    /// Where the role's clone can't be named after it.
    pub(crate) fn new(
        rotator: Rotator<'a>,
        secret_id: &'a SecretId,
        current: SecretDocument,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        Ok(Self {
            rotator,
            secret_id,
            secrets_manager: rotator.aws.secrets_manager(deadline),
            strategy: Strategy::of(rotator.config, &current)?,
            current,
            deadline,
        })
    }

    pub(crate) fn config(&self) -> &'a Config {
        self.rotator.config
    }

    pub(crate) fn rds(&self) -> Rds<'a> {
        self.rotator.aws.rds(self.deadline)
    }

    /// What opens sessions.
    pub(crate) fn connector(&self) -> Connector<'a> {
        let password = &self.current.login.credentials.password;
        Connector {
            roots: &self.config().roots,
            transport: self.config().transport,
            redaction: Redaction::default().and(password),
            deadline: self.deadline,
        }
    }

    /// Refuses what can't be rotated through: a proxy that lets in by what Secrets Manager calls current knows no pending
    /// password.
    ///
    /// # Errors
    /// `ProxyInTheWay`, before anything was changed.
    pub(crate) fn refuse_proxy(&self) -> Result<(), Error> {
        let endpoint = &self.current.login.endpoint;
        if !endpoint.is_rds_proxy() {
            return Ok(());
        }
        let problem =
            format!("{endpoint} is RDS Proxy, through which a new password cannot be tried");
        Err(Error::new(Kind::ProxyInTheWay, problem))
    }
}
