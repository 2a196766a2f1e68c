//! Secrets taken over from AWS's own functions, in the middle of a rotation too, and given back: C4, C26, C55.
//!
//! What AWS's functions leave is made here by what they do, statement by statement (AWS, *Rotation function templates*,
//! `SecretsManagerRDSPostgreSQLRotationSingleUser` and `…MultiUser`), not by their code.

use serde_json::Value;
use testbed::world::STEPS;
use testbed::{Alternating, Superuser, TestResult, World};

use super::world;

/// One step, as AWS's function does it: the value as Python's `json.dumps` writes it, the password as text.
async fn theirs(
    world: &World,
    superuser: Option<&Alternating>,
    step: &str,
    token: &str,
) -> TestResult {
    match step {
        "createSecret" => {
            let text = world.text("AWSCURRENT").await?;
            let value: Value = serde_json::from_str(&text)?;
            let password = testbed::unique("theirs-");
            let mut text = text.replace("\":", "\": ").replace(",\"", ", \"");
            text = text.replace(value["password"].as_str().unwrap(), &password);
            if superuser.is_some() {
                let role = value["username"].as_str().unwrap();
                let other = match role.strip_suffix("_clone") {
                    Some(original) => original.to_owned(),
                    None => format!("{role}_clone"),
                };
                text = text.replace(&format!("\"{role}\""), &format!("\"{other}\""));
            }
            world.put_pending(token, &text).await?;
        }
        "setSecret" => {
            let (current, current_password) = world.credentials("AWSCURRENT").await?;
            let (role, password) = world.credentials("AWSPENDING").await?;
            let postgres = &world.postgres;
            let Some(pair) = superuser else {
                let session = postgres
                    .login(&current, &current_password, &world.database)
                    .await?;
                session
                    .run(&format!("ALTER USER {role} WITH PASSWORD '{password}'"))
                    .await?;
                return Ok(());
            };
            let login = (&pair.superuser_role, &pair.superuser_password);
            let session = postgres.login(login.0, login.1, &world.database).await?;
            let found = format!("SELECT 1 FROM pg_roles WHERE rolname = '{role}'");
            if session.run(&found).await?.is_empty() {
                session
                    .run(&format!(
                        "CREATE ROLE {role} WITH LOGIN PASSWORD '{password}'"
                    ))
                    .await?;
                session.run(&format!("GRANT {current} TO {role}")).await?;
            } else {
                session
                    .run(&format!("ALTER USER {role} WITH PASSWORD '{password}'"))
                    .await?;
            }
        }
        "testSecret" => assert!(world.version_logs_in("AWSPENDING").await?),
        _ => {
            world
                .secrets
                .move_label(&world.secret, "AWSCURRENT", token)
                .await?;
            world.secrets.tidy(&world.secret).await?;
        }
    }
    Ok(())
}

/// A whole rotation by AWS's function.
async fn rotate_theirs(world: &World, superuser: Option<&Alternating>) -> TestResult {
    let token = world.begin().await?;
    for step in STEPS {
        theirs(world, superuser, step, &token).await?;
    }
    assert!(world.version_logs_in("AWSCURRENT").await?);
    Ok(())
}

/// A rotation of which AWS's function did so many steps, and ours the rest.
async fn rotate_half(world: &World, superuser: Option<&Alternating>, done: usize) -> TestResult {
    let token = world.begin().await?;
    let (before, after) = STEPS.split_at(done);
    for step in before {
        theirs(world, superuser, step, &token).await?;
    }
    for step in after {
        let ours = world.step(step, &token).await;
        // A clone that AWS's setSecret has made acts as itself. The service calls all the steps again.
        if superuser.is_some() && ours.error_type() == Some("CloneNotEqual") {
            assert_eq!((*step, done), ("testSecret", 2));
            world.steps(&token).await?;
            break;
        }
        ours.success()?;
    }
    world.secrets.tidy(&world.secret).await?;
    assert_eq!(world.version("AWSCURRENT").await?, Some(token));
    assert!(world.version_logs_in("AWSCURRENT").await?);
    Ok(())
}

#[tokio::test]
async fn c4_a_rotation_of_one_user_that_awss_function_began_is_completed_and_given_back()
-> TestResult {
    for done in 1..=3 {
        let world = world().plaintext_at_the_server().start().await?;
        rotate_theirs(&world, None).await?;
        rotate_half(&world, None, done).await?;
        world.rotate().await?;
        rotate_theirs(&world, None).await?;
        world.rotate().await?;
        world.finish().await?;
    }
    Ok(())
}

#[tokio::test]
async fn c4_a_rotation_of_two_users_that_awss_function_began_is_completed_and_given_back()
-> TestResult {
    // Before and after AWS's function has made the clone.
    for before in 0..=2 {
        for done in 1..=3 {
            let it = world().plaintext_at_the_server();
            let it = it.alternating_by(Superuser::Full).await?;
            for _ in 0..before {
                rotate_theirs(&it.world, Some(&it)).await?;
            }
            rotate_half(&it.world, Some(&it), done).await?;
            it.world.rotate().await?;
            it.world.rotate().await?;
            for _ in 0..2 {
                rotate_theirs(&it.world, Some(&it)).await?;
            }
            it.world.rotate().await?;
            it.world.finish().await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn c26_a_clone_that_awss_function_made_is_brought_level_and_what_it_owns_is_named()
-> TestResult {
    let it = world().plaintext_at_the_server();
    let it = it.alternating_by(Superuser::Full).await?;
    let original = &it.world.role;
    let clone = it.clone_role();
    let postgres = &it.world.postgres;
    let schema = testbed::unique("made");
    let limits = format!("ALTER ROLE {original} CONNECTION LIMIT 7");
    postgres.admin(&limits).await?;
    postgres
        .admin(&format!("CREATE SCHEMA {schema} AUTHORIZATION {original}"))
        .await?;
    rotate_theirs(&it.world, Some(&it)).await?;
    let (role, password) = it.current().await?;
    assert_eq!(role, clone);
    let session = postgres.login(&role, &password, "postgres").await?;
    session.run(&format!("CREATE TABLE {schema}.t ()")).await?;
    let owner = format!("SELECT tableowner FROM pg_tables WHERE schemaname = '{schema}'");
    assert_eq!(
        postgres.value(&owner).await?,
        Some(clone.clone()),
        "as AWS's function leaves it"
    );
    drop(session);

    let rotation = it.world.rotate().await?;
    let warnings = rotation.steps[1].1.warnings();
    let warning = warnings
        .iter()
        .find(|line| line.contains("REASSIGN OWNED BY"));
    let warning: Value = serde_json::from_str(warning.unwrap())?;
    postgres
        .admin(warning["statement"].as_str().unwrap())
        .await?;
    assert_eq!(postgres.value(&owner).await?, Some(original.clone()));
    it.world.rotate().await?;
    let (role, password) = it.current().await?;
    assert_eq!(role, clone);
    let session = postgres.login(&role, &password, "postgres").await?;
    session.run(&format!("CREATE TABLE {schema}.u ()")).await?;
    assert_eq!(
        postgres
            .value(&format!("{owner} AND tablename = 'u'"))
            .await?,
        Some(original.clone())
    );
    let limit = format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{clone}'");
    assert_eq!(postgres.value(&limit).await?.as_deref(), Some("7"));
    it.world.finish().await?;
    Ok(())
}
