//! Random worlds: a secret is ready if and only if the rotation that follows succeeds.

use proptest::sample::subsequence;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::json;
use testbed::{Alternating, Fault, Session, Superuser, TestResult, World};

use super::checked;
use crate::world;

/// What may be the case, beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    OriginalNoLogin,
    OriginalExpired,
    OriginalFull,
    OriginalReadOnly,
    OriginalHasAnotherPassword,
    NobodyMayConnect,
    NoRandomPassword,
    NoSuchHost,
    NoSuchDatabase,
    AnotherRotation,
    AnotherReader,
    CloneNoLogin,
    CloneFull,
    CloneExpired,
    CloneIsNoMember,
    SuperuserIsPowerless,
    SuperuserHasAnotherPassword,
    NextRoleInUse,
}

use Condition as C;

const OF_ALL: [Condition; 11] = [
    C::OriginalNoLogin,
    C::OriginalExpired,
    C::OriginalFull,
    C::OriginalReadOnly,
    C::OriginalHasAnotherPassword,
    C::NobodyMayConnect,
    C::NoRandomPassword,
    C::NoSuchHost,
    C::NoSuchDatabase,
    C::AnotherRotation,
    C::AnotherReader,
];
const OF_PAIRS: [Condition; 7] = [
    C::CloneNoLogin,
    C::CloneFull,
    C::CloneExpired,
    C::CloneIsNoMember,
    C::SuperuserIsPowerless,
    C::SuperuserHasAnotherPassword,
    C::NextRoleInUse,
];

/// A world, and what makes a condition true in it, or false again.
struct Place<'a> {
    world: &'a World,
    pair: Option<&'a Alternating>,
    sessions: Vec<Session>,
}

