//! The calls to Secrets Manager: the one place that knows its SDK.
//!
//! No `SdkError` leaves this file: printed, it can show the body of an answer, and with it the secret.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueFluentBuilder;

use super::call::Call;
use super::{RotationToken, SecretId, SecretVersions, StagingLabel, StoreError, VersionId};
use crate::password::{Password, PasswordPolicy};

/// Secrets Manager, as this function uses it. Its client, and the connections that it keeps, live with the process.
#[derive(Debug)]
pub(crate) struct Store {
    client: Client,
}

/// The value of one version: `None` where it is binary.
pub(crate) type Value = Option<Password>;

impl Store {
    /// Makes the client, without a call; `endpoint` replaces the region's own.
    pub(crate) fn new(sdk: &SdkConfig, endpoint: Option<&str>) -> Self {
        let mut config = Builder::from(sdk);
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

    /// The version that is `AWSCURRENT`, and its value (`GetSecretValue`); `None` where there is none.
    pub(crate) async fn current(
        &self,
        secret: &SecretId,
    ) -> Result<Option<(VersionId, Value)>, StoreError> {
        let label = StagingLabel::Current.as_str();
        let request = self.client.get_secret_value().version_stage(label);
        let answer = self.read(secret, request).await?;
        Ok(answer.map(|answer| {
            let version = VersionId::from(answer.version_id.unwrap_or_default());
            (version, answer.secret_string.map(Password::new))
        }))
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
        let request = self
            .client
            .get_secret_value()
            .version_stage(label.as_str())
            .set_version_id(version);
        let answer = self.read(secret, request).await?;
        Ok(answer.map(|answer| answer.secret_string.map(Password::new)))
    }

    /// The value of `version`, whatever its labels; `None` where it has none.
    pub(crate) async fn unlabelled(
        &self,
        secret: &SecretId,
        version: &VersionId,
    ) -> Result<Option<Value>, StoreError> {
        let request = self.client.get_secret_value().version_id(version.as_str());
        let answer = self.read(secret, request).await?;
        Ok(answer.map(|answer| answer.secret_string.map(Password::new)))
    }

    async fn read(
        &self,
        secret: &SecretId,
        request: GetSecretValueFluentBuilder,
    ) -> Result<Option<GetSecretValueOutput>, StoreError> {
        let call = Call::new("secretsmanager:GetSecretValue", secret.as_str());
        match request.secret_id(secret.as_str()).send().await {
            Ok(answer) => Ok(Some(answer)),
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
