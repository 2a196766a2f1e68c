//! A replica: a copy of a running cluster that follows it.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::cluster::{assemble, place};
use super::{Postgres, Row};
use crate::background::{blocking, eventually};
use crate::error::{Context as _, Result};
use crate::tools::{Server, run, server_user};

impl Postgres {
    /// Starts a streaming replica, read-only, with the same authority, roles and passwords, on a port of its own.
    pub async fn standby(&self) -> Result<Self> {
        let (begin, end) = if self.major() < 15 {
            (
                "SELECT pg_start_backup('testbed', true, false)",
                "SELECT labelfile FROM pg_stop_backup(false, false)",
            )
        } else {
            (
                "SELECT pg_backup_start('testbed', true)",
                "SELECT labelfile FROM pg_backup_stop(false)",
            )
        };
        // The backup lasts as long as the session that began it.
        let session = self.admin_session("postgres").await?;
        session.run(begin).await?;
        let primary = self.clone();
        let standby = blocking(move || primary.copy()).await?;
        let label = session.run(end).await?;
        let label = label
            .first()
            .and_then(|row: &Row| row.text("labelfile"))
            .context("no backup label")?;
        let data = standby.cluster.folder.join("data");
        place(&data.join("backup_label"), label.as_bytes(), 0o600)?;
        place(&data.join("standby.signal"), b"", 0o600)?;
        standby.launch().await?;
        Ok(standby)
    }

    /// Restarts the server as a replica that follows nobody: read-only, or, unless `hot`, turning everybody away as
    /// during a start (57P03). `lead` ends it.
    pub async fn follow_nobody(&self, hot: bool) -> Result<()> {
        self.stop().await?;
        let data = self.cluster.folder.join("data");
        place(&data.join("standby.signal"), b"", 0o600)?;
        if hot {
            return self.start_again().await;
        }
        let settings = read(&data.join(SETTINGS))? + COLD;
        place(&data.join(SETTINGS), settings.as_bytes(), 0o600)?;
        self.start_unseen().await?;
        eventually("the server to say no", async || {
            let answer = self.login("postgres", "", "postgres").await;
            Ok(answer
                .is_err_and(|no| no.code.as_deref() == Some("57P03"))
                .then_some(()))
        })
        .await
    }

    /// Ends `follow_nobody`: the server takes writes again.
    pub async fn lead(&self) -> Result<()> {
        self.stop().await?;
        let data = self.cluster.folder.join("data");
        fs::remove_file(data.join("standby.signal")).context("it follows somebody")?;
        let settings = read(&data.join(SETTINGS))?.replace(COLD, "");
        place(&data.join(SETTINGS), settings.as_bytes(), 0o600)?;
        self.start_again().await
    }

    /// Waits until this replica has all that `primary` has written so far.
    pub async fn catch_up_with(&self, primary: &Self) -> Result<()> {
        let written = primary
            .value("SELECT pg_current_wal_lsn()")
            .await?
            .context("the primary tells no position")?;
        let reached = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        eventually("the replica to catch up", async || {
            Ok((self.value(&reached).await?.as_deref() == Some("t")).then_some(()))
        })
        .await
    }

    fn copy(&self) -> Result<Self> {
        let cluster = &self.cluster;
        let from = cluster.folder.join("data");
        let primary = format!(
            "host={} port={} user=postgres",
            cluster.folder.display(),
            self.port()
        );
        let options = cluster
            .options
            .clone()
            .setting("primary_conninfo", &primary);
        let server = Server {
            bin: cluster.bin.clone(),
            version: cluster.version.clone(),
            major: cluster.major,
        };
        assemble(
            &server,
            options,
            Some(cluster.certificates.clone()),
            |data| {
                let mut copy = Command::new("sh");
                copy.args(["-c", COPY])
                    .arg(&from)
                    .arg(data)
                    .current_dir("/");
                if let Some(user) = server_user()? {
                    copy.uid(user.uid).gid(user.gid);
                }
                run(&mut copy).map(drop)
            },
        )
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).context(format!("could not read {}", path.display()))
}

/// What `ALTER SYSTEM` writes, which others may have done.
const SETTINGS: &str = "postgresql.auto.conf";
/// No session at all while it follows.
const COLD: &str = "hot_standby = off\n";

/// Files may change and vanish under the reader: the write-ahead log, which the replica asks for, mends that.
const COPY: &str = "tar -C \"$0\" --warning=none --ignore-failed-read --exclude=./postmaster.pid \
    --exclude='./pg_wal/*' --exclude='./pg_replslot/*' -cf - . | tar -C \"$1\" -xpf -";
