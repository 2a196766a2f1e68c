use std::time::Duration;

use serde_json::json;
use testbed::{DbFault, DbGate, Fault, Result, World};

use crate::FAKE;

/// How `createSecret` goes with this fault on its first `PutSecretValue`: what the function says, whether it took effect.
async fn put_with(fault: Fault) -> Result<(String, bool)> {
    let world = World::builder(FAKE)
        .deadline(Duration::from_secs(3))
        .start()
        .await?;
    let token = world.begin().await?;
    world.api.answer("PutSecretValue", 1, fault);
    let invocation = world.step("createSecret", &token).await;
    let said = invocation
        .answer
        .err()
        .map(|failure| failure.to_string())
        .unwrap_or_default();
    let effect = world.pending().await?.is_some();
    world.finish().await?;
    Ok((said, effect))
}

#[tokio::test]
async fn api_faults_strike_before_or_after_the_effect() -> Result<()> {
    for (fault, says, took_effect) in [
        (
            Fault::error("ThrottlingException"),
            "ThrottlingException",
            false,
        ),
        (
            Fault::error("InternalServiceError"),
            "InternalServiceError",
            false,
        ),
        (Fault::Status(503, "busy".into()), "busy", false),
        (Fault::DropBefore, "no answer", false),
        (Fault::Stall, "timed out", false),
        (Fault::DropAfter, "no answer", true),
        (Fault::MalformedBody, "EOF while parsing", true),
        (Fault::TruncatedBody, "EOF while parsing", true),
        (Fault::Delay(Duration::from_millis(50)), "", true),
    ] {
        let (said, effect) = put_with(fault.clone()).await?;
        assert!(said.contains(says), "{fault:?}: {said:?}");
        assert_eq!(effect, took_effect, "{fault:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_operator_interferes_between_two_calls() -> Result<()> {
    let world = World::builder(FAKE).start().await?;
    let token = world.begin().await?;
    let (secrets, secret) = (world.secrets.clone(), world.secret.clone());
    world.api.before("PutSecretValue", 1, move |call| {
        let (secrets, secret) = (secrets.clone(), secret.clone());
        let version = call.sent_text("ClientRequestToken").map(str::to_owned);
        async move {
            let put = secrets
                .put_value(
                    &secret,
                    version.as_deref(),
                    &["AWSPENDING"],
                    "another caller was faster",
                )
                .await;
            assert!(put.is_ok(), "{put:?}");
        }
    });
    let invocation = world.step("createSecret", &token).await;
    assert!(
        invocation
            .failure()?
            .error_message
            .contains("ResourceExistsException")
    );
    assert!(
        world
            .api
            .calls()
            .iter()
            .any(|call| call.code.as_deref() == Some("ResourceExistsException"))
    );
    world.secrets.delete_secret(&world.secret).await
}

#[tokio::test]
async fn a_function_is_killed_when_the_nth_message_passes() -> Result<()> {
    let world = World::builder(FAKE).start().await?;
    let token = world.begin().await?;
    let function = world.function.clone();
    world.api.after("*", 3, move |_| {
        let function = function.clone();
        async move { function.kill().await }
    });
    let killed = world.step("createSecret", &token).await;
    assert!(killed.died.is_some());
    assert!(
        world.pending().await?.is_some(),
        "the third message, PutSecretValue, took effect"
    );
    world.api.heal();
    let again = world.step("testSecret", &token).await;
    assert!(
        again
            .failure()?
            .error_message
            .contains("password authentication failed"),
        "{again:?}"
    );
    world.finish().await
}

#[tokio::test]
async fn an_endpoint_can_be_gone_and_come_back() -> Result<()> {
    let world = World::builder(FAKE).start().await?;
    let token = world.begin().await?;
    world.api.close();
    let gone = world.step("createSecret", &token).await;
    assert!(
        gone.failure()?.error_message.contains("refused"),
        "{gone:?}"
    );
    world.api.open().await?;
    world.db.close();
    world.step("createSecret", &token).await.success()?;
    assert!(
        world
            .step("setSecret", &token)
            .await
            .failure()?
            .error_message
            .contains("refused")
    );
    world.db.open().await?;
    world.step("setSecret", &token).await.success()?;
    world.finish().await
}

#[tokio::test]
async fn a_lost_answer_is_one_whose_statement_ran() -> Result<()> {
    let world = World::builder(FAKE).start().await?;
    let token = world.begin().await?;
    world.step("createSecret", &token).await.success()?;
    let probe = world.step("setSecret", &token).await;
    probe.success()?;
    let turns = world.db.turns().first().copied().unwrap_or_default();
    assert!((5..=9).contains(&turns), "{turns}");
    // Back to the start, and the same again with each turn's answer lost.
    let mut changed = Vec::new();
    for turn in 1..turns {
        world
            .postgres
            .set_password(&world.role, &world.first_password)
            .await?;
        world.db.connection(1, DbFault::LoseAnswer(turn));
        let failed = world.step("setSecret", &token).await;
        assert!(failed.answer.is_err(), "turn {turn}");
        changed.push(!world.logs_in(&world.first_password).await?);
    }
    assert_eq!(
        changed.iter().filter(|changed| **changed).count(),
        1,
        "{changed:?}"
    );
    assert_eq!(changed.last(), Some(&true));
    world.finish().await
}

#[tokio::test]
async fn a_lost_turn_is_one_whose_statement_never_ran() -> Result<()> {
    let world = World::builder(FAKE).start().await?;
    let token = world.begin().await?;
    world.step("createSecret", &token).await.success()?;
    world.step("setSecret", &token).await.success()?;
    let turns = world.db.turns().first().copied().unwrap_or_default();
    for turn in 1..turns {
        world
            .postgres
            .set_password(&world.role, &world.first_password)
            .await?;
        world.db.connection(1, DbFault::LoseTurn(turn));
        let failed = world.step("setSecret", &token).await;
        assert!(failed.answer.is_err(), "turn {turn}");
        assert!(world.logs_in(&world.first_password).await?, "turn {turn}");
    }
    world.finish().await
}

#[tokio::test]
async fn something_is_done_before_a_turn_is_heard_and_after_it_is_answered() -> Result<()> {
    let world = World::builder(FAKE).start().await?;
    let token = world.begin().await?;
    world.step("createSecret", &token).await.success()?;
    world.step("setSecret", &token).await.success()?;
    let change = world.db.turns().first().copied().unwrap_or_default() - 1;
    for after in [false, true] {
        world
            .postgres
            .set_password(&world.role, &world.first_password)
            .await?;
        let function = world.function.clone();
        let kill = async move { function.kill().await };
        if after {
            world.db.after(1, change, kill);
        } else {
            world.db.connection(1, DbFault::LoseTurn(change));
            world.db.before(1, change, kill);
        }
        let killed = world.step("setSecret", &token).await;
        assert!(killed.died.is_some(), "{killed:?}");
        assert_eq!(world.logs_in(&world.first_password).await?, !after);
        world.db.heal();
    }
    world.finish().await
}

#[tokio::test]
async fn a_renewed_world_has_another_secret_and_the_same_function() -> Result<()> {
    let mut world = World::builder(FAKE).start().await?;
    world.rotate().await?;
    let (pid, secret) = (world.function.pid(), world.secret.clone());
    world.renew(|_| ()).await?;
    assert_eq!(world.function.pid(), pid);
    assert_ne!(world.secret, secret);
    assert!(world.secrets.labels(&secret).await.is_err());
    world.rotate().await?;
    let password = world.password("AWSCURRENT").await?;
    assert!(world.logs_in(&password).await?);
    world.finish().await
}

#[tokio::test]
async fn database_faults_cut_stall_and_strip() -> Result<()> {
    let world = World::builder(FAKE)
        .deadline(Duration::from_secs(3))
        .start()
        .await?;
    let token = world.begin().await?;
    world.step("createSecret", &token).await.success()?;
    for (fault, says) in [
        (DbFault::Reset, "reset by peer"),
        (DbFault::ResetAfterSent(20), ""),
        (DbFault::ResetAfterReceived(100), ""),
        (DbFault::StripTls, "server does not support TLS"),
        (DbFault::Silent, "timed out"),
        (DbFault::StallAfter(3), "timed out"),
    ] {
        world.db.connection(1, fault);
        let failure = world.step("setSecret", &token).await;
        let message = failure.failure()?.error_message.clone();
        assert!(message.contains(says), "{fault:?}: {message}");
        assert!(world.logs_in(&world.first_password).await?, "{fault:?}");
    }
    world.step("setSecret", &token).await.success()?;
    world.finish().await
}

#[tokio::test]
async fn a_decoy_counts_those_who_come() -> Result<()> {
    let decoy = DbGate::decoy().await?;
    let port = decoy.port();
    let world = World::builder(FAKE)
        .deadline(Duration::from_millis(500))
        .secret(move |value| value["port"] = json!(port))
        .start()
        .await?;
    let token = world.begin().await?;
    world.step("createSecret", &token).await.success()?;
    assert_eq!(decoy.connections(), 0);
    assert!(world.step("setSecret", &token).await.timed_out);
    assert_eq!(decoy.connections(), 1);
    world.finish().await
}
