//! What a rotation costs, as a table: time, memory, calls, connections, size; beside each figure what it may be.
//!
//! ```text
//! cargo bench                                        the program, built here
//! cargo bench -- /opt/releases/1.0/bootstrap         this one: to compare two, run both on a machine that does nothing else
//! cargo bench -- SINGLE_USER ALTERNATING_USERS       a program for each strategy, such as AWS's functions
//! ```
//!
//! Nothing is kept, and a figure over its budget fails nothing: it is marked.

#![expect(clippy::print_stdout, reason = "a table is there to be read")]

mod outage;
mod process;
mod share;
mod table;

use std::process::Command;
use std::time::Duration;

use testbed::world::STEPS;
use testbed::{Error, Fault, Result, Superuser, World};

use self::process::Cost;
use self::share::Share;

#[tokio::main]
async fn main() -> Result<()> {
    let mut given = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let single_user = given.next().unwrap_or_else(|| FUNCTION.to_owned());
    let alternating_users = given.next().unwrap_or_else(|| single_user.clone());
    let program = single_user.as_str();
    let world = World::builder(program).start().await?;
    let roles = [world.role.clone()];
    let (cold, warm) = rotations(&world, &roles).await?;
    times("single user", SINGLE_USER, &cold, &warm);
    at_a_share(program).await?;
    traffic(&world, &roles, SINGLE_USER).await?;
    println!();
    table::head(&["from the change to the label's move, ms"]);
    outage::measure(program).await?;
    end(world, program).await?;

    let it = World::builder(&alternating_users)
        .alternating_by(Superuser::Full)
        .await?;
    let roles = [it.world.role.clone(), it.clone_role(), it.superuser_role];
    let world = it.world;
    let (cold, warm) = rotations(&world, &roles).await?;
    println!();
    times("alternating users", ALTERNATING_USERS, &cold, &warm);
    traffic(&world, &roles, ALTERNATING_USERS).await?;
    sizes(program)?;
    end(world, &alternating_users).await
}

/// Ends a world of the program's. A foreign program whose passwords show is measured all the same; ours fails.
async fn end(world: World, program: &str) -> Result<()> {
    match world.finish().await {
        Err(shown) if program != FUNCTION => {
            println!(
                "\nsecrets showed in {} places",
                shown.to_string().lines().count()
            );
            Ok(())
        }
        ended => ended,
    }
}

/// Rotations in new processes, and after each another one in the same.
async fn rotations(world: &World, roles: &[String]) -> Result<(Vec<Run>, Vec<Run>)> {
    // The first one is only for the servers, whose caches it fills, and for the clone, which it makes.
    world.rotate().await?;
    let mut cold = Vec::new();
    let mut warm = Vec::new();
    for _ in 0..RUNS {
        cold.push(Run::cold(world, roles).await?);
        warm.push(Run::warm(world, roles).await?);
    }
    Ok((cold, warm))
}

/// What a strategy's rotation may cost: CPU of a cold and of a warm one, in ms; calls that wait for one another and
/// connections and round trips of statements, in each step. No budget was agreed on for the CPU of alternating users.
#[derive(Clone, Copy)]
struct Budget {
    cold: Option<f64>,
    warm: Option<f64>,
    depth: [usize; 4],
    connections: [usize; 4],
    statements: [usize; 4],
}

const SINGLE_USER: Budget = Budget {
    cold: Some(30.0),
    warm: Some(12.0),
    depth: [3, 2, 1, 2],
    connections: [0, 2, 1, 0],
    statements: [0, 2, 1, 0],
};

/// One call more, for the superuser's secret. The connections are the superuser's and that of the credential in use.
const ALTERNATING_USERS: Budget = Budget {
    cold: None,
    warm: None,
    depth: [3, 3, 1, 2],
    connections: [0, 2, 1, 0],
    statements: [0, 3, 1, 0],
};

/// One rotation, measured.
struct Run {
    /// Until the first poll; nothing where the process is not new.
    start: Cost,
    steps: Vec<Step>,
    /// From its beginning to the fourth answer; where the process is new, from the process's beginning.
    whole: Cost,
}

