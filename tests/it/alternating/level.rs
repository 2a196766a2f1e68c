//! The clone is the original's equal at every rotation: C26, C27, C35.

use testbed::{Alternating, Superuser, TestResult, unique};

use crate::world;

#[tokio::test]
async fn c26_the_clone_is_brought_level_at_every_rotation() -> TestResult {
    let it = world().alternating().await?;
    let original = it.world.role.clone();
    let clone = it.clone_role();
    let cluster = &it.world.postgres;
    let state = |role: &str| {
        format!(
            "SELECT concat_ws(' ', rolcanlogin, rolconnlimit, rolvaliduntil, rolinherit, rolcreaterole, \
             (SELECT string_agg(setdatabase || item, ',' ORDER BY setdatabase, item) FROM pg_db_role_setting s, \
             unnest(setconfig) item WHERE setrole = r.oid AND item NOT LIKE 'role=%')) FROM pg_roles r WHERE rolname = '{role}'"
        )
    };
    it.world.rotate().await?;
    let changes = [
        format!("ALTER ROLE {original} CONNECTION LIMIT 7 VALID UNTIL '2099-01-01' CREATEROLE"),
        format!("ALTER ROLE {original} SET search_path = \"$user\", 'odd, name', public"),
        format!("ALTER ROLE {original} SET datestyle = 'ISO, DMY'"),
        format!("ALTER ROLE {original} IN DATABASE postgres SET statement_timeout = '5min'"),
        format!("ALTER ROLE {clone} SET work_mem = '1MB'"),
        format!("ALTER ROLE {clone} NOLOGIN"),
    ];
    for change in &changes[..5] {
        cluster.admin(change).await?;
    }
    it.world.rotate().await?;
    assert_eq!(
        it.world.postgres.value(&state(&clone)).await?,
        it.world.postgres.value(&state(&original)).await?
    );
    assert!(
        it.world
            .postgres
            .value(&state(&original))
            .await?
            .is_some_and(|state| state.contains("odd, name"))
    );

    cluster.admin(&changes[5]).await?;
    cluster
        .admin(&format!(
            "ALTER ROLE {original} RESET ALL; ALTER ROLE {original} CONNECTION LIMIT -1"
        ))
        .await?;
    it.world.rotate().await?;
    assert_eq!(
        it.world.postgres.value(&state(&clone)).await?,
        it.world.postgres.value(&state(&original)).await?
    );
    assert!(it.world.version_logs_in("AWSCURRENT").await?);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c26_what_cannot_be_copied_is_named_in_one_warning() -> TestResult {
    let it = world().alternating_by(Superuser::Maker).await?;
    it.world
        .postgres
        .admin(&format!(
            "ALTER ROLE {} SET log_statement = 'none'",
            it.world.role
        ))
        .await?;
    it.world
        .postgres
        .admin(&format!("ALTER ROLE {} BYPASSRLS", it.world.role))
        .await?;
    let rotation = it.world.rotate().await?;
    let lines: Vec<_> = rotation.steps[1]
        .1
        .log
        .iter()
        .filter(|line| line.contains("WARN"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("log_statement") && lines[0].contains("BYPASSRLS"),
        "{lines:?}"
    );
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c27_what_either_makes_belongs_to_the_original_and_both_may_alter_and_drop_it() -> TestResult
{
    let it = world().alternating().await?;
    let table = unique("made");
    let session = async || {
        let (role, password) = it.current().await?;
        let login = it.world.postgres.login(&role, &password, "postgres").await;
        TestResult::Ok(login?)
    };
    it.world
        .postgres
        .admin(&format!(
            "CREATE SCHEMA {table} AUTHORIZATION {}",
            it.world.role
        ))
        .await?;
    it.world.rotate().await?;
    session()
        .await?
        .run(&format!(
            "CREATE TABLE {table}.t (a int); INSERT INTO {table}.t VALUES (1)"
        ))
        .await?;
    let owner = format!("SELECT tableowner FROM pg_tables WHERE schemaname = '{table}'");
    assert_eq!(
        it.world.postgres.value(&owner).await?,
        Some(it.world.role.clone())
    );
    it.world.rotate().await?;
    session()
        .await?
        .run(&format!(
            "ALTER TABLE {table}.t ADD b int; CREATE TABLE {table}.u ()"
        ))
        .await?;
    it.world.rotate().await?;
    session()
        .await?
        .run(&format!("DROP TABLE {table}.t; DROP TABLE {table}.u"))
        .await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c35_a_pending_role_whose_sessions_do_not_act_as_the_original_is_refused() -> TestResult {
    let it = world().alternating().await?;
    let token = it.world.created().await?;
    it.world.step("setSecret", &token).await.success()?;
    it.world
        .postgres
        .admin(&format!("ALTER ROLE {} RESET role", it.clone_role()))
        .await?;
    it.world
        .step("testSecret", &token)
        .await
        .failed_with("CloneNotEqual")?;
    it.world.steps(&token).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c26_a_clone_made_by_hand_that_does_not_inherit_connects_where_its_original_may()
-> TestResult {
    let database = unique("shut");
    let it = world()
        .database(&database)
        .alternating_by(Superuser::Full)
        .await?;
    let original = &it.world.role;
    let clone = it.clone_role();
    let options = if it.world.postgres.major() >= 16 {
        "WITH INHERIT FALSE, SET FALSE"
    } else {
        ""
    };
    let by_hand = format!(
        "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC; GRANT CONNECT ON DATABASE {database} TO {original};
         ALTER ROLE {original} NOINHERIT; CREATE ROLE {clone} NOINHERIT; GRANT {original} TO {clone} {options}"
    );
    it.world.postgres.admin(&by_hand).await?;
    for _ in 0..2 {
        it.world.rotate().await?;
    }
    it.world.finish().await?;
    Ok(())
}

/// Who the session of `AWSCURRENT` acts as.
async fn acts_as(it: &Alternating) -> TestResult<Option<String>> {
    let (role, password) = it.current().await?;
    let login = it
        .world
        .postgres
        .login(&role, &password, &it.world.database);
    let mut rows = login.await?.run("SELECT current_user").await?;
    Ok(rows.pop().and_then(|mut row| row.pop()))
}

#[tokio::test]
async fn c27_as_whom_the_originals_sessions_start_so_do_the_clones() -> TestResult {
    let database = unique("start");
    let it = world().database(&database).alternating().await?;
    let original = &it.world.role;
    let group = unique("group");
    let admin = async |sql: String| it.world.postgres.admin(&sql).await.map(drop);
    admin(format!("CREATE ROLE {group}")).await?;
    for (what, setting, is_member, expected) in [
        (
            "its own setting",
            format!("ALTER ROLE {original} SET role = {group}"),
            true,
            &group,
        ),
        (
            "one that it may not take",
            format!("ALTER ROLE {original} SET role = {group}"),
            false,
            original,
        ),
        (
            "no other role",
            format!("ALTER ROLE {original} SET role = none"),
            true,
            original,
        ),
        (
            "the database's",
            format!("ALTER DATABASE {database} SET role = {group}"),
            true,
            &group,
        ),
        (
            "its own in there",
            format!("ALTER ROLE {original} IN DATABASE {database} SET role = {group}"),
            true,
            &group,
        ),
        (
            "none in there",
            format!(
                "ALTER ROLE {original} IN DATABASE {database} SET role = none; ALTER DATABASE {database} SET role = {group}"
            ),
            true,
            original,
        ),
    ] {
        admin(format!(
            "ALTER ROLE {original} RESET ALL; ALTER ROLE {original} IN DATABASE {database} RESET ALL;
             ALTER DATABASE {database} RESET ALL; REVOKE {group} FROM {original}"
        ))
        .await?;
        if is_member {
            admin(format!("GRANT {group} TO {original}")).await?;
        }
        admin(setting).await?;
        for _ in 0..2 {
            it.world.rotate().await?;
            let role = it.current().await?.0;
            assert_eq!(
                acts_as(&it).await?.as_ref(),
                Some(expected),
                "{role}, {what}"
            );
        }
    }
    it.world.finish().await?;
    Ok(())
}
