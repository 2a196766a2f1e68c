//! The runtime on which everything of the testbed lives.
//!
//! Each `#[tokio::test]` has a runtime that ends with it; servers shared between tests need one that doesn't.

use std::future::Future;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// Starts `work` on the testbed's runtime and leaves it there.
pub(crate) fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    runtime().spawn(work)
}

/// Runs `work` on the testbed's runtime, where its sockets outlive the caller's.
pub(crate) async fn home<F>(work: F) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    finished(spawn(work)).await
}

/// Runs blocking `work` (processes, files) off the caller's thread.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    finished(runtime().spawn_blocking(work)).await
}

/// Looks every few milliseconds until `look` sees something.
pub async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        if started.elapsed() > PATIENCE {
            return Err(Error::new(format!("waited in vain for {what}")));
        }
        pause(Duration::from_millis(2)).await;
    }
}

/// A busy machine takes long for what is there in a moment.
const PATIENCE: Duration = Duration::from_mins(1);

/// The pause between two looks; needs no runtime of the caller's with a timer.
pub(crate) async fn pause(span: Duration) {
    home(async move { tokio::time::sleep(span).await }).await;
}

async fn finished<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(value) => value,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

#[expect(clippy::expect_used, reason = "without a runtime there is no testbed")]
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("testbed")
            .enable_all()
            .build()
            .expect("the testbed's runtime starts")
    })
}
