//! What a test does as the service, the owner or an operator would.

use std::collections::{BTreeMap, BTreeSet};

use openssl::base64::encode_block;
use serde_json::{Value, json};

use super::SecretsManager;
use crate::error::{Context as _, Result};
use crate::function::ARN;

/// Which labels each version has.
pub type Labels = BTreeMap<String, BTreeSet<String>>;

/// A secret that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its ARN, which the service puts into events.
    pub arn: String,
    /// Its name.
    pub name: String,
}

impl SecretsManager {
    /// Any operation, as a client would call it; the answer's body.
    pub async fn call(&self, operation: &str, body: Value) -> Result<Value> {
        self.answer(operation, body).await.success(operation)
    }

    /// Makes a secret with a first value, `AWSCURRENT`.
    pub async fn create_secret(&self, name: &str, value: &str) -> Result<Secret> {
        self.create_with(name, json!({ "Name": name, "SecretString": value }))
            .await
    }

    /// The same with a binary value.
    pub async fn create_binary_secret(&self, name: &str, value: &[u8]) -> Result<Secret> {
        self.create_with(
            name,
            json!({ "Name": name, "SecretBinary": encode_block(value) }),
        )
        .await
    }

    /// Begins a rotation as the service does: a new version, `AWSPENDING`, without a value. Its name is the event's token.
    ///
    /// The label is first taken off the version that an earlier rotation left it on: the service would refuse.
    pub async fn stage_pending(&self, secret: &Secret) -> Result<String> {
        self.remove_label(secret, "AWSPENDING").await?;
        let request = json!({ "SecretId": secret.arn, "RotationLambdaARN": ARN });
        version_of(&self.call("RotateSecret", request).await?)
    }

    /// Stages a copy of the current value, as `RotateImmediately=false` does before `testSecret` alone.
    pub async fn stage_pending_with_copy(&self, secret: &Secret) -> Result<String> {
        let current = self
            .value(secret, "AWSCURRENT")
            .await?
            .context("the secret has no current value")?;
        let token = self.stage_pending(secret).await?;
        self.put_value(secret, Some(&token), &["AWSPENDING"], &current)
            .await
    }

    /// Takes `AWSPENDING` off the version that has become current, as the service does after a rotation.
    pub async fn tidy(&self, secret: &Secret) -> Result<()> {
        let labels = self.labels(secret).await?;
        if holder(&labels, "AWSPENDING")
            .is_some_and(|version| Some(version) == holder(&labels, "AWSCURRENT"))
        {
            self.remove_label(secret, "AWSPENDING").await?;
        }
        Ok(())
    }

    /// Writes a value by hand; the version's name.
    pub async fn put_value(
        &self,
        secret: &Secret,
        version: Option<&str>,
        stages: &[&str],
        value: &str,
    ) -> Result<String> {
        let mut request =
            json!({ "SecretId": secret.arn, "SecretString": value, "VersionStages": stages });
        if let (Some(version), Some(fields)) = (version, request.as_object_mut()) {
            fields.insert("ClientRequestToken".to_owned(), json!(version));
        }
        version_of(&self.call("PutSecretValue", request).await?)
    }

    /// The text of the version that has a label, or a name; none where there is no such version or it has no text.
    pub async fn value(&self, secret: &Secret, version: &str) -> Result<Option<String>> {
        let by = if version.len() >= 32 {
            "VersionId"
        } else {
            "VersionStage"
        };
        let answer = self
            .answer(
                "GetSecretValue",
                json!({ "SecretId": secret.arn, by: version }),
            )
            .await;
        if answer.status == 200 || answer.code() == Some("ResourceNotFoundException") {
            return Ok(answer
                .body
                .get("SecretString")
                .and_then(Value::as_str)
                .map(str::to_owned));
        }
        answer.success("GetSecretValue").map(|_| None)
    }

    /// Which labels each version has.
    pub async fn labels(&self, secret: &Secret) -> Result<Labels> {
        let described = self
            .call("DescribeSecret", json!({ "SecretId": secret.arn }))
            .await?;
        let labels = described
            .get("VersionIdsToStages")
            .cloned()
            .unwrap_or_else(|| json!({}));
        serde_json::from_value(labels).context("malformed labels")
    }

    /// Moves a label to a version, from wherever it is.
    pub async fn move_label(&self, secret: &Secret, label: &str, to: &str) -> Result<()> {
        let mut request =
            json!({ "SecretId": secret.arn, "VersionStage": label, "MoveToVersionId": to });
        let labels = self.labels(secret).await?;
        if let (Some(from), Some(fields)) = (holder(&labels, label), request.as_object_mut()) {
            fields.insert("RemoveFromVersionId".to_owned(), json!(from));
        }
        self.call("UpdateSecretVersionStage", request)
            .await
            .map(drop)
    }

    /// Takes a label away; nothing where no version has it.
    pub async fn remove_label(&self, secret: &Secret, label: &str) -> Result<()> {
        let labels = self.labels(secret).await?;
        let Some(from) = holder(&labels, label) else {
            return Ok(());
        };
        let request =
            json!({ "SecretId": secret.arn, "VersionStage": label, "RemoveFromVersionId": from });
        self.call("UpdateSecretVersionStage", request)
            .await
            .map(drop)
    }

    /// Schedules a secret for deletion.
    pub async fn delete_secret(&self, secret: &Secret) -> Result<()> {
        self.call(
            "DeleteSecret",
            json!({ "SecretId": secret.arn, "RecoveryWindowInDays": 7 }),
        )
        .await
        .map(drop)
    }

    /// Deletes a secret at once, and forgets it.
    pub async fn forget(&self, secret: &Secret) -> Result<()> {
        let now = json!({ "SecretId": secret.arn, "ForceDeleteWithoutRecovery": true });
        self.call("DeleteSecret", now).await?;
        let mut known = self.inner.known.lock();
        known.values.retain(|(arn, _)| *arn != secret.arn);
        known.rotation_enabled.remove(&secret.arn);
        Ok(())
    }

    /// Says what `RotationEnabled` is from now on; none leaves the field out.
    pub fn rotation_enabled(&self, secret: &Secret, enabled: Option<bool>) {
        self.inner
            .known
            .lock()
            .rotation_enabled
            .insert(secret.arn.clone(), enabled);
    }

    /// Tags a secret.
    pub async fn tag(&self, secret: &Secret, key: &str, value: &str) -> Result<()> {
        let tags = json!({ "SecretId": secret.arn, "Tags": [{ "Key": key, "Value": value }] });
        self.call("TagResource", tags).await.map(drop)
    }

    async fn create_with(&self, name: &str, request: Value) -> Result<Secret> {
        let made = self.call("CreateSecret", request).await?;
        let arn = made
            .get("ARN")
            .and_then(Value::as_str)
            .context("a secret without an ARN")?;
        Ok(Secret {
            arn: arn.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// The version that an answer is about.
fn version_of(answer: &Value) -> Result<String> {
    let version = answer.get("VersionId").and_then(Value::as_str);
    version
        .map(str::to_owned)
        .context("a version without a name")
}

/// The version that has a label.
fn holder<'a>(labels: &'a Labels, label: &str) -> Option<&'a str> {
    labels
        .iter()
        .find(|(_, labels)| labels.contains(label))
        .map(|(version, _)| version.as_str())
}
