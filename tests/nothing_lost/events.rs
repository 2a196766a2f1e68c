//! The events of a schedule, played.

use testbed::Labels;
use testbed::world::STEPS;

use super::call::{FINISH, TEST};
use super::faults::{Armed, HASTE, PATIENCE};
use super::invariants::{Broken, Invariant, holds};
use super::scene::Scene;
use super::schedule::{Act, Event, Fault};
use super::service::Service;

impl Service<'_> {
    pub(super) async fn event(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::Call(faults) => self.call(faults).await.map(drop),
            Event::At(step, faults) => {
                self.go_on_until(Some(*step)).await?;
                self.call(faults).await.map(drop)
            }
            Event::Twice(faults) => self.twice(faults).await,
            Event::Beside(faults) => self.beside(faults).await,
            Event::Stray(step, faults) => self.stray(*step, faults).await,
            Event::Late(step, faults) => self.late(*step, faults).await,
            Event::Anew { label_stays } => {
                self.trace.push(format!("{event:?}"));
                if !label_stays {
                    self.operate(Act::Cancel).await;
                }
                self.begin().await;
                Ok(())
            }
            Event::Operator(act) => {
                self.trace.push(format!("{event:?}"));
                self.operate(*act).await;
                Ok(())
            }
        }
    }

    /// The same call twice at once, the second by another process that nothing befalls.
    async fn twice(&mut self, faults: &[Fault]) -> Result<(), Broken> {
        let (token, step) = self.due().await;
        // The process that would overtake it has the other of the two.
        let mut faults = faults.to_vec();
        faults.retain(|fault| !matches!(fault, Fault::Meanwhile(_, Act::Overtake)));
        let faults = faults.as_slice();
        let event = self.scene.world.event(STEPS[step], &token);
        let twin = async |scene: &Scene, deadline| {
            let other = &scene.neighbour.function;
            scene.world.invoke_on(other, &event, deadline).await
        };
        let (invocation, armed, twin) =
            self.accompanied(faults, step, &token, PATIENCE, twin).await;
        let mut twin_armed = Armed::only(armed.actors.clone());
        twin_armed.estranged = armed.estranged;
        self.ended(step, &token, &invocation, faults, armed, true)
            .await?;
        self.ended(step, &token, &twin, faults, twin_armed, true)
            .await?;
        let good = if invocation.answer.is_ok() {
            &invocation
        } else {
            &twin
        };
        self.progress(&token, step, good).await;
        Ok(())
    }

    /// The next call, and at the same time a whole rotation of another secret in this database.
    async fn beside(&mut self, faults: &[Fault]) -> Result<(), Broken> {
        let (token, step) = self.due().await;
        self.scene.is_neighbour_used = true;
        let own = self.scene.neighbour.begin().await.unwrap();
        let neighbour = async |scene: &Scene, _| scene.neighbour.steps(&own).await;
        let (invocation, armed, rotated) = self
            .accompanied(faults, step, &token, PATIENCE, neighbour)
            .await;
        self.ended(step, &token, &invocation, faults, armed, true)
            .await?;
        self.progress(&token, step, &invocation).await;
        match rotated {
            Err(failure) if faults.is_empty() => Err(neighbour_broken(&format!("{failure:?}"))),
            Err(_) => self.retry_neighbour(&own).await,
            Ok(_) => self.check_neighbour(&own).await,
        }
    }

    /// What went wrong for the one goes wrong for the other, and is over for both.
    async fn retry_neighbour(&self, token: &str) -> Result<(), Broken> {
        let mut steps = self.scene.neighbour.steps(token).await;
        if steps.is_err() {
            steps = self.scene.neighbour.steps(token).await;
        }
        match steps {
            Err(failure) => Err(neighbour_broken(&format!("{failure:?}"))),
            Ok(_) => self.check_neighbour(token).await,
        }
    }

    async fn check_neighbour(&self, token: &str) -> Result<(), Broken> {
        let neighbour = &self.scene.neighbour;
        let current = neighbour.version("AWSCURRENT").await.unwrap();
        holds(current.as_deref() == Some(token), Invariant::I3, || {
            "the neighbour's AWSCURRENT is not the new version".to_owned()
        })?;
        let password = neighbour.password("AWSCURRENT").await.unwrap();
        let works = neighbour.logs_in(&password).await.unwrap();
        holds(works, Invariant::I2, || {
            "the neighbour's AWSCURRENT does not log in".to_owned()
        })
    }

    /// A step of this rotation that isn't due.
    ///
    /// With a single user nothing befalls a finishSecret that comes early: where it can't ask the database it moves the label
    /// (C47), since with the steps in order that ends an outage.
    async fn stray(&mut self, step: usize, faults: &[Fault]) -> Result<(), Broken> {
        let Some((token, due)) = self.rotation.clone() else {
            return Ok(());
        };
        let is_early_finish = step == FINISH && due < FINISH;
        let faults = if self.is_single() && is_early_finish {
            &[]
        } else {
            faults
        };
        // Only testSecret waits for a password that is refused.
        let patience = if step == TEST { HASTE } else { PATIENCE };
        let (invocation, armed) = self.under(faults, step, &token, patience).await;
        self.ended(step, &token, &invocation, faults, armed, false)
            .await
    }

    /// A step of an earlier version: it changes nothing.
    async fn late(&mut self, step: usize, faults: &[Fault]) -> Result<(), Broken> {
        let under_way = self.rotation.as_ref().map(|(token, _)| token);
        let is_over = |token: &&String| Some(*token) != under_way;
        let Some(token) = self.begun.iter().rev().find(is_over).cloned() else {
            return Ok(());
        };
        let before = self.state().await;
        let (invocation, armed) = self.under(faults, step, &token, HASTE).await;
        let actors = armed.actors.clone();
        self.ended(step, &token, &invocation, faults, armed, false)
            .await?;
        let unchanged = actors.interfered() || self.state().await == before;
        holds(unchanged, Invariant::I5, || {
            format!("a late {} changed something", STEPS[step])
        })
    }

    /// Labels and verifiers.
    async fn state(&mut self) -> (Labels, Vec<Option<String>>) {
        let labels = self.scene.world.labels().await.unwrap();
        let mut verifiers = Vec::new();
        for role in self.scene.own_roles() {
            verifiers.push(self.scene.world.postgres.verifier(&role).await.unwrap());
        }
        (labels, verifiers)
    }
}

fn neighbour_broken(failure: &str) -> Broken {
    Broken::new(Invariant::I3, format!("the neighbour: {failure}"))
}
