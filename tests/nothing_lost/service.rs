//! The model of Secrets Manager's rotation: whom it calls when, and what it makes of the answers.

use std::collections::{BTreeMap, BTreeSet};

use testbed::Invocation;
use testbed::world::STEPS;

use super::acts::Actors;
use super::boundaries::Map;
use super::faults::PATIENCE;
use super::invariants::{Broken, Invariant, holds};
use super::scene::Scene;
use super::schedule::{Act, Fault, Schedule, Users};

/// One secret's rotations, and what is known of them.
pub(super) struct Service<'a> {
    pub(super) scene: &'a mut Scene,
    pub(super) map: &'a Map,
    /// The version that is being made, and the step that is due.
    pub(super) rotation: Option<(String, usize)>,
    /// Whether nothing went wrong in this rotation yet.
    pub(super) unharmed: bool,
    /// Whether an operator interfered in it.
    pub(super) interfered: bool,
    /// Whether one replaced the password by hand.
    pub(super) replaced: bool,
    /// What became current without a look after that (C47).
    pub(super) unseen: BTreeSet<String>,
    /// The versions that rotations were to make, in the order of beginning.
    pub(super) begun: Vec<String>,
    /// Every version, in the order of making.
    pub(super) versions: Vec<String>,
    /// Those whose password the database may have been given.
    pub(super) maybe_set: BTreeSet<String>,
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
    /// How many connections to the database.
    pub(super) connections: usize,
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
            replaced: false,
            unseen: BTreeSet::new(),
            begun: Vec::new(),
            versions: Vec::new(),
            maybe_set: BTreeSet::new(),
            former: BTreeSet::new(),
            values: BTreeMap::new(),
            logins: BTreeMap::new(),
            bystanders: None,
            trace: Vec::new(),
            calls: 0,
            heard: 0,
            connections: 0,
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
            self.check().await?;
        }
        for event in &schedule.events {
            self.event(event).await?;
            self.check().await?;
        }
        self.recover().await?;
        self.check_all().await
    }

    /// The service's next call; the error's name, if it failed.
    pub(super) async fn call(&mut self, faults: &[Fault]) -> Result<Option<String>, Broken> {
        let (token, step) = self.due().await;
        let (invocation, armed) = self.under(faults, step, &token, PATIENCE).await;
        self.ended(step, &token, &invocation, faults, armed, true)
            .await?;
        self.check_blame(faults, &invocation)?;
        self.progress(&token, step, &invocation).await;
        Ok(invocation.error_type().map(str::to_owned))
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

    /// The steps up to one, or all of them, with at most two retries; in one fresh rotation where an operator was at work.
    pub(super) async fn go_on_until(&mut self, step: Option<usize>) -> Result<(), Broken> {
        let mut retries = 2;
        let mut is_fresh = false;
        loop {
            let at = self.rotation.as_ref().map(|(_, step)| *step);
            if at == step || (at, step) == (None, Some(0)) {
                return Ok(());
            }
            let before = self.due().await;
            let failed = self.call(&[]).await?;
            self.check().await?;
            if self.rotation.as_ref() != Some(&before) {
                continue;
            }
            let cancelled = self.is_cancelled(&before.0).await;
            if retries > 0 && !is_fresh && !cancelled {
                retries -= 1;
                continue;
            }
            let forgiven = !is_fresh && (cancelled || self.interfered);
            holds(forgiven, Invariant::I3, || {
                format!("{} does not get through: {failed:?}", STEPS[before.1])
            })?;
            is_fresh = true;
            self.operate(Act::Cancel).await;
            self.begin().await;
        }
    }

    /// Nothing that is asked of a version without its label is done.
    async fn is_cancelled(&self, token: &str) -> bool {
        self.holder("AWSPENDING").await.as_deref() != Some(token)
    }

    pub(super) async fn due(&mut self) -> (String, usize) {
        if self.rotation.is_none() {
            self.begin().await;
        }
        self.rotation.clone().unwrap()
    }

    pub(super) async fn begin(&mut self) {
        let token = self.scene.world.begin().await.unwrap();
        self.versions.push(token.clone());
        self.begun.push(token.clone());
        self.rotation = Some((token, 0));
        self.unharmed = true;
        self.interfered = false;
        self.replaced = false;
    }

    pub(super) async fn operate(&mut self, act: Act) {
        let token = self
            .rotation
            .as_ref()
            .map_or("", |(token, _)| token)
            .to_owned();
        let actors = self.scene.actors(&token);
        actors.perform(act).await;
        self.note(&actors);
    }

    /// Notes what operators did in this rotation.
    pub(super) fn note(&mut self, actors: &Actors) {
        self.unharmed &= !actors.interfered();
        self.interfered |= actors.interfered();
        self.replaced |= actors.replaced();
    }

    /// What the service makes of an answer: after a success the next step is due.
    pub(super) async fn progress(&mut self, token: &str, step: usize, invocation: &Invocation) {
        let is_under_way = self.rotation.as_ref().is_some_and(|(of, _)| of == token);
        if invocation.answer.is_err() || !is_under_way {
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
