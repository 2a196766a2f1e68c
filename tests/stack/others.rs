//! One function for secrets that it was never deployed with: each joins by its own rotation's configuration.

use std::time::Duration;

use serde_json::Value;
use testbed::world::STEPS;
use testbed::{Alternating, Error, Function, TestResult, World};

use super::{noted, world};

#[tokio::test]
async fn s25_one_function_rotates_three_secrets_by_two_strategies() -> TestResult {
    rotated().await.map(drop)
}

/// Two rounds of rotations of three secrets by one process; its calls.
pub(super) async fn rotated() -> TestResult<Vec<Value>> {
    let first = world().alternating().await?;
    let second = world().start().await?;
    let third = world().alternating().await?;
    let worlds = [&first.world, &second, &third.world];
    let function = &first.world.function;
    for _ in 0..2 {
        for world in worlds {
            let token = rotated_by(function, world).await?;
            assert_eq!(world.version("AWSCURRENT").await?, Some(token));
            assert!(world.version_logs_in("AWSCURRENT").await?);
        }
    }
    let roles = [&first, &third].map(Alternating::clone_role);
    for (alternating, clone) in [&first, &third].into_iter().zip(roles) {
        assert_eq!(alternating.current().await?.0, alternating.world.role);
        assert!(
            alternating.world.postgres.verifier(&clone).await?.is_some(),
            "it had its turn"
        );
    }
    for idle in [&second, &third.world] {
        assert!(idle.api.calls().is_empty(), "another process was called");
    }

    let joined = worlds.map(|world| world.secret.arn.as_str());
    let superusers = format!("{},{}", first.superuser.arn, third.superuser.arn);
    let calls = first.world.api.calls();
    let calls = calls.iter().map(|call| {
        let resource = call.sent_text("SecretId").unwrap_or("*");
        let secret = joined.iter().find(|arn| **arn == resource);
        let mut line = noted(
            "others",
            call,
            secret.unwrap_or(&joined[0]),
            Some(&superusers),
        );
        line["joined"] = secret.is_some().into();
        line
    });
    let calls = calls.collect();
    first.world.finish().await?;
    second.finish().await?;
    third.world.finish().await?;
    Ok(calls)
}

/// A whole rotation of a world's secret by another world's function; the version's token.
async fn rotated_by(function: &Function, world: &World) -> Result<String, Error> {
    let token = world.begin().await?;
    for step in STEPS {
        let event = world.event(step, &token);
        let ended = world.invoke_on(function, &event, Duration::from_secs(30));
        ended.await.success()?;
    }
    world.secrets.tidy(&world.secret).await?;
    Ok(token)
}
