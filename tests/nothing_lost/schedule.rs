//! A schedule as data: what the service, an operator and the world do to a rotation.

use proptest::prelude::*;
use testbed::DbFault;

use super::call::SET;

/// What happens to one secret, from its first version on.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) users: Users,
    /// How many whole rotations come first.
    pub(super) earlier: usize,
    /// How many steps of the next one come before the events.
    pub(super) begun: usize,
    pub(super) events: Vec<Event>,
}

/// Which strategy the secret asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Users {
    Single,
    Alternating,
}

/// Something that happens; the invariants hold after each.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// The service calls the step that is due, or again the one that failed; it begins a rotation if none is under way.
    Call(Vec<Fault>),
    /// The service goes on until this step is due, and then calls it.
    At(usize, Vec<Fault>),
    /// The same call comes twice at once; the faults strike the first.
    Twice(Vec<Fault>),
    /// The call, while another secret of the same database is rotated from beginning to end.
    Beside(Vec<Fault>),
    /// A step of this rotation that isn't due: late, or early.
    Stray(usize, Vec<Fault>),
    /// A step of an earlier version, given up or finished, is called once more.
    Late(usize, Vec<Fault>),
    /// The service gives the rotation up and begins another.
    Anew { label_stays: bool },
    /// An operator, between two calls.
    Operator(Act),
}

/// What befalls a call.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// A message to Secrets Manager, by its place among the step's in alphabetical order; with `lasting` each like it from then on.
    Message {
        nth: usize,
        what: MessageFault,
        lasting: bool,
    },
    /// A connection to the database.
    Connection { nth: usize, fault: DbFault },
    /// Somebody does something meanwhile.
    Meanwhile(Moment, Act),
    /// It is so before the call, and until it has ended.
    Throughout(Condition),
    /// The invocation's time, in milliseconds.
    Deadline(u64),
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageFault {
    AnswerCutShort,
    AnswerLost,
    AnswerMalformed,
    Delayed,
    Failed500,
    Failed503,
    InternalServiceError,
    Lost,
    Stale,
    Stalled,
    Throttled,
}

/// When somebody does something.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// The message, by its place as above, has not taken effect; nor will it, if the function is killed.
    BeforeMessage(usize),
    /// It took effect, and its answer is on the way.
    AfterMessage(usize),
    /// The client's k-th turn on the n-th connection has not reached the server.
    BeforeTurn(usize, usize),
    /// The server has answered it.
    AfterTurn(usize, usize),
    /// Milliseconds after the call.
    After(u64),
}

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The function is killed.
    Kill,
    /// The server is restarted as by an operator.
    Restart,
    /// The server crashes, and comes back.
    Crash,
    /// An administrator ends the function's sessions.
    EndSessions,
    /// An operator takes `AWSPENDING` away.
    Cancel,
    /// An operator writes the pending value.
    WritePending,
    /// An operator changes the current password, in the database and in the secret.
    ChangeByHand,
    /// An operator cancels the rotation, and another process plays a whole new one before this goes on.
    Overtake,
    /// What the call has changed the password to is not what the server, or what stands before it, lets in: nobody knows
    /// what is. A single user's, and only once it was changed.
    Garble,
    /// The same, and what is let in is the password of before.
    Undo,
}

/// What may be so while a call is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    ApiRefused,
    DatabaseRefused,
    /// `AWSCURRENT` is wrong: somebody has changed the password, and will take it back.
    Estranged,
    /// Somebody holds a lock on the roles.
    Locked,
    NoSlots,
    NotReady,
    /// The server is a replica.
    Recovering,
    /// `default_transaction_read_only`
    ReadOnly,
    /// Somebody else's role has the name that the clone would have.
    Stranger,
}

pub(super) const MESSAGE_FAULTS: [MessageFault; 11] = [
    MessageFault::AnswerCutShort,
    MessageFault::AnswerLost,
    MessageFault::AnswerMalformed,
    MessageFault::Delayed,
    MessageFault::Failed500,
    MessageFault::Failed503,
    MessageFault::InternalServiceError,
    MessageFault::Lost,
    MessageFault::Stale,
    MessageFault::Stalled,
    MessageFault::Throttled,
];

