//! Secrets Manager away, busy, or unwilling: C43.

use std::time::Duration;

use futures_util::future::try_join_all;
use testbed::world::STEPS;
use testbed::{Fault, Function, SilentPort, TestResult};

use super::bounds::in_time;
use super::world;

/// createSecret where Secrets Manager's port drops packets.
async fn says_so(seconds: u64) -> TestResult {
    let quiet = SilentPort::open().await?;
    let world = world().start().await?;
    let token = world.begin().await?;
    let url = format!("http://127.0.0.1:{}", quiet.port());
    let function = Function::builder(env!("CARGO_BIN_EXE_db-rotation"));
    let function = function
        .env("SECRETS_MANAGER_ENDPOINT", &url)
        .start()
        .await?;
    let deadline = Duration::from_secs(seconds);
    let create = function
        .invoke(&world.event("createSecret", &token), deadline)
        .await;
    let what = format!("{deadline:?}");
    let message = in_time(&create, deadline, &["SecretsManagerUnreachable"], &what)?;
    assert!(message.contains("VPC"), "{message}");
    assert!(create.took < Duration::from_secs(9), "{:?}", create.took);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c43_secrets_manager_out_of_reach_is_said_well_inside_the_deadline() -> TestResult {
    try_join_all([30, 10, 5, 3].map(says_so)).await?;
    Ok(())
}

#[tokio::test]
async fn c43_a_secrets_manager_that_hangs_up_or_stays_silent_is_unreachable_too() -> TestResult {
    let world = world().deadline(Duration::from_secs(12)).start().await?;
    let token = world.begin().await?;
    world.api.answer("*", 1.., Fault::DropBefore);
    world
        .step("createSecret", &token)
        .await
        .failed_with("SecretsManagerUnreachable")?;
    world.api.heal();
    world.api.answer("*", 1.., Fault::Stall);
    world
        .step("createSecret", &token)
        .await
        .failed_with("SecretsManagerUnreachable")?;
    world.api.heal();
    world.api.close();
    world
        .step("createSecret", &token)
        .await
        .failed_with("SecretsManagerUnreachable")?;
    world.api.open().await?;
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c43_throttling_and_5xx_pass_unnoticed() -> TestResult {
    let world = world().start().await?;
    for fault in [
        "ThrottlingException",
        "InternalServiceError",
        "ServiceUnavailable",
    ] {
        let token = world.begin().await?;
        for step in STEPS {
            world.api.answer("*", 1, Fault::error(fault));
            world.api.answer("*", 3, Fault::error(fault));
            world
                .step(step, &token)
                .await
                .success()
                .unwrap_or_else(|e| panic!("{fault} in {step}: {e:?}"));
            world.api.heal();
        }
        assert_eq!(world.version("AWSCURRENT").await?, Some(token));
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c43_a_call_that_is_denied_names_the_action_and_the_resource() -> TestResult {
    let world = world().start().await?;
    for (step, operation) in [
        ("createSecret", "DescribeSecret"),
        ("createSecret", "GetSecretValue"),
        ("createSecret", "GetRandomPassword"),
        ("createSecret", "PutSecretValue"),
        ("setSecret", "GetSecretValue"),
        ("finishSecret", "UpdateSecretVersionStage"),
    ] {
        let token = world.begin().await?;
        if step != "createSecret" {
            for earlier in ["createSecret", "setSecret"] {
                world.step(earlier, &token).await.success()?;
            }
        }
        world
            .api
            .answer(operation, 1.., Fault::error("AccessDeniedException"));
        let message = world.step(step, &token).await.failed_with("AccessDenied")?;
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
        world.steps(&token).await?;
    }
    world.finish().await?;
    Ok(())
}

/// A step in which one of its calls gets no answer.
async fn one_call_stalls(step: &'static str, operation: &'static str) -> TestResult {
    let world = world().start().await?;
    let at = STEPS.iter().position(|one| *one == step).unwrap();
    let token = world.begun(at).await?;
    world.api.answer(operation, 1.., Fault::Stall);
    let deadline = Duration::from_secs(3);
    let stalled = world
        .function
        .invoke(&world.event(step, &token), deadline)
        .await;
    let names = ["SecretsManagerUnreachable", "DeadlineExceeded"];
    in_time(
        &stalled,
        deadline,
        &names,
        &format!("{operation} in {step}"),
    )?;
    world.api.heal();
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c43_any_one_call_that_gets_no_answer_is_said_in_time() -> TestResult {
    let calls = [
        ("createSecret", "GetSecretValue"),
        ("createSecret", "GetRandomPassword"),
        ("createSecret", "PutSecretValue"),
        ("setSecret", "GetSecretValue"),
        ("testSecret", "DescribeSecret"),
        ("finishSecret", "UpdateSecretVersionStage"),
    ];
    try_join_all(calls.map(|(step, operation)| one_call_stalls(step, operation))).await?;
    Ok(())
}
