//! The look at the new password: C34, C36, C37.

use testbed::{DbFault, TestResult, World, eventually};

use super::server::{Say, Server, usual};
use super::world;

async fn set(world: &World) -> TestResult<String> {
    let token = world.created().await?;
    world.step("setSecret", &token).await.success()?;
    Ok(token)
}

#[tokio::test]
async fn c34_test_secret_logs_in_as_pending_over_tls_and_selects_1() -> TestResult {
    let world = world().start().await?;
    let token = set(&world).await?;
    let from = world.postgres.mark();
    world.step("testSecret", &token).await.success()?;
    let connections = world.postgres.connections(&world.role, from);
    assert_eq!(connections.len(), 1);
    assert!(connections[0].tls.is_some());
    let statements = world.postgres.statements(&world.role, from);
    assert!(
        statements
            .iter()
            .any(|statement| statement.sql.starts_with("SELECT 1")),
        "{statements:?}"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c34_a_login_that_reaches_another_role_is_refused() -> TestResult {
    let server = Server::start(|said, _| match said {
        said if said.starts_with("SELECT 1") => Say::Yes(vec!["1", "somebody_else"]),
        said => usual(said),
    })
    .await?;
    let world = world().secret(server.in_secret()).start().await?;
    let token = set(&world).await?;
    let message = world
        .step("testSecret", &token)
        .await
        .failed_with("UnexpectedRole")?;
    assert!(
        message.contains("somebody_else") && message.contains(&world.role),
        "{message}"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c45_an_answer_that_is_no_text_is_an_error_with_a_name_and_no_panic() -> TestResult {
    let server = Server::start(|said, _| match said {
        "login" => Say::Yes(vec![]),
        _ => Say::Garbled,
    });
    let server = server.await?;
    let world = world().secret(server.in_secret()).start().await?;
    let token = world.created().await?;
    for step in ["setSecret", "testSecret"] {
        world
            .step(step, &token)
            .await
            .failed_with("ConnectionLost")?;
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c46_a_role_that_is_the_password_or_without_end_is_not_told() -> TestResult {
    let password: &'static str = Box::leak(testbed::unique("known").into_boxed_str());
    let long: &'static str = Box::leak("long".repeat(1000).into_boxed_str());
    for name in [password, long] {
        let server = Server::start(move |said, _| match said {
            said if said.starts_with("SELECT 1") => Say::Yes(vec!["1", name]),
            said => usual(said),
        })
        .await?;
        let world = world().password(password).secret(server.in_secret());
        let world = world.start().await?;
        let token = set(&world).await?;
        let message = world
            .step("testSecret", &token)
            .await
            .failed_with("UnexpectedRole")?;
        assert!(message.len() < 600, "{} bytes", message.len());
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c34_an_answer_that_is_not_1_is_no_success() -> TestResult {
    for row in [vec![], vec!["2", "x"], vec!["1"]] {
        let server = Server::start(move |said, _| match said {
            said if said.starts_with("SELECT 1") => Say::Yes(row.clone()),
            said => usual(said),
        })
        .await?;
        let world = world().secret(server.in_secret()).start().await?;
        let token = set(&world).await?;
        world.step("testSecret", &token).await.failure()?;
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c36_a_refusal_right_after_the_change_is_tried_again() -> TestResult {
    let world = world().start().await?;
    let token = set(&world).await?;
    let verifier = world.verifier().await?.unwrap();
    world.set_password("as a replica still has it").await?;
    let from = world.postgres.mark();
    let arrives = async {
        let refused = async || {
            let refusals = world.postgres.refusals(&world.role, from);
            Ok((refusals.len() >= 3).then_some(()))
        };
        eventually("three refusals", refused).await?;
        world.postgres.set_verifier(&world.role, &verifier).await
    };
    let (tested, arrival) = tokio::join!(world.step("testSecret", &token), arrives);
    arrival?;
    tested.success()?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c36_a_refusal_that_stays_fails_within_ten_seconds_and_leaves_the_labels() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let labels = world.labels().await?;
    let verifier = world.verifier().await?;
    let from = world.postgres.mark();
    let test = world.step("testSecret", &token).await;
    test.failed_with("NoWorkingCredential")?;
    assert!(
        test.took.as_secs() >= 7 && test.took.as_secs() <= 10,
        "{:?}",
        test.took
    );
    assert!(
        (5..20).contains(&world.postgres.refusals(&world.role, from).len()),
        "with backoff"
    );
    assert_eq!(world.labels().await?, labels);
    assert_eq!(world.verifier().await?, verifier);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c37_test_secret_changes_nothing_and_its_failure_leaves_the_labels_alone() -> TestResult {
    let world = world().start().await?;
    let token = set(&world).await?;
    let state = async || {
        let verifier = world.verifier().await?;
        let values = (world.current().await?, world.pending().await?);
        TestResult::Ok((world.labels().await?, values, verifier))
    };
    let before = state().await?;
    world.api.forget();
    world.step("testSecret", &token).await.success()?;
    assert_eq!(state().await?, before);
    for fault in [DbFault::Reset, DbFault::StripTls, DbFault::LoseAnswer(5)] {
        world.db.connection(1, fault);
        world.step("testSecret", &token).await.failure()?;
        assert_eq!(state().await?, before);
    }
    let reads = ["DescribeSecret", "GetSecretValue"];
    assert!(
        world
            .api
            .operations()
            .iter()
            .all(|one| reads.contains(&one.as_str())),
        "{:?}",
        world.api.operations()
    );
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c36_patience_ends_with_the_time_that_there_is() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let deadline = std::time::Duration::from_secs(2);
    let test = world
        .function
        .invoke(&world.event("testSecret", &token), deadline)
        .await;
    test.failed_with("NoWorkingCredential")?;
    world.finish().await?;
    Ok(())
}
