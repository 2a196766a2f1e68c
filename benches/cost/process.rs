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
        let cpu = function.pid().and_then(|pid| cpu(Pid::from_raw(pid)));
        let counted = cpu.zip(function.peak_memory());
        let (cpu, peak_memory) = counted.ok_or_else(|| Error::new("the function died"))?;
        Ok(Self {
            wall: Duration::ZERO,
            cpu,
            peak_memory,
        })
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

/// The time that a process has had on any core; none once it has gone.
pub(crate) fn cpu(pid: Pid) -> Option<Duration> {
    let clock = clock_getcpuclockid(pid).ok()?;
    Some(clock.now().ok()?.into())
}
