//! A call that comes late, after another rotation has come and gone: C29.

use std::sync::Arc;
use std::time::Duration;

use testbed::world::STEPS;

use crate::world;
use testbed::{ApiGate, Call, Fault, Invocation, TestResult, World};

/// What an operator does about a call that hangs: takes `AWSPENDING` off, and rotates again.
async fn rotated_anew(world: &World) -> TestResult<impl Fn(Call) -> BoxFuture + use<>> {
    // A way of its own: what strikes the call that hangs does not strike this.
    let api = ApiGate::start(&world.secrets).await?;
    let other = Arc::new((world.second_function(&api).await?, api));
    let secrets = world.secrets.clone();
    let secret = world.secret.clone();
    let event = world.event("createSecret", "");
    Ok(move |_| {
        let other = Arc::clone(&other);
        let secrets = secrets.clone();
        let secret = secret.clone();
        let mut event = event.clone();
        Box::pin(async move {
            secrets.remove_label(&secret, "AWSPENDING").await.unwrap();
            let token = secrets.stage_pending(&secret).await.unwrap();
            for step in STEPS {
                event["Step"] = step.into();
                event["ClientRequestToken"] = token.as_str().into();
                let done = other.0.invoke(&event, Duration::from_secs(30)).await;
                done.success().unwrap();
            }
            // On AWS, four calls take longer than labels are believed.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }) as BoxFuture
    })
}

type BoxFuture = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// A setSecret that reads the superuser's secret for as long as another rotation takes; `stale`, if any, is answered with
/// what was true before.
async fn set_too_late(world: &World, stale: Option<&str>) -> TestResult<Invocation> {
    let token = world.created().await?;
    // The superuser's secret is the second AWSCURRENT that setSecret reads.
    let overtaken = rotated_anew(world).await?;
    world.api.before("GetSecretValue AWSCURRENT", 2, overtaken);
    if let Some(stale) = stale {
        world.api.answer(stale, 1.., Fault::Stale);
    }
    let late = world.step("setSecret", &token).await;
    world.api.heal();
    assert!(world.version_logs_in("AWSCURRENT").await?, "{stale:?}");
    assert_ne!(world.version("AWSCURRENT").await?, Some(token));
    Ok(late)
}

#[tokio::test]
async fn c29_a_late_set_secret_does_not_undo_the_rotation_that_came_after_it() -> TestResult {
    let it = world().alternating().await?;
    for _ in 0..2 {
        set_too_late(&it.world, None)
            .await?
            .failed_with("VersionNotStaged")?;
        it.world.rotate().await?;
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c29_labels_of_a_moment_ago_do_not_let_a_late_set_secret_through() -> TestResult {
    let it = world().alternating().await?;
    for stale in ["DescribeSecret", "GetSecretValue AWSCURRENT"] {
        let late = set_too_late(&it.world, Some(stale)).await?;
        assert!(late.answer.is_err(), "{stale}");
        it.world.rotate().await?;
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c29_a_late_create_secret_takes_no_label_from_the_rotation_that_came_after_it() -> TestResult
{
    let it = world().alternating().await?;
    let world = &it.world;
    let token = world.begin().await?;
    let overtaken = rotated_anew(world).await?;
    let api = world.api.clone();
    world.api.before("GetRandomPassword", 1, move |call| {
        let overtaken = overtaken(call);
        let api = api.clone();
        async move {
            // It goes out with the reads, which are over by then.
            let read = || {
                api.calls()
                    .iter()
                    .filter(|one| one.finished.is_some())
                    .count()
            };
            while read() < 3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            overtaken.await;
        }
    });
    world
        .step("createSecret", &token)
        .await
        .failed_with("VersionNotStaged")?;
    assert_ne!(world.version("AWSPENDING").await?, Some(token));
    assert!(world.version_logs_in("AWSCURRENT").await?);
    it.world.finish().await?;
    Ok(())
}
