//! Killed anywhere, called again: C4, C22.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use testbed::world::STEPS;
use testbed::{DbFault, World};

use super::{
    at_once, created, eventually, lock, of_both_strategies, second_function, version_logs_in, world,
};

/// What must hold between two calls, whatever happened: `AWSCURRENT` logs in (C29); with a single user it or `AWSPENDING`.
async fn nobody_is_locked_out(world: &World, what: &str) {
    let mut works = version_logs_in(world, "AWSCURRENT").await;
    let is_single = world.current().await.unwrap().unwrap()["masterarn"].is_null();
    if is_single && world.pending().await.unwrap().is_some() {
        works |= version_logs_in(world, "AWSPENDING").await;
    }
    assert!(works, "{what}: who reads AWSCURRENT is locked out");
}

/// The same event again, then the steps that follow: the rotation completes.
async fn completes(world: &World, from: usize, token: &str, what: &str) {
    for step in &STEPS[from..] {
        world
            .step(step, token)
            .await
            .success()
            .unwrap_or_else(|e| panic!("{what}, then {step}: {e:?}"));
    }
    assert!(
        version_logs_in(world, "AWSCURRENT").await,
        "{what}: AWSCURRENT does not log in"
    );
    assert_eq!(
        world.version("AWSCURRENT").await.unwrap().as_deref(),
        Some(token),
        "{what}"
    );
}

/// A rotation that has come to the step before `STEPS[at]`.
pub(super) async fn begun(world: &World, at: usize) -> String {
    let token = world.begin().await.unwrap();
    for step in &STEPS[..at] {
        world.step(step, &token).await.success().unwrap();
    }
    token
}

#[tokio::test]
async fn c4_killed_at_any_message_to_secrets_manager_a_retry_completes_the_rotation() {
    at_once(of_both_strategies(world).await.map(killed_at_any_message)).await;
}

