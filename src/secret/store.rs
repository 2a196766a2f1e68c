//! The calls to Secrets Manager: the one place that knows its SDK.
//!
//! No `SdkError` leaves this file: printed, it can show the body of an answer, and with it the secret.

use std::error::Error as _;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueFluentBuilder;

use super::{RotationToken, SecretId, SecretVersions, StagingLabel, VersionId};
use crate::password::{Password, PasswordPolicy};

/// Secrets Manager, as this function uses it. Its client, and the connections that it keeps, live with the process.
#[derive(Debug)]
pub(crate) struct Store {
    client: Client,
}

/// The value of one version: `None` where it is binary.
pub(crate) type Value = Option<Password>;

/// Why a call to Secrets Manager failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The role, a resource policy or the key's policy does not allow the call.
    #[error("{action} on {resource} is denied")]
    AccessDenied {
        /// The IAM action, such as `secretsmanager:GetSecretValue`.
        action: &'static str,
        /// The secret, or `*`.
        resource: String,
    },
    /// The service answered with another error, or unreadably.
    #[error("{action} on {resource} failed with {code}")]
    Failed {
        /// The IAM action.
        action: &'static str,
        /// The secret, or `*`.
        resource: String,
        /// The service's error code.
        code: String,
    },
    /// The secret does not exist.
    #[error("{action} found no secret {resource}")]
    SecretNotFound {
        /// The IAM action.
        action: &'static str,
        /// The secret.
        resource: String,
    },
    /// The invocation's time did not suffice.
    #[error("no answer from AWS within {} ms while {phase}", after.as_millis())]
    Late {
        /// What was waited for.
        phase: &'static str,
        /// How long.
        after: Duration,
    },
    /// No answer came from the service.
    #[error("{action} on {resource} got no answer: {cause}")]
    Unreachable {
        /// The IAM action.
        action: &'static str,
        /// The secret, or `*`.
        resource: String,
        /// What the connection died of.
        cause: String,
    },
}

