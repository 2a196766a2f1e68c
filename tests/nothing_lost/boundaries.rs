//! What passes between the function and its servers where nothing goes wrong: found out, not known.

use std::collections::BTreeMap;

use testbed::world::STEPS;

use super::call::{FINISH, SET};
use super::scene::Scene;
use super::schedule::{Act, Users};

/// A message to Secrets Manager: its name, and the how-many-eth of that name it is in its step.
pub(super) type Message = (String, usize);

/// The messages and turns of one step.
#[derive(Debug, Default)]
pub(super) struct Boundaries {
    /// In alphabetical order.
    pub(super) messages: Vec<Message>,
    /// The turns on each connection to the database, at most.
    pub(super) turns: Vec<usize>,
}

/// Those of all steps.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) steps: BTreeMap<(Users, usize), Boundaries>,
    /// A single user's setSecret where only a version without a label knows the password.
    pub(super) search: Boundaries,
}

/// Watches unbroken rotations of either kind: the first, which makes the clone, and a later one.
pub(super) async fn explore(scene: &mut Scene) -> Map {
    let mut steps: BTreeMap<_, Boundaries> = BTreeMap::new();
    for users in [Users::Single, Users::Alternating] {
        scene.renew(users).await;
        for _ in 0..2 {
            let token = scene.world.begin().await.unwrap();
            for (at, step) in STEPS.iter().enumerate() {
                if at == FINISH {
                    scene.forget_logins().await;
                }
                let of_step = steps.entry((users, at)).or_default();
                of_step.watch(scene, step, &token).await;
            }
        }
    }
    let search = explore_search(scene).await;
    Map { steps, search }
}

/// After a rotation that was cancelled between the change and the label's move.
async fn explore_search(scene: &mut Scene) -> Boundaries {
    scene.renew(Users::Single).await;
    scene.world.rotate().await.unwrap();
    for _ in 0..2 {
        let token = scene.world.begin().await.unwrap();
        let mut search = Boundaries::default();
        scene.world.step(STEPS[0], &token).await.success().unwrap();
        search.watch(scene, STEPS[SET], &token).await;
        // Where the password is known there are two: the change, and its proof.
        if search.turns.len() > 2 {
            return search;
        }
        scene.actors(&token).perform(Act::Cancel).await;
    }
    panic!("the password was known")
}

impl Map {
    /// The messages by whose places faults are aimed at a step: also those of which there are none where all goes well.
    pub(super) fn messages(&self, users: Users, step: usize) -> &[Message] {
        match (users, step) {
            (Users::Single, SET) => &self.search.messages,
            _ => &self.steps[&(users, step)].messages,
        }
    }
}

impl Boundaries {
    async fn watch(&mut self, scene: &Scene, step: &str, token: &str) {
        scene.world.api.forget();
        scene.world.db.forget();
        scene.world.step(step, token).await.success().unwrap();
        let mut seen = BTreeMap::new();
        for call in scene.world.api.calls() {
            let nth: &mut usize = seen.entry(call.name()).or_default();
            *nth += 1;
            self.messages.push((call.name(), *nth));
        }
        self.messages.sort();
        self.messages.dedup();
        let turns = scene.world.db.turns();
        self.turns.resize(turns.len().max(self.turns.len()), 0);
        for (most, turns) in self.turns.iter_mut().zip(turns) {
            *most = turns.max(*most);
        }
    }
}
