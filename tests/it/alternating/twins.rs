//! Two secrets of one pair of roles, rotated at the same time.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Alternating, Function, Invocation, Secret, TestResult, unique};

use crate::world;

/// The other secret, with the same value at first, and the function that rotates it.
struct Twin {
    secret: Secret,
    function: Function,
}

impl Twin {
    async fn step(&self, it: &Alternating, step: &str, token: &str) -> Invocation {
        let event = json!({
            "Step": step, "SecretId": self.secret.arn, "ClientRequestToken": token, "RotationToken": unique("token"),
        });
        let world = &it.world;
        world
            .invoke_on(&self.function, &event, Duration::from_secs(30))
            .await
    }

    async fn credentials(&self, it: &Alternating, label: &str) -> TestResult<(String, String)> {
        let text = it.world.secrets.value(&self.secret, label).await?;
        let value: Value = serde_json::from_str(&text.unwrap())?;
        let of = |key: &str| value[key].as_str().unwrap().to_owned();
        Ok((of("username"), of("password")))
    }
}

#[tokio::test]
async fn c25_two_secrets_of_one_pair_wait_for_each_other_and_the_last_has_its_way() -> TestResult {
    let it = world().alternating().await?;
    let world = &it.world;
    let clone = it.clone_role();
    let value = world.secrets.value(&world.secret, "AWSCURRENT").await;
    let made = unique("twin");
    let twin = Twin {
        secret: world
            .secrets
            .create_secret(&made, &value.unwrap().unwrap())
            .await?,
        function: world.second_function(&world.api).await?,
    };
    for round in 0..ROUNDS {
        world
            .postgres
            .admin(&format!("DROP ROLE IF EXISTS \"{clone}\""))
            .await?;
        let token = world.begin().await?;
        let twins = world.secrets.stage_pending(&twin.secret).await?;
        for step in ["createSecret", "setSecret"] {
            let (one, two) = tokio::join!(world.step(step, &token), twin.step(&it, step, &twins));
            for ended in [one, two] {
                ended
                    .success()
                    .unwrap_or_else(|e| panic!("{step} in round {round}: {e:?}"));
            }
        }
        let own = world.password("AWSPENDING").await?;
        let (role, others) = twin.credentials(&it, "AWSPENDING").await?;
        assert_eq!(role, clone);
        world.keep_secret(&others);
        let works = [
            world.postgres.logs_in(&clone, &own, "postgres").await?,
            world.postgres.logs_in(&clone, &others, "postgres").await?,
        ];
        assert_ne!(works[0], works[1], "one of them, and no mixture");
        assert!(it.world.version_logs_in("AWSCURRENT").await?);
        let (role, password) = twin.credentials(&it, "AWSCURRENT").await?;
        assert!(world.postgres.logs_in(&role, &password, "postgres").await?);
        // Whoever lost is told, and does not become current.
        let (lost, token) = if works[0] {
            (twin.step(&it, "finishSecret", &twins).await, twins)
        } else {
            (world.step("finishSecret", &token).await, token)
        };
        let message = lost.failed_with("NoWorkingCredential")?;
        assert!(message.contains(&clone), "{token}: {message}");
    }
    it.world.finish().await?;
    Ok(())
}

/// The clone is made anew in each: that is where two get into each other's way.
const ROUNDS: usize = 8;