impl Place<'_> {
    async fn sql(&self, sql: &str) -> TestResult {
        self.world.postgres.admin(sql).await?;
        Ok(())
    }

    async fn edit(&self, key: &str, value: serde_json::Value) -> TestResult {
        let mut current = self.world.current().await?;
        current[key] = value;
        Ok(self.world.put_current(&current.to_string()).await?)
    }

    async fn superuser_password(&self, password: &str) -> TestResult {
        if let Some(pair) = self.pair {
            pair.name_superuser(|value| value["password"] = json!(password))
                .await?;
        }
        Ok(())
    }

    async fn make(&mut self, condition: Condition) -> TestResult {
        let role = &self.world.role;
        let database = &self.world.database;
        match condition {
            C::OriginalNoLogin => self.sql(&format!("ALTER ROLE {role} NOLOGIN")).await,
            C::OriginalExpired => {
                self.sql(&format!("ALTER ROLE {role} VALID UNTIL 'yesterday'"))
                    .await
            }
            C::OriginalFull => {
                self.sql(&format!("ALTER ROLE {role} CONNECTION LIMIT 0"))
                    .await
            }
            C::OriginalReadOnly => {
                self.sql(&format!(
                    "ALTER ROLE {role} SET default_transaction_read_only = on"
                ))
                .await
            }
            C::OriginalHasAnotherPassword => {
                Ok(self.world.set_password("not in the secret").await?)
            }
            C::NobodyMayConnect => {
                self.sql(&format!(
                    "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"
                ))
                .await
            }
            C::NoRandomPassword => {
                self.world.api.answer(
                    "GetRandomPassword",
                    1..,
                    Fault::error("AccessDeniedException"),
                );
                Ok(())
            }
            C::NoSuchHost => self.edit("host", json!("nowhere.invalid")).await,
            C::NoSuchDatabase => self.edit("dbname", json!("nowhere")).await,
            C::AnotherRotation => Ok(self.world.begin().await.map(drop)?),
            C::AnotherReader => self.edit("sslmode", json!("no-verify")).await,
            C::CloneNoLogin => self.sql(&format!("ALTER ROLE {role}_clone NOLOGIN")).await,
            C::CloneFull => {
                self.sql(&format!("ALTER ROLE {role}_clone CONNECTION LIMIT 0"))
                    .await
            }
            C::CloneExpired => {
                self.sql(&format!("ALTER ROLE {role}_clone VALID UNTIL 'yesterday'"))
                    .await
            }
            C::CloneIsNoMember => self.sql(&format!("REVOKE {role} FROM {role}_clone")).await,
            C::SuperuserIsPowerless => {
                let superuser = &self.pair.unwrap().superuser_role;
                self.sql(&format!("ALTER ROLE {superuser} NOSUPERUSER"))
                    .await
            }
            C::SuperuserHasAnotherPassword => self.superuser_password("not its own").await,
            C::NextRoleInUse => {
                let (role, password) = self.world.credentials("AWSPREVIOUS").await?;
                let session = self.world.postgres.login(&role, &password, database).await;
                self.sessions.extend(session);
                Ok(())
            }
        }
    }

    /// Makes all of them untrue.
    async fn restore(&mut self) -> TestResult {
        let role = &self.world.role;
        let database = &self.world.database;
        self.sessions.clear();
        self.world.cancel().await?;
        self.world.api.heal();
        self.sql(&format!("ALTER ROLE {role} LOGIN VALID UNTIL 'infinity' CONNECTION LIMIT -1; ALTER ROLE {role} RESET ALL; GRANT CONNECT ON DATABASE {database} TO PUBLIC")).await?;
        let mut current = self.world.current().await?;
        current["host"] = json!("localhost");
        current["dbname"] = json!(database);
        current["sslmode"] = json!(null);
        self.world.put_current(&current.to_string()).await?;
        if let Some(pair) = self.pair {
            let superuser = &pair.superuser_role;
            let clone = pair.clone_role();
            self.superuser_password(&pair.superuser_password).await?;
            self.sql(&format!("ALTER ROLE {superuser} SUPERUSER; GRANT {role} TO {clone}; ALTER ROLE {clone} LOGIN VALID UNTIL 'infinity' CONNECTION LIMIT -1")).await?;
        }
        let (current, password) = self.world.credentials("AWSCURRENT").await?;
        self.world
            .postgres
            .set_password(&current, &password)
            .await?;
        Ok(())
    }

    /// Whether a rotation comes to its end.
    async fn rotates(&self) -> TestResult<bool> {
        let stuck = self.world.version("AWSPENDING").await?;
        let current = self.world.version("AWSCURRENT").await?;
        if stuck.is_some() && stuck != current {
            // What the service answers to rotate-secret.
            return Ok(false);
        }
        let token = self.world.begin().await?;
        for step in testbed::world::STEPS {
            if self.world.step(step, &token).await.answer.is_err() {
                return Ok(false);
            }
        }
        self.world.secrets.tidy(&self.world.secret).await?;
        Ok(true)
    }

    /// Plays so many cases; how many of them were ready.
    async fn play(&mut self, conditions: Vec<Condition>, cases: usize) -> TestResult<usize> {
        let mut runner = TestRunner::deterministic();
        let mut ready = 0;
        for _ in 0..cases {
            let chosen = subsequence(conditions.clone(), 0..=3).new_tree(&mut runner);
            let chosen = chosen.unwrap().current();
            for condition in &chosen {
                self.make(*condition).await?;
            }
            let answer = checked(self.world).await?;
            let rotates = self.rotates().await?;
            assert_eq!(answer.is_ready(), rotates, "{chosen:?}: {answer:#?}");
            ready += usize::from(rotates);
            self.restore().await?;
        }
        Ok(ready)
    }
}

/// As many as `CHECK_CASES` says.
fn cases() -> usize {
    let cases = std::env::var("CHECK_CASES").ok();
    cases.and_then(|cases| cases.parse().ok()).unwrap_or(25)
}

#[tokio::test]
async fn c63_a_secret_of_one_user_is_ready_if_and_only_if_a_rotation_succeeds() -> TestResult {
    let world = world().database("randomly_checked").start().await?;
    let mut place = Place {
        world: &world,
        pair: None,
        sessions: Vec::new(),
    };
    let ready = place.play(OF_ALL.to_vec(), cases()).await?;
    assert!(ready > 0 && ready < cases(), "{ready}");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c63_a_secret_of_two_users_is_ready_if_and_only_if_a_rotation_succeeds() -> TestResult {
    let world = world()
        .database("randomly_checked_pair")
        .env("REFUSE_WHILE_IN_USE", "true");
    let pair = world.alternating_by(Superuser::Full).await?;
    pair.world.rotate().await?;
    let mut place = Place {
        world: &pair.world,
        pair: Some(&pair),
        sessions: Vec::new(),
    };
    let ready = place
        .play([&OF_ALL[..], &OF_PAIRS].concat(), cases())
        .await?;
    assert!(ready > 0 && ready < cases(), "{ready}");
    pair.world.finish().await?;
    Ok(())
}
