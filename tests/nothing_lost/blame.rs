//! Which errors may be blamed on a fault.

use testbed::{DbFault, Invocation};

use super::invariants::{Broken, Invariant, holds};
use super::schedule::{Act, Condition, Fault, MessageFault};
use super::service::Service;

impl Service<'_> {
    /// A call that one thing befell blames that, and nothing else.
    pub(super) fn check_blame(
        &self,
        faults: &[Fault],
        invocation: &Invocation,
    ) -> Result<(), Broken> {
        let ([fault], Some(name)) = (faults, invocation.error_type()) else {
            return Ok(());
        };
        if self.interfered || invocation.died.is_some() {
            return Ok(());
        }
        holds(culprits(fault).contains(&name), Invariant::I6, || {
            format!("{name} is blamed for {fault:?}")
        })
    }
}

/// The names that the operator's table has for what a fault brings about.
fn culprits(fault: &Fault) -> &'static [&'static str] {
    match fault {
        // What was true a moment ago is asked again (C59), unless it stays.
        Fault::Message {
            what: MessageFault::Stale,
            lasting: false,
            ..
        } => &[],
        Fault::Message { what, .. } => of_message(*what),
        Fault::Connection { fault, .. } => of_connection(*fault),
        Fault::Meanwhile(_, act) => of_act(*act),
        Fault::Throughout(condition) => of_condition(*condition),
        Fault::Deadline(_) => &["DeadlineExceeded"],
    }
}

fn of_message(fault: MessageFault) -> &'static [&'static str] {
    match fault {
        MessageFault::AnswerLost | MessageFault::Lost => &["SecretsManagerUnreachable"],
        MessageFault::AnswerCutShort
        | MessageFault::AnswerMalformed
        | MessageFault::Failed500
        | MessageFault::Failed503
        | MessageFault::InternalServiceError
        | MessageFault::Throttled => &["AwsCallFailed"],
        MessageFault::Delayed => &[],
        // A moment ago the version may not have been staged, or had no value.
        MessageFault::Stale => &["AwsCallFailed", "SecretMalformed", "VersionNotStaged"],
        // Silence of a second and more is what an unreachable service has to say.
        MessageFault::Stalled => &["DeadlineExceeded", "SecretsManagerUnreachable"],
    }
}

fn of_connection(fault: DbFault) -> &'static [&'static str] {
    match fault {
        DbFault::Reset => &["DatabaseUnreachable", "TlsFailed"],
        DbFault::ResetAfterSent(_)
        | DbFault::ResetAfterReceived(_)
        | DbFault::LoseAnswer(_)
        | DbFault::LoseTurn(_) => &["ConnectionLost", "DatabaseUnreachable", "TlsFailed"],
        DbFault::Silent | DbFault::StallAfter(_) => &["DeadlineExceeded"],
        DbFault::StripTls => &["TlsFailed"],
    }
}

fn of_act(act: Act) -> &'static [&'static str] {
    match act {
        // In the middle of a handshake TLS fails; and a server may take longer to come back than a session to start.
        Act::Restart | Act::Crash => &[
            "ConnectionLost",
            "DatabaseNotReady",
            "DatabaseUnreachable",
            "DeadlineExceeded",
            "TlsFailed",
        ],
        Act::Garble | Act::Undo => &["PasswordNotAccepted"],
        Act::EndSessions => &["ConnectionLost", "DatabaseNotReady"],
        // Who is killed blames nobody, and operators are dealt with elsewhere.
        Act::Kill | Act::Cancel | Act::WritePending | Act::ChangeByHand | Act::Overtake => &[],
    }
}

fn of_condition(condition: Condition) -> &'static [&'static str] {
    match condition {
        Condition::ApiRefused => &["SecretsManagerUnreachable"],
        Condition::DatabaseRefused => &["DatabaseUnreachable"],
        Condition::Estranged => &["NoWorkingCredential"],
        Condition::Locked => &["DeadlineExceeded"],
        Condition::NoSlots => &["TooManyConnections"],
        Condition::NotReady => &["DatabaseNotReady"],
        Condition::ReadOnly | Condition::Recovering => &["DatabaseReadOnly"],
        Condition::Stranger => &["ForeignTarget"],
    }
}
