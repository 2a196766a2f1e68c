//! Faults, put into effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use testbed::{
    DbFault, Fault as ApiFault, Function, Postgres, Secret, SecretsManager, Session, Verifier,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::sleep;

use super::invariants::{Broken, Invariant};
use super::scene::Scene;
use super::schedule::{Condition, Deed, Fault, Mishap, Moment, Users};

impl Armed {
    /// Nothing befalls this call but what others do meanwhile.
    pub(super) fn only(hands: Hands) -> Self {
        let (ordering, orders) = mpsc::unbounded_channel();
        Self {
            ordering,
            orders,
            hands,
            timed: None,
            deadline: PATIENCE,
            estranged: false,
            conditions: Vec::new(),
        }
    }
}

/// What holds while one call is under way.
pub(super) struct Armed {
    pub(super) hands: Hands,
    /// What is done so long after the call.
    pub(super) timed: Option<(Duration, Deed)>,
    pub(super) deadline: Duration,
    pub(super) estranged: bool,
    conditions: Vec<(Condition, Undo)>,
    /// Deeds that are due now, each with whom to tell when it is done.
    orders: mpsc::UnboundedReceiver<(Deed, oneshot::Sender<()>)>,
    ordering: Orders,
}

type Orders = mpsc::UnboundedSender<(Deed, oneshot::Sender<()>)>;

/// How a condition ends.
enum Undo {
    Nothing,
    Unlock(#[expect(dead_code, reason = "dropped, it lets go of its locks")] Session),
    Remove {
        stranger: String,
        state: Option<String>,
    },
    Reconcile {
        role: String,
        mine: String,
        own: String,
    },
}

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
    /// Puts faults into effect for a step whose messages are these.
    pub(super) async fn arm(
        &mut self,
        faults: &[Fault],
        messages: &[String],
        token: &str,
    ) -> Armed {
        let mut armed = Armed::only(self.hands(token));
        let is_away = |fault: &Fault| {
            matches!(
                fault,
                Fault::Throughout(Condition::NotReady | Condition::Recovering)
            )
        };
        let away = faults.iter().find(|fault| is_away(fault));
        for fault in faults {
            match *fault {
                // A server that is away already is neither stopped nor changed.
                Fault::Meanwhile(_, Deed::Restart | Deed::Crash) if away.is_some() => {}
                Fault::Throughout(_) if away.is_some_and(|away| !std::ptr::eq(away, fault)) => {}
                Fault::Message {
                    nth,
                    mishap,
                    lasting,
                } => {
                    let name = &messages[nth % messages.len()];
                    let fault = mishap.fault();
                    if mishap == Mishap::Stalled {
                        armed.deadline = armed.deadline.min(HASTE);
                    }
                    if lasting {
                        self.world.api.answer(name, 1.., fault);
                    } else {
                        self.world.api.answer(name, 1, fault);
                    }
                }
                Fault::Connection { nth, fault } => {
                    if matches!(fault, DbFault::Silent | DbFault::StallAfter(_)) {
                        armed.deadline = armed.deadline.min(HASTE);
                    }
                    self.world.db.connection(nth, fault);
                }
                Fault::Meanwhile(Moment::After(millis), deed) => {
                    armed.timed = Some((Duration::from_millis(millis), deed));
                }
                Fault::Meanwhile(moment, deed) => {
                    self.watch(&armed.ordering, moment, deed, messages)
                }
                Fault::Throughout(condition) => {
                    armed.estranged |= condition == Condition::Estranged;
                    if condition == Condition::Locked {
                        armed.deadline = armed.deadline.min(HASTE);
                    }
                    let undo = self.begin(condition).await;
                    armed.conditions.push((condition, undo));
                }
                Fault::Deadline(millis) => armed.deadline = Duration::from_millis(millis),
            }
        }
        armed
    }

