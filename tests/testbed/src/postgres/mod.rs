//! Real PostgreSQL clusters, each with a port and a folder of its own; one certificate authority for all.

mod authority;
mod client;
mod cluster;
mod log;
mod options;
mod roles;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use self::authority::Tls;
pub use self::client::{Refused, Row, Session};
pub use self::log::{Connection, Mark, Statement};
pub use self::options::Options;
pub use self::roles::Verifier;
pub(crate) use self::roles::quoted;
use crate::error::Result;
use crate::tools;
use crate::watchdog::Server;

/// A running cluster. Clones are the same cluster, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Postgres {
    cluster: Arc<Cluster>,
}

#[derive(Debug)]
struct Cluster {
    server: Mutex<Server>,
    /// The administrator's session between two questions.
    admin: Mutex<Option<Session>>,
    folder: TempDir,
    programs: tools::Server,
    port: u16,
    options: Options,
}

impl Postgres {
    /// What a cluster is to be like; `start` starts it.
    pub fn options() -> Options {
        Options::default()
    }

    /// The cluster for tests that need nothing special, one per process: every statement logged,
    /// `pg_stat_statements` loaded.
    pub async fn shared() -> Result<Self> {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED
            .get_or_try_init(|| Self::options().statements().start())
            .await
            .cloned()
    }

    /// The name that its certificate holds.
    pub fn host(&self) -> &'static str {
        HOST
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.cluster.port
    }

    /// `15.18`
    pub fn version(&self) -> &str {
        &self.cluster.programs.version
    }

    /// `15`
    pub fn major(&self) -> u16 {
        self.cluster.programs.major
    }

    /// A PEM file with the certificate authority, which every user of this machine may read.
    pub fn ca_pem_path(&self) -> PathBuf {
        self.folder().join("ca.pem")
    }

    /// Its folder, with its Unix socket, through which `postgres` may do anything, and its data, in `data`.
    pub fn folder(&self) -> &Path {
        self.cluster.folder.path()
    }
}

/// The name that every cluster's certificate holds.
pub(crate) const HOST: &str = "localhost";
