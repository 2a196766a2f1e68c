//! The model of Secrets Manager's rotation: whom it calls when, and what it makes of the answers.

use std::collections::{BTreeMap, BTreeSet};

use testbed::Invocation;
use testbed::world::STEPS;

use super::boundaries::Map;
use super::call::TEST;
use super::faults::{Armed, HASTE, PATIENCE};
use super::invariants::{Broken, Invariant};
use super::scene::Scene;
use super::schedule::{Deed, Event, Fault, Schedule, Users};

/// One secret's rotations, and what is known of them.
pub(super) struct Service<'a> {
    pub(super) scene: &'a mut Scene,
    pub(super) map: &'a Map,
    /// The version that is being made, and the step that is due.
    rotation: Option<(String, usize)>,
    /// Whether nothing went wrong in this rotation yet.
    pub(super) unharmed: bool,
    /// Whether an operator interfered in it.
    pub(super) interfered: bool,
    /// Every version, in the order of making.
    pub(super) versions: Vec<String>,
    /// Those of which the database may have been told.
    pub(super) told: BTreeSet<String>,
    /// Those that were current once.
    pub(super) former: BTreeSet<String>,
    /// Role and password of each version that has a value: none ever changes.
    pub(super) values: BTreeMap<String, (String, String)>,
    /// Who logged in with what, or didn't, and what the role was like.
    pub(super) logins: BTreeMap<(String, String, Option<String>), bool>,
    /// The bystanders, as they were.
    pub(super) bystanders: Option<Vec<String>>,
    /// What happened, for who must understand it.
    pub(super) trace: Vec<String>,
    pub(super) calls: usize,
    /// How many messages to Secrets Manager there were before this call.
    pub(super) heard: usize,
}

impl<'a> Service<'a> {
    /// Plays a schedule to its end, and then what the service does once nothing is in its way.
    pub(super) async fn play(
        scene: &'a mut Scene,
        map: &'a Map,
        schedule: &Schedule,
    ) -> Result<usize, Broken> {
        scene.renew(schedule.users).await;
        let mut service = Self {
            scene,
            map,
            rotation: None,
            unharmed: true,
            interfered: false,
            versions: Vec::new(),
            told: BTreeSet::new(),
            former: BTreeSet::new(),
            values: BTreeMap::new(),
            logins: BTreeMap::new(),
            bystanders: None,
            trace: Vec::new(),
            calls: 0,
            heard: 0,
        };
        match service.events(schedule).await {
            Ok(()) => Ok(service.calls),
            Err(broken) => Err(broken.with(std::mem::take(&mut service.trace))),
        }
    }

    async fn events(&mut self, schedule: &Schedule) -> Result<(), Broken> {
        self.check().await?;
        for _ in 0..schedule.earlier * STEPS.len() + schedule.begun {
            self.call(&[]).await?;
        }
        for event in &schedule.events {
            self.event(event).await?;
            self.check().await?;
        }
        self.recover().await?;
        self.check_all().await
    }

