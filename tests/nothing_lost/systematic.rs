//! Each single fault at each boundary of each step, for both strategies, and of a search; each call that is late, or overtaken: a
//! finite list.

use testbed::DbFault;
use testbed::world::STEPS;

use super::boundaries::{Boundaries, Map, Message};
use super::call::{FINISH, SET, TEST};
use super::schedule::{
    Act, CONDITIONS, Event, Fault, MESSAGE_FAULTS, MessageFault, Moment, Schedule, Users,
};

/// All of them, in schedules of a few rotations; in each rotation every step has its next fault.
pub(super) fn schedules(map: &Map) -> Vec<Schedule> {
    let [single, alternating] = [Users::Single, Users::Alternating].map(|users| of(users, map));
    let mut alternating = alternating.into_iter();
    let mixed = single
        .into_iter()
        .flat_map(|one| [Some(one), alternating.next()]);
    let mut schedules = vec![refused(map)];
    for users in [Users::Single, Users::Alternating] {
        schedules.push(late(users));
        schedules.extend(overtaken(users, map));
    }
    schedules.extend(mixed.flatten());
    schedules.extend(alternating);
    schedules.extend(searches(map));
    schedules
}

/// Nothing is missing: a list that has become short would find nothing, and be green.
pub(super) fn assert_whole(map: &Map, schedules: &[Schedule]) {
    for users in [Users::Single, Users::Alternating] {
        for (step, (messages, connections)) in LEAST.into_iter().enumerate() {
            let of = &map.steps[&(users, step)];
            let connects = of.turns.iter().filter(|turns| **turns >= LEAST_TURNS);
            assert!(of.messages.len() >= messages, "{users:?} {step}: {of:?}");
            assert!(connects.count() >= connections, "{users:?} {step}: {of:?}");
            let all = map.messages(users, step);
            assert_struck(of, all, &struck(users, step, schedules, 0));
        }
    }
    let search = only_in_search(map);
    assert!(search.messages.len() >= 3, "{search:?}");
    assert!(search.turns.len() >= 5, "{search:?}");
    let faults = struck(Users::Single, SET, schedules, 1);
    assert_struck(&search, &map.search.messages, &faults);
}

/// Each message and each turn has its faults.
fn assert_struck(of: &Boundaries, all: &[Message], faults: &[&Fault]) {
    for message in of.messages.iter().map(|message| place(message, all)) {
        let is_there =
            |fault: &&&Fault| matches!(fault, Fault::Message { nth, .. } if *nth == message);
        let count = faults.iter().filter(is_there).count();
        assert!(
            count >= MESSAGE_FAULTS.len(),
            "{message} of {of:?}: {count}"
        );
    }
    for (connection, turns) in (1..).zip(&of.turns) {
        for turn in 1..=*turns {
            let lost = DbFault::LoseTurn(turn);
            let is_there = |fault: &&Fault| matches!(fault, Fault::Connection { nth, fault } if (*nth, *fault) == (connection, lost));
            assert!(faults.iter().any(is_there), "{connection}/{turn} of {of:?}");
        }
    }
}

/// The faults that strike a step, in schedules with so many rotations before.
fn struck(users: Users, step: usize, schedules: &[Schedule], earlier: usize) -> Vec<&Fault> {
    let events = schedules
        .iter()
        .filter(|one| (one.users, one.earlier) == (users, earlier));
    let faults = events.flat_map(|one| &one.events).map(|event| match event {
        Event::At(at, faults) if *at == step => faults.as_slice(),
        _ => &[],
    });
    faults.flatten().collect()
}

fn of(users: Users, map: &Map) -> Vec<Schedule> {
    let lists: Vec<_> = (0..STEPS.len())
        .map(|step| {
            let of = &map.steps[&(users, step)];
            faults(of, map.messages(users, step), step)
        })
        .collect();
    let most = lists.iter().map(Vec::len).max().unwrap_or_default();
    let in_turn = (0..most).flat_map(|nth| {
        let of_step = |(step, list): (usize, &Vec<Fault>)| {
            let fault = list.get(nth)?.clone();
            Some(Event::At(step, vec![fault]))
        };
        lists
            .iter()
            .enumerate()
            .filter_map(of_step)
            .collect::<Vec<_>>()
    });
    let events: Vec<_> = in_turn.collect();
    let chunks = events.chunks(EVENTS).map(<[Event]>::to_vec);
    let schedule = |events| Schedule {
        users,
        earlier: 0,
        begun: 0,
        events,
    };
    chunks.map(schedule).collect()
}

