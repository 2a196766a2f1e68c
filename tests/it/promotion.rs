//! What becomes current, and what never may: C38, C47.

use serde_json::json;
use testbed::{Fault, TestResult, World};

use super::server::{Say, Server, usual};
use super::world;

/// finishSecret must fail with this error and leave the labels where they are.
async fn stays_pending(world: &World, token: &str, name: &str) -> TestResult<String> {
    let labels = world.labels().await?;
    let current = world.current().await?;
    let message = world.step("finishSecret", token).await.failed_with(name)?;
    assert_eq!(world.labels().await?, labels);
    assert_eq!(world.current().await?, current);
    Ok(message)
}

#[tokio::test]
async fn c38_the_label_moves_in_one_call_and_nothing_else_does() -> TestResult {
    for world in World::of_each_strategy(world).await? {
        let old = world.version("AWSCURRENT").await?.unwrap();
        let token = world.created().await?;
        for step in ["setSecret", "testSecret"] {
            world.step(step, &token).await.success()?;
        }
        world.api.forget();
        world.step("finishSecret", &token).await.success()?;
        let calls = world.api.calls();
        let moves: Vec<_> = calls
            .iter()
            .filter(|call| call.operation == "UpdateSecretVersionStage")
            .collect();
        assert_eq!(moves.len(), 1, "{calls:?}");
        assert_eq!(moves[0].sent_text("VersionStage"), Some("AWSCURRENT"));
        assert_eq!(moves[0].sent_text("MoveToVersionId"), Some(token.as_str()));
        assert_eq!(
            moves[0].sent_text("RemoveFromVersionId"),
            Some(old.as_str())
        );
        assert_eq!(world.version("AWSPREVIOUS").await?, Some(old));
        assert_eq!(
            world.version("AWSPENDING").await?,
            Some(token.clone()),
            "the service takes it off"
        );

        world.api.forget();
        world.step("finishSecret", &token).await.success()?;
        assert!(
            !world
                .api
                .operations()
                .contains(&"UpdateSecretVersionStage".to_owned())
        );
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c38_a_call_that_failed_is_a_failure_and_a_retry_completes_it() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.step("setSecret", &token).await.success()?;
    world.api.answer(
        "UpdateSecretVersionStage",
        1,
        Fault::error("AccessDeniedException"),
    );
    let message = stays_pending(&world, &token, "AccessDenied").await?;
    assert!(
        message.contains("secretsmanager:UpdateSecretVersionStage"),
        "{message}"
    );
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c38_an_answer_lost_and_a_retry_refused_is_no_failure() -> TestResult {
    for world in World::of_each_strategy(world).await? {
        for fault in [Fault::DropAfter, Fault::TruncatedBody, Fault::MalformedBody] {
            let token = world.begun(3).await?;
            world
                .api
                .answer("UpdateSecretVersionStage", 1, fault.clone());
            let finish = world.step("finishSecret", &token).await;
            finish
                .success()
                .unwrap_or_else(|e| panic!("{fault:?}: {e:?}"));
            assert_eq!(world.version("AWSCURRENT").await?, Some(token), "{fault:?}");
            world.api.heal();
        }
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c47_a_version_without_a_value_or_with_a_malformed_one_is_never_promoted() -> TestResult {
    let world = world().start().await?;
    let token = world.begin().await?;
    stays_pending(&world, &token, "SecretMalformed").await?;
    for value in [
        "no JSON at all",
        "{}",
        "{\"username\":\"a\",\"password\":\"b\"}",
    ] {
        let token = world.begin().await?;
        world.put_pending(&token, value).await?;
        stays_pending(&world, &token, "SecretMalformed").await?;
    }
    let token = world.begin().await?;
    let binary = json!({"SecretId": world.secret.arn, "SecretBinary": "AAECAw==", "ClientRequestToken": token, "VersionStages": ["AWSPENDING"]});
    world.secrets.call("PutSecretValue", binary).await?;
    stays_pending(&world, &token, "SecretMalformed").await?;
    assert!(world.logs_in(&world.first_password).await?);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c47_a_version_that_the_database_refuses_is_never_promoted_in_whatever_order_steps_come()
-> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    stays_pending(&world, &token, "NoWorkingCredential").await?;
    world.step("setSecret", &token).await.success()?;
    world.set_password("changed by hand").await?;
    // Another process has not seen the login work.
    world.function.kill().await;
    let message = stays_pending(&world, &token, "NoWorkingCredential").await?;
    assert!(message.contains("AWSPENDING"), "{message}");
    world.set_password(&world.first_password).await?;
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c47_an_inconclusive_look_does_not_hold_the_label_back_and_is_warned_of() -> TestResult {
    let world = world()
        .deadline(std::time::Duration::from_secs(6))
        .start()
        .await?;
    for silent in [false, true] {
        let token = world.created().await?;
        world.step("setSecret", &token).await.success()?;
        world.function.kill().await;
        if silent {
            world.db.every(testbed::DbFault::Silent);
        } else {
            world.db.close();
        }
        let finish = world.step("finishSecret", &token).await;
        finish.success()?;
        let warnings = finish.warnings();
        assert_eq!(warnings.len(), 1, "{:?}", finish.log);
        assert_eq!(world.version("AWSCURRENT").await?, Some(token));
        world.db.heal();
        world.db.open().await?;
        assert!(world.version_logs_in("AWSCURRENT").await?);
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c47_a_server_that_is_starting_up_or_full_does_not_hold_the_label_back() -> TestResult {
    for code in ["57P03", "53300"] {
        let server = Server::start(move |said, _| match said {
            "login" => Say::No(code, "not now".to_owned()),
            said => usual(said),
        })
        .await?;
        let world = world().secret(server.in_secret()).start().await?;
        let token = world.created().await?;
        world.step("finishSecret", &token).await.success()?;
        assert_eq!(world.version("AWSCURRENT").await?, Some(token));
        world.finish().await?;
    }
    Ok(())
}
