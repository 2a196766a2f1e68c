//! What happens, one thing at a time.

use super::{Call, Labels, Next, Protocol, Step, World};
use Next::{Lock, LogIn, Look, Prove, Send};
use Step::{Create, Finish, Set, Test, Unset};

/// As the service calls them.
pub(super) const STEPS: [Step; 4] = [Create, Set, Test, Finish];

impl Protocol {
    /// Everything that can happen next.
    pub(super) fn happens(self, world: &World) -> Vec<World> {
        let mut all = Vec::new();
        if !self.calm || !world.has_call(|call| matches!(call.step, Create | Finish)) {
            all.extend(self.rotate(world).filter(|_| world.begun < self.rotations));
            all.extend(self.cancel(world));
        }
        for (at, call) in world.calls.into_iter().enumerate() {
            if let Some(call) = call {
                all.push(world.ends(at));
                all.extend(self.next(world, at, call));
                continue;
            }
            for version in 1..=world.begun {
                let due = STEPS.into_iter().take(world.done[version] + 1);
                all.extend(due.flat_map(|step| self.call(world, at, step, version)));
            }
        }
        for world in &mut all {
            world.calls.sort_unstable(); // which is which makes no difference
        }
        all
    }

    /// `RotateSecret`.
    pub(super) fn rotate(self, world: &World) -> Option<World> {
        let mut then = *world;
        then.begun += 1;
        if self.settles {
            then.earlier = [world.labels; 3];
        }
        let is_free = world.labels.pending.is_none();
        is_free.then(|| self.write(then, then.labels.current, Some(then.begun)))
    }

    /// An operator takes `AWSPENDING` off.
    pub(super) fn cancel(self, world: &World) -> Option<World> {
        world.labels.pending?;
        let mut then = *world;
        then.was_cancelled = true;
        Some(self.write(then, then.labels.current, None))
    }

    fn write(self, mut world: World, current: usize, pending: Option<usize>) -> World {
        if self.lag > 0 {
            world.earlier[..self.lag].rotate_right(1);
            world.earlier[0] = world.labels;
        }
        if current != world.labels.current {
            world.live = 0;
        }
        world.live |= pending.map_or(0, |pending| 1 << pending);
        world.labels = Labels { current, pending };
        world
    }

    /// `DescribeSecret` and the version of `GetSecretValue`, in all ways in which they can turn out, the usual one first.
    fn looks(self, world: &World, version: usize) -> Vec<Admission> {
        let mut known = vec![world.labels];
        known.extend(&world.earlier[..self.lag]);
        known.dedup();
        let reads = known
            .iter()
            .flat_map(|labels| known.iter().map(move |read| (labels, read)));
        let mut all: Vec<_> = reads
            .map(|(labels, read)| labels.admit(read.current, version))
            .collect();
        all.dedup();
        all
    }

    /// A step's first look, in all ways in which it can turn out, the usual one first.
    pub(super) fn call(self, world: &World, at: usize, step: Step, version: usize) -> Vec<World> {
        let next = match step {
            Create => Send,
            Finish if self.finish_locks => Lock,
            _ => LogIn,
        };
        let turns_out = |admission| match admission {
            Proceed(current)
                if step == Create || world.role[version] == self.turn(world, current) =>
            {
                world.with(at, Call::new(step, version, next, current))
            }
            Over => world.has_done(step, version),
            Proceed(_) | Refused => *world,
        };
        self.looks(world, version)
            .into_iter()
            .map(turns_out)
            .collect()
    }

    /// Whose turn it is.
    fn turn(self, world: &World, current: usize) -> Option<usize> {
        world.role[current].map(|role| role ^ usize::from(self.alternating))
    }