pub(super) const CONDITIONS: [Condition; 9] = [
    Condition::ApiRefused,
    Condition::DatabaseRefused,
    Condition::Estranged,
    Condition::Locked,
    Condition::NoSlots,
    Condition::NotReady,
    Condition::Recovering,
    Condition::ReadOnly,
    Condition::Stranger,
];

/// What an operator does.
pub(super) const OPERATORS: [Act; 3] = [Act::Cancel, Act::WritePending, Act::ChangeByHand];

/// What befalls the function or the server.
const ACCIDENTS: [Act; 4] = [Act::Kill, Act::Restart, Act::Crash, Act::EndSessions];

/// Any schedule; it shrinks to fewer events with fewer and earlier faults.
pub(super) fn schedules() -> impl Strategy<Value = Schedule> {
    let users = prop_oneof![Just(Users::Single), Just(Users::Alternating)];
    let earlier = prop_oneof![4 => Just(0_usize), 1 => Just(1_usize)];
    let events = prop::collection::vec(event(), 1..=4);
    (users, earlier, 0..4_usize, events).prop_map(|(users, earlier, begun, events)| Schedule {
        users,
        earlier,
        begun,
        events,
    })
}

fn event() -> impl Strategy<Value = Event> {
    let faults = |most| prop::collection::vec(fault(), 0..=most);
    prop_oneof![
        9 => faults(2).prop_map(Event::Call),
        2 => faults(1).prop_map(Event::Twice),
        1 => faults(1).prop_map(Event::Beside),
        2 => (0..4_usize, faults(1)).prop_map(|(step, faults)| Event::Stray(step, faults)),
        1 => (0..4_usize, faults(1)).prop_map(|(step, faults)| Event::Late(step, faults)),
        2 => any::<bool>().prop_map(|label_stays| Event::Anew { label_stays }),
        1 => prop::sample::select(&OPERATORS[..]).prop_map(Event::Operator),
        1 => (4..9_usize).prop_map(|turn| Event::At(SET, vec![Fault::Meanwhile(Moment::AfterTurn(1, turn), Act::Garble)])),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    let message = (
        0..8_usize,
        prop::sample::select(&MESSAGE_FAULTS[..]),
        any::<bool>(),
    );
    let act = prop_oneof![
        4 => Just(Act::Kill),
        1 => prop::sample::select(&ACCIDENTS[..]),
        1 => prop::sample::select(&OPERATORS[..]),
    ];
    let overtaken = |moment| Fault::Meanwhile(moment, Act::Overtake);
    prop_oneof![
        5 => message.prop_map(|(nth, what, lasting)| Fault::Message { nth, what, lasting }),
        4 => (1..=2_usize, connection()).prop_map(|(nth, fault)| Fault::Connection { nth, fault }),
        6 => (moment(), act).prop_map(|(moment, act)| Fault::Meanwhile(moment, act)),
        1 => message_moment().prop_map(overtaken),
        1 => prop::sample::select(&CONDITIONS[..]).prop_map(Fault::Throughout),
        1 => (1000..3000_u64).prop_map(Fault::Deadline),
    ]
}

fn connection() -> impl Strategy<Value = DbFault> {
    prop_oneof![
        1 => Just(DbFault::Reset),
        3 => (1..3000_usize).prop_map(DbFault::ResetAfterSent),
        3 => (1..3000_usize).prop_map(DbFault::ResetAfterReceived),
        3 => (1..12_usize).prop_map(DbFault::LoseAnswer),
        3 => (1..12_usize).prop_map(DbFault::LoseTurn),
        1 => Just(DbFault::Silent),
        1 => (1..12_usize).prop_map(DbFault::StallAfter),
        1 => Just(DbFault::StripTls),
    ]
}

/// A question may be late, and so may its answer.
fn message_moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        (0..8_usize).prop_map(Moment::BeforeMessage),
        (0..8_usize).prop_map(Moment::AfterMessage),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        6 => message_moment(),
        3 => (1..=2_usize, 1..12_usize).prop_map(|(nth, turn)| Moment::BeforeTurn(nth, turn)),
        3 => (1..=2_usize, 1..12_usize).prop_map(|(nth, turn)| Moment::AfterTurn(nth, turn)),
        2 => (0..80_u64).prop_map(Moment::After),
    ]
}
