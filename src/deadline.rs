//! How much time is left, and the one way to wait.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// When something must be over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

/// Something took longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} ms while {phase}", after.as_millis())]
pub struct TimedOut {
    /// What was waited for: `connecting`.
    pub(crate) phase: &'static str,
    /// How long.
    pub(crate) after: Duration,
}

impl Deadline {
    /// The end of an invocation that Lambda lets run for `time_left`, less what it takes to close sessions and to answer:
    /// Lambda's own "Task timed out" says nothing.
    pub(crate) fn of_invocation(time_left: Duration) -> Self {
        Self(Instant::now() + time_left.saturating_sub(reserve(time_left)))
    }

    /// The same, but at most `most` from now.
    pub(crate) fn within(self, most: Duration) -> Self {
        Self(self.0.min(Instant::now() + most))
    }

    /// The same, and a moment longer.
    pub(crate) fn and(self, moment: Duration) -> Self {
        Self(self.0 + moment)
    }

    /// What is left of the time.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits for `work`, by name, as long as there is time.
    ///
    /// # Errors
    /// [`TimedOut`]; the work is dropped.
    pub(crate) async fn bind<F: Future>(
        self,
        phase: &'static str,
        work: F,
    ) -> Result<F::Output, TimedOut> {
        let begun = Instant::now();
        let timed_out = |_| TimedOut {
            phase,
            after: begun.elapsed(),
        };
        timeout_at(self.0, work).await.map_err(timed_out)
    }

    /// Waits for `pause`; `false`, at once, where that would be too long.
    pub(crate) async fn pause(self, pause: Duration) -> bool {
        let has_time = pause < self.left();
        if has_time {
            sleep(pause).await;
        }
        has_time
    }
}

/// How much of an invocation's time is kept for closing sessions and answering.
fn reserve(time_left: Duration) -> Duration {
    Duration::from_millis(500).min(time_left / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c42_half_a_second_is_kept_to_answer_or_half_of_a_shorter_time() {
        let reserves = [0, 50, 200, 1_000, 30_000]
            .map(Duration::from_millis)
            .map(|left| reserve(left).as_millis());
        assert_eq!(reserves, [0, 25, 100, 500, 500]);
    }
}
