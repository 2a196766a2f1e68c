//! A cluster's life: made, started, stopped, started again.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use nix::sys::signal::Signal;
use parking_lot::Mutex;

use super::authority::{Certified, Tls};
use super::options::Options;
use super::{Cluster, Mark, Postgres};
use crate::background::{blocking, eventually};
use crate::error::{Context as _, Error, Result};
use crate::tools;
use crate::watchdog::{self, Server};

/// Makes a cluster, without starting its server.
pub(super) fn create(options: &Options) -> Result<Postgres> {
    let programs = tools::server(options.version.as_deref())?;
    // Not $TMPDIR: a socket's path has at most 107 bytes, and the server's user must get there.
    let folder = tempfile::Builder::new()
        .prefix("testbed-")
        .tempdir_in("/tmp");
    let folder = folder.context("could not make a cluster's folder")?;
    watchdog::remove(folder.path());
    let data = folder.path().join("data");
    let mut command = Command::new(programs.bin.join("postgres"));
    command.arg("-D").arg(&data).env("LC_ALL", "C");
    programs.run_as_user(&mut command);
    fs::create_dir(&data).context("could not make a data folder")?;
    let mut tar = Command::new("tar");
    tar.args(["--no-same-owner", "-xf"])
        .arg(&programs.cluster)
        .arg("-C")
        .arg(&data);
    tools::run(&mut tar)?;
    let port = free_port()?;
    let certified = Certified::of(options.tls).context("could not make a certificate")?;
    let hba = format!("{OURS}{}\n{EVERYBODY}", options.hba.join("\n"));
    for (name, contents) in [
        ("ca.pem", certified.authority),
        ("data/server.crt", &certified.certificate),
        ("data/server.key", &certified.key),
        ("data/pg_hba.conf", &hba),
        (
            "data/postgresql.conf",
            &configuration(options, folder.path(), port),
        ),
    ] {
        fs::write(folder.path().join(name), contents).context(format!("could not write {name}"))?;
    }
    if options.primary.is_some() {
        fs::write(data.join("standby.signal"), "").context("could not make a replica")?;
    }
    programs.hand_over(folder.path())?;
    let cluster = Cluster {
        server: Mutex::new(Server::new(command, Signal::SIGQUIT)?),
        admin: Mutex::default(),
        folder,
        programs,
        port,
        options: options.clone(),
    };
    Ok(Postgres {
        cluster: Arc::new(cluster),
    })
}

impl Postgres {
    /// Stops the server as an operator does (`fast`: sessions are ended). Its data and port stay.
    pub async fn stop(&self) -> Result<()> {
        self.end(Signal::SIGINT).await
    }

    /// Ends the server as a crash does: nothing is written, sessions are cut.
    pub async fn crash(&self) -> Result<()> {
        self.end(Signal::SIGQUIT).await
    }

    async fn end(&self, signal: Signal) -> Result<()> {
        let this = self.clone();
        blocking(move || this.cluster.server.lock().end(signal)).await
    }

    /// Starts the stopped server again and returns when it answers.
    pub async fn start_again(&self) -> Result<()> {
        self.start_unready().await?;
        eventually("PostgreSQL to answer", async || {
            if !self.cluster.server.lock().is_alive() {
                let log = self.log_since(Mark::default());
                return Err(Error::new(format!("PostgreSQL does not start:\n{log}")));
            }
            Ok(self.admin("SELECT 1").await.ok().map(drop))
        })
        .await
    }

    /// Starts the stopped server again, and leaves it to itself.
    pub async fn start_unready(&self) -> Result<()> {
        let this = self.clone();
        blocking(move || this.cluster.server.lock().start()).await
    }

    /// Changes settings of a running server, as `ALTER SYSTEM` does.
    pub async fn set(&self, name: &str, value: &str) -> Result<()> {
        let value = value.replace('\'', "''");
        let set = format!("ALTER SYSTEM SET {name} = '{value}'");
        self.admin(&set).await?;
        self.admin("SELECT pg_reload_conf()").await?;
        // Who comes from now on has it; who is there already, in a moment.
        self.cluster.admin.lock().take();
        Ok(())
    }

    /// Starts a streaming replica, read-only, with the same authority, roles and passwords, on a port of its own.
    ///
    /// It begins as this cluster did, and asks for all that has been written since, which must be less than 64 MB. What
    /// [`Postgres::set`] has changed stays here.
    pub async fn standby(&self) -> Result<Self> {
        let primary = format!(
            "host={} port={} user=postgres",
            self.folder().display(),
            self.port()
        );
        let mut options = self.cluster.options.clone();
        options.primary = Some(primary);
        options.start().await
    }

    /// Waits until this replica has all that `primary` has written so far.
    pub async fn catch_up_with(&self, primary: &Self) -> Result<()> {
        let written = primary.value("SELECT pg_current_wal_lsn()").await?;
        let written = written.context("the primary tells no position")?;
        let reached = format!("SELECT 1 WHERE pg_last_wal_replay_lsn() >= '{written}'");
        let reached = eventually("the replica to catch up", async || {
            self.value(&reached).await
        });
        reached.await.map(drop)
    }
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    Ok(listener.context("no free port")?.port())
}

fn configuration(options: &Options, folder: &Path, port: u16) -> String {
    let folder = folder.display();
    let mut text = format!("{SETTINGS}port = {port}\nunix_socket_directories = '{folder}'\n");
    if options.tls != Tls::Off {
        text += "ssl = on\n";
    }
    if options.statements {
        text += "shared_preload_libraries = pg_stat_statements\npg_stat_statements.track = all\n";
    }
    let primary = options
        .primary
        .iter()
        .map(|primary| ("primary_conninfo", primary));
    let given = options
        .settings
        .iter()
        .map(|(name, value)| (name.as_str(), value));
    for (name, value) in primary.chain(given) {
        let _ = writeln!(text, "{name} = '{}'", value.replace('\'', "''"));
    }
    text
}

const OURS: &str = "\
local all postgres trust
local replication all trust
";
const EVERYBODY: &str = "\
local all all scram-sha-256
hostssl all all 127.0.0.0/8 scram-sha-256
hostnossl all all 127.0.0.0/8 scram-sha-256
";
const SETTINGS: &str = "\
listen_addresses = '127.0.0.1'
max_connections = 200
# A test's data need not survive the machine.
fsync = off
full_page_writes = off
shared_buffers = 16MB
wal_keep_size = 64MB
password_encryption = 'scram-sha-256'
log_connections = on
log_disconnections = on
log_statement = all
# Names come last, in an order that their contents can't upset.
log_line_prefix = '%m [%p] %e host=%h db=%d user=%u '
";
