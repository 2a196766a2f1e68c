//! What is called, and when it may go on: C1–C3.

use serde_json::json;
use testbed::{Fault, Invocation, World};

use super::{cancel, created, failed, of_both_strategies, stored_verifier, version_logs_in, world};

/// A step that touches nothing: it reads, and does no more.
async fn touches_nothing(world: &World, step: &str, token: &str) -> Invocation {
    let (labels, verifier) = (world.labels().await.unwrap(), stored_verifier(world).await);
    let connections = world.db.connections();
    world.api.forget();
    let invocation = world.step(step, token).await;
    let operations = world.api.operations();
    let is_write = |one: &String| one == "PutSecretValue" || one == "UpdateSecretVersionStage";
    assert!(!operations.iter().any(is_write), "{step}: {operations:?}");
    assert_eq!(world.db.connections(), connections, "{step}");
    assert_eq!(world.labels().await.unwrap(), labels, "{step}");
    assert_eq!(stored_verifier(world).await, verifier, "{step}");
    invocation
}

#[tokio::test]
async fn c1_a_version_that_is_current_already_is_a_success_and_nothing_is_touched() {
    for world in of_both_strategies(world).await {
        let done = world.rotate().await.unwrap().token;
        for step in testbed::world::STEPS {
            let called_again = touches_nothing(&world, step, &done).await;
            called_again.success().unwrap();
        }
        world.finish().await.unwrap();
    }
}

#[tokio::test]
async fn c1_a_version_that_is_unknown_or_not_pending_is_not_staged() {
    let world = world().start().await.unwrap();
    let first = world.version("AWSCURRENT").await.unwrap().unwrap();
    world.rotate().await.unwrap();
    let cancelled = created(&world).await;
    cancel(&world).await;
    for step in testbed::world::STEPS {
        for version in [
            first.as_str(),
            cancelled.as_str(),
            "00000000-0000-4000-a000-000000000000",
        ] {
            let refused = touches_nothing(&world, step, version).await;
            let message = failed(&refused, "VersionNotStaged");
            assert!(
                message.contains(version) && message.contains(&world.secret.arn),
                "{message}"
            );
        }
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c1_rotation_that_is_disabled_is_refused_and_rotation_that_is_unsaid_goes_on() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    world.secrets.rotation_enabled(&world.secret, Some(false));
    for step in testbed::world::STEPS {
        let refused = touches_nothing(&world, step, &token).await;
        failed(&refused, "RotationNotEnabled");
    }
    world.secrets.rotation_enabled(&world.secret, None);
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c1_a_secret_scheduled_for_deletion_says_so() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    world.secrets.delete_secret(&world.secret).await.unwrap();
    for step in testbed::world::STEPS {
        let message = failed(&world.step(step, &token).await, "SecretPendingDeletion");
        assert!(message.contains("scheduled for deletion"), "{message}");
    }
    assert_eq!(world.db.connections(), 0);
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c1_a_secret_that_does_not_exist_is_named() {
    let world = world().start().await.unwrap();
    let mut event = world.event("setSecret", "00000000-0000-4000-a000-000000000000");
    event["SecretId"] = json!("arn:aws:secretsmanager:us-east-1:123456789012:secret:no-such-one");
    let message = failed(&world.invoke(&event).await, "SecretNotFound");
    assert!(message.contains("no-such-one"), "{message}");
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c2_what_is_no_rotation_event_is_refused_and_the_field_is_named() {
    let world = world().start().await.unwrap();
    let token = world.begin().await.unwrap();
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
        let message = failed(&world.invoke(&event).await, "InvalidEvent");
        assert!(message.contains(field), "{event}: {message}");
    }
    assert_eq!(world.api.operations(), Vec::<String>::new());
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c2_fields_that_the_service_may_add_are_ignored_and_its_token_may_be_missing() {
    let world = world().start().await.unwrap();
    let token = world.begin().await.unwrap();
    for step in testbed::world::STEPS {
        let mut event = world.event(step, &token);
        event["Version"] = json!({"Step": "finishSecret"});
        event.as_object_mut().unwrap().remove("RotationToken");
        world.invoke(&event).await.success().unwrap();
    }
    assert!(version_logs_in(&world, "AWSCURRENT").await);
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c3_test_secret_may_be_the_only_step_ever_called() {
    for world in of_both_strategies(world).await {
        let token = world
            .secrets
            .stage_pending_with_copy(&world.secret)
            .await
            .unwrap();
        let (labels, current) = (
            world.labels().await.unwrap(),
            world.current().await.unwrap(),
        );
        world.step("testSecret", &token).await.success().unwrap();
        assert_eq!(world.labels().await.unwrap(), labels);
        assert_eq!(world.current().await.unwrap(), current);
        cancel(&world).await;
        world.rotate().await.unwrap();
        world.finish().await.unwrap();
    }
}

#[tokio::test]
async fn c1_a_refusal_does_not_wait_for_what_it_does_not_need() {
    let world = world().start().await.unwrap();
    let unknown = "00000000-0000-4000-a000-000000000000";
    world.api.answer("GetRandomPassword", 1.., Fault::Stall);
    let create = world
        .function
        .invoke(
            &world.event("createSecret", unknown),
            std::time::Duration::from_secs(10),
        )
        .await;
    failed(&create, "VersionNotStaged");
    assert!(create.took.as_secs() < 2, "{:?}", create.took);
    world.finish().await.unwrap();
}
