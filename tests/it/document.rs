//! The secret's value: what survives, and what is refused: C5–C7.

use serde_json::{Value, json};
use testbed::{TestResult, World, unique};

use super::world;

const PASSWORD: &str = "a-first-password-to-find";

/// A value as somebody's hands wrote it: odd blanks, numbers, escapes, an order of its own.
fn handwritten(world_written: &str, role: &str) -> String {
    let written: Value = serde_json::from_str(world_written).unwrap();
    let host = written["host"].as_str().unwrap();
    let port = &written["port"];
    format!(
        "{{ \"z\" : 2.50,\n\t\"a\\/b\":\"\\u00e9\\/\\ud83d\\ude00 é\", \"big\":123456789012345678901234567890, \"exp\":1e3,\
         \"pass\\u0077ord\":\"{PASSWORD}\",\"port\":\"{port}\",\"host\":\"{host}\",\"nested\":{{\"password\":\"not this one\",\"b\":[1,2.0]}},\
         \"username\":\"{role}\",\"engine\":\"aurora-postgresql\",\"none\":null,\"yes\":true,\"-0\":-0.0,\"database\":\"postgres\" }} "
    )
}

#[tokio::test]
async fn c5_all_but_the_password_and_whose_turn_it_is_survives_two_rotations_to_the_letter()
-> TestResult {
    let written = || {
        let role = unique("app");
        let world = world().role(&role).password(PASSWORD);
        world.secret_text(move |text| handwritten(&text, &role))
    };
    for world in World::of_each_strategy(written).await? {
        world.keep_secret("not this one");
        let before = world.text("AWSCURRENT").await?;
        for _ in 0..2 {
            world.rotate().await?;
            let after = world.text("AWSCURRENT").await?;
            let value: Value = serde_json::from_str(&after)?;
            assert_ne!(value["password"], PASSWORD);
            let undone = after
                .replacen(
                    &value["password"].to_string(),
                    &format!("\"{PASSWORD}\""),
                    1,
                )
                .replacen(
                    &value["username"].to_string(),
                    &format!("\"{}\"", world.role),
                    1,
                );
            assert_eq!(undone, before);
        }
        world.finish().await?;
    }
    Ok(())
}

/// createSecret with `value` as the current one; the refusal.
async fn refused_as_current(world: &World, token: &str, value: &str) -> TestResult<String> {
    world.put_current(value).await?;
    Ok(world
        .step("createSecret", token)
        .await
        .failed_with("SecretMalformed")?)
}

