//! One rotation: from the event to the label's move.
//!
//! | step | reads | writes | a second call |
//! |---|---|---|---|
//! | `createSecret` | labels, current and pending value; then a random password | the pending value | keeps the value |
//! | `setSecret` | labels, current and pending value; logs in; the labels again | the role's password | finds it set |
//! | `testSecret` | labels, current and pending value; logs in | nothing | the same |
//! | `finishSecret` | labels, current and pending value; logs in, unless this process has just seen the version do so | `AWSCURRENT` | finds it moved |
//!
//! Contract: AWS, *Lambda rotation functions*.

mod alternating_users;
mod change;
mod context;
mod create_secret;
mod finish_secret;
mod search;
mod set_secret;
mod single_user;
mod step_ended;
mod strategy;
mod subject;
pub(crate) mod superuser;
mod test_secret;

use tracing::Instrument;

use crate::aws::Aws;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::request::{InvalidRequest, RotationRequest, Step};
use context::Admitted;
pub(crate) use context::{LastLogin, PAUSE, STALE, contradictory};
pub(crate) use search::{Found, Search};
use step_ended::{Outcome, StepEnded};
pub(crate) use strategy::Strategy;
pub(crate) use subject::Subject;
pub(crate) use test_secret::expect_role;

/// What carries out steps: settings, clients and what the last step saw, all of which live with the process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rotator<'a> {
    pub(crate) config: &'a Config,
    pub(crate) aws: &'a Aws,
    pub(crate) last_login: &'a LastLogin,
}

impl Rotator<'_> {
    /// Carries out one step and logs how it ended, in one line.
    ///
    /// # Errors
    /// [`Error`], for every way in which a step can fail. A step that failed can be called again.
    pub(crate) async fn rotate(
        self,
        request: Result<RotationRequest, InvalidRequest>,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let mut ended = StepEnded::begin();
        let result = self.answer(request, deadline, &mut ended).await;
        ended.log(&result);
        result.map(drop)
    }

    async fn answer(
        self,
        request: Result<RotationRequest, InvalidRequest>,
        deadline: Deadline,
        ended: &mut StepEnded,
    ) -> Result<Outcome, Error> {
        let request = request?;
        let RotationRequest {
            step,
            secret_id,
            version,
            ..
        } = &request;
        let span = tracing::info_span!("rotation", %step, %secret_id, %version);
        ended.request = Some(request.clone());
        // Boxed, so that the compiler need not see through every step at once.
        let carried_out = Box::pin(self.carry_out(&request, deadline, ended));
        carried_out.instrument(span).await
    }

    async fn carry_out(
        self,
        request: &RotationRequest,
        deadline: Deadline,
        ended: &mut StepEnded,
    ) -> Result<Outcome, Error> {
        let context = match context::admit(self, request, deadline).await? {
            Admitted::AlreadyCurrent => return Ok(Outcome::AlreadyCurrent),
            Admitted::Step(context) => context,
        };
        ended.target = Some(context.target());
        match request.step {
            Step::CreateSecret => create_secret::create_secret(&context).await,
            Step::SetSecret => set_secret::set_secret(&context).await,
            Step::TestSecret => test_secret::test_secret(&context).await,
            Step::FinishSecret => finish_secret::finish_secret(&context).await,
        }
    }
}
