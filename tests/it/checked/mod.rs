//! The check before a rotation: C63.
//!
//! In each broken world the check that fails is the right one, nothing is changed, and what the advice says mends it: then the
//! secret is ready, and a rotation succeeds.

mod database;
mod pair;
mod random;
mod secrets;

use serde_json::{Value, json};
use testbed::{Fault, Function, Invocation, TestResult, World};

use super::world;

/// What checkSecret answered.
#[derive(Debug)]
struct Answer(Value);

impl Answer {
    fn of(invocation: &Invocation) -> TestResult<Self> {
        Ok(Self(invocation.success()?.clone()))
    }

    fn is_ready(&self) -> bool {
        self.0["ready"] == json!(true)
    }

    fn with(&self, outcome: &str) -> Vec<&str> {
        let checks = self.0["checks"].as_array().unwrap().iter();
        let with = checks.filter(|check| check["outcome"] == outcome);
        with.map(|check| check["check"].as_str().unwrap()).collect()
    }

    /// What was found by a check, and what it advises.
    fn says(&self, name: &str) -> String {
        let checks = self.0["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["check"] == name);
        let Some(check) = check else {
            return String::new();
        };
        let [found, advice] = ["found", "advice"].map(|key| check[key].as_str());
        format!(
            "{}. {}",
            found.unwrap_or_default(),
            advice.unwrap_or_default()
        )
    }
}

fn event(world: &World) -> Value {
    json!({ "Step": "checkSecret", "SecretId": world.secret.arn })
}

/// Checks the secret, and makes sure that nothing was changed, and one line written.
async fn checked(world: &World) -> TestResult<Answer> {
    checked_by(world, &world.function).await
}

async fn checked_by(world: &World, function: &Function) -> TestResult<Answer> {
    let before = everything(world).await?;
    let deadline = std::time::Duration::from_secs(30);
    let invocation = world.invoke_on(function, &event(world), deadline).await;
    let answer = Answer::of(&invocation)?;
    assert_eq!(before, everything(world).await?, "changed by {answer:?}");
    assert_eq!(invocation.log.len(), 1, "{:?}", invocation.log);
    let line: Value = serde_json::from_str(&invocation.log[0])?;
    let outcome = if answer.is_ready() {
        "ready"
    } else {
        "not ready"
    };
    assert_eq!(
        (&line["step"], &line["outcome"], &line["secret_id"]),
        (
            &json!("checkSecret"),
            &json!(outcome),
            &json!(world.secret.arn)
        )
    );
    assert!(line["duration_ms"].is_u64(), "{line}");
    assert_eq!(
        answer.is_ready(),
        answer.with("failed").is_empty(),
        "{answer:?}"
    );
    Ok(answer)
}

/// All that a rotation could change: labels and values; roles with their verifiers, attributes, settings and members; what is
/// open and locked.
async fn everything(world: &World) -> TestResult<Vec<String>> {
    let mut found = Vec::new();
    // A secret that is marked for deletion tells nothing, and none of its values.
    if let Ok(labels) = world.labels().await {
        for version in labels.keys() {
            let value = world.text(version).await.unwrap_or_default();
            found.push(format!("{version} {:?} {value}", labels[version]));
        }
    }
    let ours = "rolname LIKE 'app\\_%' OR rolname LIKE 'rotator\\_%'";
    let role = &world.role;
    let of_pair = format!("SELECT oid FROM pg_authid WHERE rolname IN ('{role}', '{role}_clone')");
    for query in [
        format!("SELECT * FROM pg_authid WHERE oid IN ({of_pair}) AND ({ours}) ORDER BY oid"),
        format!(
            "SELECT roleid, member, admin_option FROM pg_auth_members WHERE roleid IN ({of_pair}) OR member IN ({of_pair}) ORDER BY 1, 2"
        ),
        format!("SELECT * FROM pg_db_role_setting WHERE setrole IN ({of_pair}) ORDER BY 1, 2"),
        format!(
            "SELECT state FROM pg_stat_activity WHERE application_name = 'db-rotation' AND usename LIKE '{role}%' AND state LIKE '%transaction%'"
        ),
    ] {
        for row in world.postgres.admin(&query).await? {
            found.push(format!("{row:?}"));
        }
    }
    Ok(found)
}

/// The secret is not ready, for these checks alone, and the first of them says so.
async fn fails(world: &World, checks: &[&str], says: &[&str]) -> TestResult<Answer> {
    let answer = checked(world).await?;
    assert_eq!(answer.with("failed"), checks, "{answer:#?}");
    for part in says {
        let said = answer.says(checks[0]);
        assert!(said.contains(part), "{part:?}: {said}");
    }
    Ok(answer)
}

/// The secret is ready, and a rotation succeeds.
async fn is_mended(world: &World) -> TestResult {
    let answer = checked(world).await?;
    assert!(answer.is_ready(), "{answer:#?}");
    world.rotate().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_sound_secret_is_ready_and_all_that_can_be_tried_is_ok() -> TestResult {
    let one = world().start().await?;
    let answer = checked(&one).await?;
    assert!(answer.is_ready(), "{answer:#?}");
    assert_eq!(
        answer.with("not tried"),
        ["PutSecretValue", "UpdateSecretVersionStage"]
    );
    assert_eq!(one.api.operations().len(), 3, "one look, and one password");
    let login = answer.says("AWSCURRENT");
    assert!(
        login.contains(&one.role) && login.contains("single user"),
        "{login}"
    );
    assert!(
        answer.says("TLS").contains("testbed"),
        "its issuer: {answer:#?}"
    );
    assert!(
        answer
            .says("server")
            .contains(&format!("PostgreSQL {}", one.postgres.major()))
    );
    is_mended(&one).await?;
    one.finish().await?;

    let two = world().alternating().await?;
    for _ in 0..3 {
        let answer = checked(&two.world).await?;
        assert!(answer.says("AWSCURRENT").contains("alternating users"));
        assert!(
            answer.says("clone").contains(&two.clone_role()),
            "{answer:#?}"
        );
        is_mended(&two.world).await?;
    }
    two.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_an_operator_sees_the_checks_as_a_table_and_the_exit_status_tells_whether_it_is_ready()
-> TestResult {
    let world = world().start().await?;
    let ready = world.invoke(&event(&world)).await.success()?.to_string();
    world.api.answer("?", 1, Fault::Status(200, ready));
    world.api.forget();
    let check = format!("ops/rotation check {} --function rotates", world.secret.arn);
    let output = world.operator(&check).await?;
    for line in [
        "✓ login ",
        "- PutSecretValue ",
        "ready: a rotation would succeed",
    ] {
        assert!(output.contains(line), "{line}: {output}");
    }
    let calls = world.api.calls();
    let invoked = calls.iter().find(|call| call.sent_text("Step").is_some());
    let invoked = invoked.unwrap();
    assert_eq!(invoked.sent_text("Step"), Some("checkSecret"));
    assert_eq!(
        invoked.sent_text("SecretId"),
        Some(world.secret.arn.as_str())
    );

    world.set_password("another one").await?;
    let refused = world.invoke(&event(&world)).await.success()?.to_string();
    world.api.answer("?", 1, Fault::Status(200, refused));
    let output = world
        .operator(&format!("{check} || echo status $?"))
        .await?;
    for line in ["✗ login ", "→ ", "not ready: login", "status 1"] {
        assert!(output.contains(line), "{line}: {output}");
    }
    // Without rotation there is no function to ask.
    world.secrets.rotation_enabled(&world.secret, Some(false));
    let nobody = format!(
        "ops/rotation check {} 2>&1 || echo status $?",
        world.secret.arn
    );
    let output = world.operator(&nobody).await?;
    assert!(
        output.contains("--function") && output.contains("status 2"),
        "{output}"
    );
    world.finish().await?;
    Ok(())
}
