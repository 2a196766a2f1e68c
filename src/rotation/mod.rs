//! One rotation: from the event to the label's move.
//!
//! | step | reads | writes | a second call |
//! |---|---|---|---|
//! | `createSecret` | labels, current and pending value; then a random password | the pending value | keeps the value |
//! | `setSecret` | labels, current and pending value; logs in; the labels again | the role's password | finds it set |
//! | `testSecret` | labels, current and pending value; logs in | nothing | the same |
//! | `finishSecret` | labels, current and pending value; logs in | `AWSCURRENT` | finds it moved |
//!
//! Contract: AWS, *Lambda rotation functions*.

mod alternating_users;
mod change;
mod context;
mod create_secret;
mod finish_secret;
mod set_secret;
mod single_user;
mod step_ended;
mod strategy;
mod test_secret;

use std::time::Duration;

use tracing::Instrument;

use crate::aws::Aws;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::request::{RotationRequest, Step};
use context::{Admitted, LastLogin};
use step_ended::{Outcome, StepEnded};

/// The function: what it was configured with and the clients that it keeps, for as long as the process lives.
#[derive(Debug)]
pub struct Rotator {
    config: Config,
    aws: Aws,
    last_login: LastLogin,
}

impl Rotator {
    /// Sets the function up. No call is made.
    pub async fn start(config: Config) -> Self {
        Self {
            aws: Aws::start(config.authorities, config.endpoint.as_deref()).await,
            config,
            last_login: LastLogin::default(),
        }
    }

    /// Carries out one step and logs how it ended, in one line.
    ///
    /// `payload` is the event as JSON; `time_left` is how long Lambda lets the invocation run: what is said about a lack
    /// of time is said before.
    ///
    /// # Errors
    /// [`Error`], for every way in which a step can fail. A step that failed can be called again.
    pub async fn handle(
        &self,
        payload: serde_json::Value,
        time_left: Duration,
    ) -> Result<(), Error> {
        let deadline = Deadline::of_invocation(time_left);
        let mut ended = StepEnded::begin();
        let result = self.answer(payload, deadline, &mut ended).await;
        ended.log(&result);
        result.map(drop)
    }

    async fn answer(
        &self,
        payload: serde_json::Value,
        deadline: Deadline,
        ended: &mut StepEnded,
    ) -> Result<Outcome, Error> {
        let request = RotationRequest::try_from(payload)?;
        let RotationRequest {
            step,
            secret_id,
            version,
            ..
        } = &request;
        let span = tracing::info_span!("rotation", %step, %secret_id, %version);
        ended.request = Some(request.clone());
        // Boxed, so that the compiler need not see through every step at once.
        let step = Box::pin(self.step(&request, deadline, ended));
        step.instrument(span).await
    }

    async fn step(
        &self,
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
