//! Which password still works, where the secret and the database have lost each other: C11–C13, C15, C17.

use serde_json::json;
use testbed::{Fault, Postgres, World};

use super::{created, failed, set_password, stored_verifier, version_logs_in, warnings, world};

/// `ALTER ROLE` statements that the function sent since the world began.
fn changes(world: &World) -> usize {
    let statements = world.postgres.statements(&world.role, world.began);
    statements
        .iter()
        .filter(|statement| statement.sql.contains("ALTER ROLE"))
        .count()
}

/// A value like the current one with another password.
pub(super) async fn value_with(world: &World, password: &str) -> String {
    let mut value = world.current().await.unwrap().unwrap();
    value["password"] = json!(password);
    value.to_string()
}

#[tokio::test]
async fn c11_set_secret_logs_in_once_as_current_and_leaves_no_failed_login() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    let from = world.postgres.mark();
    world.step("setSecret", &token).await.success().unwrap();
    assert_eq!(world.db.connections(), 1);
    assert_eq!(world.postgres.refusals(&world.role, from), []);
    assert_eq!(changes(&world), 1);
    assert!(version_logs_in(&world, "AWSPENDING").await);
    assert!(!world.logs_in(&world.first_password).await.unwrap());
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c12_where_the_pending_password_works_there_is_no_second_change() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    world.step("setSecret", &token).await.success().unwrap();
    let verifier = stored_verifier(&world).await;
    for _ in 0..2 {
        world.step("setSecret", &token).await.success().unwrap();
    }
    assert_eq!(stored_verifier(&world).await, verifier);
    assert_eq!(changes(&world), 1);
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c13_where_only_the_previous_password_works_the_change_is_made_from_there() {
    let world = world().start().await.unwrap();
    world.rotate().await.unwrap();
    set_password(&world, &world.first_password).await;
    let token = created(&world).await;
    let set = world.step("setSecret", &token).await;
    set.success().unwrap();
    let warnings = warnings(&set);
    assert!(
        warnings.len() == 1 && warnings[0].contains("AWSPREVIOUS"),
        "{warnings:?}"
    );
    assert!(version_logs_in(&world, "AWSPENDING").await);
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c15_where_nothing_works_every_version_tried_is_told_and_nothing_is_touched() {
    let world = world().start().await.unwrap();
    world.rotate().await.unwrap();
    set_password(&world, "changed by hand").await;
    let token = created(&world).await;
    let (labels, verifier) = (world.labels().await.unwrap(), stored_verifier(&world).await);
    let message = failed(
        &world.step("setSecret", &token).await,
        "NoWorkingCredential",
    );
    for version in [
        "AWSCURRENT: password refused",
        "AWSPENDING: password refused",
        "AWSPREVIOUS: password refused",
    ] {
        assert!(message.contains(version), "{message}");
    }
    assert_eq!(world.labels().await.unwrap(), labels);
    assert_eq!(stored_verifier(&world).await, verifier);
    assert!(world.logs_in("changed by hand").await.unwrap());

    // What an administrator is told to do helps.
    set_password(&world, &world.password("AWSCURRENT").await.unwrap()).await;
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c15_a_role_of_awss_functions_that_may_not_list_versions_still_tells_what_was_tried() {
    let world = world().start().await.unwrap();
    world.rotate().await.unwrap();
    set_password(&world, "changed by hand").await;
    let token = created(&world).await;
    world.api.answer(
        "ListSecretVersionIds",
        1..,
        Fault::error("AccessDeniedException"),
    );
    let message = failed(
        &world.step("setSecret", &token).await,
        "NoWorkingCredential",
    );
    for told in [
        "AWSCURRENT: password refused",
        "AWSPREVIOUS: password refused",
        "secretsmanager:ListSecretVersionIds",
    ] {
        assert!(message.contains(told), "{told} is not in {message}");
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c15_a_late_call_does_not_undo_what_came_after_it() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    // The call has read the labels; before it goes on, an administrator gives the role and the secret another password.
    let (secrets, secret, postgres, role) = (
        world.secrets.clone(),
        world.secret.clone(),
        world.postgres.clone(),
        world.role.clone(),
    );
    let value = value_with(&world, "the administrator's password").await;
    world.keep_secret("the administrator's password");
    world.api.before("GetSecretValue", 3, move |_| {
        let (secrets, secret, postgres, role, value) = (
            secrets.clone(),
            secret.clone(),
            postgres.clone(),
            role.clone(),
            value.clone(),
        );
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
    set_password(&world, "in between").await;
    let late = world.step("setSecret", &token).await;
    assert!(
        world.logs_in("the administrator's password").await.unwrap(),
        "AWSCURRENT is locked out: {:?}",
        late.log
    );
    assert!(late.failure().is_ok(), "{:?}", late.log);
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c17_a_server_that_accepts_any_password_gets_the_new_one_all_the_same_and_is_warned_of() {
    let cluster = Postgres::options()
        .hba("hostssl all all 127.0.0.1/32 trust")
        .start()
        .await
        .unwrap();
    let world = world().postgres(&cluster).start().await.unwrap();
    let before = cluster.verifier(&world.role).await.unwrap();
    let token = created(&world).await;
    let set = world.step("setSecret", &token).await;
    set.success().unwrap();
    assert_ne!(cluster.verifier(&world.role).await.unwrap(), before);
    let warnings = warnings(&set);
    assert!(
        warnings.len() == 1 && warnings[0].contains("password"),
        "{warnings:?}"
    );
    world.steps(&token).await.unwrap();
    // In clear text this server checks passwords: it is the secret's that it takes.
    assert!(
        cluster
            .login_in_clear(
                &world.role,
                &world.password("AWSCURRENT").await.unwrap(),
                "postgres"
            )
            .await
            .is_ok()
    );
    assert!(
        cluster
            .login_in_clear(&world.role, &world.first_password, "postgres")
            .await
            .is_err()
    );
    world.finish().await.unwrap();
}