    async fn event(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::Call(faults) => self.call(faults).await.map(drop),
            Event::At(step, faults) => {
                self.go_on_until(Some(*step)).await?;
                self.call(faults).await.map(drop)
            }
            Event::Twice(faults) => self.twice(faults).await,
            Event::Beside(faults) => self.beside(faults).await,
            Event::Stray(step, faults) => self.stray(*step, faults).await,
            Event::Anew { label_stays } => {
                self.trace.push(format!("{event:?}"));
                if !label_stays {
                    self.operate(Deed::Cancel).await;
                }
                self.begin().await;
                Ok(())
            }
            Event::Operator(deed) => {
                self.trace.push(format!("{event:?}"));
                self.operate(*deed).await;
                Ok(())
            }
        }
    }

    /// The service's next call; the error's name, if it failed.
    async fn call(&mut self, faults: &[Fault]) -> Result<Option<String>, Broken> {
        let (token, step) = self.due().await;
        let (invocation, armed) = self.under(faults, step, &token, PATIENCE).await;
        self.ended(step, &token, &invocation, faults, armed, true)
            .await?;
        self.progress(&token, step, &invocation).await;
        Ok(invocation.error_type().map(str::to_owned))
    }

    /// The same call twice at once, the second by another process that nothing befalls.
    async fn twice(&mut self, faults: &[Fault]) -> Result<(), Broken> {
        let (token, step) = self.due().await;
        let event = self.scene.world.event(STEPS[step], &token);
        let twin = async |scene: &Scene, deadline| {
            let other = &scene.neighbour.function;
            scene.world.invoke_on(other, &event, deadline).await
        };
        let (invocation, armed, twin) =
            self.accompanied(faults, step, &token, PATIENCE, twin).await;
        let mut twin_armed = Armed::only(armed.hands.clone());
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
        let neighbour = async |scene: &Scene, _| scene.neighbour.rotate().await;
        let (invocation, armed, rotated) = self
            .accompanied(faults, step, &token, PATIENCE, neighbour)
            .await;
        self.ended(step, &token, &invocation, faults, armed, true)
            .await?;
        self.progress(&token, step, &invocation).await;
        match rotated {
            Err(failure) if faults.is_empty() => Err(Broken::new(
                Invariant::I3,
                format!("the neighbour: {failure:?}"),
            )),
            _ => Ok(()),
        }
    }

    /// A step of this rotation that isn't due.
    ///
    /// With a single user nothing befalls one that comes early: a finishSecret that can't ask the database moves the label
    /// (C47), since with the steps in order that ends an outage.
    async fn stray(&mut self, step: usize, faults: &[Fault]) -> Result<(), Broken> {
        let Some((token, due)) = self.rotation.clone() else {
            return Ok(());
        };
        let is_early = step > due;
        let faults = if self.is_single() && is_early {
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

    /// Nothing is in the way any more.
    async fn recover(&mut self) -> Result<(), Broken> {
        self.trace.push("the faults stop".to_owned());
        if self.rotation.is_none() {
            self.begin().await;
        }
        self.go_on_until(None).await?;
        self.check_rotated().await
    }

    /// The steps up to one, or all of them, with at most two retries, or in one fresh rotation.
    async fn go_on_until(&mut self, step: Option<usize>) -> Result<(), Broken> {
        let (mut retries, mut is_fresh) = (2, false);
        loop {
            let at = self.rotation.as_ref().map(|(_, step)| *step);
            if at == step || (at, step) == (None, Some(0)) {
                return Ok(());
            }
            let before = self.due().await;
            let cancelled = self.call(&[]).await? == Some("VersionNotStaged".to_owned());
            self.check().await?;
            if self.rotation.as_ref() != Some(&before) {
                continue;
            }
            if is_fresh {
                let what = "a fresh rotation does not get through".to_owned();
                return Err(Broken::new(Invariant::I3, what));
            }
            if retries == 0 || cancelled {
                is_fresh = true;
                self.begin().await;
            } else {
                retries -= 1;
            }
        }
    }

    async fn due(&mut self) -> (String, usize) {
        if self.rotation.is_none() {
            self.begin().await;
        }
        self.rotation.clone().unwrap()
    }

    async fn begin(&mut self) {
        let token = self.scene.world.begin().await.unwrap();
        self.versions.push(token.clone());
        self.rotation = Some((token, 0));
        self.unharmed = true;
        self.interfered = false;
    }

    async fn operate(&mut self, deed: Deed) {
        let token = self
            .rotation
            .as_ref()
            .map_or("", |(token, _)| token)
            .to_owned();
        self.scene.hands(&token).does(deed).await;
        self.unharmed = false;
        self.interfered = true;
    }

    /// What the service makes of an answer: after a success the next step is due.
    async fn progress(&mut self, token: &str, step: usize, invocation: &Invocation) {
        if invocation.answer.is_err() {
            return;
        }
        self.rotation = (step + 1 < STEPS.len()).then(|| (token.to_owned(), step + 1));
        if self.rotation.is_none() {
            self.scene
                .world
                .secrets
                .tidy(&self.scene.world.secret)
                .await
                .unwrap();
        }
    }

    pub(super) fn newest(&self) -> &str {
        self.versions.last().map_or("", String::as_str)
    }

    pub(super) fn is_single(&self) -> bool {
        self.scene.users == Users::Single
    }
}
