//! Nobody notices an alternating rotation; a single user's outage has a length.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::{Secret, SecretsManager, TestResult, World};

use super::world;

/// An application: reads `AWSCURRENT`, logs in, queries, as fast as it can.
#[derive(Clone)]
struct Application {
    secrets: SecretsManager,
    secret: Secret,
    postgres: testbed::Postgres,
    stop: Arc<AtomicBool>,
    logins: Arc<AtomicUsize>,
    refusals: Arc<std::sync::Mutex<Vec<Instant>>>,
}

impl Application {
    fn of(world: &World) -> Self {
        Self {
            secrets: world.secrets.clone(),
            secret: world.secret.clone(),
            postgres: world.postgres.clone(),
            stop: Arc::default(),
            logins: Arc::default(),
            refusals: Arc::default(),
        }
    }

    async fn run(self) -> TestResult {
        while !self.stop.load(Ordering::Relaxed) {
            let value = self.secrets.value(&self.secret, "AWSCURRENT").await?;
            self.log_in(&value.unwrap()).await?;
        }
        Ok(())
    }

    async fn log_in(&self, value: &str) -> TestResult {
        let value: Value = serde_json::from_str(value)?;
        let role = value["username"].as_str().unwrap();
        let password = value["password"].as_str().unwrap();
        match self.postgres.login(role, password, "postgres").await {
            Ok(session) => drop(session.run("SELECT 1").await?),
            Err(refused) if refused.is_wrong_password() => {
                self.refusals.lock().unwrap().push(Instant::now());
            }
            Err(refused) => panic!("the application could not connect: {refused}"),
        }
        self.logins.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn refused(&self) -> usize {
        self.refusals.lock().unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c29_a_hundred_rotations_a_third_of_them_killed_refuse_no_login() -> TestResult {
    let it = world().alternating().await?;
    let application = Application::of(&it.world);
    let running: Vec<_> = (0..2)
        .map(|_| tokio::spawn(application.clone().run()))
        .collect();
    for round in 0..100_u64 {
        let cached = it
            .world
            .secrets
            .value(&it.world.secret, "AWSCURRENT")
            .await?
            .unwrap();
        let token = it.world.begin().await?;
        for step in testbed::world::STEPS {
            if round % 3 == 0 {
                // A different moment of a different step each time, from before the first message to after the last.
                let moment = Duration::from_millis(round * 7 % 60);
                let kill = async {
                    tokio::time::sleep(moment).await;
                    it.world.function.kill().await;
                };
                let (_, ()) = tokio::join!(it.world.step(step, &token), kill);
            }
            it.world.step(step, &token).await.success()?;
        }
        it.world.secrets.tidy(&it.world.secret).await?;
        application.log_in(&cached).await?;
        assert_eq!(application.refused(), 0, "in round {round}");
    }
    application.stop.store(true, Ordering::Relaxed);
    for one in running {
        one.await??;
    }
    println!(
        "alternating users: 100 rotations, {} logins, 0 refused",
        application.logins.load(Ordering::Relaxed)
    );
    it.world.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_user_is_refused_between_set_secret_and_finish_secret_and_no_longer() -> TestResult
{
    let world = world().start().await?;
    let application = Application::of(&world);
    let running: Vec<_> = (0..2)
        .map(|_| tokio::spawn(application.clone().run()))
        .collect();
    let mut outages = Vec::new();
    for _ in 0..10 {
        application.refusals.lock().unwrap().clear();
        world.rotate().await?;
        let value = world
            .secrets
            .value(&world.secret, "AWSCURRENT")
            .await?
            .unwrap();
        let over = Instant::now();
        application.log_in(&value).await?;
        let refusals = application.refusals.lock().unwrap().clone();
        assert!(
            refusals
                .iter()
                .all(|at| *at < over + Duration::from_secs(1))
        );
        if let (Some(first), Some(last)) = (refusals.first(), refusals.last()) {
            outages.push(last.duration_since(*first).as_millis());
        }
    }
    application.stop.store(true, Ordering::Relaxed);
    for one in running {
        one.await??;
    }
    outages.sort_unstable();
    println!("a single user: 10 rotations, outages of {outages:?} ms");
    world.finish().await?;
    Ok(())
}
