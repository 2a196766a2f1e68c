//! Encrypted and verified, or not at all: C39, C40; and C41, how a session looks from the server.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod, SslStream};
use openssl::x509::X509;
use serde_json::{Value, json};
use testbed::{DbFault, Postgres, Tls, World};

use super::server::{Say, Server, usual};
use super::{created, eventually, failed, world};

/// setSecret must fail with `TlsFailed`, and nobody hear of a password.
async fn no_tls(world: &World) -> String {
    let token = created(world).await;
    let verifier = verifier(&world).await;
    let message = failed(&world.step("setSecret", &token).await, "TlsFailed");
    assert_eq!(world.postgres.connections(&world.role, world.began), []);
    assert_eq!(
        world.postgres.refusals(&world.role, world.began),
        [],
        "no login was tried"
    );
    assert_eq!(
        verifier(&world).await,
        verifier
    );
    assert!(message.contains("The password was not sent"), "{message}");
    message.to_lowercase()
}

#[tokio::test]
async fn c39_a_certificate_that_does_not_prove_the_host_is_refused_and_why_is_told() {
    for (tls, why) in [
        (Tls::Expired, "expired"),
        (Tls::WrongName, "mismatch"),
        (Tls::OtherCa, "unable to get local issuer certificate"),
        (Tls::Off, "does not offer tls"),
    ] {
        let cluster = Postgres::options().tls(tls).start().await.unwrap();
        // The weaker modes of libpq's would let some of these pass: all are raised to verify-full.
        for mode in [
            json!(null),
            json!("allow"),
            json!("prefer"),
            json!("require"),
            json!("verify-ca"),
        ] {
            let set = move |value: &mut Value| {
                if !mode.is_null() {
                    value["sslmode"] = mode
                }
            };
            let world = world()
                .postgres(&cluster)
                .secret(set)
                .start()
                .await
                .unwrap();
            let message = no_tls(&world).await;
            assert!(message.contains(why), "{tls:?}: {message}");
            world.finish().await.unwrap();
        }
    }
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
                .extend(edit.as_object().unwrap().clone())
        };
        let world = world().secret(set).start().await.unwrap();
        let rotation = world.rotate().await.unwrap();
        for (step, invocation) in &rotation.steps[1..] {
            let warnings = warnings(&invocation);
            assert!(
                warnings.len() == 1 && warnings[0].contains("TLS off"),
                "{step}: {:?}",
                invocation.log
            );
        }
        let connections = world.postgres.connections(&world.role, world.began);
        assert!(
            connections.len() == 3 && connections.iter().all(|one| one.tls.is_none()),
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
        )
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
    let world = world().secret(server.in_secret()).start().await.unwrap();
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

#[tokio::test]
async fn c40_channel_binding_is_used_where_the_server_offers_it() {
    let world = world().start().await.unwrap();
    let data = world.postgres.socket_folder().join("data");
    let read = |name: &str| std::fs::read(data.join(name)).unwrap();
    let mut acceptor = SslAcceptor::mozilla_modern_v5(SslMethod::tls_server()).unwrap();
    acceptor
        .set_certificate(&X509::from_pem(&read("server.crt")).unwrap())
        .unwrap();
    acceptor
        .set_private_key(&PKey::private_key_from_pem(&read("server.key")).unwrap())
        .unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let chosen = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        message(&mut stream);
        stream.write_all(b"S").unwrap();
        let mut stream: SslStream<_> = acceptor.accept(stream).unwrap();
        message(&mut stream);
        let methods = b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        stream
            .write_all(&[b"R\0\0\0\x2a".as_slice(), methods].concat())
            .unwrap();
        stream.read_exact(&mut [0]).unwrap();
        String::from_utf8_lossy(&message(&mut stream)).into_owned()
    });
    let mut value = world.current().await.unwrap().unwrap();
    value["port"] = json!(port);
    become_current(&world, &value.to_string()).await;
    let token = created(&world).await;
    world.step("setSecret", &token).await.failure().unwrap();
    let chosen = chosen.await.unwrap();
    assert!(
        chosen.starts_with("SCRAM-SHA-256-PLUS\0") && chosen.contains("p=tls-server-end-point"),
        "{chosen:?}"
    );
    world.finish().await.unwrap();
}

/// A message's body: what comes after its length.
fn message(stream: &mut impl std::io::Read) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut body).unwrap();
    body
}

#[tokio::test]
async fn c41_every_session_is_named_closed_politely_and_over_when_its_step_is() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    for step in ["setSecret", "testSecret", "finishSecret"] {
        let from = world.postgres.mark();
        world.step(step, &token).await.success().unwrap();
        let open = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'",
            world.role
        );
        eventually(async || {
            (world.postgres.value(&open).await.unwrap().as_deref() == Some("0")).then_some(())
        })
        .await;
        let ended = eventually(async || {
            let all = world.postgres.connections(&world.role, from);
            all.iter().all(|one| one.ended).then_some(all)
        });
        for connection in ended.await {
            assert_eq!(connection.application_name, "db-rotation");
        }
    }
    let log = world.postgres.log_since(world.began);
    let rude: Vec<_> = log
        .lines()
        .filter(|line| line.contains(&world.role) && line.contains("client"))
        .collect();
    assert_eq!(rude, Vec::<&str>::new());
    world.finish().await.unwrap();
}

#[tokio::test]
async fn c41_no_session_outlives_a_step_that_ran_out_of_time() {
    let world = world()
        .deadline(std::time::Duration::from_secs(2))
        .start()
        .await
        .unwrap();
    let token = created(&world).await;
    let holder = lock(&world).await;
    failed(&world.step("setSecret", &token).await, "DeadlineExceeded");
    let open = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'",
        world.role
    );
    assert_eq!(
        world.postgres.value(&open).await.unwrap().as_deref(),
        Some("0"),
        "while the lock is still held"
    );
    holder.run("ROLLBACK").await.unwrap();
    assert!(world.logs_in(&world.first_password).await.unwrap());
    world.finish().await.unwrap();
}
