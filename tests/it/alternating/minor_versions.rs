//! Minor versions whose servers do not keep the role as which the clone's sessions start: C54, C55.

use testbed::{Alternating, Postgres, TestResult, unique};

use crate::world;

/// A world on a server of exactly this version.
async fn on(version: &str) -> TestResult<Alternating> {
    let cluster = Postgres::options().version(version).start().await?;
    assert_eq!(cluster.version(), version);
    Ok(world().postgres(&cluster).alternating().await?)
}

#[tokio::test]
async fn c54_a_server_that_ignores_the_clones_role_setting_is_named_and_the_rotation_completes()
-> TestResult {
    let it = on("17.1").await?;
    for names_clone in [true, false, true] {
        let rotation = it.world.rotate().await?;
        let warnings = rotation.steps[2].1.warnings();
        assert_eq!(warnings.len(), usize::from(names_clone), "{warnings:?}");
        for warning in warnings {
            assert!(
                warning.contains("17.1") && warning.contains(&it.clone_role()),
                "{warning}"
            );
        }
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c54_a_clone_without_the_setting_is_refused_there_too() -> TestResult {
    let it = on("17.1").await?;
    let token = it.world.created().await?;
    it.world.step("setSecret", &token).await.success()?;
    let reset = format!("ALTER ROLE {} RESET role", it.clone_role());
    it.world.postgres.admin(&reset).await?;
    let test = it.world.step("testSecret", &token).await;
    test.failed_with("CloneNotEqual")?;
    it.world.steps(&token).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c55_what_a_pool_made_the_clone_own_is_named_with_the_statement_that_mends_it() -> TestResult
{
    let it = on("16.4").await?;
    let original = &it.world.role;
    let clone = it.clone_role();
    let postgres = &it.world.postgres;
    let schema = unique("made");
    let sql = format!("CREATE SCHEMA {schema} AUTHORIZATION {original}");
    postgres.admin(&sql).await?;
    it.world.rotate().await?;
    let (role, password) = it.current().await?;
    let pooled = postgres.login(&role, &password, "postgres").await?;
    let owner = format!("SELECT tableowner FROM pg_tables WHERE schemaname = '{schema}'");

    // As pools do between two clients.
    pooled.run("DISCARD ALL").await?;
    let make = format!("CREATE TABLE {schema}.t (); CREATE SEQUENCE {schema}.q");
    pooled.run(&make).await?;
    assert_eq!(postgres.value(&owner).await?, Some(clone.clone()));

    let rotation = it.world.rotate().await?;
    let warnings = rotation.steps[1].1.warnings();
    let [warning] = warnings[..] else {
        panic!("{warnings:?}");
    };
    let warning: serde_json::Value = serde_json::from_str(warning)?;
    assert_eq!(warning["objects"], 2, "{warning}");
    assert_eq!(warning["database"], "postgres", "{warning}");
    assert_eq!(warning["role"], clone.as_str(), "{warning}");
    let statement = warning["statement"].as_str().unwrap();
    assert!(statement.starts_with("REASSIGN OWNED BY"), "{warning}");

    postgres.admin(statement).await?;
    assert_eq!(postgres.value(&owner).await?, Some(original.clone()));
    let rotation = it.world.rotate().await?;
    let warnings = rotation.steps[1].1.warnings();
    let is_told = warnings.iter().any(|line| line.contains("owns objects"));
    assert!(!is_told, "{warnings:?}");
    it.world.finish().await?;
    Ok(())
}
