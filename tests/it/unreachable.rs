//! Refused is not unreachable: C16.

use serde_json::{Value, json};
use testbed::world::Builder;
use testbed::{DbFault, Postgres, SilentPort, TestResult, World};

use super::server::{Say, Server, usual};
use super::world;

/// setSecret must stop at its first connection with this error, and touch nothing.
async fn stops_at_once(world: &World, name: &str) -> TestResult<String> {
    let token = world.created().await?;
    let labels = world.labels().await?;
    let verifier = world.verifier().await?;
    let connections = world.db.connections();
    let message = world.step("setSecret", &token).await.failed_with(name)?;
    assert!(
        world.db.connections() - connections <= 1,
        "one failure, one connection"
    );
    assert_eq!(world.labels().await?, labels);
    assert_eq!(world.verifier().await?, verifier);
    world.cancel().await?;
    Ok(message)
}

/// A world whose secret has changes from the start.
async fn with(edit: impl FnOnce(&mut Value) + Send + 'static) -> TestResult<World> {
    Ok(world().secret(edit).start().await?)
}

#[tokio::test]
async fn c16_a_network_failure_is_not_a_wrong_password() -> TestResult {
    let world = world().start().await?;
    world.db.close();
    let message = stops_at_once(&world, "DatabaseUnreachable").await?;
    assert!(
        message.contains("refused") && message.contains(&format!("localhost:{}", world.db.port())),
        "{message}"
    );
    world.db.open().await?;

    world.db.connection(1, DbFault::Reset);
    let reset = world.created().await?;
    let failure = world.step("setSecret", &reset).await;
    assert!(
        ["DatabaseUnreachable", "ConnectionLost"].contains(&failure.error_type().unwrap()),
        "{failure:?}"
    );
    assert_eq!(world.db.connections(), 1);
    world.steps(&reset).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c16_a_connection_that_breaks_at_any_byte_of_the_login_is_no_wrong_password() -> TestResult
{
    let world = world().start().await?;
    let token = world.created().await?;
    let verifier = world.verifier().await?;
    for fault in [
        DbFault::ResetAfterReceived(1),
        DbFault::ResetAfterReceived(2),
        DbFault::ResetAfterReceived(900),
        DbFault::ResetAfterSent(8),
        DbFault::ResetAfterSent(20),
        DbFault::LoseAnswer(2),
        DbFault::LoseAnswer(3),
        DbFault::LoseAnswer(4),
    ] {
        let before = world.db.connections();
        world.db.connection(1, fault);
        let failure = world.step("setSecret", &token).await;
        let name = failure.error_type().unwrap().to_owned();
        assert!(
            ["DatabaseUnreachable", "ConnectionLost", "TlsFailed"].contains(&name.as_str()),
            "{fault:?}: {failure:?}"
        );
        assert_eq!(world.db.connections() - before, 1, "{fault:?}");
    }
    assert_eq!(world.verifier().await?, verifier);
    assert_eq!(world.postgres.refusals(&world.role, world.began), [""; 0]);
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c16_a_host_without_an_address_is_named() -> TestResult {
    let world = with(|value| value["host"] = json!("no-such-host.invalid")).await?;
    let message = stops_at_once(&world, "HostNotFound").await?;
    assert!(message.contains("no-such-host.invalid"), "{message}");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c16_a_server_that_does_not_answer_is_named_and_not_asked_again() -> TestResult {
    let quiet = SilentPort::open().await?;
    let port = quiet.port();
    let world = with(move |value| value["port"] = json!(port)).await?;
    let message = stops_at_once(&world, "DeadlineExceeded").await?;
    assert!(message.contains("connecting"), "{message}");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c16_what_a_server_says_before_it_looks_at_a_password_stops_the_search() -> TestResult {
    for (code, name) in [
        ("57P03", "DatabaseNotReady"),
        ("57P01", "DatabaseNotReady"),
        ("53300", "TooManyConnections"),
        ("28000", "ConnectionNotAllowed"),
        ("58000", "DatabaseFailed"),
        ("08P01", "DatabaseFailed"),
    ] {
        let server = Server::start(move |said, _| match said {
            "login" => Say::No(code, "the server is in no mood".to_owned()),
            said => usual(said),
        })
        .await?;
        let world = with(server.in_secret()).await?;
        let message = stops_at_once(&world, name).await?;
        assert!(
            message.contains(code) && message.contains("in no mood"),
            "{message}"
        );
        assert_eq!(server.logins(), 1, "{code}");
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c16_a_refusal_by_pg_hba_is_no_wrong_password() -> TestResult {
    let cluster = Postgres::options().hba("hostssl shut all 127.0.0.0/8 reject");
    let cluster = cluster
        .hba("hostssl all all 127.0.0.0/8 scram-sha-256")
        .start()
        .await?;
    let world = world().postgres(&cluster).database("shut").start().await?;
    let message = stops_at_once(&world, "ConnectionNotAllowed").await?;
    assert!(message.contains("pg_hba.conf"), "{message}");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c16_too_many_connections_is_no_wrong_password() -> TestResult {
    let world = world().start().await?;
    world
        .postgres
        .admin(&format!("ALTER ROLE {} CONNECTION LIMIT 0", world.role))
        .await?;
    let message = stops_at_once(&world, "TooManyConnections").await?;
    assert!(message.contains("53300"), "{message}");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c16_what_a_server_says_once_the_password_was_right_is_told_as_that() -> TestResult {
    let builder: fn() -> Builder = world;
    let no_database = with(|value| value["dbname"] = json!("no_such_database")).await?;
    let no_login = builder().start().await?;
    no_login
        .postgres
        .admin(&format!("ALTER ROLE {} NOLOGIN", no_login.role))
        .await?;
    let database = testbed::unique("shut");
    let no_connect = builder().database(&database).start().await?;
    no_connect
        .postgres
        .admin(&format!(
            "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"
        ))
        .await?;
    for (world, name, advice) in [
        (no_database, "DatabaseNotFound", "dbname"),
        (no_login, "LoginNotAllowed", "ALTER ROLE"),
        (no_connect, "ConnectDenied", "GRANT CONNECT"),
    ] {
        let message = stops_at_once(&world, name).await?;
        assert!(
            message.contains("password was accepted") && message.contains(advice),
            "{message}"
        );
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c16_test_secret_and_finish_secret_tell_the_same_causes_apart() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.step("setSecret", &token).await.success()?;
    world.db.close();
    world
        .step("testSecret", &token)
        .await
        .failed_with("DatabaseUnreachable")?;
    world.db.open().await?;
    world
        .postgres
        .admin(&format!("ALTER ROLE {} NOLOGIN", world.role))
        .await?;
    world
        .step("testSecret", &token)
        .await
        .failed_with("LoginNotAllowed")?;
    world
        .postgres
        .admin(&format!("ALTER ROLE {} LOGIN", world.role))
        .await?;
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c16_a_handshake_that_is_cut_off_is_no_matter_of_certificates() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    for fault in [
        DbFault::ResetAfterReceived(1),
        DbFault::ResetAfterReceived(300),
        DbFault::LoseAnswer(2),
    ] {
        world.db.connection(1, fault);
        let set = world.step("setSecret", &token).await;
        let failure = set.failure()?;
        let names = ["DatabaseUnreachable", "ConnectionLost"];
        assert!(
            names.contains(&failure.error_type.as_str()),
            "{fault:?}: {failure}"
        );
    }
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}
