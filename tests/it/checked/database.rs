//! Where the network, the server or the role is in the way.

use serde_json::json;
use testbed::{DbGate, Postgres, SilentPort, TestResult, Tls, World};

use super::{checked, checked_by, fails, is_mended};
use crate::server::{Say, Server, usual};
use crate::world;

async fn point(world: &World, key: &str, to: serde_json::Value) -> TestResult {
    let mut value = world.current().await?;
    value[key] = to;
    Ok(world.put_current(&value.to_string()).await?)
}

#[tokio::test]
async fn c63_what_is_in_the_way_on_the_network_is_told_apart() -> TestResult {
    let world = world().start().await?;
    let quiet = SilentPort::open().await?;
    let host = json!("localhost");
    let port = json!(world.db.port());
    for (key, wrong, right, check, says) in [
        (
            "host",
            json!("nowhere.invalid"),
            &host,
            "host",
            "HostNotFound",
        ),
        ("port", json!(1), &port, "TCP", "DatabaseUnreachable"),
        (
            "port",
            json!(quiet.port()),
            &port,
            "TCP",
            "DeadlineExceeded",
        ),
    ] {
        point(&world, key, wrong).await?;
        let answer = fails(&world, &[check], &[says]).await?;
        for later in ["login", "server", "password change"] {
            assert!(answer.with("not tried").contains(&later), "{answer:#?}");
        }
        point(&world, key, right.clone()).await?;
        is_mended(&world).await?;
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_what_is_wrong_with_tls_is_mended_as_it_says() -> TestResult {
    for (tls, says, mode) in [
        (Tls::Off, "does not offer TLS", json!(false)),
        (Tls::WrongName, "mismatch", json!("verify-ca")),
    ] {
        let cluster = Postgres::options().tls(tls).start().await?;
        let world = world().postgres(&cluster).start().await?;
        fails(&world, &["TLS"], &["TlsFailed", says]).await?;
        point(&world, "ssl", mode).await?;
        let answer = checked(&world).await?;
        assert!(answer.with("warning").contains(&"TLS"), "{answer:#?}");
        is_mended(&world).await?;
        world.finish().await?;
    }
    let cluster = Postgres::options().tls(Tls::OtherCa).start().await?;
    let world = world().postgres(&cluster).start().await?;
    fails(&world, &["TLS"], &["TlsFailed", "PGSSLROOTCERT"]).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_what_keeps_the_role_out_is_mended_as_it_says() -> TestResult {
    let world = world().database("own_of_checked").start().await?;
    let role = &world.role;
    for (breaks, mends, says) in [
        (
            format!("ALTER ROLE {role} NOLOGIN"),
            format!("ALTER ROLE {role} LOGIN"),
            ["LoginNotAllowed", "ALTER ROLE … LOGIN"],
        ),
        (
            format!("ALTER ROLE {role} VALID UNTIL 'yesterday'"),
            format!("ALTER ROLE {role} VALID UNTIL 'infinity'"),
            ["NoWorkingCredential", "VALID UNTIL 'infinity'"],
        ),
        (
            format!("ALTER ROLE {role} CONNECTION LIMIT 0"),
            format!("ALTER ROLE {role} CONNECTION LIMIT -1"),
            ["TooManyConnections", "CONNECTION LIMIT"],
        ),
        (
            "REVOKE CONNECT ON DATABASE own_of_checked FROM PUBLIC".to_owned(),
            format!("GRANT CONNECT ON DATABASE own_of_checked TO {role}"),
            ["ConnectDenied", "GRANT CONNECT ON DATABASE"],
        ),
    ] {
        world.postgres.admin(&breaks).await?;
        let answer = fails(&world, &["login"], &says).await?;
        assert!(answer.with("not tried").contains(&"password change"));
        world.postgres.admin(&mends).await?;
        is_mended(&world).await?;
    }
    world.set_password("another one").await?;
    fails(
        &world,
        &["login"],
        &["NoWorkingCredential", "AWSCURRENT: password refused"],
    )
    .await?;
    world
        .set_password(&world.password("AWSCURRENT").await?)
        .await?;
    is_mended(&world).await?;
    point(&world, "dbname", json!("no_such_database")).await?;
    fails(&world, &["login"], &["DatabaseNotFound", "dbname"]).await?;
    point(&world, "dbname", json!("own_of_checked")).await?;
    is_mended(&world).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_line_of_pg_hba_that_lets_nobody_in_is_named_and_another_mends_it() -> TestResult {
    let cluster = Postgres::options().hba("hostssl postgres all 127.0.0.0/8 reject");
    let cluster = cluster.start().await?;
    let world = world().postgres(&cluster).start().await?;
    fails(&world, &["login"], &["ConnectionNotAllowed", "pg_hba.conf"]).await?;
    let file = cluster.value("SELECT current_setting('hba_file')").await?;
    let line = "'host all all 127.0.0.0/8 scram-sha-256' UNION ALL SELECT 'local all all trust'";
    let file = file.unwrap_or_default();
    cluster
        .admin(&format!("COPY (SELECT {line}) TO '{file}'"))
        .await?;
    cluster
        .admin("SELECT pg_reload_conf(), pg_sleep(0.2)")
        .await?;
    is_mended(&world).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_replica_takes_no_password_and_its_writer_does() -> TestResult {
    let primary = Postgres::options().start().await?;
    let replica = primary.standby().await?;
    let world = world().postgres(&primary).start().await?;
    replica.catch_up_with(&primary).await?;
    let gate = DbGate::start(&replica).await?;
    point(&world, "port", json!(gate.port())).await?;
    let answer = fails(
        &world,
        &["server"],
        &["DatabaseReadOnly", "a replica", "writer"],
    )
    .await?;
    assert!(answer.with("not tried").contains(&"password change"));
    point(&world, "port", json!(world.db.port())).await?;
    is_mended(&world).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_password_policy_and_a_lock_are_met_as_a_rotation_meets_them() -> TestResult {
    let cluster = Postgres::options()
        .setting("shared_preload_libraries", "passwordcheck")
        .start()
        .await?;
    let world = world()
        .postgres(&cluster)
        .env("PASSWORD_TRANSPORT", "plaintext")
        .env("PASSWORD_LENGTH", "6")
        .plaintext_at_the_server()
        .start()
        .await?;
    fails(
        &world,
        &["password change"],
        &["PasswordRefused", "PASSWORD_LENGTH"],
    )
    .await?;
    let longer = world
        .function
        .another()
        .env("PASSWORD_LENGTH", "24")
        .start()
        .await?;
    assert!(checked_by(&world, &longer).await?.is_ready());
    let lock = world.lock_role().await?;
    let answer = checked_by(&world, &longer).await?;
    assert_eq!(answer.with("failed"), ["password change"]);
    assert!(
        answer
            .says("password change")
            .contains("waiting for a lock"),
        "{answer:#?}"
    );
    lock.run("ROLLBACK").await?;
    assert!(checked_by(&world, &longer).await?.is_ready());
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_password_that_only_an_older_version_knows_is_a_warning_since_a_rotation_mends_it()
-> TestResult {
    let world = world().start().await?;
    world.rotate().await?;
    let previous = world.password("AWSPREVIOUS").await?;
    world.set_password(&previous).await?;
    let answer = checked(&world).await?;
    assert!(answer.with("warning").contains(&"login"), "{answer:#?}");
    assert!(answer.says("login").contains("AWSPREVIOUS logs in"));
    is_mended(&world).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_pooler_in_between_and_a_server_that_asks_nobody_are_warned_of() -> TestResult {
    let name = testbed::unique("pooled");
    let role: &'static str = name.clone().leak();
    let server = Server::start(move |said, _| match said {
        said if said.contains("pg_backend_pid") => {
            Say::Yes(vec!["16.4", "f", "scram-sha-256", "7"])
        }
        said if said.contains("session_user") => Say::Yes(vec!["1", role, role]),
        said => usual(said),
    })
    .await?;
    let world = world()
        .role(&name)
        .secret(server.in_secret())
        .start()
        .await?;
    let answer = checked(&world).await?;
    assert!(answer.is_ready(), "{answer:#?}");
    for (check, says) in [
        ("pooler", "rotation_host"),
        ("login", "not asked for a password"),
        ("TLS", "not encrypted"),
    ] {
        assert!(
            answer.with("warning").contains(&check),
            "{check}: {answer:#?}"
        );
        assert!(answer.says(check).contains(says), "{check}: {answer:#?}");
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_login_that_reaches_another_role_fails() -> TestResult {
    let server = Server::start(|said, _| match said {
        said if said.contains("session_user") => Say::Yes(vec!["1", "somebody", "somebody"]),
        said => usual(said),
    })
    .await?;
    let world = world().secret(server.in_secret()).start().await?;
    fails(&world, &["login"], &["UnexpectedRole", "somebody"]).await?;
    world.finish().await?;
    Ok(())
}
