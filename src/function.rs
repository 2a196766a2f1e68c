//! The function: from an event to its answer.

use std::time::Duration;

use serde_json::Value;

use crate::audit;
use crate::aws::Aws;
use crate::check;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::request::Request;
use crate::rotation::{LastLogin, Rotator};

/// What the function was configured with and the clients that it keeps, for as long as the process lives.
#[derive(Debug)]
pub struct Function {
    config: Config,
    aws: Aws,
    last_login: LastLogin,
}

impl Function {
    /// Sets the function up. No call is made.
    pub async fn start(config: Config) -> Self {
        Self {
            aws: Aws::start(config.authorities, config.endpoint.as_deref()).await,
            config,
            last_login: LastLogin::default(),
        }
    }

    /// Does what it is asked, logs how that ended, and answers: null after a step, JSON after a check or an audit.
    ///
    /// `payload` is the event as JSON; `function_arn` is this function, as it was called; `time_left` is how long Lambda lets
    /// the invocation run. The function gives up a little earlier, so that it can still say what it waited for.
    ///
    /// # Errors
    /// [`Error`], for every way in which a step or an audit can fail. What failed can be asked again.
    pub async fn handle(
        &self,
        payload: Value,
        function_arn: &str,
        time_left: Duration,
    ) -> Result<Value, Error> {
        let deadline = Deadline::of_invocation(time_left);
        let rotator = Rotator {
            config: &self.config,
            aws: &self.aws,
            last_login: &self.last_login,
        };
        let request = match Request::try_from(payload) {
            Ok(Request::AuditSecrets) => {
                let secrets_manager = self.aws.secrets_manager(deadline);
                return audit::audit_secrets(&secrets_manager, &self.config.audit).await;
            }
            Ok(Request::CheckSecret(secret)) => {
                return Ok(check::check_secret(rotator, &secret, function_arn, deadline).await);
            }
            Ok(Request::Rotation(request)) => Ok(request),
            // It ends, and is logged, like a step.
            Err(invalid) => Err(invalid),
        };
        rotator.rotate(request, deadline).await?;
        Ok(Value::Null)
    }
}