async fn killed_at_any_message(world: World) {
    for (at, step) in STEPS.iter().enumerate() {
        for nth in 1.. {
            let what = format!("{step} killed after call {nth}");
            let token = begun(&world, at).await;
            let function = world.function.clone();
            world.api.after("*", nth, move |_| {
                let function = function.clone();
                async move { function.kill().await }
            });
            let killed = world.step(step, &token).await;
            world.api.heal();
            nobody_is_locked_out(&world, &what).await;
            completes(&world, at, &token, &what).await;
            if killed.died.is_none() {
                assert!(nth > 3, "{step} makes three calls at least");
                break;
            }
        }
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c4_killed_at_any_turn_with_the_database_a_retry_completes_the_rotation() {
    at_once(of_both_strategies(world).await.map(killed_at_any_turn)).await;
}

async fn killed_at_any_turn(world: World) {
    for (at, step) in STEPS.iter().enumerate().skip(1) {
        for turn in 1.. {
            let what = format!("{step} killed in turn {turn}");
            let token = begun(&world, at).await;
            world.db.forget();
            for connection in 1..=2 {
                world.db.connection(connection, DbFault::StallAfter(turn));
            }
            let reached = async {
                eventually(async || {
                    let turns = world.db.turns();
                    turns.iter().any(|turns| *turns >= turn).then_some(())
                })
                .await;
                world.function.kill().await;
                true
            };
            let ended = tokio::select! {
                killed = reached => killed,
                ended = world.step(step, &token) => { ended.success().unwrap(); false }
            };
            // Where both came at once, it may be dying still.
            world.function.kill().await;
            world.db.heal();
            nobody_is_locked_out(&world, &what).await;
            completes(&world, at, &token, &what).await;
            if !ended {
                assert!(turn > 5, "{step} ended before turn {turn}");
                break;
            }
        }
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c4_a_connection_that_breaks_at_random_bytes_is_mended_by_a_retry() {
    let world = world().start().await.unwrap();
    let random = RandomState::new();
    for round in 0..15_usize {
        let at = 1 + round % 3;
        let most = if at == 1 { 3000 } else { 2500 };
        let bytes = 1 + usize::try_from(random.hash_one(round) % most).unwrap();
        let fault = if round % 2 == 0 {
            DbFault::ResetAfterSent(bytes)
        } else {
            DbFault::ResetAfterReceived(bytes)
        };
        let what = format!("{} with {fault:?}", STEPS[at]);
        let token = begun(&world, at).await;
        world.db.connection(1, fault);
        let broken = world.step(STEPS[at], &token).await;
        world.db.heal();
        if let Some(name) = broken.error_type() {
            let names = ["ConnectionLost", "DatabaseUnreachable", "TlsFailed"];
            assert!(names.contains(&name), "{what}: {broken:?}");
        }
        nobody_is_locked_out(&world, &what).await;
        completes(&world, at, &token, &what).await;
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c4_killed_at_random_moments_a_retry_completes_the_rotation() {
    let world = world().start().await.unwrap();
    let random = RandomState::new();
    for round in 0..16_usize {
        let at = round % 4;
        let token = begun(&world, at).await;
        let moment = Duration::from_micros(random.hash_one(round) % 60_000);
        let what = format!("{} killed after {moment:?}", STEPS[at]);
        let kill = async {
            tokio::time::sleep(moment).await;
            world.function.kill().await;
        };
        let (_, ()) = tokio::join!(world.step(STEPS[at], &token), kill);
        nobody_is_locked_out(&world, &what).await;
        completes(&world, at, &token, &what).await;
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c4_steps_that_come_twice_and_late_end_in_one_rotation() {
    for world in of_both_strategies(world).await {
        let token = begun(&world, 0).await;
        for (at, step) in STEPS.iter().enumerate() {
            for again in &STEPS[..=at] {
                world
                    .step(again, &token)
                    .await
                    .success()
                    .unwrap_or_else(|e| panic!("{again} after {step}: {e:?}"));
            }
        }
        assert!(version_logs_in(&world, "AWSCURRENT").await);
        assert_eq!(world.version("AWSCURRENT").await.unwrap(), Some(token));
        world.finish().await.unwrap();
    }
}

#[tokio::test]
async fn c4_two_callers_of_different_steps_leave_a_secret_that_works() {
    let world = world().start().await.unwrap();
    let second = second_function(&world, &world.api).await;
    for (at, late) in [(1, "createSecret"), (3, "setSecret"), (3, "testSecret")] {
        let token = begun(&world, at).await;
        let event = world.event(late, &token);
        let (one, two) = tokio::join!(
            world.step(STEPS[at], &token),
            second.invoke(&event, Duration::from_secs(30))
        );
        one.success()
            .unwrap_or_else(|e| panic!("{} beside {late}: {e:?}", STEPS[at]));
        two.success()
            .unwrap_or_else(|e| panic!("{late} beside {}: {e:?}", STEPS[at]));
        completes(&world, at, &token, late).await;
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c22_an_answer_that_is_lost_is_found_out_by_logging_in_again_within_the_call() {
    for world in of_both_strategies(world).await {
        let token = created(&world).await;
        world.db.forget();
        world.step("setSecret", &token).await.success().unwrap();
        // With alternating users the longer of two sessions, the superuser's, makes the change.
        let (usual, whole) = (
            world.db.connections(),
            *world.db.turns().iter().max().unwrap(),
        );
        completes(&world, 2, &token, "unbroken").await;
        // Backwards from the goodbye, whose loss nobody notices, to the change. How many turns TLS takes varies by one.
        let mut turn = whole + 1;
        loop {
            let token = created(&world).await;
            let before = world.db.connections();
            for connection in 1..=usual {
                world.db.connection(connection, DbFault::LoseAnswer(turn));
            }
            let set = world.step("setSecret", &token).await;
            set.success()
                .unwrap_or_else(|e| panic!("turn {turn} of {whole}: {e:?}"));
            let looked_again = world.db.connections() - before > usual;
            assert!(version_logs_in(&world, "AWSPENDING").await);
            completes(&world, 2, &token, "an answer lost").await;
            if looked_again {
                break;
            }
            turn -= 1;
        }
        world.finish().await.unwrap();
    }
}

#[tokio::test]
async fn c22_a_change_that_never_arrived_is_made_within_the_same_call() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    let holder = lock(&world).await;
    let end_the_session = async {
        let waits = format!(
            "SELECT pid FROM pg_stat_activity WHERE usename = '{}' AND application_name = 'db-rotation' \
             AND wait_event_type = 'Lock'",
            world.role
        );
        let pid = eventually(async || world.postgres.value(&waits).await.unwrap()).await;
        world
            .postgres
            .admin(&format!("SELECT pg_terminate_backend({pid})"))
            .await
            .unwrap();
        holder.run("ROLLBACK").await.unwrap();
    };
    let (set, ()) = tokio::join!(world.step("setSecret", &token), end_the_session);
    set.success().unwrap();
    assert!(world.db.connections() > 1);
    completes(&world, 2, &token, "a session terminated").await;
    world.finish().await.unwrap();
}
