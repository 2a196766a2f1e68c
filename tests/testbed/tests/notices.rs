//! The testbed can fail: what it is there to notice, it notices.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use testbed::world::Builder;
use testbed::{
    DbFault, DbGate, Error, Fault, Function, Postgres, SecretsManager, Session, TestResult, World,
    eventually, unique,
};

/// A function that does what `FAKE` says.
const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake.py");

fn world(fake: &str) -> Builder {
    World::builder(FAKE).env("FAKE", fake)
}

/// What the search for secrets has found.
async fn found(world: World) -> String {
    let found = world.finish().await.err();
    found.map_or_else(String::new, |found| found.to_string())
}

#[tokio::test]
async fn a_password_in_the_functions_output_is_found_and_not_told_once_more() -> TestResult {
    let world = world("leaks").start().await?;
    let token = world.begin().await?;
    let password = world.first_password.clone();
    world.step("createSecret", &token).await.success()?;
    let found = found(world).await;
    let place = "a password shows in the function's output";
    assert!(
        found.contains(place) && !found.contains(&password),
        "{found}"
    );
    Ok(())
}

#[tokio::test]
#[should_panic(expected = "shows in the function's output")]
async fn a_world_that_is_dropped_is_searched_too() {
    let world = world("leaks").start().await.expect("the world starts");
    let token = world.begin().await.expect("a rotation begins");
    world.step("createSecret", &token).await;
}

#[tokio::test]
async fn a_password_sent_as_text_is_found_at_the_server() -> TestResult {
    let cluster = Postgres::options().statements().start().await?;
    let world = world("").postgres(&cluster).start().await?;
    let role = &world.role;
    let password = unique("as-text");
    world.keep_secret(&password);
    let session = cluster.login(role, &world.first_password, "postgres");
    let change = format!("ALTER ROLE {role} PASSWORD '{password}'");
    session.await?.run(&change).await?;
    let found = found(world).await;
    for place in ["the server's log", "pg_stat_statements"] {
        let found_there = found.contains(&format!("a password shows in {place}"));
        assert!(found_there, "{place}: {found}");
    }
    Ok(())
}

#[tokio::test]
async fn a_function_that_hangs_dies_or_does_not_start_is_told_apart() -> TestResult {
    let deadline = Duration::from_secs(5);
    let hangs = Function::builder(FAKE).env("FAKE", "hangs").start().await?;
    let first = hangs.pid();
    let hung = hangs.invoke(&json!({}), Duration::from_millis(200)).await;
    assert!(hung.timed_out && hung.died.is_some(), "{hung:?}");
    assert_eq!(hung.error_type(), Some("Sandbox.Timedout"));
    let event = json!({});
    let again = hangs.invoke(&event, Duration::from_millis(200)).await;
    assert!(again.timed_out);
    assert_ne!(hangs.pid(), first, "another process");
    let hangs = Function::builder(FAKE).env("FAKE", "hangs").start().await?;
    let (killed, ()) = tokio::join!(hangs.invoke(&event, deadline), hangs.kill());
    assert!(killed.died.is_some() && !killed.timed_out, "{killed:?}");
    let dies = Function::builder(FAKE).env("FAKE", "dies").start().await?;
    let death = dies.invoke(&json!({}), deadline).await;
    assert_eq!(
        death.died.and_then(|exit| exit.code()),
        Some(3),
        "{death:?}"
    );
    death
        .failed_with("Runtime.ExitError")
        .expect_err("an error of the function's own");
    let never = Function::builder(FAKE).env("FAKE", "does not start");
    let never = never.start().await.expect_err("it started");
    assert_eq!(never.output, "it does not start\n");
    Ok(())
}

