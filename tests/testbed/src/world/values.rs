//! The secret's versions: their values and labels, as their owner reads and writes them.

use serde_json::Value;

use super::World;
use crate::error::{Context as _, Result};
use crate::secrets::{Labels, holder};

impl World {
    /// The value that has `AWSCURRENT`.
    pub async fn current(&self) -> Result<Value> {
        self.value("AWSCURRENT").await
    }

    /// The value that has `AWSPENDING`; none where no version has it, or none yet.
    pub async fn pending(&self) -> Result<Option<Value>> {
        let text = self.secrets.value(&self.secret, "AWSPENDING").await?;
        text.map(|text| parsed(&text)).transpose()
    }

    /// The value that has a label or a version's name.
    pub async fn value(&self, version: &str) -> Result<Value> {
        parsed(&self.text(version).await?)
    }

    /// The same to the letter.
    pub async fn text(&self, version: &str) -> Result<String> {
        let text = self.secrets.value(&self.secret, version).await?;
        text.context(format!("{version} has no value"))
    }

    /// The role and the password in a value.
    pub async fn credentials(&self, version: &str) -> Result<(String, String)> {
        let value = self.value(version).await?;
        let text = |key| {
            let text = value.get(key).and_then(Value::as_str).map(str::to_owned);
            text.context(format!("{version} has no {key}"))
        };
        Ok((text("username")?, text("password")?))
    }

    /// The password in a value.
    pub async fn password(&self, version: &str) -> Result<String> {
        let (_, password) = self.credentials(version).await?;
        Ok(password)
    }

    /// The owner writes another current value.
    pub async fn put_current(&self, value: &str) -> Result<()> {
        let secret = &self.secret;
        let put = self.secrets.put_value(secret, None, &["AWSCURRENT"], value);
        put.await.map(drop)
    }

    /// Somebody else writes the value of the version that a rotation has staged.
    pub async fn put_pending(&self, token: &str, value: &str) -> Result<()> {
        let put = self
            .secrets
            .put_value(&self.secret, Some(token), &["AWSPENDING"], value);
        put.await.map(drop)
    }

    /// An operator cancels the rotation: takes `AWSPENDING` off.
    pub async fn cancel(&self) -> Result<()> {
        self.secrets.remove_label(&self.secret, "AWSPENDING").await
    }

    /// Which labels each version has.
    pub async fn labels(&self) -> Result<Labels> {
        self.secrets.labels(&self.secret).await
    }

    /// The version that has a label.
    pub async fn version(&self, label: &str) -> Result<Option<String>> {
        let labels = self.labels().await?;
        Ok(holder(&labels, label).map(str::to_owned))
    }
}

fn parsed(text: &str) -> Result<Value> {
    // Without the text, which is a secret.
    serde_json::from_str(text).context("a value is no JSON")
}
