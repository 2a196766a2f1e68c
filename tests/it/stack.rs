//! The stack that deploys the function: its proof, with the calls that the function really makes.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;
use testbed::{Call, World};

use super::alternating::Alternating;
use super::world;

#[tokio::test]
async fn s9_the_stack_is_proven_and_grants_what_the_function_calls() {
    let calls = std::env::temp_dir().join(format!("{}.jsonl", testbed::unique("calls")));
    std::fs::write(&calls, recorded().await).unwrap();
    let proof = tokio::process::Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/run"))
        .arg("--calls")
        .arg(&calls)
        .output();
    let proof = proof.await.unwrap();
    std::fs::remove_file(&calls).unwrap();
    let said = String::from_utf8_lossy(&proof.stdout);
    assert!(
        proof.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&proof.stderr)
    );
    println!("{said}");
}

/// The calls of rotations that need each call there is, a JSON object a line.
async fn recorded() -> String {
    let mut lines = String::new();
    let single = world().start().await.unwrap();
    search_everywhere(&single).await;
    note(&mut lines, "single user", &single, None);
    // A stack with a superuser also takes its secret back to a single user.
    note(&mut lines, "alternating users", &single, None);
    single.finish().await.unwrap();

    let it = Alternating::start().await;
    it.world.rotate().await.unwrap();
    for kind in ["db", "cluster"] {
        it.name_superuser(|value| {
            *value = json!({"username": "x", "password": "a password of nobody's"});
        })
        .await;
        let arn = format!("arn:aws:rds:us-east-1:123456789012:{kind}:nobody");
        it.world
            .secrets
            .tag(&it.superuser, "aws:rds:primaryDBInstanceArn", &arn)
            .await
            .unwrap();
        let token = it.world.begin().await.unwrap();
        it.world
            .step("createSecret", &token)
            .await
            .success()
            .unwrap();
        assert_eq!(
            it.world.step("setSecret", &token).await.error_type(),
            Some("ForeignTarget")
        );
        it.world
            .secrets
            .remove_label(&it.world.secret, "AWSPENDING")
            .await
            .unwrap();
    }
    note(
        &mut lines,
        "alternating users",
        &it.world,
        Some(&it.superuser.arn),
    );
    it.world.finish().await.unwrap();
    lines
}

/// A rotation whose password only an older version knows, so that every version is asked for.
async fn search_everywhere(world: &World) {
    world.rotate().await.unwrap();
    let token = world.begin().await.unwrap();
    world.step("createSecret", &token).await.success().unwrap();
    world
        .postgres
        .set_password(&world.role, "a password that no version has")
        .await
        .unwrap();
    assert_eq!(
        world.step("setSecret", &token).await.error_type(),
        Some("NoWorkingCredential")
    );
}

fn note(lines: &mut String, strategy: &str, world: &World, superuser: Option<&str>) {
    for call in world.api.calls() {
        let resource = match call.sent_text("SecretId") {
            Some(id) if Some(id) == superuser => "superuser",
            Some(_) => "secret",
            None => "*",
        };
        let Call { operation, .. } = call;
        let line = json!({"strategy": strategy, "operation": operation, "resource": resource});
        writeln!(lines, "{line}").unwrap();
    }
}
