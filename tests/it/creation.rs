//! How the next value is made, and that it is made once: C8, C9.

use serde_json::json;
use testbed::{Fault, Function, TestResult};

use super::world;

#[tokio::test]
async fn c8_the_settings_of_awss_functions_reach_get_random_password() -> TestResult {
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
        let world = builder.start().await?;
        world.created().await?;
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
        let length = world.password("AWSPENDING").await?.chars().count();
        assert_eq!(json!(length), expected["PasswordLength"]);
        world.finish().await?;
    }
    Ok(())
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
async fn c9_the_value_is_put_under_the_events_token_as_pending_with_the_rotation_token()
-> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
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
        world.logs_in(&world.first_password).await?,
        "createSecret does not tell the database"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c9_a_pending_value_is_kept_by_every_later_call() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let value = world.pending().await?;
    for _ in 0..2 {
        world.api.forget();
        world.step("createSecret", &token).await.success()?;
        assert!(
            !world
                .api
                .operations()
                .contains(&"PutSecretValue".to_owned())
        );
    }
    world.step("setSecret", &token).await.success()?;
    world.step("createSecret", &token).await.success()?;
    assert_eq!(world.pending().await?, value);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c9_a_lost_race_is_a_success_and_the_winners_value_stays() -> TestResult {
    let world = world().start().await?;
    let token = world.begin().await?;
    let mut winner = world.current().await?;
    winner["password"] = json!("the winner's password");
    let secrets = world.secrets.clone();
    let secret = world.secret.clone();
    let value = winner.to_string();
    world.api.before("PutSecretValue", 1, move |call| {
        let secrets = secrets.clone();
        let secret = secret.clone();
        let value = value.clone();
        async move {
            let token = call.sent_text("ClientRequestToken");
            secrets
                .put_value(&secret, token, &["AWSPENDING"], &value)
                .await
                .unwrap();
        }
    });
    world.step("createSecret", &token).await.success()?;
    assert_eq!(world.password("AWSPENDING").await?, "the winner's password");
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c9_a_put_whose_answer_is_lost_leaves_one_value_and_is_a_success() -> TestResult {
    let world = world().start().await?;
    for fault in [
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::error("ThrottlingException"),
        Fault::error("InternalServiceError"),
    ] {
        let token = world.begin().await?;
        world.api.answer("PutSecretValue", 1, fault.clone());
        let put = world.step("createSecret", &token).await;
        put.success().unwrap_or_else(|e| panic!("{fault:?}: {e:?}"));
        world.steps(&token).await?;
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c9_a_stale_read_does_not_overwrite_the_pending_value() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let value = world.pending().await?;
    // As it was a moment ago: no value yet.
    world.api.answer("GetSecretValue", 1.., Fault::Stale);
    world.step("createSecret", &token).await.success()?;
    assert!(
        world
            .api
            .operations()
            .iter()
            .filter(|one| *one == "PutSecretValue")
            .count()
            > 1,
        "the read was not stale"
    );
    world.api.heal();
    assert_eq!(world.pending().await?, value);
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c9_a_value_that_is_kept_needs_no_random_password() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.api.answer(
        "GetRandomPassword",
        1..,
        Fault::error("AccessDeniedException"),
    );
    world.step("createSecret", &token).await.success()?;
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}