struct Step {
    cost: Cost,
    calls: usize,
    depth: usize,
    connections: usize,
    refused: usize,
    turns: usize,
}

impl Run {
    /// In a new process.
    async fn cold(world: &World, roles: &[String]) -> Result<Self> {
        world.function.kill().await;
        let wall = world.function.start_again().await?;
        let start = Cost::default().until(Cost::of(&world.function)?, wall);
        Self::of(world, roles, start, Cost::default()).await
    }

    /// In a process that has worked before.
    async fn warm(world: &World, roles: &[String]) -> Result<Self> {
        let before = Cost::of(&world.function)?;
        Self::of(world, roles, Cost::default(), before).await
    }

    async fn of(world: &World, roles: &[String], start: Cost, before: Cost) -> Result<Self> {
        let token = world.begin().await?;
        let mut steps = Vec::new();
        for step in STEPS {
            steps.push(Step::of(world, roles, step, &token).await?);
        }
        let answers: Duration = steps.iter().map(|step| step.cost.wall).sum();
        let whole = before.until(Cost::of(&world.function)?, start.wall + answers);
        world.secrets.tidy(&world.secret).await?;
        Ok(Self {
            start,
            steps,
            whole,
        })
    }
}

impl Step {
    async fn of(world: &World, roles: &[String], step: &str, token: &str) -> Result<Self> {
        world.api.forget();
        world.db.forget();
        let mark = world.postgres.mark();
        let before = Cost::of(&world.function)?;
        let event = world.event(step, token);
        let invocation = world.invoke_on(&world.function, &event, DEADLINE).await;
        invocation.success()?;
        let after = Cost::of(&world.function)?;
        let each = |count: &dyn Fn(&str) -> usize| roles.iter().map(|role| count(role)).sum();
        Ok(Self {
            cost: before.until(after, invocation.took),
            calls: world.api.calls().len(),
            depth: world.api.depth(),
            connections: each(&|role| world.postgres.connections(role, mark).len()),
            refused: each(&|role| world.postgres.refusals(role, mark).len()),
            turns: world.db.turns().iter().sum(),
        })
    }
}

/// The turns that a connection takes without a statement: finishSecret's, in a process that has not seen the version log in.
async fn bare(world: &World) -> Result<usize> {
    let token = world.begun(3).await?;
    world.function.kill().await;
    world.db.forget();
    world.step("finishSecret", &token).await.success()?;
    world.secrets.tidy(&world.secret).await?;
    Ok(world.db.turns().iter().sum())
}

fn times(strategy: &str, budget: Budget, cold: &[Run], warm: &[Run]) {
    println!(
        "Medians of {RUNS} rotations, {strategy}; in brackets where the middle eight of ten lie.\n"
    );
    table::head(&["wall, ms", "CPU, ms", "peak memory, MiB"]);
    let line = |what: &str,
                runs: &[Run],
                of: &dyn Fn(&Run) -> Option<Cost>,
                budget: Option<(f64, Option<f64>)>| {
        let costs: Vec<Cost> = runs.iter().filter_map(of).collect();
        table::cost(what, &costs, budget);
    };
    line(
        "process start to first poll",
        cold,
        &|run| Some(run.start),
        Some((5.0, None)),
    );
    for (at, step) in STEPS.iter().enumerate() {
        line(
            &format!("{step}, cold"),
            cold,
            &|run| Some(run.steps.get(at)?.cost),
            None,
        );
    }
    line(
        "whole rotation, cold",
        cold,
        &|run| Some(run.whole),
        budget.cold.map(|most| (most, Some(20.0))),
    );
    for (at, step) in STEPS.iter().enumerate() {
        line(
            &format!("{step}, warm"),
            warm,
            &|run| Some(run.steps.get(at)?.cost),
            None,
        );
    }
    line(
        "whole rotation, warm",
        warm,
        &|run| Some(run.whole),
        budget.warm.map(|most| (most, None)),
    );
}