    /// Takes all of it back.
    ///
    /// # Errors
    /// Somebody was touched who may not be.
    pub(super) async fn disarm(&mut self, armed: Armed) -> Result<(), Broken> {
        self.world.api.heal();
        self.world.db.heal();
        for (condition, undo) in armed.conditions.into_iter().rev() {
            self.cease(condition, undo).await?;
        }
        Ok(())
    }

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

    fn watch(&self, orders: &Orders, moment: Moment, deed: Deed, messages: &[String]) {
        let (api, db) = (&self.world.api, &self.world.db);
        let orders = orders.clone();
        let name = |nth: usize| &messages[nth % messages.len()];
        match moment {
            Moment::BeforeMessage(nth) => {
                if deed == Deed::Kill {
                    api.answer(name(nth), 1, ApiFault::DropBefore);
                }
                api.before(name(nth), 1, move |_| order(orders.clone(), deed));
            }
            Moment::AfterMessage(nth) => {
                api.after(name(nth), 1, move |_| order(orders.clone(), deed));
            }
            Moment::BeforeTurn(nth, turn) => {
                if deed == Deed::Kill {
                    db.connection(nth, DbFault::LoseTurn(turn));
                }
                db.before(nth, turn, order(orders, deed));
            }
            Moment::AfterTurn(nth, turn) => db.after(nth, turn, order(orders, deed)),
            Moment::After(_) => unreachable!("done by whoever calls"),
        }
    }

    async fn begin(&mut self, condition: Condition) -> Undo {
        match condition {
            Condition::ApiRefused => self.world.api.close(),
            Condition::DatabaseRefused => self.world.db.close(),
            Condition::Estranged => return self.estrange().await,
            Condition::Stranger => return self.estrange_clone().await,
            Condition::Locked => {
                let session = self.world.postgres.admin_session("postgres").await.unwrap();
                session.run("BEGIN").await.unwrap();
                let existing = self.existing_roles().await;
                for role in existing {
                    let lock = format!("ALTER ROLE \"{role}\" CONNECTION LIMIT -1");
                    session.run(&lock).await.unwrap();
                }
                return Undo::Unlock(session);
            }
            Condition::NoSlots => drop(
                self.admin("ALTER DATABASE postgres CONNECTION LIMIT 0")
                    .await,
            ),
            Condition::NotReady => self.world.postgres.follow_nobody(false).await.unwrap(),
            Condition::Recovering => self.world.postgres.follow_nobody(true).await.unwrap(),
            Condition::ReadOnly => drop(
                self.admin("ALTER DATABASE postgres SET default_transaction_read_only = on")
                    .await,
            ),
        }
        Undo::Nothing
    }

    async fn cease(&mut self, condition: Condition, undo: Undo) -> Result<(), Broken> {
        match condition {
            Condition::ApiRefused => self.world.api.open().await.unwrap(),
            Condition::DatabaseRefused => self.world.db.open().await.unwrap(),
            Condition::NoSlots => drop(
                self.admin("ALTER DATABASE postgres CONNECTION LIMIT -1")
                    .await,
            ),
            Condition::NotReady | Condition::Recovering => {
                self.world.postgres.lead().await.unwrap()
            }
            Condition::ReadOnly => drop(
                self.admin("ALTER DATABASE postgres RESET default_transaction_read_only")
                    .await,
            ),
            Condition::Estranged | Condition::Locked | Condition::Stranger => {}
        }
        if let Undo::Remove { stranger, state } = &undo {
            let now = self.state_of(stranger).await;
            self.admin(&format!("DROP ROLE \"{stranger}\"")).await;
            if now != *state {
                let what = "a stranger's role was changed for its name";
                return Err(Broken::new(Invariant::I4, what));
            }
        }
        if let Undo::Reconcile { role, mine, own } = undo
            && self.world.postgres.verifier(&role).await.unwrap() == Some(mine)
        {
            self.world.postgres.set_verifier(&role, &own).await.unwrap();
        }
        Ok(())
    }

