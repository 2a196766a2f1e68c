//! Staging labels: what a secret has, and how one moves.

use serde_json::{Value, json};

use super::moto::Answer;
use super::service::text;
use super::{Labels, SecretsManager};
use crate::error::Result;

impl SecretsManager {
    /// A label is moved in one piece, from where it is, to a version that has a value; or not at all.
    pub(super) async fn move_stage(&self, body: &Value) -> Result<Answer> {
        let _changing = self.inner.changing.lock().await;
        let state = match self.state(body).await? {
            Ok(state) => state,
            Err(refusal) => return Ok(refusal),
        };
        let label = text(body, "VersionStage").unwrap_or_default();
        let (from, to) = (
            text(body, "RemoveFromVersionId"),
            text(body, "MoveToVersionId"),
        );
        if let Some(refusal) = state.refusal(label, from, to) {
            return Ok(refusal);
        }
        if to.is_some() && state.holder(label) == to {
            return Ok(Answer {
                status: 200,
                body: json!({ "ARN": state.arn, "Name": state.name }),
            });
        }
        if let Some(to) = to.filter(|_| label == "AWSCURRENT")
            && self.stored(&state.arn, to).await?.is_none()
        {
            let message = format!("You can't move AWSCURRENT to version {to}, which has no value.");
            return Ok(Answer::error(400, "InvalidRequestException", &message));
        }
        self.inner.moto.call("UpdateSecretVersionStage", body).await
    }
}

/// A secret's labels at one moment.
pub(super) struct State {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) labels: Labels,
}

impl State {
    /// As `DescribeSecret` has it.
    pub(super) fn of(described: &Value) -> Self {
        let of = |field| text(described, field).unwrap_or_default().to_owned();
        let labels = described
            .get("VersionIdsToStages")
            .cloned()
            .unwrap_or_default();
        Self {
            arn: of("ARN"),
            name: of("Name"),
            labels: serde_json::from_value(labels).unwrap_or_default(),
        }
    }

    /// Why a label can't move so: it must be named where it is, and arrive somewhere.
    fn refusal(&self, label: &str, from: Option<&str>, to: Option<&str>) -> Option<Answer> {
        let mut versions = [from, to].into_iter().flatten();
        if let Some(unknown) = versions.find(|version| !self.labels.contains_key(*version)) {
            let message =
                format!("Secrets Manager can't find the specified secret version: {unknown}");
            return Some(Answer::error(400, "ResourceNotFoundException", &message));
        }
        let message = match self.holder(label) {
            _ if to.is_none() && (from.is_none() || label == "AWSCURRENT") => {
                format!("Staging label {label} needs a version to move to.")
            }
            Some(holder) if from.map_or(to != Some(holder), |from| from != holder) => format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to \
                 version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            ),
            None if from.is_some() => {
                format!("Staging label {label} isn't attached to any version.")
            }
            _ => return None,
        };
        Some(Answer::error(400, "InvalidParameterException", &message))
    }

    /// The version that has a label.
    pub(super) fn holder(&self, label: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(_, labels)| labels.contains(label))
            .map(|(version, _)| version.as_str())
    }
}
