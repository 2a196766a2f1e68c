//! Encrypted and verified, or not at all: C39.

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use testbed::{DbFault, Postgres, TestResult, Tls, World, eventually};

use super::server::{Say, Server, usual};
use super::world;

/// setSecret must fail with `TlsFailed`, and nobody hear of a password.
async fn no_tls(world: &World) -> TestResult<String> {
    let token = world.created().await?;
    let verifier = world.verifier().await?;
    let message = world
        .step("setSecret", &token)
        .await
        .failed_with("TlsFailed")?;
    assert_eq!(world.postgres.connections(&world.role, world.began), []);
    assert_eq!(
        world.postgres.refusals(&world.role, world.began),
        [""; 0],
        "no login was tried"
    );
    assert_eq!(world.verifier().await?, verifier);
    assert!(message.contains("The password was not sent"), "{message}");
    Ok(message.to_lowercase())
}

/// A cluster with this certificate: none of libpq's modes lets it pass, though the weaker ones would; all are raised. (But that
/// verify-ca takes any name: tolerant.rs.)
async fn proves_nothing(tls: Tls, why: &str) -> TestResult {
    let cluster = Postgres::options().tls(tls).start().await?;
    let world = world().postgres(&cluster).start().await?;
    for mode in [
        None,
        Some("allow"),
        Some("prefer"),
        Some("require"),
        Some("verify-ca").filter(|_| tls != Tls::WrongName),
    ] {
        let mut value = world.current().await?;
        if let Some(mode) = mode {
            value["sslmode"] = json!(mode);
        }
        world.put_current(&value.to_string()).await?;
        let message = no_tls(&world).await?;
        assert!(message.contains(why), "{tls:?} {mode:?}: {message}");
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c39_a_certificate_that_does_not_prove_the_host_is_refused_and_why_is_told() -> TestResult {
    let certificates = [
        (Tls::Expired, "expired"),
        (Tls::WrongName, "mismatch"),
        (Tls::OtherCa, "unable to get local issuer certificate"),
        (Tls::Off, "does not offer tls"),
    ];
    try_join_all(certificates.map(|(tls, why)| proves_nothing(tls, why))).await?;
    Ok(())
}

#[tokio::test]
async fn c39_a_protocol_older_than_tls_1_2_is_refused() -> TestResult {
    let cluster = Postgres::options()
        .setting("ssl_min_protocol_version", "TLSv1")
        .setting("ssl_max_protocol_version", "TLSv1.1");
    let cluster = cluster
        .setting("ssl_ciphers", "ALL:@SECLEVEL=0")
        .start()
        .await?;
    let world = world().postgres(&cluster).start().await?;
    no_tls(&world).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c39_a_no_to_tls_from_somebody_between_is_no_fall_back_to_clear_text() -> TestResult {
    for value in [json!(true), json!("prefer"), json!("allow")] {
        let world = world()
            .secret(move |secret| secret["ssl"] = value)
            .start()
            .await?;
        world.db.every(DbFault::StripTls);
        no_tls(&world).await?;
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c39_only_an_explicit_no_turns_tls_off_and_every_session_is_warned_of() -> TestResult {
    for edit in [
        json!({"ssl": false}),
        json!({"ssl": "false"}),
        json!({"sslmode": "disable"}),
        json!({"ssl_mode": "disable"}),
    ] {
        let set = move |value: &mut Value| {
            value
                .as_object_mut()
                .unwrap()
                .extend(edit.as_object().unwrap().clone());
        };
        let world = world().secret(set).start().await?;
        let rotation = world.rotate().await?;
        for (step, invocation) in &rotation.steps[1..3] {
            let warnings = invocation.warnings();
            assert!(
                warnings.len() == 1 && warnings[0].contains("TLS off"),
                "{step}: {:?}",
                invocation.log
            );
        }
        let connections = eventually("three sessions", async || {
            let all = world.postgres.connections(&world.role, world.began);
            Ok((all.len() == 3).then_some(all))
        })
        .await?;
        assert!(
            connections.iter().all(|one| one.tls.is_none()),
            "{connections:?}"
        );
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c39_ssl_true_wins_over_a_mode_that_turns_tls_off() -> TestResult {
    let world = world().secret(|value| {
        value.as_object_mut().unwrap().extend(
            json!({"ssl": true, "sslmode": "disable"})
                .as_object()
                .unwrap()
                .clone(),
        );
    });
    let world = world.start().await?;
    world.rotate().await?;
    let connections = world.postgres.connections(&world.role, world.began);
    assert!(
        connections
            .iter()
            .all(|one| one.tls.as_deref() == Some("TLSv1.3")),
        "{connections:?}"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c39_an_unknown_authority_is_refused_where_none_is_configured() -> TestResult {
    let world = world().env("PGSSLROOTCERT", "").start().await?;
    let token = world.created().await?;
    let set = world.step("setSecret", &token).await;
    // The world's own PGSSLROOTCERT comes last: this one trusts its authority.
    set.success()?;
    let alone = testbed::Function::builder(env!("CARGO_BIN_EXE_db-rotation"))
        .env("SECRETS_MANAGER_ENDPOINT", &world.api.url());
    let alone = alone.start().await?;
    let test = alone
        .invoke(
            &world.event("testSecret", &token),
            std::time::Duration::from_secs(30),
        )
        .await;
    let message = test.failed_with("TlsFailed")?;
    assert!(message.contains("PGSSLROOTCERT"), "{message}");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c39_a_server_that_asks_for_the_password_in_clear_text_does_not_get_it() -> TestResult {
    let server = Server::start(|said, _| {
        if said == "login" {
            Say::Ask(3)
        } else {
            usual(said)
        }
    })
    .await?;
    // Also where it may see passwords: not where everybody on the way may.
    for transport in ["verifier", "plaintext"] {
        let world = world().env("PASSWORD_TRANSPORT", transport);
        let world = world.secret(server.in_secret()).start().await?;
        let token = world.created().await?;
        let message = world
            .step("setSecret", &token)
            .await
            .failed_with("AuthenticationUnsupported")?;
        assert!(message.contains("clear text"), "{message}");
        assert!(
            !server.heard().contains(&"p".to_owned()),
            "{:?}",
            server.heard()
        );
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c45_another_proof_than_scram_is_named_and_not_taken_for_a_lost_connection() -> TestResult {
    let server = Server::start(|said, _| match said {
        "login" => Say::Ask(10),
        said => usual(said),
    });
    let server = server.await?;
    let world = world().secret(server.in_secret()).start().await?;
    let token = world.created().await?;
    let set = world.step("setSecret", &token).await;
    set.failed_with("AuthenticationUnsupported")?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c39_an_address_in_the_certificate_proves_a_host_given_as_an_address() -> TestResult {
    let world = world()
        .secret(|value| value["host"] = json!("127.0.0.1"))
        .start()
        .await?;
    world.rotate().await?;
    world.finish().await?;
    Ok(())
}
