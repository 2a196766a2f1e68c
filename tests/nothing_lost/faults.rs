//! Faults, put into effect.

use std::time::Duration;

use testbed::{DbFault, Fault as ApiFault};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::sleep;

use super::acts::Actors;
use super::boundaries::Message;
use super::conditions::Undo;
use super::invariants::Broken;
use super::overtake::Overtaker;
use super::scene::Scene;
use super::schedule::{Act, Condition, Fault, MessageFault, Moment};

/// What holds while one call is under way.
pub(super) struct Armed {
    pub(super) actors: Actors,
    /// What is done so long after the call.
    pub(super) timed: Option<(Duration, Act)>,
    pub(super) deadline: Duration,
    pub(super) estranged: bool,
    /// The rotation that began meanwhile.
    pub(super) overtaker: Option<Overtaker>,
    conditions: Vec<(Condition, Undo)>,
    /// Acts that are due now, each with whom to tell when it is done.
    orders: mpsc::UnboundedReceiver<(Act, oneshot::Sender<()>)>,
    ordering: Orders,
}

type Orders = mpsc::UnboundedSender<(Act, oneshot::Sender<()>)>;

impl Armed {
    /// Nothing befalls this call but what others do meanwhile.
    pub(super) fn only(actors: Actors) -> Self {
        let (ordering, orders) = mpsc::unbounded_channel();
        Self {
            ordering,
            orders,
            actors,
            timed: None,
            deadline: PATIENCE,
            estranged: false,
            overtaker: None,
            conditions: Vec::new(),
        }
    }

    fn is_locked(&self) -> bool {
        let mut conditions = self.conditions.iter();
        conditions.any(|(condition, _)| *condition == Condition::Locked)
    }

    /// Does what is asked for in a message or a turn, and what is due after a while, until the call has ended.
    pub(super) async fn work(&mut self, scene: &Scene, ended: &Notify) {
        let (span, mut last) = self.timed.take().unzip();
        let due = sleep(span.unwrap_or_default());
        tokio::pin!(due);
        loop {
            tokio::select! {
                Some((act, done)) = self.orders.recv() => {
                    self.perform(scene, act).await;
                    // A connection that has gone meanwhile waits no more.
                    let _ = done.send(());
                }
                () = &mut due, if last.is_some() => {
                    if let Some(act) = last.take() {
                        self.perform(scene, act).await;
                    }
                }
                () = ended.notified() => return,
            }
        }
    }

    async fn perform(&mut self, scene: &Scene, act: Act) {
        match act {
            // Once is enough.
            Act::Overtake if self.overtaker.is_some() => {}
            Act::Overtake => {
                self.actors.cancelled();
                self.overtaker = Some(scene.overtake(&self.actors).await);
            }
            _ => self.actors.perform(act).await,
        }
    }
}

impl Scene {
    /// Puts faults into effect for a step whose messages are these.
    pub(super) async fn arm(&self, faults: &[Fault], messages: &[Message], token: &str) -> Armed {
        let mut armed = Armed::only(self.actors(token).informed().await);
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
                Fault::Meanwhile(_, Act::Restart | Act::Crash) if away.is_some() => {}
                // Who holds the lock would be waited for in vain.
                Fault::Throughout(Condition::Estranged | Condition::Locked)
                    if armed.is_locked() => {}
                Fault::Throughout(_) if away.is_some_and(|away| !std::ptr::eq(away, fault)) => {}
                Fault::Message { nth, what, lasting } => {
                    let (name, at) = &messages[nth % messages.len()];
                    if what == MessageFault::Stale && name == "GetRandomPassword" {
                        // It reads nothing; the same password again would be no password of this version's.
                        continue;
                    }
                    if what == MessageFault::Stalled {
                        armed.deadline = armed.deadline.min(HASTE);
                    }
                    if lasting {
                        self.world.api.answer(name, *at.., what.in_api());
                    } else {
                        self.world.api.answer(name, *at, what.in_api());
                    }
                }
                Fault::Connection { nth, fault } => {
                    if matches!(fault, DbFault::Silent | DbFault::StallAfter(_)) {
                        armed.deadline = armed.deadline.min(HASTE);
                    }
                    self.world.db.connection(nth, fault);
                }
                Fault::Meanwhile(Moment::After(millis), act) => {
                    armed.timed = Some((Duration::from_millis(millis), act));
                }
                Fault::Meanwhile(moment, act) => {
                    if matches!((moment, act), (Moment::BeforeTurn(..), Act::Overtake)) {
                        // What is held longer than the call lives must not arrive any more.
                        armed.deadline = armed.deadline.min(HASTE);
                    }
                    self.watch(&armed.ordering, moment, act, messages);
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
    pub(super) async fn disarm(&self, armed: Armed) -> Result<(), Broken> {
        self.world.api.heal();
        self.world.db.heal();
        for (condition, undo) in armed.conditions.into_iter().rev() {
            self.cease(condition, undo).await?;
        }
        Ok(())
    }

    fn watch(&self, orders: &Orders, moment: Moment, act: Act, messages: &[Message]) {
        let api = &self.world.api;
        let db = &self.world.db;
        let orders = orders.clone();
        let message = |nth: usize| &messages[nth % messages.len()];
        match moment {
            Moment::BeforeMessage(nth) => {
                let (name, at) = message(nth);
                if act == Act::Kill {
                    api.answer(name, *at, ApiFault::DropBefore);
                }
                api.before(name, *at, move |_| order(orders.clone(), act));
            }
            Moment::AfterMessage(nth) => {
                let (name, at) = message(nth);
                api.after(name, *at, move |_| order(orders.clone(), act));
            }
            Moment::BeforeTurn(nth, turn) => {
                if act == Act::Kill {
                    db.connection(nth, DbFault::LoseTurn(turn));
                }
                db.before(nth, turn, order(orders, act));
            }
            Moment::AfterTurn(nth, turn) => db.after(nth, turn, order(orders, act)),
            Moment::After(_) => unreachable!("done by whoever calls"),
        }
    }
}

/// What a message or a turn does: it orders an act, and waits until it is done.
async fn order(orders: Orders, act: Act) {
    let (done, heard) = oneshot::channel();
    if orders.send((act, done)).is_ok() {
        let _ = heard.await;
    }
}

impl MessageFault {
    fn in_api(self) -> ApiFault {
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

/// The function's time-out.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Where something will never come, a shorter one: the function keeps to it.
pub(super) const HASTE: Duration = Duration::from_millis(1500);
