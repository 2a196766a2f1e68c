//! The superuser's side fails, each cause by its own name, and nothing was changed: C16, C21, C42, C43.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use testbed::{Alternating, Postgres, Secret, Superuser, TestResult, unique};

use crate::server::{Say, Server, usual};
use crate::world;

/// A new rotation's setSecret must fail so, naming the superuser, and leave the pair as it was.
async fn fails(it: &Alternating, name: &str) -> TestResult<String> {
    let token = it.world.created().await?;
    let clone = it.clone_role();
    let postgres = &it.world.postgres;
    let before = postgres.verifier(&clone).await?;
    let message = it.world.step("setSecret", &token).await.failed_with(name)?;
    assert_eq!(postgres.verifier(&clone).await?, before, "{name}");
    assert!(it.world.version_logs_in("AWSCURRENT").await?, "{name}");
    it.world.cancel().await?;
    Ok(message)
}

#[tokio::test]
async fn c16_why_the_superuser_cannot_come_in_is_told_apart_from_a_wrong_password() -> TestResult {
    let cluster = Postgres::options().hba("hostssl all +outside 127.0.0.0/8 reject");
    let cluster = cluster.start().await?;
    let database = unique("shut");
    let builder = world().database(&database);
    // Who was granted the original would inherit its CONNECT.
    let it = builder
        .postgres(&cluster)
        .alternating_by(Superuser::Maker)
        .await?;
    let superuser = &it.superuser_role;
    let original = &it.world.role;
    let alter = format!("ALTER ROLE {superuser}");
    let connect = format!("CONNECT ON DATABASE {database}");
    for (cause, name, remedy) in [
        (
            format!("CREATE ROLE outside ROLE {superuser}"),
            "ConnectionNotAllowed",
            "DROP ROLE outside".to_owned(),
        ),
        (
            format!("{alter} NOLOGIN"),
            "LoginNotAllowed",
            format!("{alter} LOGIN"),
        ),
        (
            format!("{alter} CONNECTION LIMIT 0"),
            "TooManyConnections",
            format!("{alter} CONNECTION LIMIT -1"),
        ),
        (
            format!("REVOKE {connect} FROM PUBLIC; GRANT {connect} TO {original}"),
            "ConnectDenied",
            format!("GRANT {connect} TO {superuser}"),
        ),
        (
            format!("{alter} RENAME TO away"),
            "NoWorkingCredential",
            format!("ALTER ROLE away RENAME TO {superuser}"),
        ),
    ] {
        cluster.admin(&cause).await?;
        let message = fails(&it, name).await?;
        assert!(message.contains(superuser), "{name}: {message}");
        cluster.admin(&remedy).await?;
    }
    it.world.rotate().await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c21_a_superuser_who_may_create_no_role_is_named_with_the_statement() -> TestResult {
    let it = world().alternating().await?;
    let superuser = &it.superuser_role;
    let postgres = &it.world.postgres;
    let demote = format!("ALTER ROLE {superuser} NOCREATEROLE NOSUPERUSER");
    postgres.admin(&demote).await?;
    let message = fails(&it, "PermissionDenied").await?;
    let statement = format!("ALTER ROLE \\\"{}\\\"", it.clone_role()).replace('\\', "");
    assert!(
        message.contains(superuser) && message.contains(&statement),
        "{message}"
    );
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c21_a_superuser_who_comes_to_a_replica_is_told_the_writer_is_elsewhere() -> TestResult {
    let primary = Postgres::options().start().await?;
    let it = world().postgres(&primary).alternating().await?;
    let replica = primary.standby().await?;
    replica.catch_up_with(&primary).await?;
    let gate = testbed::DbGate::start(&replica).await?;
    let mut value = it.world.current().await?;
    value["port"] = json!(gate.port());
    it.world.put_current(&value.to_string()).await?;
    it.name_superuser(|value| value["port"] = json!(gate.port()))
        .await?;
    let message = fails(&it, "DatabaseReadOnly").await?;
    assert!(message.contains("writer"), "{message}");
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c21_a_conflict_with_another_change_is_tried_again_as_a_whole() -> TestResult {
    let conflicts = AtomicUsize::new(0);
    let server = Server::start(move |said, _| {
        if said.contains("ALTER ROLE") && conflicts.fetch_add(1, Ordering::Relaxed) < 2 {
            Say::No("XX000", "tuple concurrently updated".to_owned())
        } else {
            usual(said)
        }
    })
    .await?;
    let it = world()
        .secret(server.in_secret())
        .alternating_by(Superuser::Full)
        .await?;
    it.name_superuser(server.in_secret()).await?;
    let token = it.world.created().await?;
    it.world.step("setSecret", &token).await.success()?;
    let heard = server.heard();
    let changes = heard.iter().filter(|said| said.contains("ALTER ROLE"));
    assert_eq!(changes.count(), 3);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c42_another_rotation_of_the_pair_and_a_lock_on_the_clone_are_waited_for_and_named()
-> TestResult {
    let it = world().alternating().await?;
    it.world.rotate().await?;
    let original = &it.world.role;
    let clone = it.clone_role();
    let pair = format!(
        "SELECT pg_advisory_xact_lock(hashtextextended('db-rotation', hashtext('{original}')))"
    );
    // Level but for one thing, which is to be changed.
    let row = format!(
        "SELECT FROM pg_authid WHERE rolname = '{clone}' FOR UPDATE; ALTER ROLE {original} CONNECTION LIMIT 9"
    );
    for held in [pair, row] {
        let holder = it.world.postgres.admin_session("postgres").await?;
        holder.run(&format!("BEGIN; {held}")).await?;
        let message = fails(&it, "DeadlineExceeded").await?;
        assert!(message.contains("lock"), "{message}");
        holder.run("COMMIT").await?;
    }
    it.world.rotate().await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c43_a_superuser_secret_that_cannot_be_read_is_named_and_not_taken_for_the_rotated_one()
-> TestResult {
    let it = world().alternating().await?;
    let nobodys = Secret {
        arn: format!("{}-gone", it.superuser.arn),
        name: "gone".to_owned(),
    };
    for (edit, says) in [
        (json!({"password": null}), "\"password\""),
        (json!({"username": ""}), "\"username\""),
        (json!({"port": "no port"}), "\"port\""),
        (json!({"engine": "mysql"}), "\"engine\""),
    ] {
        it.name_superuser(|value| {
            value
                .as_object_mut()
                .unwrap()
                .extend(edit.as_object().unwrap().clone());
        })
        .await?;
        let message = fails(&it, "SecretMalformed").await?;
        assert!(
            message.contains("superuser") && message.contains(says),
            "{message}"
        );
    }
    let mut value = it.world.current().await?;
    value["masterarn"] = json!(nobodys.arn);
    it.world.put_current(&value.to_string()).await?;
    let message = fails(&it, "SecretNotFound").await?;
    assert!(message.contains(&nobodys.arn), "{message}");
    assert_eq!(it.world.db.connections(), 0);
    it.world.finish().await?;
    Ok(())
}
