//! Encrypted and verified, or not at all: C39.

use serde_json::{Value, json};
use testbed::{DbFault, Postgres, Tls, World};

use super::server::{Say, Server, usual};
use super::{
    at_once, become_current, created, eventually, failed, stored_verifier, warnings, world,
};

/// setSecret must fail with `TlsFailed`, and nobody hear of a password.
async fn no_tls(world: &World) -> String {
    let token = created(world).await;
    let verifier = stored_verifier(world).await;
    let message = failed(&world.step("setSecret", &token).await, "TlsFailed");
    assert_eq!(world.postgres.connections(&world.role, world.began), []);
    assert_eq!(
        world.postgres.refusals(&world.role, world.began),
        [],
        "no login was tried"
    );
    assert_eq!(stored_verifier(world).await, verifier);
    assert!(message.contains("The password was not sent"), "{message}");
    message.to_lowercase()
}

/// A cluster with this certificate: none of libpq's modes lets it pass, though the weaker ones would; all are raised.
async fn proves_nothing(tls: Tls, why: &str) {
    let cluster = Postgres::options().tls(tls).start().await.unwrap();
    let world = world().postgres(&cluster).start().await.unwrap();
    for mode in [
        None,
        Some("allow"),
        Some("prefer"),
        Some("require"),
        Some("verify-ca"),
    ] {
        let mut value = world.current().await.unwrap().unwrap();
        if let Some(mode) = mode {
            value["sslmode"] = json!(mode);
        }
        become_current(&world, &value.to_string()).await;
        let message = no_tls(&world).await;
        assert!(message.contains(why), "{tls:?} {mode:?}: {message}");
    }
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c39_a_certificate_that_does_not_prove_the_host_is_refused_and_why_is_told() {
    at_once(
        [
            (Tls::Expired, "expired"),
            (Tls::WrongName, "mismatch"),
            (Tls::OtherCa, "unable to get local issuer certificate"),
            (Tls::Off, "does not offer tls"),
        ]
        .map(|(tls, why)| proves_nothing(tls, why)),
    )
    .await;
}

#[tokio::test]
async fn c39_a_protocol_older_than_tls_1_2_is_refused() {
    let cluster = Postgres::options()
        .setting("ssl_min_protocol_version", "TLSv1")
        .setting("ssl_max_protocol_version", "TLSv1.1");
    let cluster = cluster
        .setting("ssl_ciphers", "ALL:@SECLEVEL=0")
        .start()
        .await
        .unwrap();
    let world = world().postgres(&cluster).start().await.unwrap();
    no_tls(&world).await;
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c39_a_no_to_tls_from_somebody_between_is_no_fall_back_to_clear_text() {
    for value in [json!(true), json!("prefer"), json!("allow")] {
        let world = world()
            .secret(move |secret| secret["ssl"] = value)
            .start()
            .await
            .unwrap();
        world.db.every(DbFault::StripTls);
        no_tls(&world).await;
        world.finish().await.unwrap();
    }
}

#[tokio::test]
async fn c39_only_an_explicit_no_turns_tls_off_and_every_session_is_warned_of() {
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
        let world = world().secret(set).start().await.unwrap();
        let rotation = world.rotate().await.unwrap();
        for (step, invocation) in &rotation.steps[1..] {
            let warnings = warnings(invocation);
            assert!(
                warnings.len() == 1 && warnings[0].contains("TLS off"),
                "{step}: {:?}",
                invocation.log
            );
        }
        let connections = eventually(async || {
            let all = world.postgres.connections(&world.role, world.began);
            (all.len() == 3).then_some(all)
        })
        .await;
        assert!(
            connections.iter().all(|one| one.tls.is_none()),
            "{connections:?}"
        );
        world.finish().await.unwrap();
    }
}

#[tokio::test]
async fn c39_ssl_true_wins_over_a_mode_that_turns_tls_off() {
    let world = world().secret(|value| {
        value.as_object_mut().unwrap().extend(
            json!({"ssl": true, "sslmode": "disable"})
                .as_object()
                .unwrap()
                .clone(),
        );
    });
    let world = world.start().await.unwrap();
    world.rotate().await.unwrap();
    let connections = world.postgres.connections(&world.role, world.began);
    assert!(
        connections
            .iter()
            .all(|one| one.tls.as_deref() == Some("TLSv1.3")),
        "{connections:?}"
    );
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c39_an_unknown_authority_is_refused_where_none_is_configured() {
    let world = world().env("PGSSLROOTCERT", "").start().await.unwrap();
    let token = created(&world).await;
    let set = world.step("setSecret", &token).await;
    // The world's own PGSSLROOTCERT comes last: this one trusts its authority.
    set.success().unwrap();
    let alone = testbed::Function::builder(env!("CARGO_BIN_EXE_db-rotation"))
        .env("SECRETS_MANAGER_ENDPOINT", &world.api.url());
    let alone = alone.start().await.unwrap();
    let test = alone
        .invoke(
            &world.event("testSecret", &token),
            std::time::Duration::from_secs(30),
        )
        .await;
    let message = failed(&test, "TlsFailed");
    assert!(message.contains("PGSSLROOTCERT"), "{message}");
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c39_a_server_that_asks_for_the_password_in_clear_text_does_not_get_it() {
    let server = Server::start(|said, _| {
        if said == "login" {
            Say::Ask(3)
        } else {
            usual(said)
        }
    })
    .await;
    // Also where it may see passwords: not where everybody on the way may.
    for transport in ["verifier", "plaintext"] {
        let world = world().env("PASSWORD_TRANSPORT", transport);
        let world = world.secret(server.in_secret()).start().await.unwrap();
        let token = created(&world).await;
        let message = failed(
            &world.step("setSecret", &token).await,
            "AuthenticationUnsupported",
        );
        assert!(message.contains("clear text"), "{message}");
        assert!(
            !server.heard().contains(&"p".to_owned()),
            "{:?}",
            server.heard()
        );
        world.finish().await.unwrap();
    }
}

#[tokio::test]
async fn c45_another_proof_than_scram_is_named_and_not_taken_for_a_lost_connection() {
    let server = Server::start(|said, _| match said {
        "login" => Say::Ask(10),
        said => usual(said),
    });
    let server = server.await;
    let world = world().secret(server.in_secret()).start().await.unwrap();
    let token = created(&world).await;
    let set = world.step("setSecret", &token).await;
    failed(&set, "AuthenticationUnsupported");
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c39_an_address_in_the_certificate_proves_a_host_given_as_an_address() {
    let world = world()
        .secret(|value| value["host"] = json!("127.0.0.1"))
        .start()
        .await
        .unwrap();
    world.rotate().await.unwrap();
    world.finish().await.unwrap();
}
