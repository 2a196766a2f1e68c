//! Whatever does not answer: the function says so before Lambda says "Task timed out": C42.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::json;
use testbed::{DbFault, Fault, Invocation, SilentPort, TestResult, World, eventually};

use super::server::{Say, Server, usual};
use super::world;

/// The step ended by itself, before its deadline, with one of these names.
#[track_caller]
pub(super) fn in_time(
    invocation: &Invocation,
    deadline: Duration,
    names: &[&str],
    what: &str,
) -> TestResult<String> {
    assert!(!invocation.timed_out, "{what}: Lambda's time-out");
    assert!(invocation.took < deadline, "{what}: {:?}", invocation.took);
    let failure = invocation.failure()?;
    assert!(
        names.contains(&failure.error_type.as_str()),
        "{what}: {failure}"
    );
    Ok(failure.error_message.clone())
}

async fn invoke(world: &World, step: &str, token: &str, deadline: Duration) -> Invocation {
    world
        .function
        .invoke(&world.event(step, token), deadline)
        .await
}

/// setSecret through a gate that stalls in this turn, then without.
async fn stalls(turn: usize, deadline: Duration) -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.db.every(DbFault::StallAfter(turn));
    let set = invoke(&world, "setSecret", &token, deadline).await;
    let what = format!("turn {turn} of {deadline:?}");
    let message = in_time(&set, deadline, &["DeadlineExceeded"], &what)?;
    assert!(message.contains("while"), "{message}");
    world.db.heal();
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c42_a_session_that_stalls_in_any_turn_is_over_in_time() -> TestResult {
    for deadline in [1, 3].map(Duration::from_secs) {
        try_join_all((1..=6).map(|turn| stalls(turn, deadline))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn c42_a_silent_server_is_left_after_five_seconds() -> TestResult {
    let world = world().start().await?;
    world.db.every(DbFault::Silent);
    let token = world.created().await?;
    let start = world.step("setSecret", &token).await;
    let most = Duration::from_secs(8);
    let message = in_time(&start, most, &["DeadlineExceeded"], "a silent listener")?;
    assert!(
        start.took >= Duration::from_secs(5) && message.contains("TLS handshake"),
        "{message}"
    );
    assert!(message.contains(&world.db.port().to_string()), "{message}");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c42_a_port_that_drops_packets_is_left_after_five_seconds() -> TestResult {
    let quiet = SilentPort::open().await?;
    let port = quiet.port();
    let world = world()
        .secret(move |value| value["port"] = json!(port))
        .start()
        .await?;
    let token = world.created().await?;
    let connect = world.step("setSecret", &token).await;
    let most = Duration::from_secs(8);
    let message = in_time(&connect, most, &["DeadlineExceeded"], "packets dropped")?;
    assert!(
        connect.took >= Duration::from_secs(5) && message.contains("connecting"),
        "{message}"
    );
    assert!(message.contains(&port.to_string()), "{message}");
    for step in ["setSecret", "testSecret"] {
        let deadline = Duration::from_secs(1);
        let short = invoke(&world, step, &token, deadline).await;
        in_time(&short, deadline, &["DeadlineExceeded"], step)?;
    }
    world.finish().await?;
    Ok(())
}

/// setSecret on a server that says nothing to this.
async fn silent_at(statement: &'static str, deadline: Duration) -> TestResult {
    let says_nothing = move |said: &str, _| {
        if said.contains(statement) {
            Say::Nothing
        } else {
            usual(said)
        }
    };
    let server = Server::start(says_nothing).await?;
    let world = world().secret(server.in_secret()).start().await?;
    let token = world.created().await?;
    let set = invoke(&world, "setSecret", &token, deadline).await;
    in_time(&set, deadline, &["DeadlineExceeded"], statement)?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c42_a_server_that_falls_silent_after_the_login_is_left_in_time() -> TestResult {
    let statements = [
        ("pg_advisory_xact_lock", 2),
        ("ALTER ROLE", 2),
        ("ALTER ROLE", 1),
    ];
    let silent =
        statements.map(|(statement, deadline)| silent_at(statement, Duration::from_secs(deadline)));
    try_join_all(silent).await?;
    Ok(())
}

#[tokio::test]
async fn c42_a_server_that_trickles_is_left_in_time() -> TestResult {
    // Goodbye at every statement: the change is tried again, and not for ever.
    let server = Server::start(|said, _| {
        if said.contains("ALTER ROLE") {
            Say::Goodbye
        } else {
            usual(said)
        }
    })
    .await?;
    let world = world().secret(server.in_secret()).start().await?;
    let token = world.created().await?;
    world
        .step("setSecret", &token)
        .await
        .failed_with("ConnectionLost")?;
    assert!((2..=4).contains(&server.logins()), "{:?}", server.heard());
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c42_a_lock_on_the_role_is_waited_for_no_longer_than_five_seconds_nor_than_there_is_time()
-> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let holder = world.lock_role().await?;
    for deadline in [3, 30].map(Duration::from_secs) {
        let set = invoke(&world, "setSecret", &token, deadline).await;
        let message = in_time(
            &set,
            deadline.min(Duration::from_secs(8)),
            &["DeadlineExceeded"],
            "a lock",
        )?;
        assert!(message.contains("lock"), "{deadline:?}: {message}");
    }
    holder.run("ROLLBACK").await?;
    assert!(world.logs_in(&world.first_password).await?);
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c42_a_lock_that_goes_in_time_is_no_failure() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let holder = world.lock_role().await?;
    let waits = format!(
        "SELECT 1 FROM pg_stat_activity WHERE usename = '{}' AND wait_event_type = 'Lock'",
        world.role
    );
    let release = async {
        eventually("a session that waits", async || {
            world.postgres.value(&waits).await
        })
        .await?;
        // The function's change comes after another one to the same row.
        holder.run("COMMIT").await
    };
    let (set, released) = tokio::join!(world.step("setSecret", &token), release);
    released?;
    set.success()?;
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c42_a_step_with_hardly_any_time_left_ends_by_itself() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.api.answer("*", 1.., Fault::Stall);
    for milliseconds in [500, 700, 1000] {
        let deadline = Duration::from_millis(milliseconds);
        let names = ["DeadlineExceeded", "SecretsManagerUnreachable"];
        let create = invoke(&world, "createSecret", &token, deadline).await;
        in_time(&create, deadline, &names, &format!("{deadline:?}"))?;
    }
    world.api.heal();
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}
