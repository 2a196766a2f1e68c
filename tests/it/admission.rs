//! What is called, and when it may go on: C1–C3, C8, C9.

use serde_json::json;
use testbed::{Fault, Function, World};

use super::{created, failed, world};

/// A step that must fail before anything was touched: it read, and did no more.
async fn touches_nothing(world: &World, step: &str, token: &str, name: &str) -> String {
    let (labels, verifier) = (
        world.labels().await.unwrap(),
        verifier(&world).await,
    );
    let connections = world.db.connections();
    world.api.forget();
    let message = failed(&world.step(step, token).await, name);
    let writes = ["PutSecretValue", "UpdateSecretVersionStage"];
    assert!(
        !world
            .api
            .operations()
            .iter()
            .any(|one| writes.contains(&one.as_str())),
        "{step}"
    );
    assert_eq!(world.db.connections(), connections, "{step}");
    assert_eq!(world.labels().await.unwrap(), labels, "{step}");
    assert_eq!(
        verifier(&world).await,
        verifier,
        "{step}"
    );
    message
}

#[tokio::test]
async fn c1_a_version_that_is_current_already_is_a_success_and_nothing_is_touched() {
    let world = world().start().await.unwrap();
    let done = world.rotate().await.unwrap().token;
    let (labels, verifier) = (
        world.labels().await.unwrap(),
        verifier(&world).await,
    );
    let connections = world.db.connections();
    for step in testbed::world::STEPS {
        world.api.forget();
        world.step(step, &done).await.success().unwrap();
        let writes = ["PutSecretValue", "UpdateSecretVersionStage"];
        assert!(
            !world
                .api
                .operations()
                .iter()
                .any(|one| writes.contains(&one.as_str())),
            "{step}"
        );
    }
    assert_eq!(world.db.connections(), connections);
    assert_eq!(world.labels().await.unwrap(), labels);
    assert_eq!(
        verifier(&world).await,
        verifier
    );
    world.finish().await.unwrap();
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
            let message = touches_nothing(&world, step, version, "VersionNotStaged").await;
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
        touches_nothing(&world, step, &token, "RotationNotEnabled").await;
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
    assert!(
        world
            .logs_in(&world.password("AWSCURRENT").await.unwrap())
            .await
            .unwrap()
    );
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c3_test_secret_may_be_the_only_step_ever_called() {
    let world = world().start().await.unwrap();
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

#[tokio::test]
async fn c8_the_settings_of_awss_functions_reach_get_random_password() {
    let default = json!({"PasswordLength": 32, "ExcludeCharacters": ":/@\"'\\", "ExcludeNumbers": false,
        "ExcludePunctuation": false, "ExcludeUppercase": false, "ExcludeLowercase": false,
        "RequireEachIncludedType": true});
    let set = json!({"PasswordLength": 21, "ExcludeCharacters": "abc", "ExcludeNumbers": true,
        "ExcludePunctuation": true, "ExcludeUppercase": false, "ExcludeLowercase": false,
        "RequireEachIncludedType": false});
    let configured = world()
        .env("PASSWORD_LENGTH", "21")
        .env("EXCLUDE_CHARACTERS", "abc")
        .env("EXCLUDE_NUMBERS", "Yes");
    let configured = configured
        .env("EXCLUDE_PUNCTUATION", "1")
        .env("REQUIRE_EACH_INCLUDED_TYPE", "N");
    for (builder, expected) in [(world(), default), (configured, set)] {
        let world = builder.start().await.unwrap();
        created(&world).await;
        let calls = world.api.calls();
        let asked = calls
            .iter()
            .find(|call| call.operation == "GetRandomPassword")
            .unwrap();
        for (field, value) in expected.as_object().unwrap() {
            let absent = if value == &json!(false) {
                Some(value)
            } else {
                None
            };
            assert_eq!(asked.sent(field).or(absent), Some(value), "{field}");
        }
        let length = world.password("AWSPENDING").await.unwrap().chars().count();
        assert_eq!(json!(length), expected["PasswordLength"]);
        world.finish().await.unwrap();
    }
}

#[tokio::test]
async fn c8_a_setting_that_cannot_be_used_stops_the_start_and_is_named() {
    for (name, value) in [
        ("PASSWORD_LENGTH", "0"),
        ("PASSWORD_LENGTH", "thirty"),
        ("EXCLUDE_NUMBERS", "maybe"),
        ("REQUIRE_EACH_INCLUDED_TYPE", ""),
        ("EXCLUDE_CHARACTERS", "0123456789"),
        ("PASSWORD_TRANSPORT", "text"),
        ("SECRETS_MANAGER_ENDPOINT", "nowhere"),
        ("PGSSLROOTCERT", "/no/such/file"),
    ] {
        let started = Function::builder(env!("CARGO_BIN_EXE_db-rotation"))
            .env(name, value)
            .start()
            .await;
        let failure = started.unwrap_err();
        assert_eq!(
            failure.output.matches(name).count(),
            1,
            "{}",
            failure.output
        );
        assert_eq!(failure.output.lines().count(), 1, "{}", failure.output);
        assert!(
            failure.exit.is_some_and(|exit| !exit.success()),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn c9_the_value_is_put_under_the_events_token_as_pending_with_the_rotation_token() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    let calls = world.api.calls();
    let put = calls
        .iter()
        .find(|call| call.operation == "PutSecretValue")
        .unwrap();
    assert_eq!(put.sent_text("ClientRequestToken"), Some(token.as_str()));
    assert_eq!(put.sent("VersionStages"), Some(&json!(["AWSPENDING"])));
    let event = world.event("createSecret", &token);
    assert_eq!(
        put.sent_text("RotationToken"),
        event["RotationToken"].as_str()
    );
    assert!(
        world.logs_in(&world.first_password).await.unwrap(),
        "createSecret does not tell the database"
    );
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c9_a_pending_value_is_kept_by_every_later_call() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    let value = world.pending().await.unwrap();
    for _ in 0..2 {
        world.api.forget();
        world.step("createSecret", &token).await.success().unwrap();
        assert!(
            !world
                .api
                .operations()
                .contains(&"PutSecretValue".to_owned())
        );
    }
    world.step("setSecret", &token).await.success().unwrap();
    world.step("createSecret", &token).await.success().unwrap();
    assert_eq!(world.pending().await.unwrap(), value);
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c9_a_lost_race_is_a_success_and_the_winners_value_stays() {
    let world = world().start().await.unwrap();
    let token = world.begin().await.unwrap();
    let mut winner = world.current().await.unwrap().unwrap();
    winner["password"] = json!("the winner's password");
    let (secrets, secret, value) = (
        world.secrets.clone(),
        world.secret.clone(),
        winner.to_string(),
    );
    world.api.before("PutSecretValue", 1, move |call| {
        let (secrets, secret, value) = (secrets.clone(), secret.clone(), value.clone());
        async move {
            let token = call.sent_text("ClientRequestToken");
            secrets
                .put_value(&secret, token, &["AWSPENDING"], &value)
                .await
                .unwrap();
        }
    });
    world.step("createSecret", &token).await.success().unwrap();
    assert_eq!(
        world.password("AWSPENDING").await.unwrap(),
        "the winner's password"
    );
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c9_a_put_whose_answer_is_lost_leaves_one_value_and_is_a_success() {
    let world = world().start().await.unwrap();
    for fault in [
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::error("ThrottlingException"),
        Fault::error("InternalServiceError"),
    ] {
        let token = world.begin().await.unwrap();
        world.api.answer("PutSecretValue", 1, fault.clone());
        let put = world.step("createSecret", &token).await;
        put.success().unwrap_or_else(|e| panic!("{fault:?}: {e:?}"));
        world.steps(&token).await.unwrap();
    }
    world.finish().await.unwrap();
}
