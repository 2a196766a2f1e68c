//! A CPU share: 7 %, which is what Lambda gives a function of 128 MB.
//!
//! The kernel enforces it where this process may make control groups. Elsewhere the process is stopped for the rest of
//! each period in which it has had its share; what it has had beyond, as a look comes late, it has less of the next time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use tempfile::TempDir;
use testbed::{Error, Result};

use super::process::cpu;

/// A program that runs with that share, for as long as this lives.
pub(crate) struct Share {
    folder: TempDir,
    group: Option<Group>,
}

impl Share {
    pub(crate) fn new(program: &str) -> Result<Self> {
        let failed = |error: std::io::Error| Error::new(format!("no CPU share: {error}"));
        let folder = tempfile::tempdir().map_err(failed)?;
        let group = Group::new();
        let door = match &group {
            Some(group) => group.0.join("cgroup.procs"),
            None => stopping(folder.path()).map_err(failed)?,
        };
        // It says its number, and becomes the program.
        let script = format!(
            "#!/bin/sh\necho $$ > '{}'\nexec '{program}'\n",
            door.display()
        );
        let share = Self { folder, group };
        fs::write(share.program(), script).map_err(failed)?;
        fs::set_permissions(
            share.program(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .map_err(failed)?;
        Ok(share)
    }

    /// What is to be started instead of the program.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("bootstrap")
    }

    pub(crate) fn how(&self) -> &'static str {
        match self.group {
            Some(_) => "the kernel's quota, 1.4 ms of every 20 ms",
            None => "SIGSTOP once 1.4 ms of 20 ms are used, then SIGCONT",
        }
    }
}

/// A control group with a quota, gone when this is.
struct Group(PathBuf);

impl Group {
    /// None where we may not.
    fn new() -> Option<Self> {
        let ours = fs::read_to_string("/proc/self/cgroup").ok()?;
        ours.lines().find_map(|line| {
            let (_, line) = line.split_once(':')?;
            let (controllers, path) = line.split_once(':')?;
            let (root, quota): (_, &[_]) = match controllers {
                "" => ("/sys/fs/cgroup", &[("cpu.max", "1400 20000")]),
                "cpu" | "cpu,cpuacct" => (
                    "/sys/fs/cgroup/cpu",
                    &[("cpu.cfs_period_us", "20000"), ("cpu.cfs_quota_us", "1400")],
                ),
                _ => return None,
            };
            let folder = format!("{root}{path}/db-rotation-cost-{}", std::process::id());
            // A folder made is one to be removed.
            let group = fs::create_dir(&folder)
                .is_ok()
                .then(|| Self(PathBuf::from(folder)))?;
            let write = |(file, text): &(&str, &str)| {
                let file = group.0.join(file);
                file.exists() && fs::write(file, text).is_ok()
            };
            quota.iter().all(write).then_some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Waits for processes to say their numbers into a pipe, and gives each its share; the pipe.
fn stopping(folder: &Path) -> std::io::Result<PathBuf> {
    let door = folder.join("door");
    mkfifo(&door, Mode::S_IRWXU)?;
    let pipe = door.clone();
    std::thread::spawn(move || {
        while let Ok(pid) = fs::read_to_string(&pipe) {
            if let Ok(pid) = pid.trim().parse() {
                ration(Pid::from_raw(pid));
            }
        }
    });
    Ok(door)
}

/// Until it has gone.
fn ration(pid: Pid) {
    let used = || cpu(pid);
    let mut allowed = used().unwrap_or_default();
    loop {
        let next = Instant::now() + PERIOD;
        let Some(so_far) = used() else { return };
        // What was left over is lost, as with the kernel's quota.
        allowed = allowed.min(so_far) + SHARE;
        let _ = kill(pid, Signal::SIGCONT);
        while Instant::now() < next {
            match used() {
                None => return,
                Some(used) if used >= allowed => {
                    let _ = kill(pid, Signal::SIGSTOP);
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                }
                Some(_) => std::thread::sleep(LOOK),
            }
        }
    }
}

const PERIOD: Duration = Duration::from_millis(20);
const SHARE: Duration = Duration::from_micros(1400);
const LOOK: Duration = Duration::from_micros(100);
