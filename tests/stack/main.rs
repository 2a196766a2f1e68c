//! The stack that deploys the function: its proof, with the calls that the function really makes and the lines that it
//! really writes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and prints what it found"
)]

mod audit;
mod others;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use testbed::world::Builder;
use testbed::{Alternating, Call, TestResult, World};

#[tokio::test]
async fn s9_s19_the_stack_is_proven_grants_what_the_function_calls_and_finds_what_it_writes()
-> TestResult {
    let folder = tempfile::tempdir().unwrap();
    let [calls, lines] = ["calls", "lines"].map(|name| folder.path().join(name));
    let recorded = recorded().await?;
    std::fs::write(&calls, recorded.calls).unwrap();
    std::fs::write(&lines, recorded.lines).unwrap();
    let proof = tokio::process::Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/run"))
        .args([OsStr::new("--calls"), calls.as_ref()])
        .args([OsStr::new("--lines"), lines.as_ref()])
        .output();
    let proof = proof.await?;
    let said = String::from_utf8_lossy(&proof.stdout);
    assert!(
        proof.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&proof.stderr)
    );
    println!("{said}");
    Ok(())
}

fn world() -> Builder {
    World::builder(env!("CARGO_BIN_EXE_db-rotation"))
}

/// What was seen of the function, a JSON object a line.
#[derive(Default)]
struct Recorded {
    calls: String,
    lines: String,
}

/// Rotations that need each call there is.
async fn recorded() -> TestResult<Recorded> {
    let mut recorded = Recorded::default();
    let single = world().start().await?;
    search_everywhere(&single).await?;
    recorded.note("single user", &single, None);
    single.finish().await?;

    let it = world().alternating().await?;
    it.world.rotate().await?;
    for kind in ["db", "cluster"] {
        look_up(&it, kind).await?;
    }
    recorded.note("alternating users", &it.world, Some(&it.superuser.arn));
    it.world.finish().await?;

    let audited = audit::ended().await?;
    recorded.note("audit", &audited, None);
    audited.finish().await?;

    for call in others::rotated().await? {
        writeln!(recorded.calls, "{call}").unwrap();
    }
    Ok(recorded)
}

impl Recorded {
    fn note(&mut self, kind: &str, world: &World, superuser: Option<&str>) {
        for call in world.api.calls() {
            let line = noted(kind, &call, &world.secret.arn, superuser);
            writeln!(self.calls, "{line}").unwrap();
        }
        self.lines += &world.function.output();
    }
}

/// A call, on the very secret that it was made on: an ARN, or `*` where the call names none.
fn noted(kind: &str, call: &Call, secret: &str, superuser: Option<&str>) -> Value {
    json!({
        "kind": kind,
        "secret": secret,
        "superuser": superuser,
        "operation": call.operation,
        "resource": call.sent_text("SecretId").unwrap_or("*"),
        "joined": false,
    })
}

/// A rotation whose password only an older version knows, so that every version is asked for.
async fn search_everywhere(world: &World) -> TestResult {
    world.rotate().await?;
    let token = world.created().await?;
    world.set_password("a password that no version has").await?;
    world
        .step("setSecret", &token)
        .await
        .failed_with("NoWorkingCredential")?;
    Ok(())
}

/// A rotation whose superuser is at a host that only RDS could name.
async fn look_up(it: &Alternating, kind: &str) -> TestResult {
    it.name_superuser(|value| {
        *value = json!({"username": "x", "password": "a password of nobody's"});
    })
    .await?;
    let arn = format!("arn:aws:rds:us-east-1:123456789012:{kind}:nobody");
    let tagged = it
        .world
        .secrets
        .tag(&it.superuser, "aws:rds:primaryDBInstanceArn", &arn);
    tagged.await?;
    let token = it.world.created().await?;
    it.world
        .step("setSecret", &token)
        .await
        .failed_with("ForeignTarget")?;
    it.world.cancel().await?;
    Ok(())
}
