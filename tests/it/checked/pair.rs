//! Where something is in the way of alternating users.

use serde_json::json;
use testbed::{Alternating, Fault, Postgres, Superuser, TestResult};

use super::{checked, fails, is_mended};
use crate::world;

/// Ready and rotated, whichever role's turn it is.
async fn is_mended_twice(it: &Alternating) -> TestResult {
    is_mended(&it.world).await?;
    is_mended(&it.world).await
}

#[tokio::test]
async fn c63_what_is_wrong_with_the_superusers_secret_is_mended_as_it_says() -> TestResult {
    let it = world().alternating().await?;
    let role = it.world.role.clone();
    for (key, wrong, check, says) in [
        (
            "host",
            json!("127.0.0.1"),
            "superuser's secret",
            "ForeignTarget",
        ),
        (
            "username",
            json!(role),
            "superuser's secret",
            "must be a third",
        ),
        (
            "engine",
            json!("mysql"),
            "superuser's secret",
            "SecretMalformed",
        ),
        (
            "password",
            json!("not its password"),
            "superuser's login",
            "NoWorkingCredential",
        ),
    ] {
        it.name_superuser(|value| value[key] = wrong).await?;
        let answer = fails(&it.world, &[check], &[says]).await?;
        assert!(answer.with("ok").contains(&"login"), "{answer:#?}");
        assert!(answer.with("not tried").contains(&"password change"));
        it.name_superuser(|_| ()).await?;
        is_mended(&it.world).await?;
    }
    it.world.secrets.delete_secret(&it.superuser).await?;
    fails(
        &it.world,
        &["superuser's secret"],
        &["SecretPendingDeletion", "restore-secret"],
    )
    .await?;
    let restore = json!({"SecretId": it.superuser.arn});
    it.world.secrets.call("RestoreSecret", restore).await?;
    is_mended_twice(&it).await?;
    // The first value is the application's, the second the superuser's.
    it.world
        .api
        .answer("GetSecretValue", 2, Fault::error("AccessDeniedException"));
    fails(
        &it.world,
        &["superuser's secret"],
        &["AccessDenied", &it.superuser.arn],
    )
    .await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_rights_that_the_superuser_lacks_are_mended_by_what_is_printed() -> TestResult {
    let it = world().alternating_by(Superuser::Maker).await?;
    let superuser = &it.superuser_role;
    it.world
        .postgres
        .admin(&format!("ALTER ROLE {superuser} NOCREATEROLE"))
        .await?;
    fails(&it.world, &["password change"], &["PermissionDenied"]).await?;
    it.world
        .postgres
        .admin(&format!("ALTER ROLE {superuser} CREATEROLE"))
        .await?;
    is_mended_twice(&it).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_the_right_to_the_language_is_named_as_what_is_lacking() -> TestResult {
    let it = world()
        .database("without_language")
        .alternating_by(Superuser::Maker)
        .await?;
    let admin = it.world.postgres.admin_session("without_language").await?;
    admin
        .run("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC")
        .await?;
    let answer = fails(
        &it.world,
        &["password change"],
        &["lacks USAGE on the language plpgsql"],
    )
    .await?;
    let said = answer.says("password change");
    admin
        .run(printed(&said, "GRANT USAGE ON LANGUAGE plpgsql TO "))
        .await?;
    is_mended_twice(&it).await?;
    it.world.finish().await?;
    Ok(())
}

/// The statement in what was said that begins so; it ends with a quoted name.
fn printed<'a>(said: &'a str, beginning: &str) -> &'a str {
    let start = said
        .find(beginning)
        .unwrap_or_else(|| panic!("{beginning}: {said}"));
    let statement = &said[start..];
    let end = [" (SQLSTATE", ". Nothing was"]
        .into_iter()
        .filter_map(|end| statement.find(end))
        .min();
    &statement[..end.unwrap_or(statement.len())]
}

