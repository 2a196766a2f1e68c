//! `ListSecretVersionIds`.

use serde_json::{Value, json};

use super::SecretsManager;
use super::moto::Answer;
use super::service::{set, text};
use crate::error::Result;

impl SecretsManager {
    /// Versions without a label only where asked for; the dates are those of the versions.
    pub(super) async fn list_versions(&self, body: &Value) -> Result<Answer> {
        if let Err(refusal) = self.state(body).await? {
            return Ok(refusal);
        }
        let mut answer = self.inner.moto.call("ListSecretVersionIds", body).await?;
        let all = body
            .get("IncludeDeprecated")
            .and_then(Value::as_bool)
            .unwrap_or_default();
        let described = self.describe(body).await?;
        let arn = text(&described.body, "ARN").unwrap_or_default().to_owned();
        let mut versions = answer
            .body
            .get("Versions")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        versions.retain(|version| {
            all || version
                .get("VersionStages")
                .is_some_and(|stages| stages != &json!([]))
        });
        for version in &mut versions {
            let id = text(version, "VersionId").unwrap_or_default();
            if let Some(created) = self.created(&arn, id) {
                set(version, "CreatedDate", json!(created));
            }
        }
        let at = text(body, "NextToken")
            .and_then(|token| token.parse().ok())
            .unwrap_or(0);
        let most = body
            .get("MaxResults")
            .and_then(Value::as_u64)
            .and_then(|most| usize::try_from(most).ok());
        let page: Vec<_> = versions
            .iter()
            .skip(at)
            .take(most.unwrap_or(100))
            .cloned()
            .collect();
        let next = at + page.len();
        set(&mut answer.body, "ARN", json!(arn));
        if let Some(fields) = answer.body.as_object_mut() {
            fields.remove("NextToken");
            fields.extend(
                (next < versions.len()).then(|| ("NextToken".to_owned(), json!(next.to_string()))),
            );
        }
        set(&mut answer.body, "Versions", Value::Array(page));
        Ok(answer)
    }
}
