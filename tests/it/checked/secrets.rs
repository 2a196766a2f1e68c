//! Where Secrets Manager, or what it keeps, is in the way.

use serde_json::json;
use testbed::{Fault, TestResult, World};

use super::{checked, event, fails, is_mended};
use crate::world;

#[tokio::test]
async fn c63_what_the_function_may_not_ask_is_named_and_the_rest_is_checked() -> TestResult {
    let world = world().start().await?;
    for (operation, check, still_ok) in [
        ("DescribeSecret", "secret", "password change"),
        ("GetSecretValue", "AWSCURRENT", "GetRandomPassword"),
        ("GetRandomPassword", "GetRandomPassword", "login"),
    ] {
        world
            .api
            .answer(operation, 1.., Fault::error("AccessDeniedException"));
        let answer = fails(&world, &[check], &["AccessDenied", operation]).await?;
        assert!(answer.with("ok").contains(&still_ok), "{answer:#?}");
        world.api.heal();
        is_mended(&world).await?;
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_value_that_cannot_be_used_names_its_key() -> TestResult {
    let world = world().start().await?;
    let sound = world.current().await?;
    for (value, says) in [
        ("no JSON".to_owned(), "JSON"),
        (json!({"username": "app"}).to_string(), "host"),
        (with(&sound, "engine", json!("mysql")), "engine"),
        (with(&sound, "port", json!("many")), "port"),
        (with(&sound, "username", json!("r".repeat(64))), "username"),
        (
            with(&with_name(&sound), "masterarn", json!("superuser")),
            "CloneNameInvalid",
        ),
    ] {
        world.put_current(&value).await?;
        let answer = fails(&world, &["AWSCURRENT"], &[says]).await?;
        assert!(answer.with("not tried").contains(&"login"), "{answer:#?}");
        assert!(answer.with("ok").contains(&"GetRandomPassword"));
    }
    world.put_current(&sound.to_string()).await?;
    is_mended(&world).await?;
    world.finish().await?;
    Ok(())
}

fn with(value: &serde_json::Value, key: &str, new: serde_json::Value) -> String {
    let mut value = value.clone();
    value[key] = new;
    value.to_string()
}

fn with_name(value: &serde_json::Value) -> serde_json::Value {
    let mut value = value.clone();
    value["username"] = json!("r".repeat(60));
    value
}

#[tokio::test]
async fn c63_a_rotation_that_has_not_ended_keeps_the_next_from_beginning() -> TestResult {
    let world = world().start().await?;
    for steps in 0..3 {
        let token = world.begun(steps).await?;
        let answer = fails(
            &world,
            &["AWSPENDING"],
            &[&token, "--remove-from-version-id"],
        )
        .await?;
        let login = if steps == 2 { "warning" } else { "ok" };
        assert!(
            answer.with(login).contains(&"login"),
            "after {steps}: {answer:#?}"
        );
        // As the advice has it.
        world.cancel().await?;
        is_mended(&world).await?;
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_secret_that_is_gone_or_going_says_so() -> TestResult {
    let world = world().start().await?;
    world.secrets.delete_secret(&world.secret).await?;
    let answer = checked(&world).await?;
    assert!(!answer.is_ready());
    let said = answer.says("secret");
    assert!(said.contains("restore-secret"), "{said}");
    world
        .secrets
        .call("RestoreSecret", json!({"SecretId": world.secret.arn}))
        .await?;
    is_mended(&world).await?;
    let mut unknown = event(&world);
    unknown["SecretId"] = json!("nowhere");
    let answer = super::Answer::of(&world.invoke(&unknown).await)?;
    assert!(
        answer.says("secret").contains("SecretNotFound"),
        "{answer:#?}"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_what_is_stale_for_a_moment_is_asked_again() -> TestResult {
    let world = world().start().await?;
    let mut stale = world
        .secrets
        .call("DescribeSecret", json!({"SecretId": world.secret.arn}))
        .await?;
    world
        .put_current(&world.current().await?.to_string())
        .await?;
    stale["RotationEnabled"] = json!(true);
    let stale = Fault::Status(200, stale.to_string());
    world.api.answer("DescribeSecret", 1, stale.clone());
    is_mended(&world).await?;
    world.api.answer("DescribeSecret", 1.., stale);
    fails(&world, &["AWSCURRENT"], &["disagree"]).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_rotation_by_another_function_or_none_is_no_failure() -> TestResult {
    let world = world().start().await?;
    let described = described(&world).await?;
    for (fields, warns, says) in [
        (json!({"RotationEnabled": false}), true, "rotation is off"),
        (
            json!({"RotationEnabled": true, "RotationLambdaARN": "arn:aws:lambda:us-east-1:123456789012:function:another"}),
            true,
            "function:another",
        ),
        (
            json!({"RotationEnabled": true, "RotationLambdaARN": "arn:aws:lambda:us-east-1:123456789012:function:db-rotation:live", "RotationRules": {"ScheduleExpression": "rate(10 days)"}}),
            false,
            "rate(10 days), by this function",
        ),
    ] {
        serve(&world, &described, &fields);
        let answer = checked(&world).await?;
        assert!(answer.is_ready(), "{answer:#?}");
        assert_eq!(answer.with("warning").contains(&"rotation"), warns);
        assert!(answer.says("rotation").contains(says), "{answer:#?}");
    }
    for (fields, says) in [
        (json!({"OwningService": "rds"}), "rds"),
        (json!({"PrimaryRegion": "eu-west-1"}), "replica"),
    ] {
        serve(&world, &described, &fields);
        fails(&world, &["secret"], &[says]).await?;
    }
    world.finish().await?;
    Ok(())
}

async fn described(world: &World) -> TestResult<serde_json::Value> {
    let secret = json!({"SecretId": world.secret.arn});
    Ok(world.secrets.call("DescribeSecret", secret).await?)
}

fn serve(world: &World, described: &serde_json::Value, fields: &serde_json::Value) {
    let mut answer = described.clone();
    answer
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    world.api.heal();
    world.api.answer(
        "DescribeSecret",
        1..,
        Fault::Status(200, answer.to_string()),
    );
}

#[tokio::test]
async fn c63_rds_proxy_is_named_and_its_way_out_mends_it() -> TestResult {
    let world = world().start().await?;
    let mut value = world.current().await?;
    let host = value["host"].clone();
    let port = value["port"].clone();
    value["host"] = json!("app.proxy-abc123.us-east-1.rds.amazonaws.com");
    world.put_current(&value.to_string()).await?;
    fails(
        &world,
        &["RDS Proxy", "host"],
        &["ProxyInTheWay", "rotation_host"],
    )
    .await?;
    value["rotation_host"] = host;
    value["rotation_port"] = port;
    world.put_current(&value.to_string()).await?;
    is_mended(&world).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_connection_strings_that_follow_and_those_that_do_not_are_named() -> TestResult {
    let world = world().start().await?;
    let mut value = world.current().await?;
    let user = world.role.clone();
    let password = world.first_password.clone();
    value["DATABASE_URL"] = json!(format!("postgres://{user}:{password}@db/app"));
    value["note"] = json!(format!("the password is {password}"));
    world.put_current(&value.to_string()).await?;
    let answer = checked(&world).await?;
    assert!(answer.is_ready(), "{answer:#?}");
    assert!(answer.with("warning").contains(&"connection strings"));
    let said = answer.says("connection strings");
    assert!(
        said.contains("DATABASE_URL will follow") && said.contains("note"),
        "{said}"
    );
    is_mended(&world).await?;
    world.finish().await?;
    Ok(())
}