impl Store {
    /// Makes the client, without a call; `endpoint` replaces the region's own.
    pub(crate) fn new(sdk: &SdkConfig, endpoint: Option<&str>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS)
            .with_initial_backoff(BACKOFF);
        let mut config = Builder::from(sdk)
            .timeout_config(timeouts)
            .retry_config(retries);
        if let Some(url) = endpoint {
            config = config.endpoint_url(url);
        }
        Self {
            client: Client::from_conf(config.build()),
        }
    }

    /// The secret's labels and state (`DescribeSecret`).
    ///
    /// # Errors
    /// [`StoreError`]; the same holds for every call here.
    pub(crate) async fn versions(&self, secret: &SecretId) -> Result<SecretVersions, StoreError> {
        let call = Call::new("secretsmanager:DescribeSecret", secret.as_str());
        let answer = self
            .client
            .describe_secret()
            .secret_id(secret.as_str())
            .send()
            .await;
        let answer = answer.map_err(|e| call.failed(&e))?;
        Ok(SecretVersions {
            secret: secret.clone(),
            rotation_enabled: answer.rotation_enabled,
            deleted: answer.deleted_date.is_some(),
            labels: answer
                .version_ids_to_stages
                .unwrap_or_default()
                .into_iter()
                .map(|(version, labels)| (VersionId::from(version), labels))
                .collect(),
        })
    }

    /// The value labelled `label`, of `version` where it is given; `None` where there is no such version or it has no
    /// value yet (`GetSecretValue`).
    pub(crate) async fn labelled(
        &self,
        secret: &SecretId,
        label: StagingLabel,
        version: Option<&VersionId>,
    ) -> Result<Option<Value>, StoreError> {
        let version = version.map(|v| v.as_str().to_owned());
        self.value(
            secret,
            self.client
                .get_secret_value()
                .version_stage(label.as_str())
                .set_version_id(version),
        )
        .await
    }

    /// The value of `version`, whatever its labels; `None` where it has none.
    pub(crate) async fn unlabelled(
        &self,
        secret: &SecretId,
        version: &VersionId,
    ) -> Result<Option<Value>, StoreError> {
        self.value(
            secret,
            self.client.get_secret_value().version_id(version.as_str()),
        )
        .await
    }

    async fn value(
        &self,
        secret: &SecretId,
        request: GetSecretValueFluentBuilder,
    ) -> Result<Option<Value>, StoreError> {
        let call = Call::new("secretsmanager:GetSecretValue", secret.as_str());
        match request.secret_id(secret.as_str()).send().await {
            Ok(answer) => Ok(Some(answer.secret_string.map(Password::new))),
            Err(error) => call.found(&error, "ResourceNotFoundException"),
        }
    }

    /// The value of the first of the secret's tags that is called one of `keys` (`DescribeSecret`).
    pub(crate) async fn tag(
        &self,
        secret: &SecretId,
        keys: &[&str],
    ) -> Result<Option<String>, StoreError> {
        let call = Call::new("secretsmanager:DescribeSecret", secret.as_str());
        let answer = self
            .client
            .describe_secret()
            .secret_id(secret.as_str())
            .send()
            .await;
        let tags = answer
            .map_err(|e| call.failed(&e))?
            .tags
            .unwrap_or_default();
        let tag = tags
            .into_iter()
            .find(|tag| tag.key().is_some_and(|key| keys.contains(&key)));
        Ok(tag.and_then(|tag| tag.value))
    }

    /// The versions that still exist, labelled or not, newest first (`ListSecretVersionIds`).
    pub(crate) async fn history(&self, secret: &SecretId) -> Result<Vec<VersionId>, StoreError> {
        let call = Call::new("secretsmanager:ListSecretVersionIds", secret.as_str());
        let request = self
            .client
            .list_secret_version_ids()
            .secret_id(secret.as_str());
        let mut pages = request.include_deprecated(true).into_paginator().send();
        let mut versions = Vec::new();
        while let Some(page) = pages.next().await {
            versions.extend(
                page.map_err(|e| call.failed(&e))?
                    .versions
                    .unwrap_or_default(),
            );
        }
        versions.sort_by_key(|v| std::cmp::Reverse(v.created_date));
        Ok(versions
            .into_iter()
            .filter_map(|v| v.version_id)
            .map(VersionId::from)
            .collect())
    }

    /// A new password (`GetRandomPassword`).
    pub(crate) async fn random_password(
        &self,
        policy: &PasswordPolicy,
    ) -> Result<Password, StoreError> {
        let call = Call::new("secretsmanager:GetRandomPassword", "*");
        let request = self
            .client
            .get_random_password()
            .password_length(i64::from(policy.length))
            .exclude_characters(&policy.exclude_characters)
            .exclude_numbers(policy.exclude_numbers)
            .exclude_punctuation(policy.exclude_punctuation)
            .exclude_uppercase(policy.exclude_uppercase)
            .exclude_lowercase(policy.exclude_lowercase)
            .require_each_included_type(policy.require_each_included_type)
            .include_space(false);
        let answer = request.send().await.map_err(|e| call.failed(&e))?;
        let password = answer
            .random_password
            .filter(|p| !p.is_empty() && !p.contains('\0'));
        password.map(Password::new).ok_or_else(|| call.unreadable())
    }

    /// Gives the pending `version` its value (`PutSecretValue`); `false` where it has one already, which is kept.
    pub(crate) async fn put_pending(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &Password,
        token: Option<&RotationToken>,
    ) -> Result<bool, StoreError> {
        let call = Call::new("secretsmanager:PutSecretValue", secret.as_str());
        let request = self
            .client
            .put_secret_value()
            .secret_id(secret.as_str())
            .client_request_token(version.as_str())
            .version_stages(StagingLabel::Pending.as_str())
            .secret_string(value.expose())
            .set_rotation_token(token.map(|t| t.expose().to_owned()));
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("ResourceExistsException") => Ok(false),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// Moves `AWSCURRENT` from the version that has it to another, in one call (`UpdateSecretVersionStage`).
    pub(crate) async fn promote(
        &self,
        secret: &SecretId,
        from: Option<&VersionId>,
        to: &VersionId,
    ) -> Result<(), StoreError> {
        let call = Call::new("secretsmanager:UpdateSecretVersionStage", secret.as_str());
        let request = self
            .client
            .update_secret_version_stage()
            .secret_id(secret.as_str())
            .version_stage(StagingLabel::Current.as_str())
            .move_to_version_id(to.as_str())
            .set_remove_from_version_id(from.map(|v| v.as_str().to_owned()));
        request
            .send()
            .await
            .map(|_| ())
            .map_err(|e| call.failed(&e))
    }
}

