//! Two roles take turns, and only a confirmed pair does: C23, C25.

use serde_json::json;
use testbed::{Superuser, TestResult, unique};

use crate::world;

#[tokio::test]
async fn c23_two_roles_take_turns_and_the_credential_before_stays_good() -> TestResult {
    let it = world().alternating().await?;
    let (original, clone) = (it.world.role.clone(), it.clone_role());
    for expected in [&clone, &original, &clone] {
        let before = it.current().await?;
        it.world.rotate().await?;
        let (role, password) = it.current().await?;
        assert_eq!(&role, expected);
        assert_ne!(password, before.1);
        assert!(it.world.version_logs_in("AWSCURRENT").await?);
        assert!(
            it.world
                .postgres
                .logs_in(&before.0, &before.1, "postgres")
                .await?,
            "the one before still works"
        );
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c23_a_role_that_is_merely_called_a_clone_resets_nobody() -> TestResult {
    let it = world().alternating().await?;
    let victim = unique("victim");
    let (stranger, cluster) = (format!("{victim}_clone"), &it.world.postgres);
    cluster.create_role(&victim, "the victim's own").await?;
    cluster.create_role(&stranger, "the stranger's own").await?;
    cluster
        .admin(&format!(
            "GRANT {victim}, {stranger} TO {} WITH ADMIN OPTION",
            it.superuser_role
        ))
        .await?;
    let before = cluster.verifier(&victim).await?;
    let mut value = it.world.current().await?;
    (value["username"], value["password"]) = (json!(stranger), json!("the stranger's own"));
    it.world
        .secrets
        .put_value(&it.world.secret, None, &["AWSCURRENT"], &value.to_string())
        .await?;

    let token = it.world.created().await?;
    let failed = it.world.step("setSecret", &token).await;
    let failure = failed.failure()?;
    assert_eq!(failure.error_type, "ForeignTarget");
    assert_eq!(cluster.verifier(&victim).await?, before);

    let grant = format!("GRANT {victim} TO {stranger}");
    assert!(
        failure.error_message.contains(&grant),
        "{}",
        failure.error_message
    );
    cluster.admin(&grant).await?;
    it.world.steps(&token).await?;
    assert_eq!(it.current().await?.0, victim);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c23_a_strangers_role_with_the_clones_name_is_left_alone() -> TestResult {
    let it = world().alternating().await?;
    it.world
        .postgres
        .create_role(&it.clone_role(), "a stranger's own")
        .await?;
    let before = it.world.postgres.verifier(&it.clone_role()).await?;
    let token = it.world.created().await?;
    it.world
        .step("setSecret", &token)
        .await
        .failed_with("ForeignTarget")?;
    assert_eq!(it.world.postgres.verifier(&it.clone_role()).await?, before);
    assert!(it.world.version_logs_in("AWSCURRENT").await?);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c23_a_name_too_long_for_a_clone_is_refused_by_create_secret() -> TestResult {
    let long = format!("{:r<60}", unique("long"));
    let it = world().role(&long).alternating_by(Superuser::Full).await?;
    let token = it.world.begin().await?;
    let failed = it.world.step("createSecret", &token).await;
    assert_eq!(failed.error_type(), Some("CloneNameInvalid"));
    assert_eq!(it.world.pending().await?, None);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c25_set_secret_done_twice_and_by_two_at_once_is_the_same() -> TestResult {
    let it = world().alternating().await?;
    let token = it.world.created().await?;
    for _ in 0..3 {
        it.world.step("setSecret", &token).await.success()?;
    }
    let second = it.world.second_function(&it.world.api).await?;
    let event = it.world.event("setSecret", &token);
    let (one, two) = tokio::join!(
        it.world.step("setSecret", &token),
        second.invoke(&event, std::time::Duration::from_secs(30))
    );
    one.success()?;
    two.success()?;
    it.world.step("testSecret", &token).await.success()?;
    it.world.step("finishSecret", &token).await.success()?;
    assert!(it.world.version_logs_in("AWSCURRENT").await?);
    it.world.finish().await?;
    Ok(())
}
