//! A secret can't turn the function against another database or another role: C10, C18.

use serde_json::{Value, json};
use testbed::{DbGate, TestResult, World, unique};

use super::world;

/// Stages a version whose value is the current one with a change.
async fn staged_with(world: &World, edit: impl FnOnce(&mut Value)) -> TestResult<String> {
    let mut value = world.current().await?;
    value["password"] = json!("a password put by hand");
    edit(&mut value);
    let token = world.begin().await?;
    world.put_pending(&token, &value.to_string()).await?;
    Ok(token)
}

/// Every step must refuse the pending version before it opens any connection.
async fn refused_everywhere(world: &World, token: &str, names: &str) -> TestResult {
    let labels = world.labels().await?;
    let verifier = world.verifier().await?;
    let connections = world.db.connections();
    for step in testbed::world::STEPS {
        let message = world.step(step, token).await.failed_with("ForeignTarget")?;
        assert!(message.contains(names), "{step}: {message}");
    }
    assert_eq!(world.db.connections(), connections);
    assert_eq!(world.labels().await?, labels);
    assert_eq!(world.verifier().await?, verifier);
    world.cancel().await?;
    Ok(())
}

#[tokio::test]
async fn c10_a_pending_value_of_another_server_or_role_is_refused_by_create_secret() -> TestResult {
    let world = world().start().await?;
    let other = unique("other");
    for edit in [
        json!({"host": "127.0.0.1"}),
        json!({"port": 1}),
        json!({"username": other}),
    ] {
        let token = staged_with(&world, |value| {
            value
                .as_object_mut()
                .unwrap()
                .extend(edit.as_object().unwrap().clone());
        });
        world
            .step("createSecret", &token.await?)
            .await
            .failed_with("ForeignTarget")?;
        world.cancel().await?;
    }
    world.rotate().await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c18_a_pending_version_that_names_another_server_opens_no_connection() -> TestResult {
    let world = world().start().await?;
    let decoy = DbGate::decoy().await?;
    let port = decoy.port();
    let token = staged_with(&world, |value| value["port"] = json!(port)).await?;
    refused_everywhere(&world, &token, &port.to_string()).await?;
    let token = staged_with(&world, |value| value["port"] = json!(port.to_string())).await?;
    refused_everywhere(&world, &token, &port.to_string()).await?;
    let token = staged_with(&world, |value| value["host"] = json!("127.0.0.1")).await?;
    refused_everywhere(&world, &token, "127.0.0.1").await?;
    let token = staged_with(&world, |value| {
        value["host"] = json!("localhost.evil.example");
    })
    .await?;
    refused_everywhere(&world, &token, "localhost.evil.example").await?;
    assert_eq!(decoy.connections(), 0);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c18_a_pending_version_that_names_another_role_changes_nobody() -> TestResult {
    let world = world().start().await?;
    let victim = unique("victim");
    world
        .postgres
        .create_role(&victim, "the victim's password")
        .await?;
    world.keep_secret("the victim's password");
    let before = world.postgres.verifier(&victim).await?;
    for name in [
        victim.clone(),
        victim.to_uppercase(),
        format!("{}_clone", world.role),
    ] {
        let token = staged_with(&world, |value| value["username"] = json!(name)).await?;
        refused_everywhere(&world, &token, &name).await?;
    }
    assert_eq!(world.postgres.verifier(&victim).await?, before);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c18_the_same_server_in_other_letters_is_no_other_server() -> TestResult {
    let world = world().start().await?;
    let token = staged_with(&world, |value| {
        value["host"] = json!("LocalHost");
        value["port"] = json!(value["port"].to_string());
    })
    .await?;
    world.steps(&token).await?;
    assert!(world.logs_in("a password put by hand").await?);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c18_a_previous_version_that_names_another_server_or_role_is_never_used() -> TestResult {
    let decoy = DbGate::decoy().await?;
    let port = decoy.port();
    for edit in [json!({"port": port}), json!({"username": "somebody_else"})] {
        let world = world().start().await?;
        let good = world.current().await?;
        let mut foreign = good.clone();
        foreign
            .as_object_mut()
            .unwrap()
            .extend(edit.as_object().unwrap().clone());
        world.put_current(&foreign.to_string()).await?;
        let mut wrong = good.clone();
        wrong["password"] = json!("not the password");
        world.put_current(&wrong.to_string()).await?;
        world.set_password("changed by hand").await?;
        let token = world.created().await?;
        let message = world
            .step("setSecret", &token)
            .await
            .failed_with("ForeignTarget")?;
        assert!(message.contains("AWSPREVIOUS"), "{message}");
        assert!(world.logs_in("changed by hand").await?);
        world.finish().await?;
    }
    assert_eq!(decoy.connections(), 0);
    Ok(())
}
