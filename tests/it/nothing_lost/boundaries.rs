//! What passes between the function and its servers where nothing goes wrong: found out, not known.

use std::collections::BTreeMap;

use testbed::world::STEPS;

use super::scene::Scene;
use super::schedule::Users;

/// The messages and turns of one step.
#[derive(Clone, Debug, Default)]
pub(super) struct Boundaries {
    /// The names of the messages to Secrets Manager, in alphabetical order.
    pub(super) messages: Vec<String>,
    /// The turns on each connection to the database, at most.
    pub(super) turns: Vec<usize>,
}

/// Those of all steps.
pub(super) type Map = BTreeMap<(Users, usize), Boundaries>;

/// Watches unbroken rotations of either kind: the first, which makes the clone, and a later one.
pub(super) async fn explore(scene: &mut Scene) -> Map {
    let mut map = Map::new();
    for users in [Users::Single, Users::Alternating] {
        scene.renew(users).await;
        for _ in 0..2 {
            let token = scene.world.begin().await.unwrap();
            for (at, step) in STEPS.iter().enumerate() {
                scene.world.api.forget();
                scene.world.db.forget();
                scene.world.step(step, &token).await.success().unwrap();
                map.entry((users, at)).or_default().add(scene);
            }
        }
    }
    map
}

impl Boundaries {
    fn add(&mut self, scene: &Scene) {
        self.messages
            .extend(scene.world.api.calls().iter().map(testbed::Call::name));
        self.messages.sort();
        self.messages.dedup();
        let turns = scene.world.db.turns();
        self.turns.resize(turns.len().max(self.turns.len()), 0);
        for (most, turns) in self.turns.iter_mut().zip(turns) {
            *most = turns.max(*most);
        }
    }
}
