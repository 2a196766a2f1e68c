//! What a search found.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::invariants::Broken;
use super::schedule::{Event, Fault, Schedule};

/// What was played, and what broke.
#[derive(Debug, Default)]
pub(super) struct Report {
    seed: Option<u64>,
    begun: Option<Instant>,
    took: Duration,
    schedules: usize,
    calls: usize,
    events: BTreeMap<String, usize>,
    faults: BTreeMap<String, usize>,
    pub(super) violations: Vec<Violation>,
}

/// A schedule that broke an invariant.
#[derive(Debug)]
pub(super) struct Violation {
    pub(super) seed: Option<u64>,
    pub(super) schedule: Schedule,
    pub(super) broken: Broken,
    /// The shortest like it, where it broke again.
    pub(super) shrunk: Option<(Schedule, Broken)>,
}

impl Violation {
    pub(super) fn of(seed: Option<u64>, schedule: Schedule, broken: Broken) -> Self {
        let shrunk = None;
        Self {
            seed,
            schedule,
            broken,
            shrunk,
        }
    }

    /// The schedule by which to understand it.
    pub(super) fn shortest(&self) -> (&Schedule, &Broken) {
        self.shrunk
            .as_ref()
            .map_or((&self.schedule, &self.broken), |(schedule, broken)| {
                (schedule, broken)
            })
    }
}

impl Report {
    pub(super) fn begin(seed: Option<u64>) -> Self {
        let begun = Some(Instant::now());
        Self {
            seed,
            begun,
            ..Self::default()
        }
    }

    pub(super) fn end(&mut self) {
        self.took = self.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
    }

    pub(super) fn schedules(&self) -> usize {
        self.schedules
    }

    /// A line now and then, for who waits.
    pub(super) fn progress(&self) {
        if self.schedules.is_multiple_of(100) {
            let took = self.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
            let schedules = self.schedules;
            let violations = self.violations.len();
            println!(
                "{schedules} schedules, {violations} violations, {} s",
                took.as_secs()
            );
        }
    }

    pub(super) fn is_unbroken(&self) -> bool {
        self.violations.is_empty()
    }

    pub(super) fn count(&mut self, schedule: &Schedule, played: &Result<usize, Broken>) {
        self.schedules += 1;
        self.calls += played.as_ref().unwrap_or(&0);
        for event in &schedule.events {
            *self.events.entry(kind(event)).or_default() += 1;
            for fault in event.faults() {
                let kind = match fault {
                    Fault::Message { what, .. } => format!("message: {}", kind(what)),
                    Fault::Connection { fault, .. } => format!("connection: {}", kind(fault)),
                    Fault::Meanwhile(_, act) => format!("meanwhile: {}", kind(act)),
                    Fault::Throughout(condition) => format!("throughout: {}", kind(condition)),
                    Fault::Deadline(_) => "deadline".to_owned(),
                };
                *self.faults.entry(kind).or_default() += 1;
            }
        }
    }
}

impl Event {
    fn faults(&self) -> &[Fault] {
        match self {
            Self::Call(faults)
            | Self::At(_, faults)
            | Self::Twice(faults)
            | Self::Beside(faults)
            | Self::Stray(_, faults)
            | Self::Late(_, faults) => faults,
            Self::Anew { .. } | Self::Operator(_) => &[],
        }
    }
}

/// A variant's name.
fn kind(of: &impl fmt::Debug) -> String {
    let text = format!("{of:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: usize = self.faults.values().sum();
        let events: usize = self.events.values().sum();
        if let Some(seed) = self.seed {
            writeln!(f, "seed {seed}")?;
        }
        let schedules = self.schedules;
        let calls = self.calls;
        let took = self.took.as_secs();
        writeln!(
            f,
            "{schedules} schedules, {events} events, {calls} calls, {faults} faults, {took} s"
        )?;
        for (kind, count) in self.events.iter().chain(&self.faults) {
            writeln!(f, "  {count:>7} {kind}")?;
        }
        writeln!(f, "{} violations", self.violations.len())?;
        self.violations
            .iter()
            .try_for_each(|violation| write!(f, "{violation}"))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(seed) = self.seed {
            writeln!(
                f,
                "again: NOTHING_LOST_SEED={seed} NOTHING_LOST_SCHEDULES=1"
            )?;
        }
        writeln!(f, "  {:?}\n  {}", self.schedule, self.broken)?;
        match &self.shrunk {
            Some((schedule, broken)) => writeln!(f, "shrunk: {schedule:?}\n  {broken}"),
            None => writeln!(f, "not again when it was shrunk"),
        }
    }
}
