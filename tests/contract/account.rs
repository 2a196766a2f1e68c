//! Whom the beliefs are asked of: the testbed, or an account of AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::config::Credentials;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::types::Tag;
use testbed::{ApiGate, SecretsManager, unique};

use crate::belief::Failure;

/// How every secret that is made here begins to be called.
pub(crate) const PREFIX: &str = "db-rotation-contract";

/// Clients of the services, and what was made through them. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    pub(crate) rds: aws_sdk_rds::Client,
    /// None: this is AWS.
    pub(crate) testbed: Option<(SecretsManager, ApiGate)>,
    /// How long reads may lag behind writes.
    lag: Duration,
    made: Arc<Mutex<Vec<String>>>,
}

/// A secret that was made, and its first version.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) first: String,
}

/// Which labels each version has.
pub(crate) type Labels = BTreeMap<String, BTreeSet<String>>;

impl Account {
    /// The testbed's.
    pub(crate) async fn of_testbed(servers: SecretsManager) -> Result<Self, Failure> {
        let gate = ApiGate::start(&servers).await?;
        let config = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new(
                "testbed", "testbed", None, None, "testbed",
            ))
            .endpoint_url(gate.url());
        Ok(Self::with(&config.load().await, Some((servers, gate))))
    }

    /// The one whose credentials the environment has, or whatever else AWS's tools look for them in.
    pub(crate) async fn of_aws() -> Self {
        Self::with(
            &aws_config::load_defaults(BehaviorVersion::latest()).await,
            None,
        )
    }

    fn with(config: &aws_config::SdkConfig, testbed: Option<(SecretsManager, ApiGate)>) -> Self {
        Self {
            secrets: aws_sdk_secretsmanager::Client::new(config),
            rds: aws_sdk_rds::Client::new(config),
            testbed,
            lag: Duration::ZERO,
            made: Arc::default(),
        }
    }

    /// Makes a secret whose first value is `one`.
    pub(crate) async fn secret(&self) -> Result<Secret, Failure> {
        let name = format!("{PREFIX}-{}", unique("s"));
        // Noted first: an answer can be lost.
        self.made().push(name.clone());
        let tag = Tag::builder().key("made-by").value(PREFIX).build();
        let made = self
            .secrets
            .create_secret()
            .name(&name)
            .secret_string("one")
            .tags(tag);
        let made = answered(made.send().await)?;
        let arn = made.arn.ok_or("a secret without an ARN")?;
        let first = made.version_id.ok_or("a secret without a version")?;
        Ok(Secret { name, arn, first })
    }

    /// A new version of a secret.
    pub(crate) async fn put(
        &self,
        secret: &Secret,
        version: &str,
        value: &str,
        label: &str,
    ) -> Result<(), Failure> {
        let put = self
            .secrets
            .put_secret_value()
            .secret_id(&secret.arn)
            .client_request_token(version);
        answered(put.secret_string(value).version_stages(label).send().await).map(drop)
    }

    /// Moves a label; what AWS said to it, if it refused.
    pub(crate) async fn move_label(
        &self,
        secret: &Secret,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), Failure> {
        let request = self
            .secrets
            .update_secret_version_stage()
            .secret_id(&secret.arn)
            .version_stage(label);
        let request = request
            .set_remove_from_version_id(from.map(str::to_owned))
            .set_move_to_version_id(to.map(str::to_owned));
        answered(request.send().await).map(drop)
    }

    /// The text of the version that has a label.
    pub(crate) async fn value(&self, secret: &Secret, label: &str) -> Result<String, Failure> {
        self.settle().await;
        let asked = self
            .secrets
            .get_secret_value()
            .secret_id(&secret.arn)
            .version_stage(label);
        answered(asked.send().await)?
            .secret_string
            .ok_or_else(|| "a version without text".into())
    }

    /// The labels of versions that have any.
    pub(crate) async fn labels(&self, secret: &Secret) -> Result<Labels, Failure> {
        self.settle().await;
        let described = answered(
            self.secrets
                .describe_secret()
                .secret_id(&secret.arn)
                .send()
                .await,
        )?;
        let versions = described
            .version_ids_to_stages
            .unwrap_or_default()
            .into_iter();
        Ok(versions
            .map(|(version, labels)| (version, labels.into_iter().collect()))
            .collect())
    }

    /// The same, whose reads may lag so far behind its writes.
    pub(crate) fn lagging(&self, lag: Duration) -> Self {
        let mut account = self.clone();
        account.lag = lag;
        account
    }

    /// Waits until reads have caught up with writes.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(self.lag).await;
    }

    /// Deletes all secrets that were made, for good. Those that can't be deleted are named.
    pub(crate) async fn clean_up(&self) -> Vec<String> {
        let made = std::mem::take(&mut *self.made());
        let mut left = Vec::new();
        for name in made {
            let deletion = self
                .secrets
                .delete_secret()
                .secret_id(&name)
                .force_delete_without_recovery(true);
            match deletion.send().await {
                Err(failure) if failure.code() != Some("ResourceNotFoundException") => {
                    left.push(name);
                }
                _ => {}
            }
        }
        left
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was answered; or the error's code alone, since printed whole an error can show a value.
pub(crate) fn answered<T, E: ProvideErrorMetadata>(
    answer: Result<T, SdkError<E>>,
) -> Result<T, Failure> {
    answer.map_err(|failure| match (failure.code(), &failure) {
        (Some(code), _) => code.to_owned().into(),
        (None, SdkError::DispatchFailure(unsent)) => {
            format!("no answer: {:?}", unsent.as_connector_error()).into()
        }
        (None, _) => "no answer that can be read".into(),
    })
}

/// A new version's name: 36 characters, as the service makes them.
pub(crate) fn token() -> String {
    let random = format!("{:0>32}", unique("").replace('_', "0"));
    format!(
        "{}-{}-{}-{}-{}",
        &random[..8],
        &random[8..12],
        &random[12..16],
        &random[16..20],
        &random[20..32]
    )
}
