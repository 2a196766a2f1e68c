//! What an alternating rotation costs: C11.

use super::Alternating;

#[tokio::test]
async fn c11_connections_two_one_one_and_none_refused() {
    let it = Alternating::start().await;
    it.world.rotate().await.unwrap();
    let token = it.world.begin().await.unwrap();
    for (step, connections) in [
        ("createSecret", 0),
        ("setSecret", 2),
        ("testSecret", 1),
        ("finishSecret", 1),
    ] {
        let before = it.world.db.connections();
        it.world.api.forget();
        it.world.step(step, &token).await.success().unwrap();
        assert_eq!(it.world.db.connections() - before, connections, "{step}");
        assert!(it.world.api.depth() <= 2, "{step}");
    }
    for role in [&it.world.role, &it.clone_role(), &it.superuser_role] {
        assert!(it.world.postgres.refusals(role, it.world.began).is_empty());
    }
    it.world.finish().await.unwrap();
}
