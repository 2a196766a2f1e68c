//! What is called, and when it may go on: C1–C3.

use serde_json::json;
use testbed::{Fault, Invocation, TestResult, World};

use super::world;

/// A step that touches nothing: it reads, and does no more.
async fn touches_nothing(world: &World, step: &str, token: &str) -> TestResult<Invocation> {
    let labels = world.labels().await?;
    let verifier = world.verifier().await?;
    let connections = world.db.connections();
    world.api.forget();
    let invocation = world.step(step, token).await;
    let operations = world.api.operations();
    let is_write = |one: &String| one == "PutSecretValue" || one == "UpdateSecretVersionStage";
    assert!(!operations.iter().any(is_write), "{step}: {operations:?}");
    assert_eq!(world.db.connections(), connections, "{step}");
    assert_eq!(world.labels().await?, labels, "{step}");
    assert_eq!(world.verifier().await?, verifier, "{step}");
    Ok(invocation)
}

#[tokio::test]
async fn c1_a_version_that_is_current_already_is_a_success_and_nothing_is_touched() -> TestResult {
    for world in World::of_each_strategy(world).await? {
        let done = world.rotate().await?.token;
        for step in testbed::world::STEPS {
            let called_again = touches_nothing(&world, step, &done).await?;
            called_again.success()?;
        }
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c1_a_version_that_is_unknown_or_not_pending_is_not_staged() -> TestResult {
    let world = world().start().await?;
    let first = world.version("AWSCURRENT").await?.unwrap();
    world.rotate().await?;
    let cancelled = world.created().await?;
    world.cancel().await?;
    for step in testbed::world::STEPS {
        for version in [
            first.as_str(),
            cancelled.as_str(),
            "00000000-0000-4000-a000-000000000000",
        ] {
            let refused = touches_nothing(&world, step, version).await?;
            let message = refused.failed_with("VersionNotStaged")?;
            assert!(
                message.contains(version) && message.contains(&world.secret.arn),
                "{message}"
            );
        }
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c1_rotation_that_is_disabled_is_refused_and_rotation_that_is_unsaid_goes_on() -> TestResult
{
    let world = world().start().await?;
    let token = world.created().await?;
    world.secrets.rotation_enabled(&world.secret, Some(false));
    for step in testbed::world::STEPS {
        let refused = touches_nothing(&world, step, &token).await?;
        refused.failed_with("RotationNotEnabled")?;
    }
    world.secrets.rotation_enabled(&world.secret, None);
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c1_a_secret_scheduled_for_deletion_says_so() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.secrets.delete_secret(&world.secret).await?;
    for step in testbed::world::STEPS {
        let message = world
            .step(step, &token)
            .await
            .failed_with("SecretPendingDeletion")?;
        assert!(message.contains("scheduled for deletion"), "{message}");
    }
    assert_eq!(world.db.connections(), 0);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c1_a_secret_that_does_not_exist_is_named() -> TestResult {
    let world = world().start().await?;
    let mut event = world.event("setSecret", "00000000-0000-4000-a000-000000000000");
    event["SecretId"] = json!("arn:aws:secretsmanager:us-east-1:123456789012:secret:no-such-one");
    let message = world.invoke(&event).await.failed_with("SecretNotFound")?;
    assert!(message.contains("no-such-one"), "{message}");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c2_what_is_no_rotation_event_is_refused_and_the_field_is_named() -> TestResult {
    let world = world().start().await?;
    let token = world.begin().await?;
    let good = world.event("createSecret", &token);
    let mut wrong = vec![
        (json!("createSecret"), "object"),
        (json!([]), "object"),
        (json!(null), "object"),
    ];
    for field in ["Step", "SecretId", "ClientRequestToken"] {
        let mut missing = good.clone();
        missing.as_object_mut().unwrap().remove(field);
        wrong.push((missing, field));
        for value in [json!(null), json!(""), json!(7), json!({"a": 1})] {
            let mut other = good.clone();
            other[field] = value;
            wrong.push((other, field));
        }
    }
    for step in ["createsecret", "rotate", "finishSecret "] {
        let mut unknown = good.clone();
        unknown["Step"] = json!(step);
        wrong.push((unknown, "Step"));
    }
    for (event, field) in wrong {
        let message = world.invoke(&event).await.failed_with("InvalidEvent")?;
        assert!(message.contains(field), "{event}: {message}");
    }
    assert_eq!(world.api.operations(), Vec::<String>::new());
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c2_fields_that_the_service_may_add_are_ignored_and_its_token_may_be_missing() -> TestResult
{
    let world = world().start().await?;
    let token = world.begin().await?;
    for step in testbed::world::STEPS {
        let mut event = world.event(step, &token);
        event["Version"] = json!({"Step": "finishSecret"});
        event.as_object_mut().unwrap().remove("RotationToken");
        world.invoke(&event).await.success()?;
    }
    assert!(world.version_logs_in("AWSCURRENT").await?);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c3_test_secret_may_be_the_only_step_ever_called() -> TestResult {
    for world in World::of_each_strategy(world).await? {
        let token = world.secrets.stage_pending_with_copy(&world.secret).await?;
        let labels = world.labels().await?;
        let current = world.current().await?;
        world.step("testSecret", &token).await.success()?;
        assert_eq!(world.labels().await?, labels);
        assert_eq!(world.current().await?, current);
        world.cancel().await?;
        world.rotate().await?;
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c1_a_refusal_does_not_wait_for_what_it_does_not_need() -> TestResult {
    let world = world().start().await?;
    let unknown = "00000000-0000-4000-a000-000000000000";
    world.api.answer("GetRandomPassword", 1.., Fault::Stall);
    let create = world
        .function
        .invoke(
            &world.event("createSecret", unknown),
            std::time::Duration::from_secs(10),
        )
        .await;
    create.failed_with("VersionNotStaged")?;
    assert!(create.took.as_secs() < 2, "{:?}", create.took);
    world.finish().await?;
    Ok(())
}
