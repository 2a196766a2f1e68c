//! One rotation of a single user, and the next.

use super::world;

#[tokio::test]
async fn c11_a_rotation_opens_three_connections_and_none_is_refused() {
    let world = world().start().await.unwrap();
    let old = world.password("AWSCURRENT").await.unwrap();
    let rotation = world.rotate().await.unwrap();
    let new = world.password("AWSCURRENT").await.unwrap();
    assert_ne!(old, new);
    assert!(world.logs_in(&new).await.unwrap());
    assert!(!world.logs_in(&old).await.unwrap());
    assert_eq!(
        world.version("AWSCURRENT").await.unwrap().as_ref(),
        Some(&rotation.token)
    );
    for (_step, _i) in &rotation.steps {}
    world.finish().await.unwrap();
}
