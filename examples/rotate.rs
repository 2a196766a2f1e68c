//! One password, rotated twice before your eyes, by the program that ships, between real servers on this machine.
//!
//! ```text
//! cargo run --example rotate                                                 the program, built here
//! cargo run --example rotate -- .aws-sam/build/RotationFunction/bootstrap    this one
//! ```
//!
//! It ends with proof, and with a failure where a proof fails. It shows no password.

#![expect(clippy::print_stdout, reason = "a demo is there to be read")]

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use serde_json::Value;
use testbed::{Call, Error, Invocation, Mark, Postgres, Result, SecretsManager, World, tools};

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("\n{} {error:?}", painted("31", "The demo failed:"));
            ExitCode::FAILURE
        }
    }
}

/// Whether every proof held.
async fn demo() -> Result<bool> {
    tools::on_progress(|line| println!("  {}", dim(line)));
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let world = start(&given.map_or_else(build, Ok)?).await?;
    let first = Version::labelled(&world, "AWSCURRENT").await?;
    println!(
        "\nA secret holds the password of the PostgreSQL role {} at {}. Its value is version {first}, labelled AWSCURRENT:\n\
         whoever needs the password reads that. Rotation makes another password and moves the label to it.",
        world.role,
        world.postgres.host(),
    );
    let second = rotate(&world, "First rotation").await?;
    let third = rotate(&world, "Second rotation").await?;
    prove(world, &[first, second, third]).await
}

/// Builds the function as this example's own libraries were built, so that little is left to do; where it is.
fn build() -> Result<PathBuf> {
    say("Building", "the function that Lambda would run");
    let began = Instant::now();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(["build", "--bin", "db-rotation", "--example", "rotate"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Error::new(format!("could not run cargo: {error}")))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| {
            message.pointer("/target/name").and_then(Value::as_str) == Some("db-rotation")
        })
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .filter(|_| output.status.success())
        .ok_or_else(|| Error::new("cargo did not build the function"))?;
    done("built", began);
    Ok(executable)
}

async fn start(function: &Path) -> Result<World> {
    say(
        "Looking for",
        "PostgreSQL and moto, which stands in for Secrets Manager; what is missing is fetched, once",
    );
    let began = Instant::now();
    tools::prepare(&[]).await?;
    done("there", began);
    say("Starting", "PostgreSQL with TLS");
    let began = Instant::now();
    let postgres = Postgres::shared().await?;
    done(&format!("version {} answers", postgres.version()), began);
    say("Starting", "Secrets Manager");
    let began = Instant::now();
    SecretsManager::shared().await?;
    done("it answers", began);
    say("Starting", "the function, as Lambda would");
    let began = Instant::now();
    let world = World::builder(function).start().await?;
    done("it asks for its first event", began);
    Ok(world)
}

/// One rotation, in the part of the service, which calls the function four times; the version that it made.
async fn rotate(world: &World, title: &str) -> Result<Version> {
    let old = Version::labelled(world, "AWSCURRENT").await?;
    let new = Version(world.begin().await?);
    println!(
        "\n{} Secrets Manager adds version {new}, labelled AWSPENDING and still empty, and calls the function:",
        bold(&format!("{title}.")),
    );
    for (step, ending, deed) in STEPS {
        world.api.forget();
        let mark = world.postgres.mark();
        let invocation = world.step(step, &new.0).await;
        invocation.success()?;
        if outcome(&invocation).as_deref() != Some(ending) {
            return Err(Error::new(format!("{step} did not end as {ending:?}")));
        }
        let took = format!("{} ms", invocation.took.as_millis());
        println!("\n  {} {}", bold(step), dim(&took));
        println!("    {deed}");
        detail("AWS calls", &calls(&world.api.calls()));
        detail("PostgreSQL", &visits(world, mark));
        if step == "finishSecret" {
            world.secrets.tidy(&world.secret).await?;
        }
        let (old, new) = (state(world, &old).await?, state(world, &new).await?);
        detail("afterwards", &format!("{old}; {new}"));
    }
    Ok(new)
}

/// Says what is true now, true or not; whether all of it is.
async fn prove(world: World, versions: &[Version; 3]) -> Result<bool> {
    println!("\n{}", bold("Proof."));
    let [first, second, third] = versions;
    let mut holds = true;
    for (version, accepted, claim) in [
        (first, false, "the first password is refused by PostgreSQL"),
        (second, false, "the second one, too"),
        (third, true, "the third is accepted"),
    ] {
        let logs_in = world.logs_in(&world.password(&version.0).await?).await?;
        holds &= claims(logs_in == accepted, claim);
    }
    for (version, label) in [(third, "AWSCURRENT"), (second, "AWSPREVIOUS")] {
        let holder = world.version(label).await?;
        let claim = format!("{label} is on version {version}");
        holds &= claims(holder.as_ref() == Some(&version.0), &claim);
    }
    let pending = world.version("AWSPENDING").await?;
    holds &= claims(pending.is_none(), "AWSPENDING is on none");
    let logged = world.postgres.log_since(world.began).lines().count();
    let written = world.function.output().lines().count();
    let claim = format!(
        "the passwords are neither in the server's log ({logged} lines, every statement among them) \
         nor in what the function wrote ({written} lines) or answered"
    );
    // What was found is not said: it would be shown with it.
    holds &= claims(world.finish().await.is_ok(), &claim);
    Ok(holds)
}

