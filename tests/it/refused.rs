//! What a server may say to the change: C21.

use testbed::Postgres;

use super::server::{Say, Server, usual};
use super::{become_current, created, failed, given, second_function, version_logs_in, world};

/// setSecret on a server that answers the change so, the n-th time that it hears it.
async fn change_answered(
    answer: impl Fn(&str, usize) -> Say + Send + Sync + 'static,
) -> (testbed::Invocation, usize) {
    let server = Server::start(move |said, nth| {
        if said.contains("ALTER ROLE") {
            answer(said, nth)
        } else {
            usual(said)
        }
    })
    .await;
    let world = world().secret(server.in_secret()).start().await.unwrap();
    let token = created(&world).await;
    let labels = world.labels().await.unwrap();
    let set = world.step("setSecret", &token).await;
    assert_eq!(world.labels().await.unwrap(), labels);
    let changes: Vec<_> = server
        .heard()
        .into_iter()
        .filter(|said| said.contains("ALTER ROLE"))
        .collect();
    for sql in &changes {
        world.keep_secret(given(sql));
    }
    world.finish().await.unwrap();
    (set, changes.len())
}

#[tokio::test]
async fn c21_a_replica_is_told_from_its_writer() {
    let primary = Postgres::options().start().await.unwrap();
    let replica = primary.standby().await.unwrap();
    let world = world().postgres(&primary).start().await.unwrap();
    replica.catch_up_with(&primary).await.unwrap();
    let gate = testbed::DbGate::start(&replica).await.unwrap();
    let mut value = world.current().await.unwrap().unwrap();
    value["port"] = serde_json::json!(gate.port());
    become_current(&world, &value.to_string()).await;
    let token = created(&world).await;
    let message = failed(&world.step("setSecret", &token).await, "DatabaseReadOnly");
    assert!(
        message.contains("writer") && message.contains(&gate.port().to_string()),
        "{message}"
    );
    assert!(world.logs_in(&world.first_password).await.unwrap());
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c21_a_lack_of_privilege_names_role_and_statement() {
    let (set, changes) =
        change_answered(|_, _| Say::No("42501", "must be a member of rds_password".to_owned()))
            .await;
    let message = failed(&set, "PermissionDenied");
    assert!(
        message.contains("ALTER ROLE \"app_") && message.contains("rds_password"),
        "{message}"
    );
    assert_eq!(changes, 1);
}

#[tokio::test]
async fn c21_a_password_policys_no_is_told_as_that() {
    for (code, text) in [
        ("22023", "password is too short"),
        ("P0001", "password was used before"),
        ("28P01", "weak password"),
    ] {
        let (set, _) = change_answered(move |_, _| Say::No(code, text.to_owned())).await;
        let message = failed(&set, "PasswordRefused");
        assert!(
            message.contains(text) && message.contains("PASSWORD_LENGTH"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn c21_a_conflict_with_another_change_is_tried_again() {
    for (code, text) in [
        ("XX000", "tuple concurrently updated"),
        ("40001", "could not serialize access"),
        ("40P01", "deadlock detected"),
    ] {
        let (set, changes) = change_answered(move |_, _| Say::No(code, text.to_owned())).await;
        let message = failed(&set, "DatabaseFailed");
        assert!(message.contains(code), "{message}");
        assert!(changes > 3, "{code} was tried {changes} times");
    }
}

#[tokio::test]
async fn c21_a_conflict_that_passes_is_no_failure() {
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
    .await;
    set.success().unwrap();
    assert_eq!(changes, 3);
}

#[tokio::test]
async fn c21_two_callers_at_once_both_succeed() {
    let world = world().start().await.unwrap();
    let second = second_function(&world, &world.api).await;
    for _ in 0..3 {
        let token = world.begin().await.unwrap();
        for step in testbed::world::STEPS {
            let event = world.event(step, &token);
            let (one, two) = tokio::join!(
                world.step(step, &token),
                second.invoke(&event, std::time::Duration::from_secs(30))
            );
            one.success().unwrap();
            two.success().unwrap();
        }
        assert!(version_logs_in(&world, "AWSCURRENT").await);
    }
    assert!(
        !second
            .output()
            .contains(&world.password("AWSCURRENT").await.unwrap())
    );
    world.finish().await.unwrap();
}
