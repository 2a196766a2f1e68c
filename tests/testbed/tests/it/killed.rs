//! What is left when the process that uses the testbed is killed.

use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::{Function, Postgres, Result, SecretsManager};

use crate::FAKE;

/// Set in the process that is going to be killed.
const VICTIM: &str = "TESTBED_VICTIM";

#[tokio::test]
async fn nothing_is_left_after_sigkill() -> Result<()> {
    if std::env::var_os(VICTIM).is_some() {
        return be_killed().await;
    }
    let program = std::env::current_exe().expect("this program has a path");
    let mut victim = Command::new(program)
        .args(["--exact", "killed::nothing_is_left_after_sigkill"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts again");
    let mut errors = std::io::BufReader::new(victim.stderr.take().expect("it is piped"));
    let line = std::io::BufRead::lines(&mut errors)
        .map_while(std::result::Result::ok)
        .find_map(|line| line.strip_prefix("alive: ").map(str::to_owned))
        .expect("it says what it has started");
    let mut words = line.split(' ');
    let folder = std::path::PathBuf::from(words.next().unwrap_or_default());
    let processes: Vec<_> = words.map(|pid| format!("/proc/{pid}")).collect();
    assert!(folder.exists() && processes.len() == 2, "{line}");
    victim.kill().expect("it can be killed");
    victim.wait().expect("it ends");
    for _ in 0..1000 {
        let left = processes
            .iter()
            .any(|pid| std::fs::exists(pid).unwrap_or(true));
        if !left && !folder.exists() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{line} are still there");
}

/// Starts one of each, says so, and waits for the end.
async fn be_killed() -> Result<()> {
    use std::io::Write as _;
    let postgres = Postgres::options().start().await?;
    let _secrets = SecretsManager::start().await?;
    let function = Function::builder(FAKE).env("FAKE", "hang").start().await?;
    let postmaster = std::fs::read_to_string(postgres.socket_folder().join("data/postmaster.pid"))
        .unwrap_or_default();
    let folder = postgres.socket_folder().display();
    let (postmaster, function_pid) = (
        postmaster.lines().next().unwrap_or_default(),
        function.pid().unwrap_or_default(),
    );
    let _ = writeln!(
        std::io::stderr(),
        "alive: {folder} {postmaster} {function_pid}"
    );
    function
        .invoke(&serde_json::json!({}), Duration::from_mins(10))
        .await;
    Ok(())
}