/// The steps as the service calls them: the name, how the function says that it ended, what it did.
const STEPS: [(&str, &str, &str); 4] = [
    (
        "createSecret",
        "created",
        "A random password is stored in the pending version. The database knows nothing of it yet.",
    ),
    (
        "setSecret",
        "set",
        "The role logs in with its current password and sets the pending one, as a SCRAM verifier: the server is never
    told the password. From here on the current password is refused, until the label has moved.",
    ),
    (
        "testSecret",
        "tested",
        "The pending password logs in, and is the right role's. Nothing changes.",
    ),
    (
        "finishSecret",
        "promoted",
        "The pending password logs in once more; then AWSCURRENT moves to its version. Applications get it from here on.
    AWSPREVIOUS marks the version before, and the service takes AWSPENDING off.",
    ),
];

/// A version's name, of which the beginning is shown.
struct Version(String);

impl Version {
    async fn labelled(world: &World, label: &str) -> Result<Self> {
        let version = world.version(label).await?;
        version
            .map(Self)
            .ok_or_else(|| Error::new(format!("no version has {label}")))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.split('-').next().unwrap_or(&self.0))
    }
}

/// What labels a version has, and what its password is worth.
async fn state(world: &World, version: &Version) -> Result<String> {
    let labels = world.labels().await?.remove(&version.0).unwrap_or_default();
    let labels = labels.into_iter().collect::<Vec<_>>().join(" and ");
    let password = world.password(&version.0).await?;
    let worth = either(world.logs_in(&password).await?, "accepted", "refused");
    Ok(format!("{version} is {labels}, password {worth}"))
}

/// How the function's log says that a step ended.
fn outcome(invocation: &Invocation) -> Option<String> {
    let last: Value = serde_json::from_str(invocation.log.last()?).ok()?;
    Some(last.get("outcome")?.as_str()?.to_owned())
}

/// `2 GetSecretValue + 1 DescribeSecret, then …`: what was asked at the same time, and what had to wait.
fn calls(calls: &[Call]) -> String {
    let mut waves: Vec<BTreeMap<&str, usize>> = Vec::new();
    let mut wave_ends = None;
    for call in calls {
        if wave_ends.is_none_or(|end| call.started >= end) {
            waves.push(BTreeMap::new());
            wave_ends = None;
        }
        wave_ends = wave_ends.max(call.finished);
        if let Some(wave) = waves.last_mut() {
            *wave.entry(&call.operation).or_default() += 1;
        }
    }
    let said = waves.iter().map(|wave| {
        let operations = wave.iter().map(|(operation, count)| match count {
            1 => (*operation).to_owned(),
            _ => format!("{count} {operation}"),
        });
        operations.collect::<Vec<_>>().join(" + ")
    });
    said.collect::<Vec<_>>().join(", then ")
}

/// Who came to the database, and how.
fn visits(world: &World, since: Mark) -> String {
    let refused = world.postgres.refusals(&world.role, since).len();
    let statements = world.postgres.statements(&world.role, since).len();
    let connections = world.postgres.connections(&world.role, since);
    let Some(first) = connections.first() else {
        return format!("no connections, {refused} refused");
    };
    let over = first.tls.as_deref().unwrap_or("clear text");
    let count = connections.len();
    format!("connections: {count} over {over}, {refused} refused; statements: {statements}")
}

fn say(what: &str, whom: &str) {
    println!("{} {whom}", bold(what));
}

fn done(what: &str, began: Instant) {
    let took = format!("{what}, {:.1} s", began.elapsed().as_secs_f64());
    println!("  {}", dim(&took));
}

fn detail(name: &str, text: &str) {
    println!("    {} {text}", dim(&format!("{name:<10}")));
}

fn claims(holds: bool, claim: &str) -> bool {
    let mark = either(holds, "✓", "✗ NOT TRUE:");
    println!("  {mark} {claim}");
    holds
}

fn bold(text: &str) -> String {
    painted("1", text)
}

fn dim(text: &str) -> String {
    painted("2", text)
}

fn either(good: bool, yes: &str, no: &str) -> String {
    if good {
        painted("32", yes)
    } else {
        painted("31", no)
    }
}

fn painted(colour: &str, text: &str) -> String {
    if stdout().is_terminal() {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
