//! Applications that go on with the role whose turn it is: C56.

use testbed::{Alternating, Session, Superuser, TestResult};

use crate::world;

const WARNING: &str = "the role whose turn it is still has sessions";

/// What setSecret warns of, with a session of each of the two roles open.
async fn warned(it: &Alternating) -> TestResult<Vec<String>> {
    let (role, password) = it.current().await?;
    it.world.rotate().await?;
    let left = Session::over_tcp(it.world.postgres.port(), &role, &password).await?;
    left.run("SET application_name = 'left behind'").await?;
    let token = it.world.created().await?;
    let set = it.world.step("setSecret", &token).await;
    set.success()?;
    it.world.steps(&token).await?;
    let warnings = set.warnings().into_iter();
    Ok(warnings
        .filter(|line| line.contains(WARNING))
        .cloned()
        .collect())
}

#[tokio::test]
async fn c56_sessions_of_the_role_whose_turn_it_is_are_warned_of() -> TestResult {
    let it = world().alternating_by(Superuser::Full).await?;
    let warnings = warned(&it).await?;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in [
        "\"sessions\":1",
        "left behind",
        "\"127.0.0.2\"",
        "\"since\":\"20",
    ] {
        assert!(warnings[0].contains(part), "{part}: {warnings:?}");
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c56_what_the_superuser_may_not_see_is_left_out() -> TestResult {
    let it = world().alternating_by(Superuser::Granted).await?;
    let warnings = warned(&it).await?;
    assert!(
        warnings.len() == 1 && warnings[0].contains("\"sessions\":1"),
        "{warnings:?}"
    );
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c56_where_the_view_cannot_be_read_nothing_is_said() -> TestResult {
    let postgres = testbed::Postgres::options().start().await?;
    postgres
        .admin("REVOKE SELECT ON pg_stat_activity FROM PUBLIC")
        .await?;
    let it = world()
        .postgres(&postgres)
        .alternating_by(Superuser::Granted)
        .await?;
    assert_eq!(warned(&it).await?, [""; 0]);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c56_a_role_in_use_is_refused_where_that_is_asked_for_and_nothing_changes() -> TestResult {
    let it = world()
        .env("REFUSE_WHILE_IN_USE", "true")
        .alternating()
        .await?;
    let (role, password) = it.current().await?;
    it.world.rotate().await?;
    let left = Session::over_tcp(it.world.postgres.port(), &role, &password).await?;
    left.run("SET application_name = 'left behind'").await?;
    let before = it.world.postgres.verifier(&role).await?;
    let token = it.world.created().await?;
    let message = it
        .world
        .step("setSecret", &token)
        .await
        .failed_with("RoleInUse")?;
    assert!(
        message.contains(&role) && message.contains("left behind"),
        "{message}"
    );
    assert_eq!(it.world.postgres.verifier(&role).await?, before);
    drop(left);
    testbed::eventually("the session's end", async || {
        let sessions = format!("SELECT 1 FROM pg_stat_activity WHERE usename = '{role}'");
        Ok(it
            .world
            .postgres
            .admin(&sessions)
            .await?
            .is_empty()
            .then_some(()))
    })
    .await?;
    it.world.steps(&token).await?;
    it.world.finish().await?;
    Ok(())
}
