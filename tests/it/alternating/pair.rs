//! Two roles take turns, and only a confirmed pair does: C23, C25.

use serde_json::json;
use testbed::unique;

use super::{Alternating, Superuser};
use crate::{created, failed, second_function, version_logs_in, world};

#[tokio::test]
async fn c23_two_roles_take_turns_and_the_credential_before_stays_good() {
    let it = Alternating::start().await;
    let (original, clone) = (it.world.role.clone(), it.clone_role());
    for expected in [&clone, &original, &clone] {
        let before = it.current().await;
        it.world.rotate().await.unwrap();
        let (role, password) = it.current().await;
        assert_eq!(&role, expected);
        assert_ne!(password, before.1);
        assert!(version_logs_in(&it.world, "AWSCURRENT").await);
        assert!(
            it.world
                .postgres
                .logs_in(&before.0, &before.1, "postgres")
                .await
                .unwrap(),
            "the one before still works"
        );
    }
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c23_a_role_that_is_merely_called_a_clone_resets_nobody() {
    let it = Alternating::start().await;
    let victim = unique("victim");
    let (stranger, cluster) = (format!("{victim}_clone"), &it.world.postgres);
    cluster
        .create_role(&victim, "the victim's own")
        .await
        .unwrap();
    cluster
        .create_role(&stranger, "the stranger's own")
        .await
        .unwrap();
    cluster
        .admin(&format!(
            "GRANT {victim}, {stranger} TO {} WITH ADMIN OPTION",
            it.superuser_role
        ))
        .await
        .unwrap();
    let before = cluster.verifier(&victim).await.unwrap();
    let mut value = it.world.current().await.unwrap().unwrap();
    (value["username"], value["password"]) = (json!(stranger), json!("the stranger's own"));
    it.world
        .secrets
        .put_value(&it.world.secret, None, &["AWSCURRENT"], &value.to_string())
        .await
        .unwrap();

    let token = created(&it.world).await;
    let failed = it.world.step("setSecret", &token).await;
    let failure = failed.failure().unwrap();
    assert_eq!(failure.error_type, "ForeignTarget");
    assert_eq!(cluster.verifier(&victim).await.unwrap(), before);

    let grant = format!("GRANT {victim} TO {stranger}");
    assert!(
        failure.error_message.contains(&grant),
        "{}",
        failure.error_message
    );
    cluster.admin(&grant).await.unwrap();
    it.world.steps(&token).await.unwrap();
    assert_eq!(it.current().await.0, victim);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c23_a_strangers_role_with_the_clones_name_is_left_alone() {
    let it = Alternating::start().await;
    it.world
        .postgres
        .create_role(&it.clone_role(), "a stranger's own")
        .await
        .unwrap();
    let before = it.world.postgres.verifier(&it.clone_role()).await.unwrap();
    let token = created(&it.world).await;
    failed(&it.world.step("setSecret", &token).await, "ForeignTarget");
    assert_eq!(
        it.world.postgres.verifier(&it.clone_role()).await.unwrap(),
        before
    );
    assert!(version_logs_in(&it.world, "AWSCURRENT").await);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c23_a_name_too_long_for_a_clone_is_refused_by_create_secret() {
    let long = format!("{:r<60}", unique("long"));
    let it = Alternating::of(world().role(&long), Superuser::Full).await;
    let token = it.world.begin().await.unwrap();
    let failed = it.world.step("createSecret", &token).await;
    assert_eq!(failed.error_type(), Some("CloneNameInvalid"));
    assert_eq!(it.world.pending().await.unwrap(), None);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c25_set_secret_done_twice_and_by_two_at_once_is_the_same() {
    let it = Alternating::start().await;
    let token = created(&it.world).await;
    for _ in 0..3 {
        it.world.step("setSecret", &token).await.success().unwrap();
    }
    let second = second_function(&it.world, &it.world.api).await;
    let event = it.world.event("setSecret", &token);
    let (one, two) = tokio::join!(
        it.world.step("setSecret", &token),
        second.invoke(&event, std::time::Duration::from_secs(30))
    );
    one.success().unwrap();
    two.success().unwrap();
    it.world.step("testSecret", &token).await.success().unwrap();
    it.world
        .step("finishSecret", &token)
        .await
        .success()
        .unwrap();
    assert!(version_logs_in(&it.world, "AWSCURRENT").await);
    it.world.finish().await.unwrap();
}
