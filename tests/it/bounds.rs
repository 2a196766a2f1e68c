//! Whatever does not answer: the function says so before Lambda says "Task timed out": C42, C43.

use std::time::Duration;

use serde_json::json;
use testbed::{DbFault, Fault, Invocation, World};

use super::server::{Say, Server, usual};
use super::{created, eventually, failed, quiet_port, world};

/// The step ended by itself, before its deadline, with one of these names.
#[track_caller]
fn in_time(invocation: &Invocation, deadline: Duration, names: &[&str], what: &str) -> String {
    assert!(!invocation.timed_out, "{what}: Lambda's time-out");
    assert!(invocation.took < deadline, "{what}: {:?}", invocation.took);
    let failure = invocation.failure().unwrap();
    assert!(
        names.contains(&failure.error_type.as_str()),
        "{what}: {failure}"
    );
    failure.error_message.clone()
}

async fn invoke(world: &World, step: &str, token: &str, deadline: Duration) -> Invocation {
    world
        .function
        .invoke(&world.event(step, token), deadline)
        .await
}

#[tokio::test]
async fn c42_a_session_that_stalls_in_any_turn_is_over_in_time() {
    let world = world().start().await.unwrap();
    for deadline in [1, 3].map(Duration::from_secs) {
        let token = created(&world).await;
        for turn in 1..=6 {
            world.db.every(DbFault::StallAfter(turn));
            let set = invoke(&world, "setSecret", &token, deadline).await;
            let message = in_time(
                &set,
                deadline,
                &["DeadlineExceeded"],
                &format!("turn {turn} of {deadline:?}"),
            );
            assert!(message.contains("while"), "{message}");
            world.db.heal();
        }
        world.steps(&token).await.unwrap();
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c42_connect_and_start_are_bounded_at_five_seconds_and_named() {
    let quiet = quiet_port().await;
    let world = world().start().await.unwrap();
    world.db.every(DbFault::Silent);
    let token = created(&world).await;
    let start = world.step("setSecret", &token).await;
    let message = in_time(
        &start,
        Duration::from_millis(5600),
        &["DeadlineExceeded"],
        "a silent listener",
    );
    assert!(
        message.contains("TLS handshake") && message.contains(&world.db.port().to_string()),
        "{message}"
    );

    let mut value = world.current().await.unwrap().unwrap();
    value["port"] = json!(quiet.port);
    become_current(&world, &value.to_string()).await;
    let token = created(&world).await;
    let connect = world.step("setSecret", &token).await;
    let message = in_time(
        &connect,
        Duration::from_millis(5600),
        &["DeadlineExceeded"],
        "packets dropped",
    );
    assert!(
        message.contains("connecting") && message.contains(&quiet.port.to_string()),
        "{message}"
    );
    for step in ["setSecret", "testSecret"] {
        let deadline = Duration::from_secs(2);
        in_time(
            &invoke(&world, step, &token, deadline).await,
            deadline,
            &["DeadlineExceeded"],
            step,
        );
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c42_a_server_that_falls_silent_after_the_login_is_left_in_time() {
    for (silent_at, deadline) in [
        ("pg_is_in_recovery", 2),
        ("ALTER ROLE", 2),
        ("ALTER ROLE", 1),
    ] {
        let server = Server::start(move |said, _| {
            if said.contains(silent_at) {
                Say::Nothing
            } else {
                usual(said)
            }
        })
        .await;
        let world = world().secret(server.in_secret()).start().await.unwrap();
        let token = created(&world).await;
        let deadline = Duration::from_secs(deadline);
        in_time(
            &invoke(&world, "setSecret", &token, deadline).await,
            deadline,
            &["DeadlineExceeded"],
            silent_at,
        );
        world.finish().await.unwrap();
    }
}

#[tokio::test]
async fn c42_a_server_that_trickles_is_left_in_time() {
    // Goodbye at every statement: the change is tried again, and not for ever.
    let server = Server::start(|said, _| {
        if said.contains("ALTER ROLE") {
            Say::Goodbye
        } else {
            usual(said)
        }
    })
    .await;
    let world = world().secret(server.in_secret()).start().await.unwrap();
    let token = created(&world).await;
    failed(&world.step("setSecret", &token).await, "ConnectionLost");
    assert!((2..=4).contains(&server.logins()), "{:?}", server.heard());
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c42_a_lock_on_the_role_is_waited_for_no_longer_than_five_seconds_nor_than_there_is_time() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    let holder = lock(&world).await;
    for deadline in [1, 2, 30].map(Duration::from_secs) {
        let set = invoke(&world, "setSecret", &token, deadline).await;
        let message = in_time(
            &set,
            deadline.min(Duration::from_millis(5800)),
            &["DeadlineExceeded"],
            "a lock",
        );
        assert!(message.contains("lock"), "{deadline:?}: {message}");
    }
    holder.run("ROLLBACK").await.unwrap();
    assert!(world.logs_in(&world.first_password).await.unwrap());
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c42_a_lock_that_goes_in_time_is_no_failure() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    let holder = lock(&world).await;
    let waits = format!(
        "SELECT 1 FROM pg_stat_activity WHERE usename = '{}' AND wait_event_type = 'Lock'",
        world.role
    );
    let release = async {
        eventually(async || world.postgres.value(&waits).await.unwrap()).await;
        // The function's change comes after another one to the same row.
        holder.run("COMMIT").await.unwrap();
    };
    let (set, ()) = tokio::join!(world.step("setSecret", &token), release);
    set.success().unwrap();
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c42_a_step_with_hardly_any_time_left_ends_by_itself() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    world.api.answer("*", 1.., Fault::Stall);
    for milliseconds in [50, 200, 400, 700, 1000] {
        let deadline = Duration::from_millis(milliseconds);
        let names = ["DeadlineExceeded", "SecretsManagerUnreachable"];
        let create = invoke(&world, "createSecret", &token, deadline).await;
        in_time(&create, deadline, &names, &format!("{deadline:?}"));
    }
    world.api.heal();
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c43_secrets_manager_out_of_reach_is_said_well_inside_the_deadline() {
    let quiet = quiet_port().await;
    let world = world().start().await.unwrap();
    let token = world.begin().await.unwrap();
    let url = format!("http://127.0.0.1:{}", quiet.port);
    let function = testbed::Function::builder(env!("CARGO_BIN_EXE_db-rotation"))
        .env("SECRETS_MANAGER_ENDPOINT", &url);
    let function = function.start().await.unwrap();
    for seconds in [30, 10, 5, 3] {
        let deadline = Duration::from_secs(seconds);
        let create = function
            .invoke(&world.event("createSecret", &token), deadline)
            .await;
        let message = in_time(
            &create,
            deadline,
            &["SecretsManagerUnreachable"],
            &format!("{deadline:?}"),
        );
        assert!(
            message.contains("VPC") && message.contains("DescribeSecret"),
            "{message}"
        );
        assert!(create.took < Duration::from_secs(9), "{:?}", create.took);
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c43_a_secrets_manager_that_hangs_up_or_stays_silent_is_unreachable_too() {
    let world = world()
        .deadline(Duration::from_secs(12))
        .start()
        .await
        .unwrap();
    let token = world.begin().await.unwrap();
    world.api.answer("*", 1.., Fault::DropBefore);
    failed(
        &world.step("createSecret", &token).await,
        "SecretsManagerUnreachable",
    );
    world.api.heal();
    world.api.answer("*", 1.., Fault::Stall);
    failed(
        &world.step("createSecret", &token).await,
        "SecretsManagerUnreachable",
    );
    world.api.heal();
    world.api.close();
    failed(
        &world.step("createSecret", &token).await,
        "SecretsManagerUnreachable",
    );
    world.api.open().await.unwrap();
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c43_throttling_and_5xx_pass_unnoticed() {
    let world = world().start().await.unwrap();
    for fault in [
        "ThrottlingException",
        "InternalServiceError",
        "ServiceUnavailable",
    ] {
        let token = world.begin().await.unwrap();
        for step in testbed::world::STEPS {
            world.api.answer("*", 1, Fault::error(fault));
            world.api.answer("*", 3, Fault::error(fault));
            world
                .step(step, &token)
                .await
                .success()
                .unwrap_or_else(|e| panic!("{fault} in {step}: {e:?}"));
            world.api.heal();
        }
        assert_eq!(world.version("AWSCURRENT").await.unwrap(), Some(token));
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c43_a_call_that_is_denied_names_the_action_and_the_resource() {
    let world = world().start().await.unwrap();
    for (step, operation) in [
        ("createSecret", "DescribeSecret"),
        ("createSecret", "GetSecretValue"),
        ("createSecret", "GetRandomPassword"),
        ("createSecret", "PutSecretValue"),
        ("setSecret", "GetSecretValue"),
        ("finishSecret", "UpdateSecretVersionStage"),
    ] {
        let token = world.begin().await.unwrap();
        if step != "createSecret" {
            for earlier in ["createSecret", "setSecret"] {
                world.step(earlier, &token).await.success().unwrap();
            }
        }
        world
            .api
            .answer(operation, 1.., Fault::error("AccessDeniedException"));
        let message = failed(&world.step(step, &token).await, "AccessDenied");
        let resource = if operation == "GetRandomPassword" {
            "*"
        } else {
            &world.secret.arn
        };
        assert!(
            message.contains(&format!("secretsmanager:{operation} on {resource}")),
            "{message}"
        );
        world.api.heal();
        world.steps(&token).await.unwrap();
    }
    world.finish().await.unwrap();
}
