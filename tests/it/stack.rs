//! The stack that deploys the function: its proof, with the calls that the function really makes and the lines that it
//! really writes.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;
use testbed::{Call, World};

use super::alternating::Alternating;
use super::{cancel, created, failed, set_password, world};

#[tokio::test]
async fn s9_s19_the_stack_is_proven_grants_what_the_function_calls_and_finds_what_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    let [calls, lines] = ["calls", "lines"].map(|name| folder.path().join(name));
    let recorded = recorded().await;
    std::fs::write(&calls, recorded.calls).unwrap();
    std::fs::write(&lines, recorded.lines).unwrap();
    let proof = tokio::process::Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/run"))
        .args([OsStr::new("--calls"), calls.as_ref()])
        .args([OsStr::new("--lines"), lines.as_ref()])
        .output();
    let proof = proof.await.unwrap();
    let said = String::from_utf8_lossy(&proof.stdout);
    assert!(
        proof.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&proof.stderr)
    );
    println!("{said}");
}

/// What was seen of the function, a JSON object a line.
#[derive(Default)]
struct Recorded {
    calls: String,
    lines: String,
}

/// Rotations that need each call there is.
async fn recorded() -> Recorded {
    let mut recorded = Recorded::default();
    let single = world().start().await.unwrap();
    search_everywhere(&single).await;
    recorded.note("single user", &single, None);
    // A stack with a superuser also takes its secret back to a single user.
    recorded.note("alternating users", &single, None);
    single.finish().await.unwrap();

    let it = Alternating::start().await;
    it.world.rotate().await.unwrap();
    for kind in ["db", "cluster"] {
        look_up(&it, kind).await;
    }
    recorded.note("alternating users", &it.world, Some(&it.superuser.arn));
    it.world.finish().await.unwrap();
    recorded
}

impl Recorded {
    fn note(&mut self, strategy: &str, world: &World, superuser: Option<&str>) {
        for call in world.api.calls() {
            let resource = match call.sent_text("SecretId") {
                Some(id) if Some(id) == superuser => "superuser",
                Some(_) => "secret",
                None => "*",
            };
            let Call { operation, .. } = call;
            let line = json!({"strategy": strategy, "operation": operation, "resource": resource});
            writeln!(self.calls, "{line}").unwrap();
        }
        self.lines += &world.function.output();
    }
}

/// A rotation whose password only an older version knows, so that every version is asked for.
async fn search_everywhere(world: &World) {
    world.rotate().await.unwrap();
    let token = created(world).await;
    set_password(world, "a password that no version has").await;
    failed(
        &world.step("setSecret", &token).await,
        "NoWorkingCredential",
    );
}

/// A rotation whose superuser is at a host that only RDS could name.
async fn look_up(it: &Alternating, kind: &str) {
    it.name_superuser(|value| {
        *value = json!({"username": "x", "password": "a password of nobody's"});
    })
    .await;
    let arn = format!("arn:aws:rds:us-east-1:123456789012:{kind}:nobody");
    let tagged = it
        .world
        .secrets
        .tag(&it.superuser, "aws:rds:primaryDBInstanceArn", &arn);
    tagged.await.unwrap();
    let token = created(&it.world).await;
    failed(&it.world.step("setSecret", &token).await, "ForeignTarget");
    cancel(&it.world).await;
}
