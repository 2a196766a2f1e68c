//! What an answer says of the call, and whether that is true.

use testbed::world::STEPS;

use super::call::{Ended, FINISH, SET, TEST};
use super::invariants::{Broken, Invariant, holds};
use super::schedule::{Fault, MessageFault};
use super::service::Service;

impl Service<'_> {
    /// What the answer to a call says of it.
    pub(super) async fn judge(&mut self, ended: &Ended<'_>, unharmed: bool) -> Result<(), Broken> {
        self.check_calls(ended)?;
        let invocation = ended.invocation;
        holds(!invocation.timed_out, Invariant::I6, || {
            format!("{} ended as a time-out", STEPS[ended.step])
        })?;
        match &invocation.answer {
            Ok(_) => self.judge_success(ended).await,
            Err(_) if invocation.died.is_some() => holds(ended.killed, Invariant::I6, || {
                format!("{} died by itself: {invocation:?}", STEPS[ended.step])
            }),
            Err(failure) => {
                let advice = failure
                    .error_message
                    .split_once(". ")
                    .map_or("", |(_, advice)| advice);
                let named = documented(&failure.error_type) && !advice.is_empty();
                holds(named, Invariant::I6, || {
                    format!("no cause is named: {failure}")
                })?;
                holds(!unharmed, Invariant::I3, || {
                    format!(
                        "{} failed, and nothing was in its way: {failure}",
                        STEPS[ended.step]
                    )
                })?;
                self.judge_blame(ended, &failure.error_type).await
            }
        }
    }

    /// A success did what it says.
    async fn judge_success(&mut self, ended: &Ended<'_>) -> Result<(), Broken> {
        let is_current = self.holder("AWSCURRENT").await.as_deref() == Some(ended.token);
        // Of a version that is current already, setSecret says so, and looks no further (C1).
        if ended.estranged && ended.step == SET && !ended.interfered && !is_current {
            return Err(Broken::new(
                Invariant::I4,
                "a password was set though AWSCURRENT does not log in",
            ));
        }
        if ended.interfered || ended.estranged {
            return Ok(());
        }
        let is_over = self
            .rotation
            .as_ref()
            .is_none_or(|(of, _)| of != ended.token);
        let done = match ended.step {
            // Nothing is left to be done (C1), though the next rotation may have told the database by now.
            _ if is_over => is_current || ended.faults.iter().any(is_stale),
            0 => self.value(ended.token).await.is_some(),
            SET | TEST => self.logs_in(ended.token).await,
            _ => is_current && (self.is_excused(ended) || self.logs_in(ended.token).await),
        };
        holds(done, Invariant::I6, || {
            let line = ended.invocation.log.join(" ");
            let outcome = line.split("\"outcome\":\"").nth(1);
            let said = outcome
                .and_then(|rest| rest.split('"').next())
                .unwrap_or("nothing");
            format!(
                "{} says that it succeeded, and did not: {said}",
                STEPS[ended.step]
            )
        })
    }

    /// With a single user neither a database that can't be asked holds the label back (C47), nor does a process ask that has
    /// just seen the version log in (C61), though an operator may have replaced the password in this rotation.
    pub(super) fn is_excused(&self, ended: &Ended<'_>) -> bool {
        let log = &ended.invocation.log;
        let unasked = log.iter().any(|line| line.contains(NOT_VERIFIED));
        let unseen = unasked || self.scene.world.db.connections() == self.connections;
        ended.step == FINISH && self.is_single() && self.replaced && unseen
    }

    /// A wrong password is blamed only where passwords are wrong.
    async fn judge_blame(&mut self, ended: &Ended<'_>, name: &str) -> Result<(), Broken> {
        let excused = ended.interfered || ended.estranged || ended.faults.iter().any(is_stale);
        if name != "NoWorkingCredential" || excused {
            return Ok(());
        }
        // setSecret looks through all versions, of which one works, whatever happens; the others ask for one.
        let wrongly = ended.step == SET || self.logs_in(ended.token).await;
        holds(!wrongly, Invariant::I6, || {
            format!("{} blames the passwords, and one works", STEPS[ended.step])
        })
    }

    /// The messages to Secrets Manager are those of the step.
    fn check_calls(&self, ended: &Ended<'_>) -> Result<(), Broken> {
        for call in self.scene.world.api.calls().into_iter().skip(self.heard) {
            let own = match call.operation.as_str() {
                "DescribeSecret" | "GetSecretValue" => true,
                "GetRandomPassword" => ended.step == 0,
                "PutSecretValue" => {
                    let labels = call.sent("VersionStages").map(ToString::to_string);
                    let token = call.sent_text("ClientRequestToken");
                    ended.step == 0
                        && labels.as_deref() == Some("[\"AWSPENDING\"]")
                        && token == Some(ended.token)
                }
                "ListSecretVersionIds" => ended.step == 1,
                "UpdateSecretVersionStage" => {
                    ended.step == 3
                        && call.sent_text("VersionStage") == Some("AWSCURRENT")
                        && call.sent_text("MoveToVersionId") == Some(ended.token)
                }
                _ => false,
            };
            holds(own, Invariant::I5, || {
                format!(
                    "{} is not for {} to call so",
                    call.operation, STEPS[ended.step]
                )
            })?;
        }
        Ok(())
    }
}

/// Whether a call is told what was true a moment ago.
fn is_stale(fault: &Fault) -> bool {
    let stale = MessageFault::Stale;
    matches!(fault, Fault::Message { what, .. } if *what == stale)
}

/// What finishSecret warns of.
const NOT_VERIFIED: &str = "promoted without verification";

/// Whether the operator's page tells what to do about an error of this name.
fn documented(name: &str) -> bool {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operate.md"));
    page.contains(&format!("\n| `{name}` |"))
}