/// A single user's setSecret where only a version without a label knows the password, with each of its faults.
fn searches(map: &Map) -> Vec<Schedule> {
    let event = |fault| {
        [
            Event::At(TEST, Vec::new()),
            Event::Anew { label_stays: false },
            Event::At(SET, vec![fault]),
        ]
    };
    // What befalls the server, or comes after a turn, is another story only for the connection that finds the password.
    let found = map.search.turns.len() - 1;
    let is_told_elsewhere = |fault: &Fault| match fault {
        Fault::Meanwhile(Moment::BeforeTurn(nth, _), act) => *nth < found && SERVERS.contains(act),
        Fault::Meanwhile(Moment::AfterTurn(nth, _), _) => *nth < found,
        _ => false,
    };
    let mut faults = faults(&only_in_search(map), &map.search.messages, SET);
    faults.retain(|fault| !is_told_elsewhere(fault));
    let events: Vec<_> = faults.into_iter().flat_map(event).collect();
    let schedule = |events: &[Event]| Schedule {
        users: Users::Single,
        // There is an AWSPREVIOUS to be looked at.
        earlier: 1,
        begun: 0,
        events: events.to_vec(),
    };
    events.chunks(EVENTS).map(schedule).collect()
}

/// The turns of a search, and the messages of which there are none where all goes well.
fn only_in_search(map: &Map) -> Boundaries {
    let usual = &map.steps[&(Users::Single, SET)].messages;
    let all = map.search.messages.iter();
    let messages = all.filter(|message| !usual.contains(message)).cloned();
    Boundaries {
        messages: messages.collect(),
        turns: map.search.turns.clone(),
    }
}

/// Each step once more, of a version that was given up with its label and without, and of one that was superseded.
fn late(users: Users) -> Schedule {
    let late = || (0..STEPS.len()).map(|step| Event::Late(step, Vec::new()));
    let mut events = Vec::new();
    for label_stays in [false, true] {
        events.extend([Event::At(TEST, Vec::new()), Event::Anew { label_stays }]);
        events.extend(late());
        events.push(Event::At(SET, Vec::new()));
        events.extend(late());
    }
    events.push(Event::At(FINISH, Vec::new()));
    events.extend(late());
    events.push(Event::At(SET, Vec::new()));
    events.extend(late());
    Schedule {
        users,
        earlier: 0,
        begun: 0,
        events,
    }
}

/// Another rotation overtakes each step in each of its messages and in each turn, those of the change included: what is on its
/// way for as long as a whole other rotation takes must not undo it.
fn overtaken(users: Users, map: &Map) -> Vec<Schedule> {
    let mut events = Vec::new();
    for step in 0..STEPS.len() {
        let of = &map.steps[&(users, step)];
        let all = map.messages(users, step);
        let messages = of.messages.iter().map(|message| place(message, all));
        // A question may be late, and so may its answer, by which what is done next was decided.
        let messages =
            messages.flat_map(|nth| [Moment::BeforeMessage(nth), Moment::AfterMessage(nth)]);
        let connections = (1..).zip(&of.turns);
        let turns = connections
            .flat_map(|(nth, turns)| (1..=*turns).map(move |turn| Moment::BeforeTurn(nth, turn)));
        let moments = messages.chain(turns);
        let faults = moments.map(|moment| Fault::Meanwhile(moment, Act::Overtake));
        events.extend(faults.map(|fault| Event::At(step, vec![fault])));
    }
    let schedule = |events: &[Event]| Schedule {
        users,
        earlier: 0,
        begun: 0,
        events: events.to_vec(),
    };
    events.chunks(EVENTS).map(schedule).collect()
}

