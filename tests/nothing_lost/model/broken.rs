//! The promise: I1 to I3.

use super::steps::STEPS;
use super::{Protocol, World};

impl Protocol {
    /// What does not hold, if anything.
    pub(super) fn broken(self, world: &World) -> Option<&'static str> {
        let current = world.labels.current;
        let password = world.password[0];
        if self.alternating && world.password[world.role[current]?] != current {
            return Some("I1: AWSCURRENT does not log in");
        }
        let is_between = world.live & 1 << password != 0;
        if !self.alternating && password != current && !is_between {
            return Some("I2: AWSCURRENT does not log in, and no change is under way");
        }
        let is_quiet = world.calls == [None; 2];
        (is_quiet && !self.recovers(world)).then_some("I3: no rotation ends well any more")
    }

    /// Two retries end well, or, where an operator was at work, one fresh rotation; with nothing in the way any more.
    fn recovers(self, world: &World) -> bool {
        let calm = Self { lag: 0, ..self };
        let mut world = World {
            barred: 0,
            ..*world
        };
        if let Some(pending) = world.labels.pending {
            world = calm.rotated(calm.rotated(world, pending), pending);
            if world.labels.current == pending {
                return world.logs_in(pending);
            }
            if !world.was_cancelled {
                return false;
            }
        }
        world = calm.cancel(&world).unwrap_or(world);
        calm.rotate(&world).is_some_and(|begun| {
            let world = calm.rotated(begun, begun.begun);
            world.labels.current == begun.begun && world.logs_in(begun.begun)
        })
    }

    fn rotated(self, mut world: World, version: usize) -> World {
        for step in STEPS {
            world = self.call(&world, 0, step, version)[0];
            while let Some(call) = world.calls[0] {
                world = self.next(&world, 0, call)[0];
            }
        }
        world
    }
}
