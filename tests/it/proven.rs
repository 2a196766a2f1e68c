//! A change is proved by a login or taken back; what was true a moment ago is asked again: C51, C59, C66.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use testbed::{Fault, Postgres, TestResult, World};

use super::world;

/// setSecret, in whose session the password is replaced by somebody after this turn; whether that was noticed.
async fn refused_in_turn(world: &World, turn: usize) -> TestResult<bool> {
    let token = world.created().await?;
    let admin = world.postgres.clone();
    let role = world.role.clone();
    let another = testbed::Verifier::Scram.of(&role, "somebody else's");
    world.db.forget();
    world.db.after(1, turn, async move {
        admin.set_verifier(&role, &another).await.ok();
    });
    let set = world.step("setSecret", &token).await;
    world.db.heal();
    if set.answer.is_ok() {
        // It came before the change, which replaced it.
        let pending = world.password("AWSPENDING").await?;
        world.set_password(&pending).await?;
        world.steps(&token).await?;
        return Ok(false);
    }
    let message = set.failed_with("PasswordNotAccepted")?;
    assert!(message.contains("was put back"), "{message}");
    assert!(world.version_logs_in("AWSCURRENT").await?, "turn {turn}");
    world.steps(&token).await?;
    Ok(true)
}

#[tokio::test]
async fn c51_a_password_that_the_server_refuses_is_taken_back_and_nobody_is_locked_out()
-> TestResult {
    let world = world().start().await?;
    let mut noticed = false;
    for turn in 5..=9 {
        noticed |= refused_in_turn(&world, turn).await?;
    }
    assert!(noticed, "no turn was between the change and its proof");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c51_a_proof_that_is_inconclusive_takes_nothing_back() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.db.connection(2, testbed::DbFault::StripTls);
    world.step("setSecret", &token).await.success()?;
    assert!(world.version_logs_in("AWSPENDING").await?);
    world.db.heal();
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c59_what_was_true_a_moment_ago_is_asked_again_and_is_no_failure() -> TestResult {
    for world in World::of_each_strategy(world).await? {
        world.rotate().await?;
        for stale in [
            "DescribeSecret",
            "GetSecretValue AWSCURRENT",
            "GetSecretValue AWSPENDING",
        ] {
            let token = world.begin().await?;
            for step in testbed::world::STEPS {
                world.api.answer(stale, 1, Fault::Stale);
                let answer = world.step(step, &token).await;
                answer
                    .success()
                    .unwrap_or_else(|e| panic!("{step}, {stale}: {e:?}"));
                world.api.heal();
            }
            world.secrets.tidy(&world.secret).await?;
            assert!(world.version_logs_in("AWSCURRENT").await?, "{stale}");
        }
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c59_a_version_that_stays_unknown_is_an_error_after_two_seconds() -> TestResult {
    let world = world().start().await?;
    let looks = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&looks);
    world.api.before("DescribeSecret", 1.., move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {})
    });
    let unknown = world.step("setSecret", "11111111-2222-3333-4444-555555555555");
    let unknown = unknown.await;
    unknown.failed_with("VersionNotStaged")?;
    assert!(unknown.took >= Duration::from_millis(1500), "{unknown:?}");
    assert!(looks.load(Ordering::Relaxed) > 1);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c66_a_server_that_refuses_slowly_does_not_hide_an_earlier_success() -> TestResult {
    let options = Postgres::options().setting("shared_preload_libraries", "auth_delay");
    let slow = options.start().await?;
    let world = world().postgres(&slow).start().await?;
    let token = world.created().await?;
    world.step("setSecret", &token).await.success()?;
    slow.set("auth_delay.milliseconds", "6000").await?;
    world.function.kill().await;
    world.step("setSecret", &token).await.success()?;
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}
