//! What a server may say to the change: C21.

use testbed::{Postgres, TestResult};

use super::server::{Say, Server, usual};
use super::{given, world};

/// setSecret on a server that answers the change so, the n-th time that it hears it.
async fn change_answered(
    answer: impl Fn(&str, usize) -> Say + Send + Sync + 'static,
) -> TestResult<(testbed::Invocation, usize)> {
    let server = Server::start(move |said, nth| {
        if said.contains("ALTER ROLE") {
            answer(said, nth)
        } else {
            usual(said)
        }
    })
    .await?;
    let world = world().secret(server.in_secret()).start().await?;
    let token = world.created().await?;
    let labels = world.labels().await?;
    let set = world.step("setSecret", &token).await;
    assert_eq!(world.labels().await?, labels);
    let changes: Vec<_> = server
        .heard()
        .into_iter()
        .filter(|said| said.contains("ALTER ROLE"))
        .collect();
    for sql in &changes {
        world.keep_secret(given(sql));
    }
    world.finish().await?;
    Ok((set, changes.len()))
}

#[tokio::test]
async fn c21_a_replica_is_told_from_its_writer() -> TestResult {
    let primary = Postgres::options().start().await?;
    let replica = primary.standby().await?;
    let world = world().postgres(&primary).start().await?;
    replica.catch_up_with(&primary).await?;
    let gate = testbed::DbGate::start(&replica).await?;
    let mut value = world.current().await?;
    value["port"] = serde_json::json!(gate.port());
    world.put_current(&value.to_string()).await?;
    let token = world.created().await?;
    let message = world
        .step("setSecret", &token)
        .await
        .failed_with("DatabaseReadOnly")?;
    assert!(
        message.contains("writer") && message.contains(&gate.port().to_string()),
        "{message}"
    );
    assert!(world.logs_in(&world.first_password).await?);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c21_a_lack_of_privilege_names_role_and_statement() -> TestResult {
    let (set, changes) =
        change_answered(|_, _| Say::No("42501", "must be a member of rds_password".to_owned()))
            .await?;
    let message = set.failed_with("PermissionDenied")?;
    assert!(
        message.contains("ALTER ROLE \"app_") && message.contains("rds_password"),
        "{message}"
    );
    assert_eq!(changes, 1);
    Ok(())
}

#[tokio::test]
async fn c21_a_password_policys_no_is_told_as_that() -> TestResult {
    for (code, text) in [
        ("22023", "password is too short"),
        ("P0001", "password was used before"),
        ("28P01", "weak password"),
    ] {
        let (set, _) = change_answered(move |_, _| Say::No(code, text.to_owned())).await?;
        let message = set.failed_with("PasswordRefused")?;
        assert!(
            message.contains(text) && message.contains("PASSWORD_LENGTH"),
            "{message}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn c21_a_conflict_with_another_change_is_tried_again() -> TestResult {
    for (code, text) in [
        ("XX000", "tuple concurrently updated"),
        ("40001", "could not serialize access"),
        ("40P01", "deadlock detected"),
    ] {
        let (set, changes) = change_answered(move |_, _| Say::No(code, text.to_owned())).await?;
        let message = set.failed_with("DatabaseFailed")?;
        assert!(message.contains(code), "{message}");
        assert!(changes > 3, "{code} was tried {changes} times");
    }
    Ok(())
}

#[tokio::test]
async fn c21_a_conflict_that_passes_is_no_failure() -> TestResult {
    let conflicts = std::sync::atomic::AtomicUsize::new(2);
    let (set, changes) = change_answered(move |_, _| {
        let left = conflicts.fetch_update(
            std::sync::atomic::Ordering::SeqCst,
            std::sync::atomic::Ordering::SeqCst,
            |n| n.checked_sub(1),
        );
        left.map_or(Say::Yes(vec![]), |_| {
            Say::No("XX000", "tuple concurrently updated".to_owned())
        })
    })
    .await?;
    set.success()?;
    assert_eq!(changes, 3);
    Ok(())
}

#[tokio::test]
async fn c21_two_callers_at_once_both_succeed() -> TestResult {
    let world = world().start().await?;
    let second = world.second_function(&world.api).await?;
    for _ in 0..3 {
        let token = world.begin().await?;
        for step in testbed::world::STEPS {
            let event = world.event(step, &token);
            let (one, two) = tokio::join!(
                world.step(step, &token),
                second.invoke(&event, std::time::Duration::from_secs(30))
            );
            one.success()?;
            two.success()?;
        }
        assert!(world.version_logs_in("AWSCURRENT").await?);
    }
    assert!(
        !second
            .output()
            .contains(&world.password("AWSCURRENT").await?)
    );
    world.finish().await?;
    Ok(())
}