#[tokio::test]
async fn a_fault_of_a_call_strikes_before_or_after_the_effect() -> TestResult {
    let a_while = Duration::from_millis(50);
    for (fault, says, took_effect) in [
        (Fault::Delay(a_while), "", true),
        (Fault::DropAfter, "RemoteDisconnected", true),
        (Fault::MalformedBody, "JSONDecodeError", true),
        (Fault::TruncatedBody, "IncompleteRead", true),
        (Fault::DropBefore, "RemoteDisconnected", false),
        (Fault::error("ThrottlingException"), "400", false),
        (Fault::Stall, "timed out", false),
        (Fault::Status(503, String::new()), "503", false),
    ] {
        let world = world("").deadline(Duration::from_secs(3)).start().await?;
        let token = world.begin().await?;
        world.api.answer("PutSecretValue", 1, fault.clone());
        let answer = world.step("createSecret", &token).await.answer;
        let said = answer.err().map(|failure| failure.to_string());
        assert!(said.unwrap_or_default().contains(says), "{fault:?}");
        assert_eq!(world.pending().await?.is_some(), took_effect, "{fault:?}");
        world.finish().await?;
    }
    Ok(())
}

/// Creates a role through a gate with this fault, in clear text; whether that succeeded, and whether there is a role.
async fn created_with(fault: DbFault) -> TestResult<(bool, bool)> {
    let cluster = Postgres::shared().await?;
    let role = unique("app");
    cluster.create_role(&role, "a password").await?;
    cluster
        .admin(&format!("ALTER ROLE {role} CREATEROLE"))
        .await?;
    let gate = DbGate::start(&cluster).await?;
    gate.connection(1, fault);
    let session = Session::over_tcp(gate.port(), &role, "a password").await?;
    let create = format!("CREATE ROLE {role}_made");
    let succeeded = session.run(&create).await.is_ok();
    let look = format!("SELECT 1 FROM pg_roles WHERE rolname = '{role}_made'");
    Ok((succeeded, cluster.value(&look).await?.is_some()))
}

#[tokio::test]
async fn a_turn_that_is_lost_is_never_heard_and_an_answer_that_is_lost_was_given() -> TestResult {
    // The start, two of SCRAM's, and the statement.
    assert_eq!(created_with(DbFault::LoseTurn(4)).await?, (false, false));
    assert_eq!(created_with(DbFault::LoseAnswer(4)).await?, (false, true));
    assert_eq!(created_with(DbFault::LoseTurn(6)).await?, (true, true));
    Ok(())
}

/// Set in the process that is going to be killed.
const VICTIM: &str = "TESTBED_VICTIM";

#[tokio::test]
async fn nothing_is_left_of_a_process_that_is_killed() -> TestResult {
    if std::env::var_os(VICTIM).is_some() {
        return be_killed().await;
    }
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "nothing_is_left_of_a_process_that_is_killed"])
        .env(VICTIM, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let errors = BufReader::new(victim.stderr.take().expect("it is piped"));
    let mut lines = errors.lines().map_while(Result::ok);
    let alive = lines.find_map(|line| line.strip_prefix("alive: ").map(str::to_owned));
    let alive = alive.expect("it says what it has started");
    let places: Vec<_> = alive.split(' ').map(PathBuf::from).collect();
    assert!(places.len() == 3 && places.iter().all(|place| place.exists()));
    victim.kill()?;
    victim.wait()?;
    eventually(&format!("the end of {alive}"), async || {
        Ok((!places.iter().any(|place| place.exists())).then_some(()))
    })
    .await?;
    Ok(())
}

/// Starts one of each, says so, and waits for the end.
async fn be_killed() -> TestResult {
    let postgres = Postgres::options().start().await?;
    let _secrets = SecretsManager::start().await?;
    let function = Function::builder(FAKE).env("FAKE", "hangs").start().await?;
    let folder = postgres.folder().to_owned();
    let postmaster = std::fs::read_to_string(folder.join("data/postmaster.pid"))?;
    let postmaster = postmaster.lines().next().map(Path::new);
    let process = function.pid().ok_or_else(|| Error::new("it has gone"))?;
    let alive = format!(
        "alive: {} /proc/{} /proc/{process}",
        folder.display(),
        postmaster.unwrap_or(Path::new("")).display()
    );
    writeln!(std::io::stderr(), "{alive}")?;
    function.invoke(&json!({}), Duration::from_mins(10)).await;
    Ok(())
}
