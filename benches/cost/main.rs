//! What a rotation costs, as a table: time, memory, calls, connections, size; beside each figure what it may be.
//!
//! ```text
//! cargo bench
//! ```
//!
//! Nothing is kept, and a figure over its budget fails nothing: it is marked.

#![expect(clippy::print_stdout, reason = "a table is there to be read")]

mod alternating;
mod share;
mod table;

use std::process::Command;
use std::time::Duration;

use testbed::world::STEPS;
use testbed::{Cost, Error, Result, World};

use self::share::Share;

#[tokio::main]
async fn main() -> Result<()> {
    let world = World::builder(FUNCTION).start().await?;
    let (cold, warm) = rotations(&world, std::slice::from_ref(&world.role)).await?;
    times("single user", SINGLE_USER, &cold, &warm);
    at_a_share().await?;
    traffic(SINGLE_USER, &cold);
    world.finish().await?;

    let (world, roles) = alternating::start(World::builder(FUNCTION)).await?;
    let (cold, warm) = rotations(&world, &roles).await?;
    println!();
    times("alternating users", ALTERNATING_USERS, &cold, &warm);
    traffic(ALTERNATING_USERS, &cold);
    sizes()?;
    world.finish().await
}

/// Rotations in new processes, and after each another one in the same.
async fn rotations(world: &World, roles: &[String]) -> Result<(Vec<Run>, Vec<Run>)> {
    // The first one is only for the servers, whose caches it fills, and for the clone, which it makes.
    world.rotate().await?;
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        world.function.kill().await;
        cold.push(Run::of(world, roles).await?);
        warm.push(Run::of(world, roles).await?);
    }
    Ok((cold, warm))
}

/// What a strategy's rotation may cost: CPU of a cold and of a warm one, in ms; calls that wait for one another and
/// connections, in each step. No budget was agreed on for the CPU of alternating users.
#[derive(Clone, Copy)]
struct Budget {
    cold: Option<f64>,
    warm: Option<f64>,
    depth: [usize; 4],
    connections: [usize; 4],
}

const SINGLE_USER: Budget = Budget {
    cold: Some(30.0),
    warm: Some(12.0),
    depth: [2, 1, 1, 2],
    connections: [0, 1, 1, 1],
};

/// One connection and one call more: the superuser's, and its secret.
const ALTERNATING_USERS: Budget = Budget {
    cold: None,
    warm: None,
    depth: [2, 2, 1, 2],
    connections: [0, 2, 1, 1],
};

/// One rotation, measured.
struct Run {
    /// Until the first poll.
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
    async fn of(world: &World, roles: &[String]) -> Result<Self> {
        let token = world.begin().await?;
        let before = world.function.cost().map(|cost| cost.cpu);
        let mut steps = Vec::new();
        for step in STEPS {
            steps.push(Step::of(world, roles, step, &token).await?);
        }
        let after = world
            .function
            .cost()
            .ok_or_else(|| Error::new("the function died"))?;
        world.secrets.tidy(&world.secret).await?;
        let start = world.function.start_cost().unwrap_or_default();
        let answers: Duration = steps.iter().map(|step| step.cost.wall).sum();
        let whole = Cost {
            wall: answers
                + if before.is_none() {
                    start.wall
                } else {
                    Duration::ZERO
                },
            cpu: after.cpu.saturating_sub(before.unwrap_or_default()),
            peak_memory: after.peak_memory,
        };
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
        let invocation = world.step(step, token).await;
        invocation.success()?;
        let each = |count: &dyn Fn(&str) -> usize| roles.iter().map(|role| count(role)).sum();
        Ok(Self {
            cost: Cost {
                wall: invocation.took,
                cpu: invocation.cpu,
                peak_memory: invocation.peak_memory,
            },
            calls: world.api.calls().len(),
            depth: world.api.depth(),
            connections: each(&|role| world.postgres.connections(role, mark).len()),
            refused: each(&|role| world.postgres.refusals(role, mark).len()),
            turns: world.db.turns().iter().sum(),
        })
    }
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
async fn at_a_share() -> Result<()> {
    let share = Share::new(FUNCTION)?;
    let world = World::builder(share.program()).start().await?;
    let mut runs = Vec::new();
    for _ in 0..RUNS_AT_A_SHARE {
        world.function.kill().await;
        let run = Run::of(&world, std::slice::from_ref(&world.role));
        runs.push(run.await?.whole);
    }
    table::cost("the same, 7 % of a CPU", &runs, None);
    println!(
        "  (medians of {RUNS_AT_A_SHARE}; the share: {})",
        share.how()
    );
    world.function.kill().await;
    world.finish().await
}

/// Calls that wait for nothing may miss each other, and TLS's tickets may part what is sent together: the least of all
/// runs is what is needed. Whatever the server counts, the most.
fn traffic(budget: Budget, runs: &[Run]) {
    let each = |pick: &dyn Fn(&mut dyn Iterator<Item = usize>) -> Option<usize>,
                of: &dyn Fn(&Step) -> usize| {
        [0, 1, 2, 3].map(|at| {
            pick(&mut runs.iter().filter_map(|run| run.steps.get(at)).map(of)).unwrap_or_default()
        })
    };
    let (least, most) = (
        |all: &mut dyn Iterator<Item = usize>| all.min(),
        |all: &mut dyn Iterator<Item = usize>| all.max(),
    );
    let connections = each(&most, &|step| step.connections);
    let turns = each(&least, &|step| step.turns);
    // finishSecret logs in and says goodbye: what a connection takes without a statement.
    let [.., bare] = turns;
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
        Some([0, 2, 2, 0]),
    );
}

/// What is uploaded: the program, alone in a zip, named as Lambda wants it.
fn sizes() -> Result<()> {
    let failed =
        |what: &'static str| move |error: std::io::Error| Error::new(format!("{what}: {error}"));
    let folder = tempfile::tempdir().map_err(failed("no temporary folder"))?;
    let program = folder.path().join("bootstrap");
    let bytes = std::fs::copy(FUNCTION, &program).map_err(failed("could not copy the program"))?;
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

const RUNS: usize = 30;
const RUNS_AT_A_SHARE: usize = 15;
