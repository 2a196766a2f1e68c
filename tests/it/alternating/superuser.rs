//! Who changes the passwords, and where it may be sent: C24, C28, C30.

use serde_json::json;
use testbed::{Alternating, Postgres, Superuser, TestResult};

use crate::world;

#[tokio::test]
async fn c24_nothing_is_changed_unless_the_current_credential_logs_in() -> TestResult {
    let it = world().alternating().await?;
    it.world
        .postgres
        .set_password(&it.world.role, "changed by hand")
        .await?;
    let token = it.world.created().await?;
    it.world
        .step("setSecret", &token)
        .await
        .failed_with("NoWorkingCredential")?;
    let clone = it
        .world
        .postgres
        .value(&format!(
            "SELECT 1 FROM pg_roles WHERE rolname = '{}'",
            it.clone_role()
        ))
        .await?;
    assert_eq!(clone, None);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c24_a_superuser_who_is_refused_changes_nothing_and_is_named() -> TestResult {
    let it = world().alternating().await?;
    it.name_superuser(|value| value["password"] = json!("not the password"))
        .await?;
    let token = it.world.created().await?;
    let failed = it.world.step("setSecret", &token).await;
    let failure = failed.failure()?;
    assert_eq!(failure.error_type, "NoWorkingCredential");
    assert!(
        failure.error_message.contains("superuser"),
        "{}",
        failure.error_message
    );
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c28_createrole_is_enough_for_who_made_the_original_or_was_given_admin_on_it() -> TestResult
{
    for kind in [Superuser::Maker, Superuser::Granted] {
        let it = world().alternating_by(kind).await?;
        for _ in 0..3 {
            let rotation = it.world.rotate().await?;
            assert!(rotation.steps[1].1.warnings().is_empty(), "{kind:?}");
            assert!(it.world.version_logs_in("AWSCURRENT").await?, "{kind:?}");
        }
        it.world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c28_a_lack_of_admin_prints_the_grant_that_mends_it() -> TestResult {
    let cluster = Postgres::options().version("16").start().await?;
    let it = world()
        .postgres(&cluster)
        .alternating_by(Superuser::Bare)
        .await?;
    let token = it.world.created().await?;
    let failed = it.world.step("setSecret", &token).await;
    let failure = failed.failure()?;
    assert_eq!(failure.error_type, "PermissionDenied");
    let grant = failure
        .error_message
        .split("as an administrator: ")
        .nth(1)
        .unwrap();
    let grant = grant.split(" (SQLSTATE").next().unwrap();
    assert!(
        grant.starts_with("GRANT ") && grant.ends_with(" WITH ADMIN OPTION"),
        "{grant}"
    );
    cluster.admin(grant).await?;
    it.world.steps(&token).await?;
    for _ in 0..2 {
        it.world.rotate().await?;
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c30_the_superusers_password_goes_to_no_other_host() -> TestResult {
    let it = world().alternating().await?;
    let decoy = testbed::DbGate::decoy().await?;
    it.world.rotate().await?;
    for edit in [
        json!({"host": "127.0.0.1"}),
        json!({"host": "localhost.example", "port": decoy.port()}),
    ] {
        it.name_superuser(|value| {
            value["port"] = json!(decoy.port());
            for (key, other) in edit.as_object().unwrap() {
                value[key] = other.clone();
            }
        })
        .await?;
        let token = it.world.begin().await?;
        it.world.step("createSecret", &token).await.success()?;
        let failed = it.world.step("setSecret", &token).await;
        assert_ne!(failed.error_type(), None);
        assert!(
            ["ForeignTarget", "AwsCallFailed"].contains(&failed.error_type().unwrap()),
            "{failed:?}"
        );
        it.world
            .secrets
            .remove_label(&it.world.secret, "AWSPENDING")
            .await?;
    }
    assert_eq!(decoy.connections(), 0);
    it.world.finish().await?;
    Ok(())
}

/// Writes a version that a rotation of the superuser secret has under way: its value is nobody's yet.
async fn superuser_is_being_rotated(it: &Alternating) -> TestResult {
    let secrets = &it.world.secrets;
    let token = secrets.stage_pending(&it.superuser).await?;
    let pending =
        json!({"host": "elsewhere.invalid", "username": "nobody", "password": "not in use yet"})
            .to_string();
    let put = secrets.put_value(&it.superuser, Some(&token), &["AWSPENDING"], &pending);
    put.await?;
    Ok(())
}

#[tokio::test]
async fn c32_of_a_superuser_secret_that_is_being_rotated_only_the_current_value_is_read()
-> TestResult {
    let it = world().alternating().await?;
    superuser_is_being_rotated(&it).await?;
    it.world.keep_secret("not in use yet");
    for _ in 0..2 {
        it.world.rotate().await?;
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c32_the_superuser_may_itself_be_one_of_two_that_take_turns() -> TestResult {
    let it = world().alternating().await?;
    let original = &it.superuser_role;
    let clone = format!("{}_clone", it.superuser_role);
    let password = &it.superuser_password;
    it.world.postgres.create_role(&clone, password).await?;
    // As level.sql leaves it.
    let equal = format!("GRANT {original} TO {clone}; ALTER ROLE {clone} SET role = {original}");
    it.world.postgres.admin(&equal).await?;
    for turn in [&clone, original, &clone] {
        it.name_superuser(|value| value["username"] = json!(turn))
            .await?;
        let rotation = it.world.rotate().await?;
        assert!(rotation.steps[1].1.warnings().is_empty(), "{turn}");
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c24_a_superuser_who_is_one_of_the_pair_is_not_asked_to_change_its_own_password()
-> TestResult {
    let it = world().alternating_by(Superuser::Full).await?;
    let original = it.world.role.clone();
    let verifier = it.world.postgres.verifier(&original).await?;
    it.name_superuser(|value| {
        value["username"] = json!(original);
        value["password"] = json!(it.world.first_password);
    })
    .await?;
    let token = it.world.created().await?;
    let message = it
        .world
        .step("setSecret", &token)
        .await
        .failed_with("ForeignTarget")?;
    assert!(
        message.contains("superuser") && message.contains(&original),
        "{message}"
    );
    assert_eq!(it.world.postgres.verifier(&original).await?, verifier);
    assert_eq!(it.world.db.connections(), 0);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c39_the_superusers_own_secret_decides_whether_its_password_goes_unencrypted() -> TestResult
{
    let it = world()
        .secret(|value| value["ssl"] = json!(false))
        .alternating()
        .await?;
    for (own, is_encrypted) in [(None, true), (Some(true), true), (Some(false), false)] {
        it.name_superuser(|value| {
            if let Some(own) = own {
                value["ssl"] = json!(own);
            }
        })
        .await?;
        let from = it.world.postgres.mark();
        it.world.rotate().await?;
        let sessions = it.world.postgres.connections(&it.superuser_role, from);
        assert_eq!(sessions.len(), 1, "{own:?}");
        assert_eq!(sessions[0].tls.is_some(), is_encrypted, "{own:?}");
    }
    it.world.finish().await?;
    Ok(())
}
