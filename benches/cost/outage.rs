//! The outage of a single user: from the commit of the change, after which the old password is refused, to the label's move, after
//! which applications read the new one.
//!
//! Both moments are the services' own: the server's commit timestamp (`track_commit_timestamp`), and Secrets Manager's answer to
//! `UpdateSecretVersionStage`. The steps follow one another at once; the service itself leaves some milliseconds between.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use testbed::world::STEPS;
use testbed::{Error, Fault, Postgres, Result, World};

use crate::table;

/// Rows for one process and for new ones, without and with a network's latency.
pub(crate) async fn measure(program: &str) -> Result<()> {
    let cluster = Postgres::options().setting("track_commit_timestamp", "on");
    let world = World::builder(program).postgres(&cluster.start().await?);
    let world = world.start().await?;
    world.rotate().await?;
    for (latency, budget) in [(Duration::ZERO, 40.0), (LATENCY, 120.0)] {
        world.db.slow_down(latency);
        world.api.heal();
        world.api.answer("*", 1.., Fault::Delay(latency));
        let slower = match latency.as_millis() {
            0 => String::new(),
            more => format!(", {more} ms more a round trip"),
        };
        for (is_new, what, budget) in [
            (false, "outage", Some(budget)),
            (true, "… a process a step", None),
        ] {
            let mut outages = Vec::new();
            for _ in 0..RUNS {
                outages.push(outage(&world, is_new).await?);
            }
            table::time(&format!("{what}{slower}"), &outages, budget);
        }
    }
    crate::end(world, program).await
}

/// One rotation's, each step in a new process or all in one.
async fn outage(world: &World, is_new: bool) -> Result<Duration> {
    let token = world.begin().await?;
    let moved = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&moved);
    world.api.after("UpdateSecretVersionStage", 1, move |_| {
        if let Ok(mut moment) = noted.lock() {
            *moment = Some(SystemTime::now());
        }
        std::future::ready(())
    });
    for step in STEPS {
        if is_new {
            world.function.kill().await;
        }
        let event = world.event(step, &token);
        let invocation = world.invoke_on(&world.function, &event, DEADLINE).await;
        invocation.success()?;
    }
    let committed = format!(
        "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) AS committed FROM pg_authid WHERE rolname = '{}'",
        world.role
    );
    let committed = world.postgres.value(&committed).await?;
    let committed = committed.and_then(|seconds| seconds.parse().ok());
    let moved = moved.lock().ok().and_then(|moment| *moment);
    world.secrets.tidy(&world.secret).await?;
    let (Some(committed), Some(moved)) = (committed, moved) else {
        return Err(Error::new("no commit, or no move"));
    };
    let committed = UNIX_EPOCH + Duration::from_secs_f64(committed);
    Ok(moved.duration_since(committed).unwrap_or_default())
}

const LATENCY: Duration = Duration::from_millis(5);
const DEADLINE: Duration = Duration::from_secs(30);
const RUNS: usize = 30;
