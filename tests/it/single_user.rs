//! One rotation of a single user, and the next.

use std::time::Duration;

use testbed::{Fault, TestResult};

use super::world;

#[tokio::test]
async fn c11_c61_a_rotation_opens_three_connections_and_none_is_refused() -> TestResult {
    let world = world().start().await?;
    let old = world.password("AWSCURRENT").await?;
    let token = world.begin().await?;
    // Calls that go out together are seen to, also on a busy machine.
    let a_while = Fault::Delay(Duration::from_millis(300));
    world.api.answer("*", 1.., a_while);
    for (step, depth, connections) in [
        ("createSecret", 3, 0),
        ("setSecret", 2, 2),
        ("testSecret", 1, 1),
        ("finishSecret", 2, 0),
    ] {
        let before = world.db.connections();
        world.api.forget();
        world.step(step, &token).await.success()?;
        let operations = world.api.operations();
        assert_eq!(world.api.depth(), depth, "{step}: {operations:?}");
        assert_eq!(world.db.connections() - before, connections, "{step}");
    }
    assert!(world.postgres.refusals(&world.role, world.began).is_empty());
    let new = world.password("AWSCURRENT").await?;
    assert!(world.logs_in(&new).await?);
    assert!(!world.logs_in(&old).await?);
    assert_eq!(world.version("AWSCURRENT").await?, Some(token));
    world.finish().await?;
    Ok(())
}
