//! What a test does as the service, the owner or an operator would.

use std::collections::{BTreeMap, BTreeSet};

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
        let request = json!({ "Name": name, "SecretString": value });
        let made = self.call("CreateSecret", request).await?;
        let arn = made.get("ARN").and_then(Value::as_str);
        Ok(Secret {
            arn: arn.context("a secret without an ARN")?.to_owned(),
            name: name.to_owned(),
        })
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
        let current = self.value(secret, "AWSCURRENT").await?;
        let current = current.context("the secret has no current value")?;
        let token = self.stage_pending(secret).await?;
        let stages = ["AWSPENDING"];
        self.put_value(secret, Some(&token), &stages, &current)
            .await
    }

    /// Takes `AWSPENDING` off the version that has become current, as the service does after a rotation.
    pub async fn tidy(&self, secret: &Secret) -> Result<()> {
        let labels = self.labels(secret).await?;
        let pending = holder(&labels, "AWSPENDING");
        if pending.is_none() || pending != holder(&labels, "AWSCURRENT") {
            return Ok(());
        }
        self.relabel(secret, "AWSPENDING", pending, None).await
    }

    /// Writes a value by hand; the version's name.
    pub async fn put_value(
        &self,
        secret: &Secret,
        version: Option<&str>,
        stages: &[&str],
        value: &str,
    ) -> Result<String> {
        let request = json!({
            "SecretId": secret.arn, "ClientRequestToken": version, "SecretString": value, "VersionStages": stages,
        });
        version_of(&self.call("PutSecretValue", request).await?)
    }

    /// The text of the version that has a label, or a name; none where there is no such version or it has no text.
    pub async fn value(&self, secret: &Secret, version: &str) -> Result<Option<String>> {
        let is_name = version.len() >= 32;
        let by = if is_name { "VersionId" } else { "VersionStage" };
        let request = json!({ "SecretId": secret.arn, by: version });
        let answer = self.answer("GetSecretValue", request).await;
        if answer.code() == Some("ResourceNotFoundException") {
            return Ok(None);
        }
        let answer = answer.success("GetSecretValue")?;
        let text = answer.get("SecretString").and_then(Value::as_str);
        Ok(text.map(str::to_owned))
    }

    /// Which labels each version has.
    pub async fn labels(&self, secret: &Secret) -> Result<Labels> {
        let request = json!({ "SecretId": secret.arn });
        let described = self.call("DescribeSecret", request).await?;
        let labels = described.get("VersionIdsToStages").cloned();
        serde_json::from_value(labels.unwrap_or_else(|| json!({}))).context("malformed labels")
    }

    /// Moves a label to a version, from wherever it is.
    pub async fn move_label(&self, secret: &Secret, label: &str, to: &str) -> Result<()> {
        let labels = self.labels(secret).await?;
        let from = holder(&labels, label);
        self.relabel(secret, label, from, Some(to)).await
    }

    /// Takes a label away; nothing where no version has it.
    pub async fn remove_label(&self, secret: &Secret, label: &str) -> Result<()> {
        match holder(&self.labels(secret).await?, label) {
            None => Ok(()),
            from => self.relabel(secret, label, from, None).await,
        }
    }

    async fn relabel(
        &self,
        secret: &Secret,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<()> {
        let request = json!({
            "SecretId": secret.arn, "VersionStage": label, "RemoveFromVersionId": from, "MoveToVersionId": to,
        });
        let moved = self.call("UpdateSecretVersionStage", request).await;
        moved.map(drop)
    }

    /// Schedules a secret for deletion.
    pub async fn delete_secret(&self, secret: &Secret) -> Result<()> {
        let later = json!({ "SecretId": secret.arn, "RecoveryWindowInDays": 7 });
        self.call("DeleteSecret", later).await.map(drop)
    }

    /// Deletes a secret at once, and forgets it.
    pub async fn forget(&self, secret: &Secret) -> Result<()> {
        let now = json!({ "SecretId": secret.arn, "ForceDeleteWithoutRecovery": true });
        self.call("DeleteSecret", now).await?;
        let mut known = self.inner.known.lock();
        known.values.retain(|(arn, _)| *arn != secret.arn);
        known.rotation_enabled.remove(&secret.arn);
        known.answers.remove(&secret.arn);
        Ok(())
    }

    /// Says what `RotationEnabled` is from now on; none leaves the field out.
    pub fn rotation_enabled(&self, secret: &Secret, enabled: Option<bool>) {
        let mut known = self.inner.known.lock();
        known.rotation_enabled.insert(secret.arn.clone(), enabled);
        known.answers.remove(&secret.arn);
    }

    /// Tags a secret.
    pub async fn tag(&self, secret: &Secret, key: &str, value: &str) -> Result<()> {
        let tags = json!({ "SecretId": secret.arn, "Tags": [{ "Key": key, "Value": value }] });
        self.call("TagResource", tags).await.map(drop)
    }
}

/// The version that an answer is about.
fn version_of(answer: &Value) -> Result<String> {
    let version = answer.get("VersionId").and_then(Value::as_str);
    Ok(version.context("a version without a name")?.to_owned())
}

/// The version that has a label.
pub(crate) fn holder<'a>(labels: &'a Labels, label: &str) -> Option<&'a str> {
    let mut versions = labels.iter();
    let holder = versions.find(|(_, labels)| labels.contains(label))?;
    Some(holder.0)
}
