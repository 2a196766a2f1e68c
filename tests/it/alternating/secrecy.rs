//! The superuser's password, and both roles': encrypted on their way, told to nobody: C39, C46.

use std::sync::{Arc, OnceLock};

use serde_json::json;
use testbed::{Alternating, DbFault, Fault, Superuser, TestResult, Tls, eventually};

use crate::server::{Say, Server, usual};
use crate::{given, world};

#[tokio::test]
async fn c39_without_a_proof_of_the_host_neither_login_is_tried() -> TestResult {
    let stripped = world().alternating().await?;
    stripped.world.db.every(DbFault::StripTls);
    let cluster = testbed::Postgres::options()
        .tls(Tls::OtherCa)
        .start()
        .await?;
    let unknown = world().postgres(&cluster).alternating().await?;
    for it in [stripped, unknown] {
        let token = it.world.created().await?;
        it.world
            .step("setSecret", &token)
            .await
            .failed_with("TlsFailed")?;
        for role in [&it.world.role, &it.superuser_role] {
            let postgres = &it.world.postgres;
            assert_eq!(postgres.connections(role, it.world.began), []);
            assert_eq!(postgres.refusals(role, it.world.began), [""; 0]);
        }
        it.world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c39_every_session_is_encrypted_unless_the_secrets_say_otherwise() -> TestResult {
    for (ssl, expected) in [(true, Some("TLSv1.3")), (false, None)] {
        let it = world()
            .secret(move |value| value["ssl"] = json!(ssl))
            .alternating()
            .await?;
        it.name_superuser(|value| value["ssl"] = json!(false))
            .await?;
        let rotation = it.world.rotate().await?;
        let postgres = &it.world.postgres;
        let began = it.world.began;
        let all = eventually("three sessions", async || {
            let roles = [&it.world.role, &it.clone_role(), &it.superuser_role]
                .map(|role| postgres.connections(role, began));
            let all = roles.concat();
            Ok((all.len() == 3).then_some(all))
        })
        .await?;
        assert!(
            all.iter().all(|one| one.tls.as_deref() == expected),
            "{all:?}"
        );
        for (step, invocation) in &rotation.steps[1..3] {
            assert_eq!(invocation.warnings().len(), usize::from(!ssl), "{step}");
        }
        it.world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c46_rotations_at_trace_and_every_way_for_them_to_fail_show_nothing() -> TestResult {
    let it = world().env("RUST_LOG", "trace").alternating().await?;
    for _ in 0..2 {
        let token = it.world.created().await?;
        for fault in [
            DbFault::Reset,
            DbFault::StripTls,
            DbFault::LoseAnswer(3),
            DbFault::LoseAnswer(7),
            DbFault::ResetAfterReceived(1500),
        ] {
            for connection in 1..=2 {
                it.world.db.connection(connection, fault);
            }
            it.world.step("setSecret", &token).await;
            it.world.db.heal();
        }
        it.world
            .api
            .answer("GetSecretValue", 1.., Fault::TruncatedBody);
        it.world.step("setSecret", &token).await.failure()?;
        it.world.api.heal();
        it.name_superuser(|value| value["engine"] = json!(value["password"]))
            .await?;
        it.world
            .step("setSecret", &token)
            .await
            .failed_with("SecretMalformed")?;
        it.name_superuser(|_| ()).await?;
        it.world.steps(&token).await?;
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c46_a_server_that_repeats_what_it_was_given_or_knows_is_not_repeated() -> TestResult {
    for (at, code) in [
        ("ALTER ROLE", "22023"),
        ("ALTER ROLE", "42501"),
        ("ALTER ROLE", "DBR01"),
        ("pg_advisory_xact_lock", "58000"),
        ("login", "28000"),
        ("login", "57P03"),
    ] {
        // It may know the superuser's password: it is the server.
        let password = Arc::new(OnceLock::<String>::new());
        let its = Arc::clone(&password);
        let server = Server::start(move |said, _| {
            if said.contains(at) {
                Say::No(code, format!("no: {said} {}", its.get().unwrap()))
            } else {
                usual(said)
            }
        })
        .await?;
        let it = at_server(&server).await?;
        password.set(it.superuser_password.clone()).unwrap();
        let token = it.world.created().await?;
        let set = it.world.step("setSecret", &token).await;
        let text = format!("{:?} {:?}", set.failure()?, set.log);
        assert!(!repeats_a_verifier(&server, &text), "{at} {code}");
        it.world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c46_a_server_that_names_secrets_as_not_copied_is_not_repeated() -> TestResult {
    let server = Server::start(|said, _| {
        if said.contains("ALTER ROLE") {
            let names: &str = Box::leak(given(said).to_owned().into_boxed_str());
            Say::Yes(vec![names])
        } else {
            usual(said)
        }
    })
    .await?;
    let it = at_server(&server).await?;
    let token = it.world.created().await?;
    let set = it.world.step("setSecret", &token).await;
    set.success()?;
    assert!(!repeats_a_verifier(&server, &format!("{:?}", set.log)));
    it.world.finish().await?;
    Ok(())
}

/// A world whose server, for everybody, is a scripted one.
async fn at_server(server: &Server) -> TestResult<Alternating> {
    let builder = world().env("RUST_LOG", "trace").secret(server.in_secret());
    let it = builder.alternating_by(Superuser::Full).await?;
    it.name_superuser(server.in_secret()).await?;
    Ok(it)
}

fn repeats_a_verifier(server: &Server, text: &str) -> bool {
    let heard = server.heard();
    let mut changes = heard.iter().filter(|said| said.contains("ALTER ROLE"));
    changes.any(|sql| text.contains(given(sql)))
}
