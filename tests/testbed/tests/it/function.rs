use std::time::{Duration, Instant};

use serde_json::json;
use testbed::{Function, Result};

use crate::FAKE;

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_failure_comes_back_with_its_type_and_what_was_written() -> Result<()> {
    let function = Function::builder(FAKE).start().await?;
    let invocation = function.invoke(&json!({ "Step": "nonsense" }), LONG).await;
    let failure = invocation.failure()?;
    assert_eq!(
        (failure.error_type.as_str(), invocation.died),
        ("FakeError", None)
    );
    assert!(failure.error_message.contains("nonsense") && failure.raw.contains("errorType"));
    assert_eq!(invocation.log, ["step \"nonsense\""]);
    assert!(invocation.took > Duration::ZERO && invocation.peak_memory > 100_000);
    assert!(
        function
            .start_cost()
            .is_some_and(|cost| cost.cpu > Duration::ZERO && cost.cpu <= LONG)
    );
    Ok(())
}

#[tokio::test]
async fn a_hanging_function_is_killed_at_its_deadline_and_replaced() -> Result<()> {
    let function = Function::builder(FAKE).env("FAKE", "hang").start().await?;
    let first = function.pid();
    let started = Instant::now();
    let invocation = function
        .invoke(&json!({}), Duration::from_millis(200))
        .await;
    assert!(invocation.timed_out && invocation.died.is_some());
    assert!(
        started.elapsed() >= Duration::from_millis(200)
            && started.elapsed() < Duration::from_secs(2)
    );
    assert_eq!(invocation.error_type(), Some("Sandbox.Timedout"));
    let again = function.invoke(&json!({}), Duration::from_millis(50)).await;
    assert!(again.timed_out);
    assert_ne!(function.pid(), first);
    assert_eq!(function.output().lines().count(), 2);
    Ok(())
}

#[tokio::test]
async fn a_function_that_dies_or_is_killed_says_so() -> Result<()> {
    let function = Function::builder(FAKE).env("FAKE", "die").start().await?;
    let invocation = function.invoke(&json!({}), LONG).await;
    assert_eq!(invocation.died.and_then(|exit| exit.code()), Some(3));
    assert_eq!(invocation.error_type(), Some("Runtime.ExitError"));
    let function = Function::builder(FAKE).env("FAKE", "hang").start().await?;
    let event = json!({});
    let (invocation, ()) = tokio::join!(function.invoke(&event, LONG), function.kill());
    assert!(invocation.died.is_some() && !invocation.timed_out);
    Ok(())
}

#[tokio::test]
async fn a_start_that_fails_says_why() {
    let failure = Function::builder(FAKE)
        .env("FAKE", "no-start")
        .start()
        .await
        .err();
    let failure = failure.unwrap_or_default();
    assert_eq!(failure.exit.and_then(|exit| exit.code()), Some(1));
    assert_eq!(failure.output, "FAKE can't be used\n");
    let failure = Function::builder(FAKE)
        .env("FAKE", "init-error")
        .start()
        .await
        .err()
        .unwrap_or_default();
    assert_eq!(
        failure
            .reported
            .map(|failure| failure.error_type)
            .as_deref(),
        Some("FakeInit")
    );
    assert!(Function::builder("/nowhere/at/all").start().await.is_err());
}
