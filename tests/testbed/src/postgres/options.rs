//! What a cluster is to be like.

use super::authority::Tls;
use super::{Mark, Postgres, cluster};
use crate::background::blocking;
use crate::error::Result;

/// A cluster to be started. Unless told otherwise: the default version, TLS with a valid certificate,
/// `scram-sha-256` for every connection over TCP with and without TLS, connections and statements logged.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(super) version: Option<String>,
    pub(super) settings: Vec<(String, String)>,
    pub(super) hba: Vec<String>,
    pub(super) tls: Tls,
    pub(super) statements: bool,
    /// Whom it follows, if it is a replica.
    pub(super) primary: Option<String>,
}

impl Options {
    /// A version, major (`16`) or exact (`16.4`).
    pub fn version(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    /// A line of `postgresql.conf`; later ones win.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A line of `pg_hba.conf`, before those for everybody.
    pub fn hba(mut self, line: &str) -> Self {
        self.hba.push(line.to_owned());
        self
    }

    /// What the server shows to those who ask for TLS.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Loads `pg_stat_statements`, in the database `postgres`.
    pub fn statements(mut self) -> Self {
        self.statements = true;
        self
    }

    /// Starts the cluster, and returns when it answers.
    pub async fn start(self) -> Result<Postgres> {
        let mut tries = 0;
        loop {
            let options = self.clone();
            let postgres = blocking(move || cluster::create(&options)).await?;
            let Err(failure) = postgres.start_again().await else {
                if self.statements && self.primary.is_none() {
                    postgres
                        .admin("CREATE EXTENSION pg_stat_statements")
                        .await?;
                }
                return Ok(postgres);
            };
            tries += 1;
            // Somebody else may have been faster to take the port.
            let log = postgres.log_since(Mark::default());
            if tries == 5 || !log.contains("could not create any TCP/IP sockets") {
                return Err(failure);
            }
        }
    }
}
