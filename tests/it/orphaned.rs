//! A password that no label leads to any more, found again: C14.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Fault, TestResult, World};

use super::lost_and_found::value_with;
use super::world;

/// A rotation that was cancelled after the `ALTER ROLE`, its label removed; the password it left behind.
async fn cancelled_after_the_change(world: &World) -> TestResult<(String, String)> {
    let token = world.created().await?;
    world.step("setSecret", &token).await.success()?;
    let orphan = world.password("AWSPENDING").await?;
    world.cancel().await?;
    Ok((token, orphan))
}

#[tokio::test]
async fn c14_a_password_orphaned_by_a_cancelled_rotation_is_found_again() -> TestResult {
    let world = world().start().await?;
    let (orphaned, password) = cancelled_after_the_change(&world).await?;
    assert!(!world.logs_in(&world.first_password).await?, "the lock-out");
    assert!(world.logs_in(&password).await?);
    let token = world.created().await?;
    let set = world.step("setSecret", &token).await;
    set.success()?;
    let warnings = set.warnings();
    assert!(
        warnings.len() == 1 && warnings[0].contains(&orphaned),
        "{warnings:?}"
    );
    world.steps(&token).await?;
    assert!(world.version_logs_in("AWSCURRENT").await?);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c14_the_newest_ten_older_versions_are_tried_newest_first_and_no_more() -> TestResult {
    let world = world().start().await?;
    let mut versions = Vec::new();
    for n in 1..=12 {
        let value = value_with(&world, &format!("an older password {n}")).await?;
        versions.push(
            world
                .secrets
                .put_value(&world.secret, None, &["mine"], &value)
                .await?,
        );
    }
    // A version with a label of the owner's own is one like any other.
    world.set_password("an older password 1").await?;
    let token = world.created().await?;
    let from = world.postgres.mark();
    let message = world
        .step("setSecret", &token)
        .await
        .failed_with("NoWorkingCredential")?;
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

    world.set_password("an older password 3").await?;
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c14_of_two_calls_at_once_that_search_one_sets_the_password_and_both_succeed() -> TestResult
{
    let world = world().start().await?;
    cancelled_after_the_change(&world).await?;
    let token = world.created().await?;
    // The whole other call, after this one has been refused with AWSCURRENT and AWSPENDING.
    let other = world.second_function(&world.api).await?;
    let event = world.event("setSecret", &token);
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
    set.success()?;
    assert!(set.log.iter().any(|line| line.contains("already set")));
    let changes = world.postgres.statements(&world.role, from);
    let changes = changes.iter().filter(|one| one.sql.contains("ALTER ROLE"));
    assert_eq!(changes.count(), 1);
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c14_of_an_older_version_only_the_password_counts() -> TestResult {
    let world = world().start().await?;
    let password = testbed::unique("an-older-password");
    let mut older: Value = serde_json::from_str(&value_with(&world, &password).await?)?;
    older["ssl"] = json!(false);
    older["dbname"] = json!("dropped_since");
    let older = older.to_string();
    let put = world
        .secrets
        .put_value(&world.secret, None, &["mine"], &older);
    put.await?;
    world.set_password(&password).await?;
    let token = world.created().await?;
    let from = world.postgres.mark();
    world.step("setSecret", &token).await.success()?;
    let sessions = world.postgres.connections(&world.role, from);
    assert!(!sessions.is_empty());
    for session in sessions {
        assert!(session.tls.is_some(), "{session:?}");
    }
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c14_an_older_version_on_a_later_page_is_found() -> TestResult {
    let world = world().start().await?;
    let (_, password) = cancelled_after_the_change(&world).await?;
    let token = world.created().await?;
    let page = json!({"ARN": world.secret.arn, "Name": world.secret.name, "Versions": [], "NextToken": "0"});
    world.api.answer(
        "ListSecretVersionIds",
        1,
        Fault::Status(200, page.to_string()),
    );
    world.step("setSecret", &token).await.success()?;
    assert!(!world.logs_in(&password).await?);
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c14_older_versions_that_cannot_be_read_or_name_another_server_do_not_stop_the_search()
-> TestResult {
    let world = world().start().await?;
    let (_, password) = cancelled_after_the_change(&world).await?;
    let decoy = testbed::DbGate::decoy().await?;
    let mut foreign: Value = serde_json::from_str(&value_with(&world, &password).await?)?;
    foreign["port"] = json!(decoy.port());
    for value in ["no JSON", "{}", &foreign.to_string()] {
        world
            .secrets
            .put_value(&world.secret, None, &["mine"], value)
            .await?;
    }
    let token = world.created().await?;
    world.steps(&token).await?;
    assert_eq!(decoy.connections(), 0);
    world.finish().await?;
    Ok(())
}
