//! One password, rotated twice before your eyes, by the program that ships, between real servers on this machine.
//!
//! ```text
//! cargo run --example rotate                                                 the program, built here
//! cargo run --example rotate -- .aws-sam/build/RotationFunction/bootstrap    this one
//! ```
//!
//! It ends with proof, and with a failure where a proof fails. It shows no password.

#![expect(clippy::print_stdout, reason = "a demo is there to be read")]

mod terminal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testbed::{
    Call, Error, Fault, Invocation, Mark, Postgres, Result, SecretsManager, World, tools,
};

use self::terminal::{bold, claims, counted, detail, dim, done, either, say};

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("\n{} {error:?}", either(false, "", "The demo failed:"));
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
        "\nA secret holds the password of the PostgreSQL role {}. Its value is version {first},\n\
         labelled AWSCURRENT: applications read that. A rotation makes a new password and moves the label to it.\n\
         {}",
        bold(&world.role),
        dim(&format!(
            "Each call to Secrets Manager takes {} ms longer here, as over a network. Calls joined by + are under way together.",
            NETWORK.as_millis()
        ))
    );
    check(&world).await?;
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
    tools::prepare().await?;
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
    let network = Fault::Delay(NETWORK);
    world.api.answer("*", 1.., network);
    Ok(world)
}

/// What can be asked before: whether a rotation would succeed.
async fn check(world: &World) -> Result<()> {
    println!("\n{}, which changes nothing", bold("A check"));
    let event = json!({ "Step": "checkSecret", "SecretId": world.secret.arn });
    let invocation = world.invoke(&event).await;
    let answer = invocation.success()?;
    let checks = answer.get("checks").and_then(Value::as_array);
    for check in checks.into_iter().flatten() {
        let text = |field| check.get(field).and_then(Value::as_str).unwrap_or_default();
        let mark = match text("outcome") {
            "ok" => either(true, "✓", ""),
            "warning" => bold("!"),
            "failed" => either(false, "", "✗"),
            _ => dim("-"),
        };
        println!("  {mark} {:<24}  {}", text("check"), dim(text("found")));
    }
    match answer.get("ready").and_then(Value::as_bool) {
        Some(true) => Ok(()),
        _ => Err(Error::new("the secret is not ready")),
    }
}

/// One rotation, in the part of the service, which calls the function four times; the version that it made.
async fn rotate(world: &World, title: &str) -> Result<Version> {
    let new = Version(world.begin().await?);
    println!("\n{}", bold(title));
    println!(
        "Secrets Manager adds version {new}, labelled AWSPENDING, without a value, and calls the function:"
    );
    for (step, ending, does) in STEPS {
        world.api.forget();
        let mark = world.postgres.mark();
        let invocation = world.step(step, &new.0).await;
        invocation.success()?;
        if outcome(&invocation).as_deref() != Some(ending) {
            return Err(Error::new(format!("{step} did not end as {ending:?}")));
        }
        let took = format!("{:>4} ms", invocation.took.as_millis());
        println!(
            "\n  {} {}  {does}",
            bold(&format!("{step:<12}")),
            dim(&took)
        );
        detail("AWS", &calls(&world.api.calls()));
        detail("PostgreSQL", &visits(world, mark));
        let other = if step == "finishSecret" {
            world.secrets.tidy(&world.secret).await?;
            "AWSPREVIOUS"
        } else {
            "AWSPENDING"
        };
        for label in ["AWSCURRENT", other] {
            let version = Version::labelled(world, label).await?;
            let logs_in = world.logs_in(&world.password(&version.0).await?).await?;
            let worth = either(logs_in, "logs in", "is refused");
            detail(label, &format!("{version} {worth}"));
        }
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

/// The steps as the service calls them: the name, how the function says that it ended, what it does.
const STEPS: [(&str, &str, &str); 4] = [
    (
        "createSecret",
        "created",
        "stores a new password in the pending version",
    ),
    (
        "setSecret",
        "set",
        "has the role change its own password; the server is sent a SCRAM verifier",
    ),
    (
        "testSecret",
        "tested",
        "logs in with the pending password; changes nothing",
    ),
    (
        "finishSecret",
        "promoted",
        "moves AWSCURRENT: applications read the new password from here on",
    ),
];

/// How much longer a call takes than on this machine: what goes out together then overlaps.
const NETWORK: Duration = Duration::from_millis(20);

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

/// How the function's log says that a step ended.
fn outcome(invocation: &Invocation) -> Option<String> {
    let last: Value = serde_json::from_str(invocation.log.last()?).ok()?;
    Some(last.get("outcome")?.as_str()?.to_owned())
}

/// `DescribeSecret + 2 GetSecretValue, then …`: what was under way together, and what waited for an answer.
fn calls(calls: &[Call]) -> String {
    let mut rounds: Vec<BTreeMap<&str, usize>> = Vec::new();
    let mut first_answer = None;
    for call in calls {
        if first_answer.is_none_or(|answer| call.started >= answer) {
            rounds.push(BTreeMap::new());
            first_answer = None;
        }
        first_answer = first_answer.into_iter().chain(call.finished).min();
        if let Some(round) = rounds.last_mut() {
            *round.entry(&call.operation).or_default() += 1;
        }
    }
    let said = rounds.iter().map(|round| {
        let operations = round.iter().map(|(operation, count)| match count {
            1 => (*operation).to_owned(),
            _ => format!("{count} {operation}"),
        });
        operations.collect::<Vec<_>>().join(" + ")
    });
    said.collect::<Vec<_>>().join(", then ")
}

/// The logins and statements that the server saw.
fn visits(world: &World, since: Mark) -> String {
    let refused = world.postgres.refusals(&world.role, since).len();
    let statements = world.postgres.statements(&world.role, since).len();
    let connections = world.postgres.connections(&world.role, since);
    let Some(first) = connections.first() else {
        return dim("no connection");
    };
    let over = first.tls.as_deref().unwrap_or("clear text");
    format!(
        "{}, {}, {refused} refused",
        counted(connections.len(), &format!("connection over {over}")),
        counted(statements, "statement")
    )
}