#[tokio::test]
async fn c6_a_value_that_is_no_database_secret_is_refused_by_label_and_key_and_never_repeated()
-> TestResult {
    let world = world().start().await?;
    world.keep_secret("Hid-den-value");
    let good = world.current().await?;
    let token = world.begin().await?;
    for value in [
        "Hid-den-value",
        "\"Hid-den-value\"",
        "[\"Hid-den-value\"]",
        "null",
        "7",
        "{\"password\":\"Hid-den-value\"",
        "{} {}",
    ] {
        let message = refused_as_current(&world, &token, value).await?;
        assert!(
            message.contains("AWSCURRENT") && message.contains("not a JSON object"),
            "{message}"
        );
    }
    let mut wrong: Vec<(&str, Value)> = Vec::new();
    for key in ["host", "username", "password"] {
        wrong.extend(
            [
                json!(null),
                json!(""),
                json!(7),
                json!(["Hid-den-value"]),
                json!("Hid-den\0value"),
            ]
            .map(|value| (key, value)),
        );
    }
    wrong.extend([0, 65_536, -1].map(|port| ("port", json!(port))));
    wrong.extend(["0x15", "54 32", "Hid-den-value", "99999"].map(|port| ("port", json!(port))));
    wrong.extend([json!(5.5), json!(true), json!([5432])].map(|port| ("port", port)));
    wrong.extend([json!("mysql"), json!("Postgres"), json!(5)].map(|engine| ("engine", engine)));
    wrong.extend([json!(1), json!({"a": "Hid-den-value"})].map(|name| ("dbname", name)));
    wrong.extend([json!("ü".repeat(32)), json!("r".repeat(64))].map(|role| ("username", role)));
    for (key, value) in wrong {
        let mut broken = good.clone();
        broken[key] = value;
        let message = refused_as_current(&world, &token, &broken.to_string()).await?;
        assert!(
            message.contains("AWSCURRENT") && message.contains(&format!("\"{key}\"")),
            "{broken}: {message}"
        );
    }
    for key in ["host", "username", "password"] {
        let mut broken = good.clone();
        broken.as_object_mut().unwrap().remove(key);
        let message = refused_as_current(&world, &token, &broken.to_string()).await?;
        assert!(message.contains(&format!("\"{key}\"")), "{message}");
    }
    let twice = good
        .to_string()
        .replacen('{', "{\"pass\\u0077ord\":\"Hid-den-value\",", 1);
    let message = refused_as_current(&world, &token, &twice).await?;
    assert!(message.contains("\"password\" twice"), "{message}");
    assert_eq!(world.db.connections(), 0);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c6_a_binary_secret_is_refused() -> TestResult {
    let world = world().start().await?;
    let binary = json!({"SecretId": world.secret.arn, "SecretBinary": "SGlkLWRlbi12YWx1ZQ=="});
    world.secrets.call("PutSecretValue", binary).await?;
    let token = world.begin().await?;
    let message = world
        .step("createSecret", &token)
        .await
        .failed_with("SecretMalformed")?;
    assert!(
        message.contains("AWSCURRENT") && message.contains("binary"),
        "{message}"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c6_a_pending_value_that_is_malformed_or_missing_stops_every_step_and_is_named()
-> TestResult {
    let world = world().start().await?;
    let token = world.begin().await?;
    for step in ["setSecret", "testSecret", "finishSecret"] {
        let message = world
            .step(step, &token)
            .await
            .failed_with("SecretMalformed")?;
        assert!(message.contains("AWSPENDING"), "{message}");
    }
    world
        .put_pending(&token, "{\"password\":\"Hid-den-value\"}")
        .await?;
    for step in testbed::world::STEPS {
        let message = world
            .step(step, &token)
            .await
            .failed_with("SecretMalformed")?;
        assert!(
            message.contains("AWSPENDING") && message.contains("update-secret-version-stage"),
            "{message}"
        );
    }
    assert_eq!(world.db.connections(), 0);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c6_keys_are_values_and_never_syntax() -> TestResult {
    for name in [
        "host=127.0.0.1 sslmode=disable",
        "postgres?sslmode=disable",
        "postgresql://evil/postgres",
    ] {
        let world = world()
            .secret(move |value| value["dbname"] = json!(name))
            .start()
            .await?;
        let token = world.created().await?;
        let message = world
            .step("setSecret", &token)
            .await
            .failed_with("DatabaseNotFound")?;
        assert!(message.contains(name), "{message}");
        world.finish().await?;
    }
    for host in [
        "localhost sslmode=disable",
        "/tmp",
        "localhost,127.0.0.1",
        "localhost/postgres?sslmode=disable",
    ] {
        let world = world()
            .secret(move |value| value["host"] = json!(host))
            .start()
            .await?;
        let token = world.created().await?;
        world
            .step("setSecret", &token)
            .await
            .failed_with("HostNotFound")?;
        assert_eq!(world.db.connections(), 0);
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c6_a_previous_value_that_cannot_be_read_is_no_obstacle() -> TestResult {
    let world = world().start().await?;
    let good = world.text("AWSCURRENT").await?;
    for broken in ["no JSON", "{}"] {
        world.put_current(broken).await?;
        let good = format!("{good} ");
        world.put_current(&good).await?;
        world.set_password(&world.first_password).await?;
        assert_eq!(
            world
                .secrets
                .value(&world.secret, "AWSPREVIOUS")
                .await?
                .as_deref(),
            Some(broken)
        );
        world.rotate().await?;
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c7_role_names_of_any_kind_rotate() -> TestResult {
    let longest = format!("{}é", unique("r")) + &"x".repeat(63);
    let longest: String = longest
        .char_indices()
        .take_while(|(at, c)| at + c.len_utf8() <= 63)
        .map(|(_, c)| c)
        .collect();
    assert_eq!(longest.len(), 63);
    for role in odd_names().chain([longest]) {
        let world = world().role(&role).start().await?;
        rotates(&world, &role).await?;
        world.finish().await?;
    }
    Ok(())
}

/// A rotation makes `role` the current one, with a password that works.
async fn rotates(world: &World, role: &str) -> TestResult {
    let rotated = world.rotate().await;
    rotated.unwrap_or_else(|e| panic!("{role}: {e:?}"));
    let current = world.current().await?;
    assert_eq!(current["username"], json!(role));
    assert!(world.version_logs_in("AWSCURRENT").await?, "{role}");
    Ok(())
}

#[tokio::test]
async fn c7_role_names_of_any_kind_alternate() -> TestResult {
    let longest = format!("{:r<57}", unique("r"));
    for role in odd_names().chain([longest]) {
        let it = world().role(&role).alternating().await?;
        for role in [&it.clone_role(), &role] {
            rotates(&it.world, role).await?;
        }
        it.world.finish().await?;
    }
    Ok(())
}

/// Names that an unquoted identifier could not have.
fn odd_names() -> impl Iterator<Item = String> {
    let odd = [
        r#"Up per."Quo"ted"#,
        r"back\slash'd",
        "naïve–ロール",
        "100%",
        "semi;colon--",
        "$user",
        "pg\ttab",
    ];
    odd.into_iter().map(|name| format!("{name}{}", unique("")))
}

#[tokio::test]
async fn c7_a_name_that_the_server_would_cut_changes_nobody() -> TestResult {
    let victim = format!("{:v<63}", unique("victim"));
    let longer = format!("{victim}x");
    let world = world()
        .role(&victim)
        .secret(move |value| value["username"] = json!(longer))
        .start()
        .await?;
    let verifier = world.postgres.verifier(&victim).await?;
    let token = world.begin().await?;
    for step in testbed::world::STEPS {
        world
            .step(step, &token)
            .await
            .failed_with("SecretMalformed")?;
    }
    assert_eq!(world.postgres.verifier(&victim).await?, verifier);
    world.finish().await?;
    Ok(())
}