    /// What a call does next, in all ways in which it can turn out, the usual one first; nothing while it waits for the lock.
    pub(super) fn next(self, world: &World, at: usize, call: Call) -> Vec<World> {
        let version = call.version;
        let current = call.current;
        let mut then = *world;
        match (call.next, call.step) {
            (Lock, _) if self.is_locked(world) => return Vec::new(),
            (Lock, _) => then = then.goes_on(at, Look),
            (Look, _) => return self.look(world, at, call),
            (LogIn, Set) => return vec![self.log_in(world, at, call)],
            // testSecret has seen it log in, perhaps long ago.
            (LogIn, Finish) => then = then.goes_on(at, Send),
            (LogIn, Test) if world.logs_in(version) => then = then.sees(version).succeeds(at, call),
            (Send, Create) => {
                if world.role[version].is_none() {
                    then.role[version] = self.turn(world, current);
                    then = self.write(then, then.labels.current, Some(version));
                }
                then = then.succeeds(at, call);
            }
            (Send, Set) => {
                then.password[world.role[version].unwrap()] = version;
                then = if self.proves {
                    then.goes_on(at, Prove)
                } else {
                    then.succeeds(at, call)
                };
            }
            (Send, Unset) => {
                then.password[0] = call.found;
                then = then.ends(at);
            }
            (Send, _) if world.labels.current == current => {
                let pending = world.labels.pending.filter(|pending| *pending != version);
                then = self.write(then, version, pending).succeeds(at, call);
            }
            (Send, _) if world.labels.current == version => then = then.succeeds(at, call),
            (Prove, _) => return self.prove(world, at, call),
            (LogIn | Send, _) => then = then.ends(at),
        }
        vec![then]
    }

    fn is_locked(self, world: &World) -> bool {
        let locks = |step| match step {
            Set => self.lock_first,
            Finish => self.finish_locks,
            Unset => true,
            Create | Test => false,
        };
        world.has_call(|call| matches!(call.next, Look | Send) && locks(call.step))
    }

    /// setSecret's: as who changes the password, unless it is changed already.
    fn log_in(self, world: &World, at: usize, call: Call) -> World {
        let next = if self.lock_first { Lock } else { Look };
        let is_set = !world.logs_in(call.current) && world.logs_in(call.version);
        if is_set && !self.alternating {
            return world.sees(call.version).succeeds(at, call);
        }
        let searches = self.searches && !self.alternating;
        let found = if searches {
            world.password[0]
        } else {
            call.current
        };
        let then = world.with(
            at,
            Call {
                next,
                found,
                ..call
            },
        );
        if world.logs_in(found) {
            then
        } else {
            then.ends(at)
        }
    }

    /// The labels once more: nothing else may be current than when the call began.
    fn look(self, world: &World, at: usize, call: Call) -> Vec<World> {
        if call.step == Finish && !world.logs_in(call.version) {
            return vec![world.ends(at)];
        }
        let turns_out = |admission| match admission {
            Proceed(current) if current == call.current => world.goes_on(at, Send),
            Over if call.step != Unset => world.succeeds(at, call),
            _ => world.ends(at),
        };
        self.looks(world, call.version)
            .into_iter()
            .map(turns_out)
            .collect()
    }

    /// The new password is taken, or nothing is learnt; or it is refused, by whatever stands between.
    fn prove(self, world: &World, at: usize, call: Call) -> Vec<World> {
        let bit = 1 << call.version;
        let mut refused = world.with(at, Call::new(Unset, call.version, Lock, call.current));
        refused.calls[at] = refused.calls[at].map(|back| Call {
            found: call.found,
            ..back
        });
        let takes = world.logs_in(call.version);
        refused.barred |= if self.steady && takes { bit } else { 0 };
        let mut all = Vec::new();
        if takes {
            all.extend([
                world.sees(call.version).succeeds(at, call),
                world.succeeds(at, call),
            ]);
        }
        all.extend((!takes || !self.steady || world.seen & bit == 0).then_some(refused));
        all
    }
}

/// What the labels let a call do (C1).
#[derive(PartialEq)]
enum Admission {
    /// Go on: this version is current.
    Proceed(usize),
    Over,
    Refused,
}
use Admission::{Over, Proceed, Refused};

impl Labels {
    fn admit(self, read: usize, version: usize) -> Admission {
        match self.pending {
            _ if self.current == version => Over,
            Some(pending) if pending == version && read == version => Over,
            Some(pending) if pending == version && read == self.current => Proceed(read),
            _ => Refused,
        }
    }
}
