//! One rotation of a single user, and the next.

use std::time::Duration;

use testbed::Fault;

use super::world;

#[tokio::test]
async fn c11_a_rotation_opens_three_connections_and_none_is_refused() {
    let world = world().start().await.unwrap();
    let old = world.password("AWSCURRENT").await.unwrap();
    let token = world.begin().await.unwrap();
    // Calls that go out together are seen to, also on a busy machine.
    let a_while = Fault::Delay(Duration::from_millis(300));
    world.api.answer("*", 1.., a_while);
    for (step, depth, connections) in [
        ("createSecret", 2, 0),
        ("setSecret", 1, 1),
        ("testSecret", 1, 1),
        ("finishSecret", 2, 1),
    ] {
        let before = world.db.connections();
        world.api.forget();
        world.step(step, &token).await.success().unwrap();
        let operations = world.api.operations();
        assert_eq!(world.api.depth(), depth, "{step}: {operations:?}");
        assert_eq!(world.db.connections() - before, connections, "{step}");
    }
    assert!(world.postgres.refusals(&world.role, world.began).is_empty());
    let new = world.password("AWSCURRENT").await.unwrap();
    assert!(world.logs_in(&new).await.unwrap());
    assert!(!world.logs_in(&old).await.unwrap());
    assert_eq!(world.version("AWSCURRENT").await.unwrap(), Some(token));
    world.finish().await.unwrap();
}
