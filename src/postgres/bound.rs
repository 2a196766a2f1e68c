//! Bounds in time: what may take how long, and the name of what took longer.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Fault;

/// A time by which something must be over.
pub(super) struct Bound {
    after: Duration,
    at: Instant,
}

impl Bound {
    pub(super) fn new(most: Duration, until: Instant) -> Self {
        let now = Instant::now();
        let after = most.min(until.saturating_duration_since(now));
        Self {
            after,
            at: now + after,
        }
    }

    pub(super) async fn bound<F: Future>(
        &self,
        phase: &'static str,
        work: F,
    ) -> Result<F::Output, Fault> {
        timeout_at(self.at, work)
            .await
            .map_err(|_| Fault::TimedOut {
                phase,
                after: self.after,
            })
    }
}

/// How long a name's look-up and a TCP connection may take.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long TLS and the login may take.
pub(super) const START: Duration = Duration::from_secs(5);
/// How long a statement may wait for a lock.
pub(super) const LOCK: Duration = Duration::from_secs(5);
/// How long a statement may run.
pub(super) const STATEMENT: Duration = Duration::from_secs(10);
