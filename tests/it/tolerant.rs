//! Secrets and starts as people have them: C39, C48, C49, C50, C52, C62, C65.

use std::process::Stdio;

use serde_json::{Value, json};
use testbed::{Postgres, TestResult, Tls, World};

use super::world;

/// A whole rotation of a secret with changes; what was warned of in setSecret.
async fn rotates(changes: Value) -> TestResult<Vec<String>> {
    let what = changes.to_string();
    let world = world()
        .secret(move |value| extend(value, &changes))
        .start()
        .await?;
    let rotation = world
        .rotate()
        .await
        .unwrap_or_else(|e| panic!("{what}: {e:?}"));
    assert!(world.version_logs_in("AWSCURRENT").await?, "{what}");
    let warnings = rotation.steps[1]
        .1
        .warnings()
        .into_iter()
        .cloned()
        .collect();
    world.finish().await?;
    Ok(warnings)
}

fn extend(value: &mut Value, changes: &Value) {
    let changes = changes.as_object().unwrap().clone();
    value.as_object_mut().unwrap().extend(changes);
}

#[tokio::test]
async fn c48_a_host_is_taken_as_people_write_it() -> TestResult {
    let world = world().start().await?;
    let port = world.db.port();
    let mut value = world.current().await?;
    for (host, own_port) in [
        (format!("localhost:{port}"), json!(port)),
        (format!("localhost:{port}"), json!(null)),
        (" localhost ".to_owned(), json!(port.to_string())),
        ("localhost.".to_owned(), json!(port)),
    ] {
        value["host"] = json!(host);
        value["port"] = own_port;
        value["password"] = world.current().await?["password"].clone();
        world.put_current(&value.to_string()).await?;
        world.rotate().await?;
        let kept = world.current().await?;
        assert_eq!(kept["host"], value["host"], "kept as it was written");
    }
    value["host"] = json!(format!("localhost:{}", port - 1));
    value["port"] = json!(port);
    value["password"] = world.current().await?["password"].clone();
    world.put_current(&value.to_string()).await?;
    let token = world.begin().await?;
    let message = world.step("createSecret", &token).await;
    let message = message.failed_with("SecretMalformed")?;
    assert!(
        message.contains("host") && message.contains("port"),
        "{message}"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c49_keys_that_are_there_for_other_readers_do_not_stop_a_rotation() -> TestResult {
    for changes in [
        json!({"database": "", "dbname": null}),
        json!({"engine": null}),
        json!({"engine": ""}),
        json!({"masterarn": null}),
        json!({"masterarn": ""}),
        json!({"ssl": null, "sslmode": ""}),
        json!({"dbInstanceIdentifier": "db", "ca": {"pem": [1, null]}}),
        json!({"sslmode": "REQUIRE"}),
    ] {
        assert_eq!(rotates(changes.clone()).await?, [""; 0], "{changes}");
    }
    for changes in [
        json!({"sslmode": "no-verify"}),
        json!({"ssl": {"rejectUnauthorized": false}}),
        json!({"ssl_mode": "VerifyFull"}),
        json!({"ssl": 1}),
    ] {
        let key = changes.as_object().unwrap().keys().next().unwrap().clone();
        let warnings = rotates(changes).await?;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains(&format!("\"key\":\"{key}\"")),
            "{warnings:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn c49_a_port_that_is_a_whole_number_counts_however_it_is_written() -> TestResult {
    for form in ["PORT.0", "\" PORT\"", "\"PORT \"", "\"PORT\"", "\"PORT.0\""] {
        let world = world()
            .secret_text(|text| {
                let value: Value = serde_json::from_str(&text).unwrap();
                let port = value["port"].to_string();
                let written = form.replace("PORT", &port);
                text.replace(&format!("\"port\":{port}"), &format!("\"port\":{written}"))
            })
            .start()
            .await?;
        world.rotate().await?;
        assert!(world.version_logs_in("AWSCURRENT").await?, "{form}");
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c50_a_single_user_function_leaves_masterarn_alone() -> TestResult {
    let it = world().env("STRATEGY", "single-user").alternating().await?;
    let role = it.world.role.clone();
    for _ in 0..2 {
        it.world.rotate().await?;
        let current = it.world.current().await?;
        assert_eq!(current["username"], json!(role));
        assert!(current["masterarn"].is_string());
    }
    assert!(
        it.world
            .postgres
            .verifier(&it.clone_role())
            .await?
            .is_none()
    );
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c52_rds_proxy_is_refused_before_anything_changes() -> TestResult {
    let world = world()
        .secret(|value| value["host"] = json!(PROXY))
        .start()
        .await?;
    let token = world.begin().await?;
    for step in ["createSecret", "createSecret"] {
        let message = world
            .step(step, &token)
            .await
            .failed_with("ProxyInTheWay")?;
        assert!(
            message.contains(PROXY) && message.contains("rotation_host"),
            "{message}"
        );
    }
    assert_eq!(world.pending().await?, None);
    assert!(world.logs_in(&world.first_password).await?);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c52_the_function_goes_to_rotation_host_and_applications_to_host() -> TestResult {
    let changes = |value: &mut Value| {
        value["rotation_host"] = value["host"].take();
        value["rotation_port"] = value["port"].take();
        value["host"] = json!(PROXY);
        value["port"] = json!(5432);
    };
    let single = world().secret(changes).start().await?;
    let it = world().secret(changes).alternating().await?;
    for world in [single, it.world] {
        world.rotate().await?;
        assert!(world.version_logs_in("AWSCURRENT").await?);
        assert_eq!(world.current().await?["host"], json!(PROXY));
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c39_verify_ca_checks_the_chain_and_not_the_name() -> TestResult {
    let cluster = Postgres::options().tls(Tls::WrongName).start().await?;
    let world = world()
        .postgres(&cluster)
        .secret(|value| value["sslmode"] = json!("verify-ca"));
    let world = world.start().await?;
    let rotation = world.rotate().await?;
    let warnings = rotation.steps[1].1.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("verify-ca"), "{warnings:?}");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c62_connection_strings_are_right_after_every_rotation_of_both_strategies() -> TestResult {
    for world in World::of_each_strategy(world).await? {
        let (user, password) = world.credentials("AWSCURRENT").await?;
        let mut value = world.current().await?;
        value["DATABASE_URL"] = json!(format!("postgresql://{user}:{password}@reader:5432/app"));
        value["jdbc_url"] = json!(format!(
            "jdbc:postgresql://h/app?user={user}&password={password}&ssl=true"
        ));
        value["note"] = json!(format!("written down: {password}"));
        world.put_current(&value.to_string()).await?;
        for round in 0..3 {
            let rotation = world.rotate().await?;
            let (user, password) = world.credentials("AWSCURRENT").await?;
            let value = world.current().await?;
            let url = url(&value["DATABASE_URL"])?;
            assert!(
                url == (user.clone(), password.clone()),
                "DATABASE_URL in round {round}"
            );
            let jdbc = value["jdbc_url"].as_str().unwrap();
            assert!(
                jdbc.contains(&format!("user={user}&")),
                "jdbc_url in round {round}"
            );
            let warnings = rotation.steps[0].1.warnings();
            assert_eq!(warnings.len(), usize::from(round == 0), "{warnings:?}");
            assert!(
                warnings
                    .iter()
                    .all(|line| line.contains("\"keys\":\"note\""))
            );
        }
        world.finish().await?;
    }
    Ok(())
}

/// User and password, as a well-kept parser reads them.
fn url(value: &Value) -> TestResult<(String, String)> {
    let config: tokio_postgres::Config = value.as_str().unwrap().parse()?;
    let password = String::from_utf8(config.get_password().unwrap().to_vec())?;
    Ok((config.get_user().unwrap().to_owned(), password))
}

#[tokio::test]
async fn c65_started_by_hand_it_says_what_it_is() -> TestResult {
    let started = tokio::process::Command::new(env!("CARGO_BIN_EXE_db-rotation"))
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .await?;
    assert_eq!(started.status.code(), Some(2));
    let said = String::from_utf8(started.stderr)?;
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("Lambda") && said.contains("Secrets Manager"),
        "{said}"
    );
    assert!(started.stdout.is_empty());
    Ok(())
}

const PROXY: &str = "app.proxy-abc123.us-east-1.rds.amazonaws.com";
