//! Called again, and by two at once; a change whose answer is lost: C4, C22. (`tests/nothing_lost` kills it anywhere.)

use std::time::Duration;

use testbed::world::STEPS;
use testbed::{DbFault, TestResult, World, eventually};

use super::world;

/// The same event again, then the steps that follow: the rotation completes.
async fn completes(world: &World, from: usize, token: &str, what: &str) -> TestResult {
    for step in &STEPS[from..] {
        world
            .step(step, token)
            .await
            .success()
            .unwrap_or_else(|e| panic!("{what}, then {step}: {e:?}"));
    }
    assert!(
        world.version_logs_in("AWSCURRENT").await?,
        "{what}: AWSCURRENT does not log in"
    );
    assert_eq!(
        world.version("AWSCURRENT").await?.as_deref(),
        Some(token),
        "{what}"
    );
    Ok(())
}

#[tokio::test]
async fn c4_steps_that_come_twice_and_late_end_in_one_rotation() -> TestResult {
    for world in World::of_each_strategy(world).await? {
        let token = world.begun(0).await?;
        for (at, step) in STEPS.iter().enumerate() {
            for again in &STEPS[..=at] {
                world
                    .step(again, &token)
                    .await
                    .success()
                    .unwrap_or_else(|e| panic!("{again} after {step}: {e:?}"));
            }
        }
        assert!(world.version_logs_in("AWSCURRENT").await?);
        assert_eq!(world.version("AWSCURRENT").await?, Some(token));
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c4_two_callers_of_different_steps_leave_a_secret_that_works() -> TestResult {
    let world = world().start().await?;
    let second = world.second_function(&world.api).await?;
    for (at, late) in [(1, "createSecret"), (3, "setSecret"), (3, "testSecret")] {
        let token = world.begun(at).await?;
        let event = world.event(late, &token);
        let (one, two) = tokio::join!(
            world.step(STEPS[at], &token),
            second.invoke(&event, Duration::from_secs(30))
        );
        one.success()
            .unwrap_or_else(|e| panic!("{} beside {late}: {e:?}", STEPS[at]));
        two.success()
            .unwrap_or_else(|e| panic!("{late} beside {}: {e:?}", STEPS[at]));
        completes(&world, at, &token, late).await?;
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c22_an_answer_that_is_lost_is_found_out_by_logging_in_again_within_the_call() -> TestResult
{
    for world in World::of_each_strategy(world).await? {
        let token = world.created().await?;
        world.db.forget();
        world.step("setSecret", &token).await.success()?;
        // With alternating users the longer of two sessions, the superuser's, makes the change.
        let usual = world.db.connections();
        let whole = *world.db.turns().iter().max().unwrap();
        completes(&world, 2, &token, "unbroken").await?;
        // Backwards from the goodbye, whose loss nobody notices, to the change. How many turns TLS takes varies by one.
        let mut turn = whole + 1;
        loop {
            let token = world.created().await?;
            let before = world.db.connections();
            for connection in 1..=usual {
                world.db.connection(connection, DbFault::LoseAnswer(turn));
            }
            let set = world.step("setSecret", &token).await;
            set.success()
                .unwrap_or_else(|e| panic!("turn {turn} of {whole}: {e:?}"));
            let looked_again = world.db.connections() - before > usual;
            assert!(world.version_logs_in("AWSPENDING").await?);
            completes(&world, 2, &token, "an answer lost").await?;
            if looked_again {
                break;
            }
            turn -= 1;
        }
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c22_a_change_that_never_arrived_is_made_within_the_same_call() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let holder = world.lock_role().await?;
    let end_the_session = async {
        let waits = format!(
            "SELECT pid FROM pg_stat_activity WHERE usename = '{}' AND application_name = 'db-rotation' \
             AND wait_event_type = 'Lock'",
            world.role
        );
        let waiting = async || world.postgres.value(&waits).await;
        let pid = eventually("a session that waits", waiting).await?;
        world
            .postgres
            .admin(&format!("SELECT pg_terminate_backend({pid})"))
            .await?;
        holder.run("ROLLBACK").await
    };
    let (set, ended) = tokio::join!(world.step("setSecret", &token), end_the_session);
    ended?;
    set.success()?;
    assert!(world.db.connections() > 1);
    completes(&world, 2, &token, "a session terminated").await?;
    world.finish().await?;
    Ok(())
}
