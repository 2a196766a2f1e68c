//! Real PostgreSQL clusters, each with a port and a folder of its own; one certificate authority for all.

mod authority;
mod client;
mod cluster;
mod log;
mod options;
mod roles;
mod row;
mod standby;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

pub use self::authority::Tls;
pub use self::client::{Refused, Session};
use self::cluster::Certificates;
pub(crate) use self::cluster::free_port;
pub use self::log::{Connection, Mark, Refusal, Statement};
pub use self::options::Options;
pub use self::roles::Verifier;
pub(crate) use self::roles::quoted;
pub use self::row::Row;
use crate::error::Result;
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
    folder: PathBuf,
    bin: PathBuf,
    port: AtomicU16,
    version: String,
    major: u16,
    certificates: Certificates,
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
        "localhost"
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.cluster.port.load(Ordering::Relaxed)
    }

    /// `15.18`
    pub fn version(&self) -> &str {
        &self.cluster.version
    }

    /// `15`
    pub fn major(&self) -> u16 {
        self.cluster.major
    }

    /// A PEM file with the certificate authority, which every user of this machine may read.
    pub fn ca_pem_path(&self) -> PathBuf {
        self.cluster.folder.join("ca.pem")
    }

    /// The folder of its Unix socket, through which `postgres` may do anything.
    pub fn socket_folder(&self) -> &Path {
        &self.cluster.folder
    }
}