#[tokio::test]
async fn c63_a_strangers_role_with_the_clones_name_is_confirmed_by_what_is_printed() -> TestResult {
    let it = world().alternating_by(Superuser::Full).await?;
    let clone = it.clone_role();
    it.world
        .postgres
        .create_role(&clone, "a stranger's own")
        .await?;
    let answer = fails(&it.world, &["password change"], &["ForeignTarget"]).await?;
    let said = answer.says("password change");
    it.world.postgres.admin(printed(&said, "GRANT ")).await?;
    is_mended_twice(&it).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_role_that_would_not_be_let_in_after_the_change_fails_before_it() -> TestResult {
    let it = world().alternating_by(Superuser::Full).await?;
    it.world.rotate().await?;
    let role = &it.world.role;
    let postgres = &it.world.postgres;
    postgres
        .admin(&format!("ALTER ROLE {role} VALID UNTIL 'yesterday'"))
        .await?;
    fails(
        &it.world,
        &["password change"],
        &["NoWorkingCredential", "VALID UNTIL 'infinity'"],
    )
    .await?;
    postgres
        .admin(&format!("ALTER ROLE {role} VALID UNTIL 'infinity'"))
        .await?;
    is_mended_twice(&it).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_line_of_pg_hba_that_keeps_the_next_role_out_is_found() -> TestResult {
    let cluster = Postgres::options()
        .hba("hostssl all app_let_in_clone 127.0.0.0/8 reject")
        .start()
        .await?;
    let it = world()
        .postgres(&cluster)
        .role("app_let_in")
        .alternating_by(Superuser::Full)
        .await?;
    fails(
        &it.world,
        &["login of the next role"],
        &["ConnectionNotAllowed", "app_let_in_clone"],
    )
    .await?;
    let token = it.world.created().await?;
    it.world.step("setSecret", &token).await.success()?;
    it.world
        .step("testSecret", &token)
        .await
        .failed_with("ConnectionNotAllowed")?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_sessions_of_the_next_role_are_a_warning_or_a_failure_as_the_setting_says() -> TestResult
{
    let it = world().alternating_by(Superuser::Full).await?;
    let (role, password) = it.current().await?;
    it.world.rotate().await?;
    let left = it
        .world
        .postgres
        .login(&role, &password, "postgres")
        .await?;
    left.run("SET application_name = 'left behind'").await?;
    let answer = checked(&it.world).await?;
    assert!(
        answer.is_ready()
            && answer
                .with("warning")
                .contains(&"sessions of the next role")
    );
    let said = answer.says("sessions of the next role");
    assert!(
        said.contains("left behind") && said.contains("sessions: 1"),
        "{said}"
    );
    let strict = it
        .world
        .function
        .another()
        .env("REFUSE_WHILE_IN_USE", "true")
        .start()
        .await?;
    let answer = super::checked_by(&it.world, &strict).await?;
    assert_eq!(answer.with("failed"), ["sessions of the next role"]);
    drop(left);
    testbed::eventually("no session", async || {
        let sessions = it
            .world
            .postgres
            .admin(&format!(
                "SELECT 1 FROM pg_stat_activity WHERE usename = '{role}'"
            ))
            .await?;
        Ok(sessions.is_empty().then_some(()))
    })
    .await?;
    assert!(super::checked_by(&it.world, &strict).await?.is_ready());
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_the_credential_in_use_is_explained_by_what_the_superuser_sees() -> TestResult {
    let it = world().alternating_by(Superuser::Full).await?;
    let role = &it.world.role;
    it.world
        .postgres
        .admin(&format!("ALTER ROLE {role} RENAME TO {role}_gone"))
        .await?;
    let answer = checked(&it.world).await?;
    assert!(answer.with("failed").contains(&"login"), "{answer:#?}");
    assert!(
        answer.says("login").contains("does not exist"),
        "{answer:#?}"
    );
    it.world
        .postgres
        .admin(&format!("ALTER ROLE {role}_gone RENAME TO {role}"))
        .await?;
    is_mended_twice(&it).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_what_a_clone_lacks_of_its_original_is_a_warning() -> TestResult {
    let it = world().alternating_by(Superuser::Maker).await?;
    it.world.rotate().await?;
    let role = &it.world.role;
    it.world
        .postgres
        .admin(&format!("ALTER ROLE {role} SUPERUSER"))
        .await?;
    let answer = checked(&it.world).await?;
    let warns = answer.with("warning").contains(&"clone")
        || answer.with("failed").contains(&"password change");
    assert!(warns, "{answer:#?}");
    it.world
        .postgres
        .admin(&format!("ALTER ROLE {role} NOSUPERUSER"))
        .await?;
    is_mended_twice(&it).await?;
    it.world.finish().await?;
    Ok(())
}
