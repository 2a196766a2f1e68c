//! How a session looks from the server: C40, C41.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use testbed::{TestResult, World, eventually};

use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod, SslStream};
use openssl::x509::X509;
use serde_json::json;

use super::world;

#[tokio::test]
async fn c40_channel_binding_is_used_where_the_server_offers_it() -> TestResult {
    let world = world().start().await?;
    let data = world.postgres.folder().join("data");
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
    let mut value = world.current().await?;
    value["port"] = json!(port);
    world.put_current(&value.to_string()).await?;
    let token = world.created().await?;
    world.step("setSecret", &token).await.failure()?;
    let chosen = chosen.await?;
    assert!(
        chosen.starts_with("SCRAM-SHA-256-PLUS\0") && chosen.contains("p=tls-server-end-point"),
        "{chosen:?}"
    );
    world.finish().await?;
    Ok(())
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
async fn c41_every_session_is_named_closed_politely_and_over_when_its_step_is() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    for step in ["setSecret", "testSecret", "finishSecret"] {
        let from = world.postgres.mark();
        world.step(step, &token).await.success()?;
        no_session(&world).await?;
        let ended = eventually("the log", async || {
            let all = world.postgres.connections(&world.role, from);
            Ok(all.iter().all(|one| one.ended).then_some(all))
        });
        for connection in ended.await? {
            assert_eq!(connection.application_name, "db-rotation");
        }
    }
    let log = world.postgres.log_since(world.began);
    let rude: Vec<_> = log
        .lines()
        .filter(|line| line.contains(&world.role) && line.contains("client"))
        .collect();
    assert_eq!(rude, Vec::<&str>::new());
    world.finish().await?;
    Ok(())
}

/// The role's sessions have ended; a server takes a moment for that.
async fn no_session(world: &World) -> TestResult {
    let open = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'",
        world.role
    );
    eventually("no session", async || {
        let open = world.postgres.value(&open).await?;
        Ok((open.as_deref() == Some("0")).then_some(()))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn c41_no_session_outlives_a_step_that_ran_out_of_time() -> TestResult {
    let world = world()
        .deadline(std::time::Duration::from_secs(2))
        .start()
        .await?;
    let token = world.created().await?;
    let holder = world.lock_role().await?;
    world
        .step("setSecret", &token)
        .await
        .failed_with("DeadlineExceeded")?;
    // While the lock is still held.
    no_session(&world).await?;
    holder.run("ROLLBACK").await?;
    assert!(world.logs_in(&world.first_password).await?);
    world.finish().await?;
    Ok(())
}
