//! A catalogue that shows nothing to those who need not see it: C53.

use testbed::{Alternating, Superuser, TestResult, unique};

use crate::world;

/// A world in a database of its own, so that what is revoked there is nobody else's.
async fn in_own_database(kind: Superuser) -> TestResult<Alternating> {
    let database = unique("hardened");
    Ok(world().database(&database).alternating_by(kind).await?)
}

/// Runs a statement as the administrator, in the world's database.
async fn there(it: &Alternating, sql: &str) -> TestResult {
    let session = it.world.postgres.admin_session(&it.world.database).await?;
    session.run(sql).await?;
    Ok(())
}

const HIDDEN: &str =
    "REVOKE SELECT ON pg_db_role_setting, pg_roles, pg_stat_activity, pg_shdepend FROM PUBLIC";

#[tokio::test]
async fn c53_two_take_turns_where_the_catalogue_is_hidden_from_them() -> TestResult {
    let it = in_own_database(Superuser::Full).await?;
    there(&it, HIDDEN).await?;
    for _ in 0..3 {
        let rotation = it.world.rotate().await?;
        for (step, invocation) in &rotation.steps {
            assert!(invocation.warnings().is_empty(), "{step}: {invocation:?}");
        }
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c53_a_superuser_who_may_not_read_settings_lets_the_clone_start_as_the_original_and_says_so()
-> TestResult {
    let it = in_own_database(Superuser::Maker).await?;
    there(
        &it,
        "REVOKE SELECT ON pg_db_role_setting, pg_shdepend FROM PUBLIC",
    )
    .await?;
    for _ in 0..2 {
        let rotation = it.world.rotate().await?;
        let [_, (_, set), (_, test), _] = &rotation.steps[..] else {
            panic!("{rotation:?}");
        };
        let warnings = set.warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("pg_db_role_setting"), "{warnings:?}");
        assert!(test.warnings().is_empty(), "{test:?}");
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c53_where_sessions_start_as_a_third_role_and_the_catalogue_is_hidden_a_warning_says_that_it_is()
-> TestResult {
    let it = in_own_database(Superuser::Full).await?;
    let group = unique("group");
    there(
        &it,
        &format!(
            "CREATE ROLE {group}; GRANT {group} TO {original}; ALTER ROLE {original} SET role = {group}; {HIDDEN}",
            original = it.world.role
        ),
    )
    .await?;
    let rotation = it.world.rotate().await?;
    let warnings = rotation.steps[2].1.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("pg_db_role_setting") && warnings[0].contains(&it.clone_role()),
        "{warnings:?}"
    );
    it.world.rotate().await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c53_a_hidden_catalogue_lets_no_clone_pass_whose_sessions_act_as_itself() -> TestResult {
    let it = in_own_database(Superuser::Full).await?;
    there(&it, HIDDEN).await?;
    let token = it.world.created().await?;
    it.world.step("setSecret", &token).await.success()?;
    there(&it, &format!("ALTER ROLE {} RESET role", it.clone_role())).await?;
    let test = it.world.step("testSecret", &token).await;
    test.failed_with("CloneNotEqual")?;
    it.world.steps(&token).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c53_a_superuser_without_plpgsql_is_told_the_grant_and_it_helps() -> TestResult {
    let it = in_own_database(Superuser::Maker).await?;
    there(&it, "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC").await?;
    let token = it.world.created().await?;
    let set = it.world.step("setSecret", &token).await;
    let message = set.failed_with("PermissionDenied")?;
    assert!(!message.contains("rds_password"), "{message}");
    let (_, grant) = message.split_once("as an administrator of it: ").unwrap();
    let (grant, _) = grant.split_once(". ").unwrap();
    assert_eq!(
        grant,
        format!(
            "GRANT USAGE ON LANGUAGE plpgsql TO \"{}\"",
            it.superuser_role
        )
    );
    there(&it, grant).await?;
    it.world.steps(&token).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c53_a_superuser_who_may_not_see_roles_is_told_to_be_granted_that() -> TestResult {
    let it = in_own_database(Superuser::Maker).await?;
    for hidden in ["pg_roles", "pg_auth_members"] {
        there(&it, &format!("REVOKE SELECT ON {hidden} FROM PUBLIC")).await?;
        let token = it.world.created().await?;
        let set = it.world.step("setSecret", &token).await;
        let message = set.failed_with("PermissionDenied")?;
        assert!(
            message.contains(hidden)
                && message.contains("SELECT on")
                && !message.contains("rds_password"),
            "{message}"
        );
        there(
            &it,
            &format!("GRANT SELECT ON {hidden} TO {}", it.superuser_role),
        )
        .await?;
        it.world.steps(&token).await?;
    }
    it.world.finish().await?;
    Ok(())
}
