//! A password that no label leads to any more, found again: C14.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Fault, World};

use super::lost_and_found::value_with;
use super::{
    cancel, created, failed, second_function, set_password, version_logs_in, warnings, world,
};

/// A rotation that was cancelled after the `ALTER ROLE`, its label removed; the password it left behind.
async fn cancelled_after_the_change(world: &World) -> (String, String) {
    let token = created(world).await;
    world.step("setSecret", &token).await.success().unwrap();
    let orphan = world.password("AWSPENDING").await.unwrap();
    cancel(world).await;
    (token, orphan)
}

#[tokio::test]
async fn c14_a_password_orphaned_by_a_cancelled_rotation_is_found_again() {
    let world = world().start().await.unwrap();
    let (orphaned, password) = cancelled_after_the_change(&world).await;
    assert!(
        !world.logs_in(&world.first_password).await.unwrap(),
        "the lock-out"
    );
    assert!(world.logs_in(&password).await.unwrap());
    let token = created(&world).await;
    let set = world.step("setSecret", &token).await;
    set.success().unwrap();
    let warnings = warnings(&set);
    assert!(
        warnings.len() == 1 && warnings[0].contains(&orphaned),
        "{warnings:?}"
    );
    world.steps(&token).await.unwrap();
    assert!(version_logs_in(&world, "AWSCURRENT").await);
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c14_the_newest_ten_older_versions_are_tried_newest_first_and_no_more() {
    let world = world().start().await.unwrap();
    let mut versions = Vec::new();
    for n in 1..=12 {
        let value = value_with(&world, &format!("an older password {n}")).await;
        versions.push(
            world
                .secrets
                .put_value(&world.secret, None, &["mine"], &value)
                .await
                .unwrap(),
        );
    }
    // A version with a label of the owner's own is one like any other.
    set_password(&world, "an older password 1").await;
    let token = created(&world).await;
    let from = world.postgres.mark();
    let message = failed(
        &world.step("setSecret", &token).await,
        "NoWorkingCredential",
    );
    let at: Vec<_> = versions
        .iter()
        .rev()
        .map(|version| message.find(version.as_str()))
        .collect();
    assert!(
        at[..10].is_sorted() && at[..10].iter().all(Option::is_some),
        "{message}"
    );
    assert!(at[10..].iter().all(Option::is_none), "{message}");
    assert_eq!(
        world.postgres.refusals(&world.role, from).len(),
        13,
        "current, pending, ten, and pending again"
    );

    set_password(&world, "an older password 3").await;
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c14_of_two_calls_at_once_that_search_one_sets_the_password_and_both_succeed() {
    let world = world().start().await.unwrap();
    cancelled_after_the_change(&world).await;
    let token = created(&world).await;
    // The whole other call, after this one has been refused with AWSCURRENT and AWSPENDING.
    let (other, event) = (
        second_function(&world, &world.api).await,
        world.event("setSecret", &token),
    );
    let other = Arc::new((other, event));
    world.api.before("ListSecretVersionIds", 1, move |_| {
        let other = Arc::clone(&other);
        async move {
            let (function, event) = &*other;
            let set = function.invoke(event, Duration::from_secs(10)).await;
            set.success().unwrap();
        }
    });
    let from = world.postgres.mark();
    let set = world.step("setSecret", &token).await;
    set.success().unwrap();
    assert!(set.log.iter().any(|line| line.contains("already set")));
    let changes = world.postgres.statements(&world.role, from);
    let changes = changes.iter().filter(|one| one.sql.contains("ALTER ROLE"));
    assert_eq!(changes.count(), 1);
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c14_of_an_older_version_only_the_password_counts() {
    let world = world().start().await.unwrap();
    let password = testbed::unique("an-older-password");
    let mut older: Value = serde_json::from_str(&value_with(&world, &password).await).unwrap();
    older["ssl"] = json!(false);
    older["dbname"] = json!("dropped_since");
    let older = older.to_string();
    let put = world
        .secrets
        .put_value(&world.secret, None, &["mine"], &older);
    put.await.unwrap();
    set_password(&world, &password).await;
    let token = created(&world).await;
    let from = world.postgres.mark();
    world.step("setSecret", &token).await.success().unwrap();
    let sessions = world.postgres.connections(&world.role, from);
    assert!(!sessions.is_empty());
    for session in sessions {
        assert!(session.tls.is_some(), "{session:?}");
    }
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c14_an_older_version_on_a_later_page_is_found() {
    let world = world().start().await.unwrap();
    let (_, password) = cancelled_after_the_change(&world).await;
    let token = created(&world).await;
    let page = json!({"ARN": world.secret.arn, "Name": world.secret.name, "Versions": [], "NextToken": "0"});
    world.api.answer(
        "ListSecretVersionIds",
        1,
        Fault::Status(200, page.to_string()),
    );
    world.step("setSecret", &token).await.success().unwrap();
    assert!(!world.logs_in(&password).await.unwrap());
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c14_older_versions_that_cannot_be_read_or_name_another_server_do_not_stop_the_search() {
    let world = world().start().await.unwrap();
    let (_, password) = cancelled_after_the_change(&world).await;
    let decoy = testbed::DbGate::decoy().await.unwrap();
    let mut foreign: Value = serde_json::from_str(&value_with(&world, &password).await).unwrap();
    foreign["port"] = json!(decoy.port());
    for value in ["no JSON", "{}", &foreign.to_string()] {
        world
            .secrets
            .put_value(&world.secret, None, &["mine"], value)
            .await
            .unwrap();
    }
    let token = created(&world).await;
    world.steps(&token).await.unwrap();
    assert_eq!(decoy.connections(), 0);
    world.finish().await.unwrap();
}
