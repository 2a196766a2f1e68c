//! What an alternating rotation costs: C11, C30.

use std::time::Duration;

use testbed::{Fault, TestResult};

use crate::world;

#[tokio::test]
async fn c11_c61_connections_two_one_none_and_none_refused() -> TestResult {
    let it = world().alternating().await?;
    it.world.rotate().await?;
    let token = it.world.begin().await?;
    // Calls that go out together are seen to, also on a busy machine.
    let a_while = Fault::Delay(Duration::from_millis(300));
    it.world.api.answer("*", 1.., a_while);
    for (step, depth, connections) in [
        ("createSecret", 3, 0),
        ("setSecret", 3, 2),
        ("testSecret", 1, 1),
        ("finishSecret", 2, 0),
    ] {
        let before = it.world.db.connections();
        it.world.api.forget();
        it.world.step(step, &token).await.success()?;
        assert_eq!(it.world.db.connections() - before, connections, "{step}");
        let operations = it.world.api.operations();
        assert_eq!(it.world.api.depth(), depth, "{step}: {operations:?}");
    }
    for role in [&it.world.role, &it.clone_role(), &it.superuser_role] {
        assert!(it.world.postgres.refusals(role, it.world.began).is_empty());
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c30_rds_is_asked_by_no_rotation_whose_secrets_name_one_host() -> TestResult {
    let single = world().start().await?;
    let it = world().alternating().await?;
    for world in [single, it.world] {
        world.rotate().await?;
        let operations = world.api.operations();
        assert!(operations.contains(&"PutSecretValue".to_owned()));
        assert!(
            !operations.iter().any(|one| one.starts_with("DescribeDB")),
            "{operations:?}"
        );
        world.finish().await?;
    }
    Ok(())
}
