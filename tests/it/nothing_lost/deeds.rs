//! What somebody does in the middle of a call, or between two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testbed::{Function, Postgres, Secret, SecretsManager, Verifier};

use super::scene::Scene;
use super::schedule::Deed;

/// Those who do deeds, and whether they did.
#[derive(Clone)]
pub(super) struct Hands {
    function: Function,
    postgres: Postgres,
    secrets: SecretsManager,
    secret: Secret,
    token: String,
    roles: Vec<String>,
    pub(super) killed: Arc<AtomicBool>,
    pub(super) interfered: Arc<AtomicBool>,
}

impl Scene {
    /// Those who act in the rotation of a version.
    pub(super) fn hands(&self, token: &str) -> Hands {
        Hands {
            function: self.world.function.clone(),
            postgres: self.world.postgres.clone(),
            secrets: self.world.secrets.clone(),
            secret: self.world.secret.clone(),
            token: token.to_owned(),
            roles: self.own_roles(),
            killed: Arc::default(),
            interfered: Arc::default(),
        }
    }
}

impl Hands {
    /// Does a deed now.
    pub(super) async fn does(&self, deed: Deed) {
        match deed {
            Deed::Kill => {
                self.killed.store(true, Ordering::SeqCst);
                self.function.kill().await;
            }
            Deed::Restart => self.postgres.restart().await.unwrap(),
            Deed::Crash => {
                self.postgres.crash().await.unwrap();
                self.postgres.start_again().await.unwrap();
            }
            // A server that is away has no sessions.
            Deed::EndSessions => drop(self.postgres.admin(END_SESSIONS).await),
            Deed::Cancel | Deed::WritePending | Deed::ChangeByHand => {
                self.interfered.store(true, Ordering::SeqCst);
                self.interfere(deed).await;
            }
        }
    }

    async fn interfere(&self, deed: Deed) {
        if deed == Deed::Cancel {
            let cancelled = self.secrets.remove_label(&self.secret, "AWSPENDING").await;
            return cancelled.unwrap();
        }
        let current = self
            .secrets
            .value(&self.secret, "AWSCURRENT")
            .await
            .unwrap()
            .unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&current).unwrap();
        let role = value["username"].as_str().unwrap().to_owned();
        let password = testbed::unique("by-hand");
        value["password"] = password.clone().into();
        if deed == Deed::ChangeByHand {
            // Whoever holds the lock may be waiting for this deed.
            let verifier = Verifier::Scram.of(&role, &password);
            let change =
                format!("SET lock_timeout = '1s'; ALTER ROLE \"{role}\" PASSWORD '{verifier}'");
            if self.postgres.admin(&change).await.is_err() {
                // The server is away, or takes no change from anybody.
                return;
            }
            let value = value.to_string();
            let put = self
                .secrets
                .put_value(&self.secret, None, &["AWSCURRENT"], &value);
            put.await.unwrap();
            return;
        }
        let next = self.roles.iter().find(|one| **one != role).unwrap_or(&role);
        value["username"] = next.clone().into();
        let labels = self.secrets.labels(&self.secret).await.unwrap();
        if labels
            .get(&self.token)
            .is_some_and(|labels| labels.contains("AWSPENDING"))
        {
            // Where there is a value already, this is refused: as it should be.
            let (version, value) = (Some(self.token.as_str()), value.to_string());
            let put = self
                .secrets
                .put_value(&self.secret, version, &["AWSPENDING"], &value);
            let _ = put.await;
        }
    }
}

const END_SESSIONS: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'db-rotation'";
