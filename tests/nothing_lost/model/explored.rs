//! Every world that can come to be, and what that proves.
//!
//! A breadth-first search of our own: `stateright`, which would do it, brings a web server, and five crates that are in the
//! tree in another version.

use std::collections::HashSet;

use super::{Protocol, World};

impl Protocol {
    /// Visits every world. How many there are; or the shortest way to one in which something is broken.
    fn explore(self) -> Result<usize, String> {
        let mut worlds = vec![(World::start(), 0)];
        let mut known = HashSet::from([World::start()]);
        let mut at = 0;
        while let Some(&(world, _)) = worlds.get(at) {
            if let Some(what) = self.broken(&world) {
                return Err(format!("{what}\n{}", way(&worlds, at)));
            }
            let new = self
                .happens(&world)
                .into_iter()
                .filter(|then| known.insert(*then));
            worlds.extend(new.map(|then| (then, at)));
            at += 1;
        }
        Ok(worlds.len())
    }
}

fn way(worlds: &[(World, usize)], mut at: usize) -> String {
    let mut lines = Vec::new();
    while at > 0 {
        let (world, before) = worlds[at];
        let World {
            labels,
            password,
            calls,
            ..
        } = world;
        lines.push(format!(
            "{labels:?} {password:?} {:?}",
            calls.iter().flatten().collect::<Vec<_>>()
        ));
        at = before;
    }
    lines.reverse();
    lines.join("\n")
}

/// The design: look under the lock; and what it needs of the world.
const DESIGN: Protocol = Protocol {
    alternating: false,
    lock_first: true,
    searches: true,
    finish_locks: false,
    proves: false,
    lag: 0,
    settles: true,
    calm: true,
    steady: true,
    rotations: 2,
};
const ALTERNATING: Protocol = Protocol {
    alternating: true,
    ..DESIGN
};

type Outcome = Result<(), String>;

fn loses_nothing(design: Protocol) -> Outcome {
    println!("{} worlds: {design:?}", design.explore()?);
    Ok(())
}

fn loses(design: Protocol, what: &str) -> Outcome {
    match design.explore() {
        Err(way) if way.starts_with(what) => {
            println!("{design:?}: {way}");
            Ok(())
        }
        other => Err(format!("not {what}, but {other:?}")),
    }
}

#[test]
fn a_change_held_back_past_its_look_at_the_labels_locks_out() -> Outcome {
    loses(
        Protocol {
            lock_first: false,
            ..DESIGN
        },
        "I2",
    )?;
    loses(
        Protocol {
            lock_first: false,
            ..ALTERNATING
        },
        "I1",
    )
}

#[test]
fn a_look_under_the_lock_loses_nothing() -> Outcome {
    loses_nothing(Protocol {
        rotations: 3,
        ..DESIGN
    })?;
    loses_nothing(Protocol {
        rotations: 3,
        ..ALTERNATING
    })?;
    loses_nothing(Protocol { lag: 3, ..DESIGN })?;
    loses_nothing(Protocol {
        lag: 3,
        ..ALTERNATING
    })
}

#[test]
fn a_look_that_misses_what_came_before_the_rotation_locks_out() -> Outcome {
    loses(
        Protocol {
            lag: 2,
            settles: false,
            ..DESIGN
        },
        "I2",
    )?;
    loses(
        Protocol {
            lag: 2,
            settles: false,
            ..ALTERNATING
        },
        "I1",
    )
}

#[test]
fn a_change_that_is_taken_back_loses_nothing() -> Outcome {
    loses_nothing(Protocol {
        proves: true,
        lag: 3,
        ..DESIGN
    })
}

#[test]
fn a_password_refused_after_it_was_let_in_locks_out_unless_finish_secret_locks() -> Outcome {
    let unsteady = Protocol {
        proves: true,
        steady: false,
        ..DESIGN
    };
    loses(unsteady, "I2")?;
    loses_nothing(Protocol {
        finish_locks: true,
        ..unsteady
    })
}

#[test]
fn a_rotation_begun_while_another_finishes_locks_out_unless_finish_secret_locks() -> Outcome {
    for (design, what) in [(DESIGN, "I2"), (ALTERNATING, "I1")] {
        let hasty = Protocol {
            calm: false,
            ..design
        };
        loses(hasty, what)?;
        loses_nothing(Protocol {
            finish_locks: true,
            ..hasty
        })?;
    }
    Ok(())
}

#[test]
fn c14_without_the_older_versions_no_rotation_ends_well_any_more() -> Outcome {
    loses(
        Protocol {
            searches: false,
            ..DESIGN
        },
        "I3",
    )
}