    /// A role with the clone's name, unless there is one.
    async fn estrange_clone(&mut self) -> Undo {
        let stranger = format!("{}_clone", self.world.role);
        if self.state_of(&stranger).await.is_some() {
            return Undo::Nothing;
        }
        let make = format!("CREATE ROLE \"{stranger}\" LOGIN PASSWORD 'a stranger''s'");
        self.admin(&make).await;
        let state = self.state_of(&stranger).await;
        Undo::Remove { stranger, state }
    }

    /// All that a role is, in short; none where there is no such role.
    async fn state_of(&mut self, role: &str) -> Option<String> {
        let state = format!(
            "SELECT md5(a::text || (SELECT count(*) FROM pg_auth_members WHERE a.oid IN (member, roleid)) \
             || (SELECT count(*) FROM pg_db_role_setting WHERE setrole = a.oid)) FROM pg_authid a WHERE rolname = '{role}'"
        );
        let rows = self.admin(&state).await;
        rows.first().map(|row| row.texts().concat())
    }

    async fn estrange(&mut self) -> Undo {
        let current = self.world.current().await.unwrap().unwrap();
        let role = current["username"].as_str().unwrap().to_owned();
        let postgres = &self.world.postgres;
        let own = postgres.verifier(&role).await.unwrap().unwrap();
        let mine = Verifier::Scram.of(&role, &testbed::unique("somebody-elses"));
        postgres.set_verifier(&role, &mine).await.unwrap();
        Undo::Reconcile { role, mine, own }
    }

    async fn existing_roles(&mut self) -> Vec<String> {
        let mut roles = self.own_roles();
        if self.users == Users::Alternating {
            let clone = roles[1].clone();
            let found = self
                .admin(&format!("SELECT FROM pg_roles WHERE rolname = '{clone}'"))
                .await;
            roles.truncate(1 + found.len());
        }
        roles
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
            if self.postgres.set_password(&role, &password).await.is_err() {
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

impl Armed {
    /// Does what is asked for in a message or a turn, and what is due after a while, until the call has ended.
    pub(super) async fn work(&mut self, ended: &Notify) {
        let (span, deed) = self.timed.take().unzip();
        let mut deed = deed;
        let due = sleep(span.unwrap_or_default());
        tokio::pin!(due);
        loop {
            tokio::select! {
                Some((deed, done)) = self.orders.recv() => {
                    self.hands.does(deed).await;
                    // A connection that has gone meanwhile waits no more.
                    let _ = done.send(());
                }
                () = &mut due, if deed.is_some() => {
                    if let Some(deed) = deed.take() {
                        self.hands.does(deed).await;
                    }
                }
                () = ended.notified() => return,
            }
        }
    }
}

/// What a message or a turn does: it orders a deed, and waits until that is done.
async fn order(orders: Orders, deed: Deed) {
    let (done, heard) = oneshot::channel();
    if orders.send((deed, done)).is_ok() {
        let _ = heard.await;
    }
}

impl Mishap {
    fn fault(self) -> ApiFault {
        match self {
            Self::AnswerCutShort => ApiFault::TruncatedBody,
            Self::AnswerLost => ApiFault::DropAfter,
            Self::AnswerMalformed => ApiFault::MalformedBody,
            Self::Delayed => ApiFault::Delay(Duration::from_millis(50)),
            Self::Failed500 => ApiFault::Status(500, "<html>".to_owned()),
            Self::Failed503 => ApiFault::error("ServiceUnavailable"),
            Self::InternalServiceError => ApiFault::error("InternalServiceError"),
            Self::Lost => ApiFault::DropBefore,
            Self::Stale => ApiFault::Stale,
            Self::Stalled => ApiFault::Stall,
            Self::Throttled => ApiFault::error("ThrottlingException"),
        }
    }
}

const END_SESSIONS: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'db-rotation'";

/// The function's time-out.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Where something will never come, a shorter one: the function keeps to it.
pub(super) const HASTE: Duration = Duration::from_millis(1500);
