//! What becomes current, and what never may: C29, C47.

use testbed::Fault;

use super::Alternating;
use crate::{created, failed, version_logs_in};

#[tokio::test]
async fn c47_a_clone_that_was_never_made_or_is_refused_is_never_promoted() {
    let it = Alternating::start().await;
    let (token, clone) = (created(&it.world).await, it.clone_role());
    let labels = it.world.labels().await.unwrap();
    let is_refused = async || {
        let finish = it.world.step("finishSecret", &token).await;
        let message = failed(&finish, "NoWorkingCredential");
        assert!(message.contains(&clone), "{message}");
        assert_eq!(it.world.labels().await.unwrap(), labels);
        assert!(version_logs_in(&it.world, "AWSCURRENT").await);
    };
    is_refused().await;
    it.world.step("setSecret", &token).await.success().unwrap();
    let postgres = &it.world.postgres;
    postgres
        .set_password(&clone, "changed by hand")
        .await
        .unwrap();
    is_refused().await;
    it.world.steps(&token).await.unwrap();
    assert_eq!(it.current().await.0, clone);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c29_a_stale_current_value_never_changes_the_role_in_use() {
    let it = Alternating::start().await;
    it.world.rotate().await.unwrap();
    let token = it.world.begin().await.unwrap();
    // What was current before the last rotation, to every read of this one.
    it.world
        .api
        .answer("GetSecretValue AWSCURRENT", 1.., Fault::Stale);
    for step in ["createSecret", "setSecret"] {
        failed(&it.world.step(step, &token).await, "AwsCallFailed");
        assert!(
            version_logs_in(&it.world, "AWSCURRENT").await,
            "after {step}"
        );
    }
    it.world.api.heal();
    it.world.steps(&token).await.unwrap();
    assert!(version_logs_in(&it.world, "AWSCURRENT").await);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c29_a_step_that_comes_early_promotes_nothing_without_a_look() {
    let it = Alternating::start().await;
    let token = created(&it.world).await;
    it.world.db.close();
    failed(
        &it.world.step("finishSecret", &token).await,
        "DatabaseUnreachable",
    );
    it.world.db.open().await.unwrap();
    assert!(version_logs_in(&it.world, "AWSCURRENT").await);
    it.world.steps(&token).await.unwrap();
    it.world.finish().await.unwrap();
}
