//! A cluster's life: made from the template, started, stopped, started again.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nix::sys::signal::Signal;
use parking_lot::Mutex;

use super::authority::{Authority, Tls};
use super::options::Options;
use super::{Cluster, Postgres};
use crate::background::{blocking, eventually};
use crate::error::{Context as _, Error, Result};
use crate::tools::{self, server_user, template, unpack};
use crate::watchdog::Server;

/// Makes the cluster's folder, without starting its server.
pub(super) fn create(options: Options) -> Result<Postgres> {
    let server = tools::server(options.version.as_deref())?;
    let template = template(&server)?;
    assemble(&server, options, None, |data| unpack(&template, data))
}

/// Makes a folder whose data `fill` brings; the certificates are those given, else new ones.
pub(super) fn assemble(
    server: &tools::Server,
    options: Options,
    certificates: Option<Certificates>,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<Postgres> {
    let user = server_user()?;
    // Not $TMPDIR: a socket's path has at most 107 bytes, and the server's user must get there.
    let folder = tempfile::Builder::new()
        .prefix("testbed-")
        .tempdir_in("/tmp")
        .context("could not use /tmp")?
        .keep();
    let mut command = Command::new(server.bin.join("postgres"));
    command
        .arg("-D")
        .arg(folder.join("data"))
        .env("LC_ALL", "C");
    // Traversable, so that whoever runs the function can read the authority's certificate.
    open(&folder, 0o711)?;
    let data = folder.join("data");
    fs::create_dir(&data).context("could not make a data folder")?;
    open(&data, 0o700)?;
    if let Some(user) = user {
        user.own(&folder)?;
        user.own(&data)?;
        command.uid(user.uid).gid(user.gid);
    }
    let process = Server::new(folder.clone(), command, Signal::SIGQUIT);
    fill(&data)?;
    let certificates = match certificates {
        Some(given) => given,
        None => Certificates::of(options.tls)?,
    };
    let Certificates {
        ca,
        certificate,
        key,
    } = &certificates;
    place(&folder.join("ca.pem"), ca.as_bytes(), 0o644)?;
    place(&data.join("server.crt"), certificate.as_bytes(), 0o600)?;
    place(&data.join("server.key"), key.as_bytes(), 0o600)?;
    place(&data.join("pg_hba.conf"), hba(&options).as_bytes(), 0o600)?;
    let cluster = Cluster {
        server: Mutex::new(process),
        admin: Mutex::default(),
        folder,
        bin: server.bin.clone(),
        port: free_port()?.into(),
        version: server.version.clone(),
        major: server.major,
        certificates,
        options,
    };
    Ok(Postgres {
        cluster: Arc::new(cluster),
    })
}

impl Postgres {
    /// Stops the server as an operator does (`fast`: sessions are ended). Its data and port stay.
    pub async fn stop(&self) -> Result<()> {
        let this = self.clone();
        blocking(move || this.cluster.server.lock().end(Signal::SIGINT)).await
    }

    /// Ends the server as a crash does: nothing is written, sessions are cut.
    pub async fn crash(&self) -> Result<()> {
        let this = self.clone();
        blocking(move || this.cluster.server.lock().end(Signal::SIGQUIT)).await
    }

    /// Starts the stopped server again and returns when it answers.
    pub async fn start_again(&self) -> Result<()> {
        self.launch().await
    }

    /// `stop`, then `start_again`.
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.launch().await
    }

    /// Changes settings of a running server, as `ALTER SYSTEM` does.
    pub async fn set(&self, name: &str, value: &str) -> Result<()> {
        self.admin(&format!(
            "ALTER SYSTEM SET {name} = '{}'",
            value.replace('\'', "''")
        ))
        .await?;
        self.admin("SELECT pg_reload_conf()").await?;
        // Who comes from now on has it; who is there already, in a moment.
        self.cluster.admin.lock().take();
        Ok(())
    }

    /// Starts the server on a port that is free and waits until it answers.
    pub(super) async fn launch(&self) -> Result<()> {
        for _ in 0..5 {
            match self.run().await {
                Err(_)
                    if self.log().contains("could not create any TCP/IP sockets")
                        && !self.has_run() =>
                {
                    self.cluster.port.store(free_port()?, Ordering::Relaxed);
                }
                done => return done,
            }
        }
        self.run().await
    }

    /// Whether its port may be known to others.
    fn has_run(&self) -> bool {
        self.log().contains("ready to accept")
    }

    /// Starts the server, and leaves it to itself.
    pub(super) async fn start_unseen(&self) -> Result<()> {
        let this = self.clone();
        blocking(move || {
            let data = this.cluster.folder.join("data");
            place(
                &data.join("postgresql.conf"),
                this.configuration().as_bytes(),
                0o600,
            )?;
            this.cluster.server.lock().start()
        })
        .await
    }

    async fn run(&self) -> Result<()> {
        self.start_unseen().await?;
        eventually("PostgreSQL to answer", async || {
            if !self.cluster.server.lock().is_alive() {
                return Err(Error::new(format!(
                    "PostgreSQL does not start:\n{}",
                    self.log()
                )));
            }
            Ok(self.admin("SELECT 1").await.ok().map(drop))
        })
        .await
    }

    fn configuration(&self) -> String {
        let options = &self.cluster.options;
        let mut text = String::from(CONFIGURATION);
        let _ = writeln!(text, "port = {}", self.port());
        let _ = writeln!(
            text,
            "unix_socket_directories = '{}'",
            self.cluster.folder.display()
        );
        if options.tls != Tls::Off {
            text.push_str("ssl = on\n");
        }
        if options.statements {
            text.push_str(
                "shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.track = all\n",
            );
        }
        for (name, value) in &options.settings {
            let _ = writeln!(text, "{name} = '{}'", value.replace('\'', "''"));
        }
        text
    }
}

/// A server's certificate and key, and its authority's certificate, as PEM.
#[derive(Clone, Debug)]
pub(super) struct Certificates {
    ca: String,
    certificate: String,
    key: String,
}

impl Certificates {
    fn of(tls: Tls) -> Result<Self> {
        let authority = Authority::shared()?;
        let ca = authority.pem().to_owned();
        let (certificate, key) = match tls {
            Tls::OtherCa => Authority::new("somebody else")?.server(tls)?,
            _ => authority.server(tls)?,
        };
        Ok(Self {
            ca,
            certificate,
            key,
        })
    }
}

fn hba(options: &Options) -> String {
    let mut text = String::from("local all all trust\nlocal replication all trust\n");
    for line in &options.hba {
        let _ = writeln!(text, "{line}");
    }
    text + "hostssl all all 127.0.0.0/8 scram-sha-256\nhostnossl all all 127.0.0.0/8 scram-sha-256\n"
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    listener
        .local_addr()
        .map(|address| address.port())
        .context("no free port")
}

/// Writes a file that belongs to the server's user.
pub(super) fn place(path: &Path, contents: &[u8], mode: u32) -> Result<()> {
    fs::write(path, contents).context(format!("could not write {}", path.display()))?;
    open(path, mode)?;
    server_user()?.map_or(Ok(()), |user| user.own(path))
}

fn open(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .context(format!("could not open {}", path.display()))
}

const CONFIGURATION: &str = "\
listen_addresses = '127.0.0.1'
max_connections = 200
# A test's data need not survive the machine.
fsync = off
full_page_writes = off
shared_buffers = 16MB
max_wal_senders = 4
password_encryption = 'scram-sha-256'
log_connections = on
log_disconnections = on
log_statement = all
# Names come last, in an order that their contents can't upset.
log_line_prefix = '%m [%p] %e host=%h db=%d user=%u '
";
