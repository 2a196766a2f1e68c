//! What somebody does in the middle of a call, or between two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testbed::{Function, Mark, Postgres, Secret, SecretsManager, Verifier};

use super::scene::Scene;
use super::schedule::Act;

/// Those who act, and whether they did.
#[derive(Clone)]
pub(super) struct Actors {
    function: Function,
    postgres: Postgres,
    secrets: SecretsManager,
    secret: Secret,
    token: String,
    roles: Vec<String>,
    /// What the server had of a single user's password when the call began.
    before: Option<String>,
    /// And where the server's log ended.
    began: Mark,
    killed: Arc<AtomicBool>,
    interfered: Arc<AtomicBool>,
    replaced: Arc<AtomicBool>,
}

impl Scene {
    /// Those who act in the rotation of a version.
    pub(super) fn actors(&self, token: &str) -> Actors {
        Actors {
            function: self.world.function.clone(),
            postgres: self.world.postgres.clone(),
            secrets: self.world.secrets.clone(),
            secret: self.world.secret.clone(),
            token: token.to_owned(),
            roles: self.own_roles(),
            before: None,
            began: self.world.postgres.mark(),
            killed: Arc::default(),
            interfered: Arc::default(),
            replaced: Arc::default(),
        }
    }
}

impl Actors {
    /// Whether the function was killed.
    pub(super) fn killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    /// Whether an operator changed anything.
    pub(super) fn interfered(&self) -> bool {
        self.interfered.load(Ordering::SeqCst)
    }

    /// Whether that was the password.
    pub(super) fn replaced(&self) -> bool {
        self.replaced.load(Ordering::SeqCst)
    }

    /// An operator took the label away.
    pub(super) fn cancelled(&self) {
        self.interfered.store(true, Ordering::SeqCst);
    }

    /// The same, who know what the server has of a single user's password.
    pub(super) async fn informed(mut self) -> Self {
        if let [role] = self.roles.as_slice() {
            self.before = self.postgres.verifier(role).await.unwrap();
        }
        self
    }

    /// Performs an act now.
    pub(super) async fn perform(&self, act: Act) {
        match act {
            Act::Kill => {
                self.killed.store(true, Ordering::SeqCst);
                self.function.kill().await;
            }
            Act::Restart => {
                self.postgres.stop().await.unwrap();
                self.postgres.start_again().await.unwrap();
            }
            Act::Crash => {
                self.postgres.crash().await.unwrap();
                self.postgres.start_again().await.unwrap();
            }
            // A server that is away has no sessions.
            Act::EndSessions => drop(self.postgres.admin(END_SESSIONS).await),
            Act::Overtake => unreachable!("that is `Armed::perform`'s"),
            Act::Garble => self.replaces_change(None).await,
            Act::Undo => self.replaces_change(self.before.as_deref()).await,
            Act::Cancel => self.interfered_if(self.cancels().await),
            Act::WritePending => self.interfered_if(self.writes_pending().await),
            Act::ChangeByHand => {
                let changed = self.changes_by_hand().await;
                self.interfered_if(changed);
                self.replaced.fetch_or(changed, Ordering::SeqCst);
            }
        }
    }

    /// What had no effect excuses nothing.
    fn interfered_if(&self, effect: bool) {
        self.interfered.fetch_or(effect, Ordering::SeqCst);
    }

    /// Replaces what the call has changed a single user's password to; nothing where it has not yet, or has seen the new one
    /// log in: what comes after a call's last look is no business of the call's.
    async fn replaces_change(&self, by: Option<&str>) {
        let [role] = self.roles.as_slice() else {
            return;
        };
        let is_unchanged = self.postgres.verifier(role).await.unwrap() == self.before;
        let is_proven = self.postgres.connections(role, self.began).len() > 1;
        if is_unchanged || is_proven {
            return;
        }
        let nobodys = || Verifier::Scram.of(role, &testbed::unique("nobodys"));
        let verifier = by.map_or_else(nobodys, str::to_owned);
        self.postgres.set_verifier(role, &verifier).await.unwrap();
    }

    async fn cancels(&self) -> bool {
        let labels = self.secrets.labels(&self.secret).await.unwrap();
        let is_there = labels.values().any(|labels| labels.contains("AWSPENDING"));
        let cancelled = self.secrets.remove_label(&self.secret, "AWSPENDING").await;
        cancelled.unwrap();
        is_there
    }

    async fn changes_by_hand(&self) -> bool {
        let mut value = self.current().await;
        let role = value["username"].as_str().unwrap().to_owned();
        let password = testbed::unique("by-hand");
        value["password"] = password.clone().into();
        // Whoever holds the lock may be waiting for this act.
        let verifier = Verifier::Scram.of(&role, &password);
        let change =
            format!("SET lock_timeout = '1s'; ALTER ROLE \"{role}\" PASSWORD '{verifier}'");
        if self.postgres.admin(&change).await.is_err() {
            // The server is away, or takes no change from anybody.
            return false;
        }
        let value = value.to_string();
        let put = self
            .secrets
            .put_value(&self.secret, None, &["AWSCURRENT"], &value);
        put.await.unwrap();
        true
    }

    /// Where there is a value already, it is refused: as it should be.
    async fn writes_pending(&self) -> bool {
        let labels = self.secrets.labels(&self.secret).await.unwrap();
        let of_ours = labels.get(&self.token);
        if !of_ours.is_some_and(|labels| labels.contains("AWSPENDING")) {
            return false;
        }
        let mut value = self.current().await;
        let role = value["username"].as_str().unwrap();
        let next = self.roles.iter().find(|one| *one != role);
        value["username"] = next.map_or(role, String::as_str).into();
        value["password"] = testbed::unique("by-hand").into();
        let version = Some(self.token.as_str());
        let value = value.to_string();
        let put = self
            .secrets
            .put_value(&self.secret, version, &["AWSPENDING"], &value);
        put.await.is_ok()
    }

    async fn current(&self) -> serde_json::Value {
        let current = self.secrets.value(&self.secret, "AWSCURRENT").await;
        serde_json::from_str(&current.unwrap().unwrap()).unwrap()
    }
}

const END_SESSIONS: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'db-rotation'";
