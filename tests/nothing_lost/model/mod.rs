//! The protocol of a rotation, small enough to try everything that can happen to it.
//!
//! One secret and its rotations, some of them cancelled. A step is called once the step before it has succeeded, and from then on
//! at any time, late and again. Two calls run at once; each of their messages takes as long as it likes; each call is killed
//! anywhere, or its transaction ended by the server, which comes to the same. Reads of labels may lag.
//!
//! [`Protocol`] says which design that is, and what it assumes of the world; [`explored`] visits every state, and the tests there
//! say which designs hold, and that they need what they assume.

mod broken;
mod explored;
mod steps;

/// The design, and what is assumed of the world.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Clone, Copy, Debug)]
struct Protocol {
    alternating: bool,
    /// setSecret looks at the labels once it holds the lock, not before.
    lock_first: bool,
    /// A single user's setSecret searches the older versions for the password that the server has (C14).
    searches: bool,
    /// finishSecret holds the lock too, from its look at the labels until the label has moved.
    finish_locks: bool,
    /// The new password is tried after the change; where it is refused, the old one is put back.
    proves: bool,
    /// How many writes of labels a read may miss.
    lag: usize,
    /// A read misses nothing from before the last `RotateSecret`.
    settles: bool,
    /// Nobody cancels or begins a rotation while a createSecret stores its value or a finishSecret moves the label.
    calm: bool,
    /// What has let a password in goes on doing so, and what has refused it goes on refusing it.
    steady: bool,
    /// How many rotations begin. One more is tried wherever they have led (I3).
    rotations: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Labels {
    current: usize,
    pending: Option<usize>,
}

/// `Unset` is what becomes of setSecret where it takes its change back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Step {
    Create,
    Set,
    Test,
    Finish,
    Unset,
}

/// What a call does next; what it sends is on its way until then.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Next {
    LogIn,
    Lock,
    Look,
    Send,
    Prove,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct Call {
    step: Step,
    version: usize,
    next: Next,
    /// The version that was current when it began.
    current: usize,
    /// The version whose password has let it in.
    found: usize,
}

impl Call {
    const fn new(step: Step, version: usize, next: Next, current: usize) -> Self {
        let found = 0;
        Self {
            step,
            version,
            next,
            current,
            found,
        }
    }
}

/// Versions count from 0, the first current one; a password is named after the version that it came with. Sets are bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct World {
    labels: Labels,
    /// The labels before the last writes, newest first.
    earlier: [Labels; 3],
    begun: usize,
    /// The versions that were pending at some time since `AWSCURRENT` moved last.
    live: u8,
    /// An operator was at work.
    was_cancelled: bool,
    /// The role that each version's value names, where it has a value.
    role: [Option<usize>; 5],
    /// How many steps of each rotation have succeeded.
    done: [usize; 5],
    password: [usize; 2],
    /// The versions that have logged in.
    seen: u8,
    /// The versions that are refused, whatever password the server has.
    barred: u8,
    calls: [Option<Call>; 2],
}

impl World {
    fn start() -> Self {
        let mut world = Self {
            seen: 1,
            ..Self::default()
        };
        world.role[0] = Some(0);
        world
    }

    fn logs_in(&self, version: usize) -> bool {
        let is_set = |role: usize| self.password[role] == version;
        self.role[version].is_some_and(is_set) && self.barred & 1 << version == 0
    }

    fn has_call(&self, is: impl Fn(&Call) -> bool) -> bool {
        self.calls.iter().flatten().any(is)
    }

    fn with(mut self, at: usize, call: Call) -> Self {
        self.calls[at] = Some(call);
        self
    }

    fn goes_on(mut self, at: usize, next: Next) -> Self {
        self.calls[at] = self.calls[at].map(|call| Call { next, ..call });
        self
    }

    fn succeeds(self, at: usize, call: Call) -> Self {
        self.has_done(call.step, call.version).ends(at)
    }

    fn sees(mut self, version: usize) -> Self {
        self.seen |= 1 << version;
        self
    }

    fn has_done(mut self, step: Step, version: usize) -> Self {
        self.done[version] = self.done[version].max(step as usize + 1);
        self
    }

    fn ends(mut self, at: usize) -> Self {
        self.calls[at] = None;
        self
    }
}
