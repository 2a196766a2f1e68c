//! `RotateSecret`, as far as the service goes by itself: who plays the service calls the function.

use serde_json::{Value, json};

use super::SecretsManager;
use super::console::Secret;
use super::moto::Answer;
use crate::error::Result;

impl SecretsManager {
    /// Stages a new version, empty; refuses while a rotation before it is under way. moto would rotate by itself.
    pub(crate) async fn begin_rotation(&self, body: &Value) -> Answer {
        match self.staged(body).await {
            Ok(answer) => answer,
            Err(failure) => Answer::error(500, "InternalServiceError", &format!("{failure:?}")),
        }
    }

    async fn staged(&self, body: &Value) -> Result<Answer> {
        let state = match self.state(body).await? {
            Ok(state) => state,
            Err(refusal) => return Ok(refusal),
        };
        let pending = state.holder("AWSPENDING");
        if pending.is_some() && pending != state.holder("AWSCURRENT") {
            let message = "A previous rotation isn't complete. That rotation will be reattempted.";
            return Ok(Answer::error(400, "InvalidRequestException", message));
        }
        let secret = Secret {
            arn: state.arn,
            name: state.name,
        };
        let version = self.stage_pending(&secret).await?;
        Ok(Answer {
            status: 200,
            body: json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": version }),
        })
    }
}