/// A single user's change is made, and its login refused: in each of the last turns of the connection that makes it. And once
/// more while another rotation comes and goes before the password could be taken back.
fn refused(map: &Map) -> Schedule {
    let turns = map.steps[&(Users::Single, SET)].turns[0];
    let event = |turn| {
        let after = |act| Fault::Meanwhile(Moment::AfterTurn(1, turn), act);
        [
            Event::At(SET, vec![after(Act::Garble)]),
            Event::At(SET, vec![after(Act::Undo), after(Act::Overtake)]),
        ]
    };
    Schedule {
        users: Users::Single,
        earlier: 0,
        begun: 0,
        events: (turns.saturating_sub(LAST)..=turns)
            .flat_map(event)
            .collect(),
    }
}

/// The faults of one step.
fn faults(of: &Boundaries, all: &[Message], step: usize) -> Vec<Fault> {
    let mut faults = CONDITIONS.map(Fault::Throughout).to_vec();
    // The stranger comes first: there is no clone yet whose name it could take.
    faults.rotate_right(1);
    faults.push(Fault::Deadline(1000));
    for (nth, turns) in (1..).zip(&of.turns) {
        let whole = [DbFault::Reset, DbFault::Silent, DbFault::StripTls];
        faults.extend(whole.map(|fault| Fault::Connection { nth, fault }));
        for turn in 1..=*turns {
            let cut = [
                DbFault::LoseAnswer(turn),
                DbFault::LoseTurn(turn),
                DbFault::StallAfter(turn),
            ];
            faults.extend(cut.map(|fault| Fault::Connection { nth, fault }));
            // What comes after a turn comes before the next: each act has its place in one of the two.
            let before = Moment::BeforeTurn(nth, turn);
            let after = Moment::AfterTurn(nth, turn);
            let acts = [(before, Act::Restart), (before, Act::EndSessions)];
            faults.extend(acts.map(|(moment, act)| Fault::Meanwhile(moment, act)));
            faults.extend([Act::Kill, Act::Crash].map(|act| Fault::Meanwhile(after, act)));
            if CHANGES.contains(&step) {
                let operators = [Act::Cancel, Act::ChangeByHand];
                faults.extend(operators.map(|act| Fault::Meanwhile(after, act)));
            }
        }
    }
    for message in &of.messages {
        let nth = place(message, all);
        for what in MESSAGE_FAULTS {
            let message = |lasting| Fault::Message { nth, what, lasting };
            faults.push(message(false));
            // What passes in the end, and what never ends, is the same at every try.
            if ![
                MessageFault::Delayed,
                MessageFault::Stale,
                MessageFault::Stalled,
            ]
            .contains(&what)
            {
                faults.push(message(true));
            }
        }
        for moment in [Moment::BeforeMessage(nth), Moment::AfterMessage(nth)] {
            faults.extend(
                [Act::Kill, Act::Cancel, Act::ChangeByHand]
                    .map(|act| Fault::Meanwhile(moment, act)),
            );
        }
        faults.push(Fault::Meanwhile(
            Moment::BeforeMessage(nth),
            Act::WritePending,
        ));
    }
    faults
}

/// A message's place among those by which faults are aimed.
fn place(message: &Message, all: &[Message]) -> usize {
    let place = all.iter().position(|one| one == message);
    place.unwrap_or_else(|| panic!("{message:?} is not in {all:?}"))
}

/// What befalls the server.
const SERVERS: [Act; 3] = [Act::Restart, Act::Crash, Act::EndSessions];
/// The steps that change something: what an operator does in their turns is another story each time.
const CHANGES: [usize; 2] = [SET, FINISH];
/// The change is made in one of so many turns before the last.
const LAST: usize = 2;
/// So many in a schedule: each begins with a new secret, and has to end well.
const EVENTS: usize = 12;
/// So many messages each step has at least, and so many connections.
const LEAST: [(usize, usize); 4] = [(5, 0), (5, 2), (3, 1), (4, 1)];
/// TLS and a login take so many turns.
const LEAST_TURNS: usize = 4;
