//! A rotation that takes the place of another, one of whose calls is still under way.

use std::time::Duration;

use testbed::world::STEPS;
use tokio::time::sleep;

use super::acts::Actors;
use super::call::SET;
use super::faults::{HASTE, PATIENCE};
use super::scene::Scene;
use super::schedule::Act;

/// A rotation that began meanwhile.
pub(super) struct Overtaker {
    pub(super) version: String,
    /// How many of its steps succeeded.
    pub(super) done: usize,
}

impl Scene {
    /// An operator cancels the rotation, and another process plays a whole new one.
    pub(super) async fn overtake(&self, actors: &Actors) -> Overtaker {
        let world = &self.world;
        actors.perform(Act::Cancel).await;
        let version = world.begin().await.unwrap();
        for (done, step) in STEPS.iter().enumerate() {
            let event = world.event(step, &version);
            let other = &self.neighbour.function;
            // Only setSecret may wait for the call that is under way. Of the others none may fail for a machine that is slow: a
            // label that moves late, when the next rotation has changed the password and not ended, is beyond what is promised.
            let patience = if done == SET { 2 * HASTE } else { PATIENCE };
            let invocation = world.invoke_on(other, &event, patience).await;
            if invocation.answer.is_err() {
                return Overtaker { version, done };
            }
        }
        world.secrets.tidy(&world.secret).await.unwrap();
        sleep(LONGER_THAN_LABELS_ARE_BELIEVED).await;
        let done = STEPS.len();
        Overtaker { version, done }
    }
}

/// On AWS, four calls of another process take so long by themselves.
const LONGER_THAN_LABELS_ARE_BELIEVED: Duration = Duration::from_secs(1);
