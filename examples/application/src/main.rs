//! An application that goes on querying while its password is rotated, by the program that ships, between real servers on
//! this machine. What an application has to do is in `database.rs`.
//!
//! ```text
//! cd examples/application && cargo run
//! ```
//!
//! It ends with a failure where a request failed. It shows no password.

mod database;
mod trial;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::Value;
use testbed::{Error, Result};

use self::trial::{Strategy, Trial};

const ROTATIONS: usize = 10;

/// Caches younger than a rotation takes, and as old as they should ever get.
const OLDEST: [Duration; 2] = [Duration::from_millis(50), Duration::from_mins(5)];

/// How long Secrets Manager is away at least: longer than the younger of the caches may be kept.
const CUT_OFF: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("The demo failed: {error:?}");
            ExitCode::FAILURE
        }
    }
}

/// Whether no request failed.
async fn demo() -> Result<bool> {
    println!(
        "Building the function, and looking for PostgreSQL and moto, which stands in for Secrets Manager …"
    );
    let function = function()?;
    let mut holds = true;
    for strategy in [Strategy::SingleUser, Strategy::AlternatingUsers] {
        for oldest in OLDEST {
            let trial = Trial::start(&function, strategy, oldest).await?;
            let seen = trial.while_it_queries(trial.rotate(ROTATIONS)).await?;
            println!("\n{strategy:?}, {ROTATIONS} rotations, a cache {oldest:?} old at most:");
            println!(
                "  {} requests: {} failed, {} tried again, the slowest after {} ms; the server refused {} logins",
                seen.requests,
                seen.failed.len(),
                seen.retried,
                seen.slowest.as_millis(),
                seen.refused,
            );
            holds &= seen.failed.is_empty();
            let version = trial.version().await?;
            let seen = trial.cut_off(CUT_OFF).await?;
            let (kept, _) = version.split_at_checked(8).unwrap_or((&version, ""));
            println!(
                "  {} more while Secrets Manager can't be asked, with version {kept}: {} failed",
                seen.requests,
                seen.failed.len(),
            );
            holds &= seen.failed.is_empty();
            trial.world.finish().await?;
        }
    }
    Ok(holds)
}

/// The function, built as its own workspace builds it.
fn function() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        // The other example beside it: so that what the tests are built with is not built again without their features.
        .args(["build", "--bin", "db-rotation", "--example", "rotate"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Error::new(format!("could not run cargo: {error}")))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| {
            message.pointer("/target/name").and_then(Value::as_str) == Some("db-rotation")
        })
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .filter(|_| output.status.success())
        .ok_or_else(|| Error::new("cargo did not build the function"))
}

#[cfg(test)]
mod tests;
