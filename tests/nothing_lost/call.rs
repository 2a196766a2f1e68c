//! One call of the function, and what befalls it.

use std::time::Duration;

use testbed::Invocation;
use testbed::world::STEPS;
use tokio::sync::Notify;

use super::faults::{Armed, HASTE};
use super::invariants::Broken;
use super::overtake::Overtaker;
use super::scene::Scene;
use super::schedule::Fault;
use super::service::Service;

/// A call that has ended.
pub(super) struct Ended<'a> {
    pub(super) step: usize,
    pub(super) token: &'a str,
    pub(super) invocation: &'a Invocation,
    pub(super) faults: &'a [Fault],
    pub(super) killed: bool,
    /// An operator did something meanwhile.
    pub(super) interfered: bool,
    /// `AWSCURRENT` did not log in meanwhile, by somebody's doing.
    pub(super) estranged: bool,
}

impl Service<'_> {
    async fn arm(&mut self, faults: &[Fault], step: usize, token: &str) -> Armed {
        let is_under_way = self.rotation.as_ref().is_some_and(|(of, _)| of == token);
        if step == SET && is_under_way {
            self.maybe_set.insert(token.to_owned());
        }
        self.unharmed &= faults.is_empty();
        if step == FINISH && !faults.is_empty() {
            self.scene.forget_logins().await;
        }
        self.heard = self.scene.world.api.calls().len();
        self.connections = self.scene.world.db.connections();
        let messages = self.map.messages(self.scene.users, step);
        let mut armed = self.scene.arm(faults, messages, token).await;
        if self.interfered && step == TEST {
            // It would wait ten seconds for a password to be accepted that somebody has replaced.
            armed.deadline = armed.deadline.min(HASTE);
        }
        armed
    }

    /// Looks at a call that has ended.
    pub(super) async fn ended(
        &mut self,
        step: usize,
        token: &str,
        invocation: &Invocation,
        faults: &[Fault],
        mut armed: Armed,
        was_due: bool,
    ) -> Result<(), Broken> {
        self.calls += 1;
        let how = invocation.error_type().unwrap_or("success");
        let faults_of = if faults.is_empty() {
            String::new()
        } else {
            format!(" with {faults:?}")
        };
        self.trace
            .push(format!("{}{faults_of}: {how}", STEPS[step]));
        let actors = armed.actors.clone();
        let estranged = armed.estranged;
        let overtaker = armed.overtaker.take();
        self.scene.disarm(armed).await?;
        self.note(&actors);
        if let Some(overtaker) = overtaker {
            self.overtaken(overtaker);
        }
        let ended = Ended {
            step,
            token,
            invocation,
            faults,
            killed: actors.killed(),
            interfered: actors.interfered(),
            estranged,
        };
        if self.is_excused(&ended) {
            self.unseen.insert(token.to_owned());
        }
        self.judge(&ended, self.unharmed && was_due).await
    }

    /// Another rotation has taken the place of this one. Once it is finished, nobody may tell the database of any other.
    fn overtaken(&mut self, overtaker: Overtaker) {
        let Overtaker { version, done } = overtaker;
        self.trace.push(format!("overtaken by {done} steps"));
        self.versions.push(version.clone());
        self.begun.push(version.clone());
        if done >= SET {
            self.maybe_set.insert(version.clone());
        }
        if done == STEPS.len() {
            self.maybe_set.clear();
        }
        self.rotation = (done < STEPS.len()).then_some((version, done));
    }

    /// One call, and what befalls it.
    pub(super) async fn under(
        &mut self,
        faults: &[Fault],
        step: usize,
        token: &str,
        patience: Duration,
    ) -> (Invocation, Armed) {
        let alone = async |_: &Scene, _| ();
        let (invocation, armed, ()) = self.accompanied(faults, step, token, patience, alone).await;
        (invocation, armed)
    }

    /// One call, what befalls it, and what others do at the same time, within the same deadline.
    pub(super) async fn accompanied<T>(
        &mut self,
        faults: &[Fault],
        step: usize,
        token: &str,
        patience: Duration,
        others: impl AsyncFnOnce(&Scene, Duration) -> T,
    ) -> (Invocation, Armed, T) {
        let mut armed = self.arm(faults, step, token).await;
        let deadline = armed.deadline.min(patience);
        let ended = Notify::new();
        let call = async {
            let world = &self.scene.world;
            let event = world.event(STEPS[step], token);
            let invocation = world.invoke_on(&world.function, &event, deadline).await;
            ended.notify_one();
            invocation
        };
        let (invocation, others, ()) = tokio::join!(
            call,
            others(self.scene, deadline),
            armed.work(self.scene, &ended)
        );
        (invocation, armed, others)
    }
}

/// The steps' places.
pub(super) const SET: usize = 1;
pub(super) const TEST: usize = 2;
pub(super) const FINISH: usize = 3;
