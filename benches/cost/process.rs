//! What a process costs, as the kernel counts it.

use std::time::Duration;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use testbed::{Error, Function, Result};

/// What something cost a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Time that passed.
    pub(crate) wall: Duration,
    /// Time on any core, of all its threads.
    pub(crate) cpu: Duration,
    /// The most memory that the process ever held until then, in bytes.
    pub(crate) peak_memory: u64,
}

impl Cost {
    /// What a function's process has cost until now, beside the time that passed.
    pub(crate) fn of(function: &Function) -> Result<Self> {
        let counted = function.pid().and_then(|pid| {
            let clock = clock_getcpuclockid(Pid::from_raw(pid)).ok()?;
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let peak = status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:"))?;
            let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().ok()?;
            Some(Self {
                wall: Duration::ZERO,
                cpu: clock.now().ok()?.into(),
                peak_memory: kilobytes * 1024,
            })
        });
        counted.ok_or_else(|| Error::new("the function died"))
    }

    /// The same after something took so long, of which this was the beginning.
    pub(crate) fn until(self, now: Self, wall: Duration) -> Self {
        Self {
            wall,
            cpu: now.cpu.saturating_sub(self.cpu),
            peak_memory: now.peak_memory,
        }
    }
}
