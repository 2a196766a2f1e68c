//! One secret, one role, one function, and everything between them.

mod alternating;
mod builder;
mod operator;
mod role;
mod secrecy;
mod values;

use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

pub use self::alternating::{Alternating, Superuser};
pub use self::builder::Builder;
use self::builder::{first_password, written_by_aws};
use self::secrecy::Remembered;
use crate::error::{Context as _, Result};
use crate::function::{Function, Invocation};
use crate::gate::{ApiGate, DbGate};
use crate::postgres::{Mark, Postgres};
use crate::secrets::{Secret, SecretsManager};
use crate::unique::{random_hex, unique};

/// The steps, in the order in which the service calls them.
pub const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// One secret whose password a function rotates. Each test has its own; the servers may be shared.
///
/// `finish` ends it, having looked for secrets where none may be. A world that is dropped looks too, and panics at
/// what it finds.
#[derive(Debug)]
pub struct World {
    /// The cluster with the role.
    pub postgres: Postgres,
    /// Between the function and the cluster.
    pub db: DbGate,
    /// Where the secret is.
    pub secrets: SecretsManager,
    /// Between the function and Secrets Manager.
    pub api: ApiGate,
    /// The function under test.
    pub function: Function,
    /// The secret.
    pub secret: Secret,
    /// The role whose password it holds.
    pub role: String,
    /// The database it logs in to.
    pub database: String,
    /// The password it had at first.
    pub first_password: String,
    /// Where the cluster's log was when this world began.
    pub began: Mark,
    deadline: Duration,
    remembered: Mutex<Remembered>,
    finished: bool,
}

/// A whole rotation.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The version it made.
    pub token: String,
    /// Each step's name and how it went.
    pub steps: Vec<(&'static str, Invocation)>,
}

impl World {
    /// A world for the program at `binary`; `start` starts it.
    pub fn builder(binary: impl AsRef<std::path::Path>) -> Builder {
        Builder::of(binary.as_ref())
    }

    /// Begins a rotation as the service does; the version's token.
    pub async fn begin(&self) -> Result<String> {
        self.secrets.stage_pending(&self.secret).await
    }

    /// A rotation whose value is made; the version's token.
    pub async fn created(&self) -> Result<String> {
        self.begun(1).await
    }

    /// A rotation that has come to the step before `STEPS[at]`; the version's token.
    pub async fn begun(&self, at: usize) -> Result<String> {
        let token = self.begin().await?;
        for step in STEPS.iter().take(at) {
            self.step(step, &token).await.success().context(*step)?;
        }
        Ok(token)
    }

    /// Another process of the function's, for the same secret, which it reaches through `api`.
    pub async fn second_function(&self, api: &ApiGate) -> Result<Function> {
        Ok(self.function.another().aws(&api.url()).start().await?)
    }

    /// The event of a step, as the service sends it. The same token always comes with the same `RotationToken`.
    pub fn event(&self, step: &str, token: &str) -> Value {
        let mut remembered = self.remembered.lock();
        let tokens = remembered.rotation_tokens.entry(token.to_owned());
        let rotation_token = tokens.or_insert_with(|| random_hex(32)).clone();
        json!({
            "Step": step,
            "SecretId": self.secret.arn,
            "ClientRequestToken": token,
            "RotationToken": rotation_token,
        })
    }

    /// Calls one step.
    pub async fn step(&self, step: &str, token: &str) -> Invocation {
        self.invoke(&self.event(step, token)).await
    }

    /// Hands the function any event.
    pub async fn invoke(&self, event: &Value) -> Invocation {
        let invocation = self.invoke_on(&self.function, event, self.deadline).await;
        // A verifier lives until the next one: each is seen once its step is over.
        for role in [self.role.clone(), format!("{}_clone", self.role)] {
            if let Ok(Some(verifier)) = self.postgres.verifier(&role).await {
                self.keep_verifier(&verifier);
            }
        }
        invocation
    }

    /// Hands an event of this world's to any function, which is searched for secrets like the world's own.
    pub async fn invoke_on(
        &self,
        function: &Function,
        event: &Value,
        deadline: Duration,
    ) -> Invocation {
        let invocation = function.invoke(event, deadline).await;
        let mut remembered = self.remembered.lock();
        remembered.lines.extend(invocation.log.iter().cloned());
        let failure = invocation.answer.as_ref().err();
        remembered
            .payloads
            .extend(failure.map(|failure| failure.raw.clone()));
        invocation
    }

    /// Another role and another secret, made by `edit` from what AWS writes; function, gates and servers stay, and what was
    /// logged and called so far is forgotten. The former secret is deleted; its role stays.
    pub async fn renew(&mut self, edit: impl FnOnce(&mut Value) + Send + 'static) -> Result<()> {
        self.secrets.forget(&self.secret).await?;
        self.api.heal();
        self.api.forget();
        self.db.heal();
        self.db.forget();
        self.postgres.forget();
        self.function.forget();
        self.role = unique("app");
        self.first_password = first_password();
        self.postgres
            .create_role(&self.role, &self.first_password)
            .await?;
        let port = self.db.port();
        let text = written_by_aws(port, &self.database, &self.role, &self.first_password);
        let mut value: Value = serde_json::from_str(&text).context("the first value")?;
        edit(&mut value);
        let name = unique("secret");
        self.secret = self
            .secrets
            .create_secret(&name, &value.to_string())
            .await?;
        self.began = Mark::default();
        let remembered = self.remembered.get_mut();
        *remembered = Remembered {
            plaintext: remembered.plaintext,
            ..Remembered::default()
        };
        Ok(())
    }

    /// The four steps of a rotation already begun; each must succeed. The service's tidying comes last.
    pub async fn steps(&self, token: &str) -> Result<Vec<(&'static str, Invocation)>> {
        let mut steps = Vec::new();
        for step in STEPS {
            let invocation = self.step(step, token).await;
            invocation.success().context(step)?;
            steps.push((step, invocation));
        }
        self.secrets.tidy(&self.secret).await?;
        Ok(steps)
    }

    /// A whole rotation, from `begin` on.
    pub async fn rotate(&self) -> Result<Rotation> {
        let token = self.begin().await?;
        let steps = self.steps(&token).await?;
        Ok(Rotation { token, steps })
    }

    /// Looks for secrets where none may be, and ends the world.
    pub async fn finish(mut self) -> Result<()> {
        self.finished = true;
        self.secrecy().await
    }
}
