//! What becomes current, and what never may: C29, C47.

use testbed::{Fault, TestResult};

use crate::world;

#[tokio::test]
async fn c47_a_clone_that_was_never_made_or_is_refused_is_never_promoted() -> TestResult {
    let it = world().alternating().await?;
    let token = it.world.created().await?;
    let clone = it.clone_role();
    let labels = it.world.labels().await?;
    let is_refused = async || {
        let finish = it.world.step("finishSecret", &token).await;
        let message = finish.failed_with("NoWorkingCredential")?;
        assert!(message.contains(&clone), "{message}");
        assert_eq!(it.world.labels().await?, labels);
        assert!(it.world.version_logs_in("AWSCURRENT").await?);
        TestResult::Ok(())
    };
    is_refused().await?;
    it.world.step("setSecret", &token).await.success()?;
    let postgres = &it.world.postgres;
    postgres.set_password(&clone, "changed by hand").await?;
    is_refused().await?;
    it.world.steps(&token).await?;
    assert_eq!(it.current().await?.0, clone);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c29_a_stale_current_value_never_changes_the_role_in_use() -> TestResult {
    let it = world().alternating().await?;
    it.world.rotate().await?;
    let token = it.world.begin().await?;
    // What was current before the last rotation, to every read of this one.
    it.world
        .api
        .answer("GetSecretValue AWSCURRENT", 1.., Fault::Stale);
    for step in ["createSecret", "setSecret"] {
        it.world
            .step(step, &token)
            .await
            .failed_with("AwsCallFailed")?;
        assert!(
            it.world.version_logs_in("AWSCURRENT").await?,
            "after {step}"
        );
    }
    it.world.api.heal();
    it.world.steps(&token).await?;
    assert!(it.world.version_logs_in("AWSCURRENT").await?);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c29_a_step_that_comes_early_promotes_nothing_without_a_look() -> TestResult {
    let it = world().alternating().await?;
    let token = it.world.created().await?;
    it.world.db.close();
    it.world
        .step("finishSecret", &token)
        .await
        .failed_with("DatabaseUnreachable")?;
    it.world.db.open().await?;
    assert!(it.world.version_logs_in("AWSCURRENT").await?);
    it.world.steps(&token).await?;
    it.world.finish().await?;
    Ok(())
}
