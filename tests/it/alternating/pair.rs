//! Two roles take turns, and only a confirmed pair does: C23, C25.

use serde_json::json;
use testbed::{Postgres, Superuser, TestResult, unique};

use super::quoted;
use crate::world;

#[tokio::test]
async fn c23_two_roles_take_turns_and_the_credential_before_stays_good() -> TestResult {
    let it = world().alternating().await?;
    let original = it.world.role.clone();
    let clone = it.clone_role();
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
    let stranger = format!("{victim}_clone");
    let cluster = &it.world.postgres;
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

/// The statements that an error prints for an administrator.
fn printed(message: &str) -> &str {
    let (_, statements) = message.split_once("as an administrator: ").unwrap();
    statements.split_once(" (SQLSTATE").unwrap().0
}

#[tokio::test]
async fn c23_the_printed_statements_run_also_where_the_membership_is_the_wrong_way_round()
-> TestResult {
    for version in ["15", "16"] {
        let cluster = Postgres::options().version(version).start().await?;
        // The longest names that there can be.
        let long = |prefix| format!("{:\"<57}", unique(prefix));
        let original = long("turned");
        let group = long("between");
        let it = world().postgres(&cluster).role(&original);
        let it = it.alternating_by(Superuser::Full).await?;
        let clone = it.clone_role();
        let [original, clone, group] = [&original, &clone, &group].map(|name| quoted(name));
        let by_hand = format!("CREATE ROLE {clone} LOGIN; CREATE ROLE {group}");
        cluster.admin(&by_hand).await?;
        for wrong in [
            format!("GRANT {clone} TO {original}"),
            format!("GRANT {clone} TO {group} WITH ADMIN OPTION; GRANT {group} TO {original}"),
            format!(
                "GRANT {clone} TO {original} WITH ADMIN OPTION; SET SESSION AUTHORIZATION {original}; GRANT {clone} TO {group}"
            ),
        ] {
            cluster.admin(&wrong).await?;
            let token = it.world.created().await?;
            let set = it.world.step("setSecret", &token).await;
            let message = set.failed_with("ForeignTarget")?;
            cluster.admin(printed(&message)).await?;
            it.world.steps(&token).await?;
            it.world.rotate().await?;
            let undo = format!(
                "DROP ROLE {clone}; CREATE ROLE {clone} LOGIN; DROP ROLE {group}; CREATE ROLE {group}"
            );
            cluster.admin(&undo).await?;
        }
        it.world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c23_the_printed_statements_give_admin_also_where_the_membership_is_the_wrong_way_round()
-> TestResult {
    let cluster = Postgres::options().version("16").start().await?;
    let it = world().postgres(&cluster);
    let it = it.alternating_by(Superuser::Bare).await?;
    let wrong = format!("GRANT {} TO {}", it.superuser_role, it.world.role);
    cluster.admin(&wrong).await?;
    let token = it.world.created().await?;
    let set = it.world.step("setSecret", &token).await;
    let message = set.failed_with("PermissionDenied")?;
    assert!(printed(&message).starts_with("REVOKE"), "{message}");
    cluster.admin(printed(&message)).await?;
    it.world.steps(&token).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c23_an_original_that_is_gone_is_made_anew_by_the_printed_statements() -> TestResult {
    let it = world().alternating_by(Superuser::Full).await?;
    it.world.rotate().await?;
    let cluster = &it.world.postgres;
    cluster
        .admin(&format!("DROP ROLE {}", it.world.role))
        .await?;
    let token = it.world.created().await?;
    let set = it.world.step("setSecret", &token).await;
    let message = set.failed_with("ForeignTarget")?;
    cluster.admin(printed(&message)).await?;
    it.world.steps(&token).await?;
    it.world.rotate().await?;
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