/// One call, for the message when it fails.
pub(super) struct Call<'a> {
    action: &'static str,
    resource: &'a str,
}

impl<'a> Call<'a> {
    pub(super) fn new(action: &'static str, resource: &'a str) -> Self {
        Self { action, resource }
    }

    /// `None` where the failure is no more than `not_found`.
    pub(super) fn found<T, E: ProvideErrorMetadata, R>(
        &self,
        error: &SdkError<E, R>,
        not_found: &str,
    ) -> Result<Option<T>, StoreError> {
        if error.code() == Some(not_found) {
            Ok(None)
        } else {
            Err(self.failed(error))
        }
    }

    /// The service's own words are not repeated, only its code: they may quote what was sent, or asked for.
    fn failed<E: ProvideErrorMetadata, R>(&self, error: &SdkError<E, R>) -> StoreError {
        let (action, resource) = (self.action, self.resource.to_owned());
        let unreachable = |cause| StoreError::Unreachable {
            action,
            resource: resource.clone(),
            cause,
        };
        let failed = |code| StoreError::Failed {
            action,
            resource: resource.clone(),
            code,
        };
        match error {
            SdkError::TimeoutError(_) => unreachable(format!("nothing came within {OPERATION:?}")),
            // Nothing but a request that could not even be made (no credentials, say) speaks for an answer.
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(e) if e.is_user() => failed(format!("no request sent: {}", chain(e))),
                Some(e) => unreachable(chain(e)),
                None => failed("no request sent".to_owned()),
            },
            SdkError::ServiceError(e) => match e.err().code().filter(|code| is_error_code(code)) {
                Some("AccessDeniedException" | "AccessDenied") => {
                    StoreError::AccessDenied { action, resource }
                }
                Some("ResourceNotFoundException") => {
                    StoreError::SecretNotFound { action, resource }
                }
                Some(code) => failed(code.to_owned()),
                None => self.unreadable(),
            },
            _ => self.unreadable(),
        }
    }

    fn unreadable(&self) -> StoreError {
        let code = "an answer that cannot be read".to_owned();
        StoreError::Failed {
            action: self.action,
            resource: self.resource.to_owned(),
            code,
        }
    }
}

/// Whether a code looks like one of AWS's: a garbled answer may hold anything in its place.
fn is_error_code(code: &str) -> bool {
    let ends_well = ["Exception", "Error", "Failure", "Fault"]
        .iter()
        .any(|end| code.ends_with(end));
    ends_well && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// What a connection died of, from the outermost word to the operating system's.
fn chain(error: &aws_sdk_secretsmanager::error::ConnectorError) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        words.push(cause.to_string());
        source = cause.source();
    }
    words.dedup();
    words.join(": ")
}

/// Bounds of one call. A subnet without a way to AWS swallows packets: four tries at a connection fit into the whole.
const CONNECT: Duration = Duration::from_millis(1500);
const ATTEMPT: Duration = Duration::from_secs(3);
const OPERATION: Duration = Duration::from_secs(8);
const ATTEMPTS: u32 = 4;
const BACKOFF: Duration = Duration::from_millis(250);
