use serde_json::json;
use testbed::{Postgres, Result, World};

use crate::FAKE;

#[tokio::test]
async fn a_whole_rotation_twice_leaves_the_new_password_alone() -> Result<()> {
    let world = World::builder(FAKE).start().await?;
    let mut passwords = vec![world.first_password.clone()];
    for _ in 0..2 {
        world.api.forget();
        let mark = world.postgres.mark();
        let rotation = world.rotate().await?;
        assert_eq!(rotation.steps.len(), 4);
        let password = world.password("AWSCURRENT").await?;
        assert!(world.logs_in(&password).await?);
        for old in &passwords {
            assert!(!world.logs_in(old).await?);
        }
        passwords.push(password);
        assert_eq!(world.version("AWSCURRENT").await?, Some(rotation.token));
        assert_eq!(world.pending().await?, None);
        let connections = world.postgres.connections(&world.role, mark);
        assert_eq!(connections.len(), 2, "{connections:?}");
        assert!(
            connections
                .iter()
                .all(|one| one.tls.as_deref() == Some("TLSv1.3") && one.application_name == "fake")
        );
        assert_eq!(world.postgres.refusals(&world.role, mark), []);
        let statements = world.postgres.statements(&world.role, mark);
        assert_eq!(statements.len(), 2, "{statements:?}");
        let calls = [
            "GetSecretValue",
            "GetRandomPassword",
            "PutSecretValue",
            "GetSecretValue",
            "GetSecretValue",
        ];
        assert_eq!(
            world.api.operations().get(..5),
            Some(calls.map(str::to_owned).as_slice())
        );
        assert_eq!(world.api.depth(), 8);
    }
    assert_eq!(world.db.connections(), 4);
    world.finish().await
}

#[tokio::test]
async fn a_leaking_function_is_found_out_without_leaking_once_more() -> Result<()> {
    let world = World::builder(FAKE).env("FAKE", "leak").start().await?;
    world.rotate().await?;
    let password = world.password("AWSCURRENT").await?;
    let found = world
        .finish()
        .await
        .err()
        .map(|found| found.to_string())
        .unwrap_or_default();
    assert!(
        found.contains("a password shows in the function's output"),
        "{found}"
    );
    assert!(!found.contains(&password), "told once more");
    Ok(())
}

#[tokio::test]
async fn a_password_sent_as_text_is_found_out() -> Result<()> {
    let postgres = Postgres::options().statements().start().await?;
    let world = World::builder(FAKE)
        .postgres(&postgres)
        .env("FAKE", "text")
        .start()
        .await?;
    world.rotate().await?;
    let found = world
        .finish()
        .await
        .err()
        .map(|found| found.to_string())
        .unwrap_or_default();
    assert!(
        found.contains("a password shows in the server's log"),
        "{found}"
    );
    assert!(
        found.contains("a password shows in pg_stat_statements"),
        "{found}"
    );
    Ok(())
}

#[tokio::test]
#[should_panic(expected = "shows in the function's output")]
async fn a_world_that_is_dropped_is_searched_too() {
    let world = World::builder(FAKE)
        .env("FAKE", "leak")
        .start()
        .await
        .expect("the world starts");
    let token = world.begin().await.expect("a rotation begins");
    world
        .step("createSecret", &token)
        .await
        .success()
        .expect("a leak");
}

#[tokio::test]
async fn a_world_can_be_made_otherwise() -> Result<()> {
    let world = World::builder(FAKE)
        .role("r\"o 'l\\e")
        .password("pass:'\"\\ word")
        .database("a data base")
        .secret(|value| value["extra"] = json!({ "note": "kept as it is" }))
        .start()
        .await?;
    let current = world.current().await?;
    assert_eq!(
        current.pointer("/extra/note"),
        Some(&json!("kept as it is"))
    );
    assert_eq!(current.get("username"), Some(&json!("r\"o 'l\\e")));
    assert!(world.logs_in("pass:'\"\\ word").await?);
    world.finish().await
}
