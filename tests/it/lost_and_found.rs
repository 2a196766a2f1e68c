//! Which password still works, where the secret and the database have lost each other: C11–C13, C15, C17.

use serde_json::json;
use testbed::{Fault, Postgres, TestResult, World};

use super::world;

/// `ALTER ROLE` statements that the function sent since the world began.
fn changes(world: &World) -> usize {
    let statements = world.postgres.statements(&world.role, world.began);
    statements
        .iter()
        .filter(|statement| statement.sql.contains("ALTER ROLE"))
        .count()
}

/// A value like the current one with another password.
pub(super) async fn value_with(world: &World, password: &str) -> TestResult<String> {
    let mut value = world.current().await?;
    value["password"] = json!(password);
    Ok(value.to_string())
}

#[tokio::test]
async fn c11_c51_set_secret_logs_in_as_current_and_proves_the_change_without_a_failed_login()
-> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let from = world.postgres.mark();
    world.step("setSecret", &token).await.success()?;
    assert_eq!(world.db.connections(), 2);
    assert_eq!(world.postgres.refusals(&world.role, from), [""; 0]);
    assert_eq!(changes(&world), 1);
    assert!(world.version_logs_in("AWSPENDING").await?);
    assert!(!world.logs_in(&world.first_password).await?);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c12_where_the_pending_password_works_there_is_no_second_change() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.step("setSecret", &token).await.success()?;
    let verifier = world.verifier().await?;
    for _ in 0..2 {
        world.step("setSecret", &token).await.success()?;
    }
    assert_eq!(world.verifier().await?, verifier);
    assert_eq!(changes(&world), 1);
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c13_where_only_the_previous_password_works_the_change_is_made_from_there() -> TestResult {
    let world = world().start().await?;
    world.rotate().await?;
    world.set_password(&world.first_password).await?;
    let token = world.created().await?;
    let set = world.step("setSecret", &token).await;
    set.success()?;
    let warnings = set.warnings();
    assert!(
        warnings.len() == 1 && warnings[0].contains("AWSPREVIOUS"),
        "{warnings:?}"
    );
    assert!(world.version_logs_in("AWSPENDING").await?);
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c15_where_nothing_works_every_version_tried_is_told_and_nothing_is_touched() -> TestResult
{
    let world = world().start().await?;
    world.rotate().await?;
    world.set_password("changed by hand").await?;
    let token = world.created().await?;
    let labels = world.labels().await?;
    let verifier = world.verifier().await?;
    let message = world
        .step("setSecret", &token)
        .await
        .failed_with("NoWorkingCredential")?;
    for version in [
        "AWSCURRENT: password refused",
        "AWSPENDING: password refused",
        "AWSPREVIOUS: password refused",
    ] {
        assert!(message.contains(version), "{message}");
    }
    assert_eq!(world.labels().await?, labels);
    assert_eq!(world.verifier().await?, verifier);
    assert!(world.logs_in("changed by hand").await?);

    // What an administrator is told to do helps.
    world
        .set_password(&world.password("AWSCURRENT").await?)
        .await?;
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c15_a_role_of_awss_functions_that_may_not_list_versions_still_tells_what_was_tried()
-> TestResult {
    let world = world().start().await?;
    world.rotate().await?;
    world.set_password("changed by hand").await?;
    let token = world.created().await?;
    world.api.answer(
        "ListSecretVersionIds",
        1..,
        Fault::error("AccessDeniedException"),
    );
    let message = world
        .step("setSecret", &token)
        .await
        .failed_with("NoWorkingCredential")?;
    for part in [
        "AWSCURRENT: password refused",
        "AWSPREVIOUS: password refused",
        "secretsmanager:ListSecretVersionIds",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c15_a_late_call_does_not_undo_what_came_after_it() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    // The call has read the labels; before it goes on, an administrator gives the role and the secret another password.
    let secrets = world.secrets.clone();
    let secret = world.secret.clone();
    let postgres = world.postgres.clone();
    let role = world.role.clone();
    let value = value_with(&world, "the administrator's password").await?;
    world.keep_secret("the administrator's password");
    world.api.before("GetSecretValue", 3, move |_| {
        let secrets = secrets.clone();
        let secret = secret.clone();
        let postgres = postgres.clone();
        let role = role.clone();
        let value = value.clone();
        async move {
            secrets.remove_label(&secret, "AWSPENDING").await.unwrap();
            secrets
                .put_value(&secret, None, &["AWSCURRENT"], &value)
                .await
                .unwrap();
            postgres
                .set_password(&role, "the administrator's password")
                .await
                .unwrap();
        }
    });
    world.set_password("in between").await?;
    let late = world.step("setSecret", &token).await;
    assert!(
        world.logs_in("the administrator's password").await?,
        "AWSCURRENT is locked out: {:?}",
        late.log
    );
    assert!(late.failure().is_ok(), "{:?}", late.log);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c17_a_server_that_accepts_any_password_gets_the_new_one_all_the_same_and_is_warned_of()
-> TestResult {
    let cluster = Postgres::options()
        .hba("hostssl all all 127.0.0.0/8 trust")
        .start()
        .await?;
    let world = world().postgres(&cluster).start().await?;
    let before = cluster.verifier(&world.role).await?;
    let token = world.created().await?;
    let set = world.step("setSecret", &token).await;
    set.success()?;
    assert_ne!(cluster.verifier(&world.role).await?, before);
    let warnings = set.warnings();
    assert!(
        warnings.len() == 1 && warnings[0].contains("password"),
        "{warnings:?}"
    );
    world.steps(&token).await?;
    // Through the socket this server checks passwords: it is the secret's that it takes.
    assert!(
        cluster
            .login(
                &world.role,
                &world.password("AWSCURRENT").await?,
                "postgres"
            )
            .await
            .is_ok()
    );
    assert!(
        cluster
            .login(&world.role, &world.first_password, "postgres")
            .await
            .is_err()
    );
    world.finish().await?;
    Ok(())
}