/// The cold rotation again, as a function of 128 MB would have it.
async fn at_a_share(program: &str) -> Result<()> {
    let share = Share::new(program)?;
    let world = World::builder(share.program()).start().await?;
    let mut runs = Vec::new();
    for _ in 0..RUNS_AT_A_SHARE {
        let run = Run::cold(&world, std::slice::from_ref(&world.role));
        runs.push(run.await?.whole);
    }
    table::cost("the same, 7 % of a CPU", &runs, None);
    println!(
        "  (medians of {RUNS_AT_A_SHARE}; the share: {})",
        share.how()
    );
    world.function.kill().await;
    end(world, program).await
}

/// What passes between the servers and a new process. Each call takes so long that those that wait for nothing meet; TLS's
/// tickets may part what is sent together: the least of all runs is what is needed. Whatever the server counts, the most.
async fn traffic(world: &World, roles: &[String], budget: Budget) -> Result<()> {
    world.api.answer("*", 1.., Fault::Delay(LONG_ENOUGH));
    let mut runs = Vec::new();
    for _ in 0..RUNS_OF_TRAFFIC {
        runs.push(Run::cold(world, roles).await?);
    }
    world.api.heal();
    let bare = bare(world).await?;
    let each = |pick: &dyn Fn(&mut dyn Iterator<Item = usize>) -> Option<usize>,
                of: &dyn Fn(&Step) -> usize| {
        [0, 1, 2, 3].map(|at| {
            pick(&mut runs.iter().filter_map(|run| run.steps.get(at)).map(of)).unwrap_or_default()
        })
    };
    let least = |all: &mut dyn Iterator<Item = usize>| all.min();
    let most = |all: &mut dyn Iterator<Item = usize>| all.max();
    let connections = each(&most, &|step| step.connections);
    let turns = each(&least, &|step| step.turns);
    let mut statements = turns;
    for (count, connections) in statements.iter_mut().zip(connections) {
        *count = count.saturating_sub(bare * connections);
    }
    println!();
    table::head(&["create", "set", "test", "finish"]);
    table::counts("AWS calls", each(&most, &|step| step.calls), None);
    table::counts(
        "… one after the other",
        each(&least, &|step| step.depth),
        Some(budget.depth),
    );
    table::counts(
        "connections to PostgreSQL",
        connections,
        Some(budget.connections),
    );
    table::counts(
        "… refused",
        each(&most, &|step| step.refused),
        Some([0, 0, 0, 0]),
    );
    table::counts(
        "… round trips of statements",
        statements,
        Some(budget.statements),
    );
    Ok(())
}

/// What is uploaded: the program, alone in a zip, named as Lambda wants it.
fn sizes(program: &str) -> Result<()> {
    let failed =
        |what: &'static str| move |error: std::io::Error| Error::new(format!("{what}: {error}"));
    let folder = tempfile::tempdir().map_err(failed("no temporary folder"))?;
    let copy = folder.path().join("bootstrap");
    let bytes = std::fs::copy(program, &copy).map_err(failed("could not copy the program"))?;
    let zipped = Command::new("python3")
        .args(["-m", "zipfile", "-c", "function.zip", "bootstrap"])
        .current_dir(folder.path())
        .status()
        .map_err(failed("could not run python3"))?;
    let zip = std::fs::metadata(folder.path().join("function.zip")).map_err(failed("no zip"))?;
    if !zipped.success() {
        return Err(Error::new("python3 could not make a zip"));
    }
    println!();
    table::size("the program, stripped", bytes, None);
    table::size("its zip", zip.len(), Some(6.0));
    Ok(())
}

/// As it ships: cargo builds it for benchmarks with the release profile.
const FUNCTION: &str = env!("CARGO_BIN_EXE_db-rotation");

const DEADLINE: Duration = Duration::from_secs(30);
const RUNS: usize = 30;
const RUNS_OF_TRAFFIC: usize = 3;
const LONG_ENOUGH: Duration = Duration::from_millis(20);
const RUNS_AT_A_SHARE: usize = 15;
