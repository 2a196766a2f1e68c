//! The calls to Secrets Manager.

use std::time::SystemTime;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueFluentBuilder;
use aws_sdk_secretsmanager::primitives::DateTime;
use aws_sdk_secretsmanager::types::{RotationRulesType, SecretListEntry, Tag};

use super::AwsError;
use super::error::Call;
use crate::deadline::Deadline;
use crate::password::PasswordPolicy;
use crate::secret::{
    Schedule, SecretDescription, SecretId, SecretMetadata, SecretValue, SecretVersions,
    StagingLabel, VersionId,
};
use crate::sensitive::{Password, RotationToken, SecretText};

/// Secrets Manager, for one invocation.
#[derive(Debug)]
pub(crate) struct SecretsManager {
    client: Client,
    deadline: Deadline,
}

impl SecretsManager {
    pub(super) fn new(client: Client, deadline: Deadline) -> Self {
        Self { client, deadline }
    }

    /// The secret's labels and state (`DescribeSecret`).
    ///
    /// # Errors
    /// [`AwsError`]; the same holds for every call here.
    pub(crate) async fn versions(&self, secret: &SecretId) -> Result<SecretVersions, AwsError> {
        Ok(self.describe(secret).await?.versions)
    }

    /// The same, and what keeps or lets it rotate (`DescribeSecret`).
    pub(crate) async fn describe(&self, secret: &SecretId) -> Result<SecretDescription, AwsError> {
        let call = self.call("secretsmanager:DescribeSecret", secret);
        let request = self.client.describe_secret().secret_id(secret.as_str());
        let answer = call.send(request.send()).await?;
        let labels = answer.version_ids_to_stages.unwrap_or_default().into_iter();
        let arn = answer.arn.unwrap_or_default();
        Ok(SecretDescription {
            versions: SecretVersions {
                secret: secret.clone(),
                rotation_enabled: answer.rotation_enabled,
                deleted: answer.deleted_date.is_some(),
                labels: labels
                    .map(|(version, labels)| (VersionId::from(version), labels))
                    .collect(),
            },
            rotated_by: answer.rotation_lambda_arn,
            schedule: answer.rotation_rules.and_then(in_words),
            owner: answer.owning_service,
            is_replica: is_elsewhere(answer.primary_region, &arn),
        })
    }

    /// The version that is `AWSCURRENT`, and its value (`GetSecretValue`); `None` where there is none.
    pub(crate) async fn current(
        &self,
        secret: &SecretId,
    ) -> Result<Option<(VersionId, SecretValue)>, AwsError> {
        let label = StagingLabel::Current.as_str();
        let request = self.client.get_secret_value().version_stage(label);
        let answer = self.get_secret_value(secret, request).await?;
        Ok(answer.map(|mut answer| {
            let version = answer.version_id.take().unwrap_or_default();
            (VersionId::from(version), value(answer))
        }))
    }

    /// The value of `version`, which must have `label` (`GetSecretValue`); `None` where there is no such version, or it has
    /// no value yet.
    pub(crate) async fn staged(
        &self,
        secret: &SecretId,
        label: StagingLabel,
        version: &VersionId,
    ) -> Result<Option<SecretValue>, AwsError> {
        let request = self.client.get_secret_value();
        let request = request
            .version_stage(label.as_str())
            .version_id(version.as_str());
        Ok(self.get_secret_value(secret, request).await?.map(value))
    }

    /// The value of the version that has `label`; `None` where there is none.
    pub(crate) async fn labelled(
        &self,
        secret: &SecretId,
        label: StagingLabel,
    ) -> Result<Option<SecretValue>, AwsError> {
        let request = self.client.get_secret_value().version_stage(label.as_str());
        Ok(self.get_secret_value(secret, request).await?.map(value))
    }

    /// The value of `version`, whatever its labels; `None` where it has none.
    pub(crate) async fn unlabelled(
        &self,
        secret: &SecretId,
        version: &VersionId,
    ) -> Result<Option<SecretValue>, AwsError> {
        let request = self.client.get_secret_value().version_id(version.as_str());
        Ok(self.get_secret_value(secret, request).await?.map(value))
    }

    /// The value of the first of the secret's tags that is called one of `keys` (`DescribeSecret`).
    pub(crate) async fn tag(
        &self,
        secret: &SecretId,
        keys: &[&str],
    ) -> Result<Option<String>, AwsError> {
        let call = self.call("secretsmanager:DescribeSecret", secret);
        let request = self.client.describe_secret().secret_id(secret.as_str());
        let answer = call.send(request.send()).await?;
        let mut tags = answer.tags.unwrap_or_default().into_iter();
        let tag = tags.find(|tag| tag.key().is_some_and(|key| keys.contains(&key)));
        Ok(tag.and_then(|tag| tag.value))
    }

    /// The versions that still exist, labelled or not, newest first (`ListSecretVersionIds`).
    pub(crate) async fn history(&self, secret: &SecretId) -> Result<Vec<VersionId>, AwsError> {
        let call = self.call("secretsmanager:ListSecretVersionIds", secret);
        let request = self.client.list_secret_version_ids();
        let request = request.secret_id(secret.as_str()).include_deprecated(true);
        let mut pages = request.into_paginator().send();
        let mut versions = Vec::new();
        while let Some(page) = call.next(pages.next()).await? {
            versions.extend(page.versions.unwrap_or_default());
        }
        versions.sort_by_key(|version| std::cmp::Reverse(version.created_date));
        Ok(versions
            .into_iter()
            .filter_map(|version| version.version_id)
            .map(VersionId::from)
            .collect())
    }

    /// Hands `each` what is told of every secret of the account in this region, page by page (`ListSecrets`). Those about to
    /// be deleted are left out.
    pub(crate) async fn list(&self, mut each: impl FnMut(SecretMetadata)) -> Result<(), AwsError> {
        let call = Call::new("secretsmanager:ListSecrets", "*", self.deadline);
        let request = self.client.list_secrets().max_results(PAGE);
        let mut pages = request.into_paginator().send();
        while let Some(page) = call.next(pages.next()).await? {
            let secrets = page.secret_list.unwrap_or_default().into_iter();
            secrets.map(metadata).for_each(&mut each);
        }
        Ok(())
    }

    /// A new password (`GetRandomPassword`).
    pub(crate) async fn random_password(
        &self,
        policy: &PasswordPolicy,
    ) -> Result<Password, AwsError> {
        let call = Call::new("secretsmanager:GetRandomPassword", "*", self.deadline);
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
        let answer = call.send(request.send()).await?;
        let password = answer
            .random_password
            .filter(|text| !text.is_empty() && !text.contains('\0'));
        password.map(Password::new).ok_or_else(|| call.unreadable())
    }

    /// Gives the pending `version` its value (`PutSecretValue`); `false` where it has one already, which is kept.
    pub(crate) async fn put_pending(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretText,
        token: Option<&RotationToken>,
    ) -> Result<bool, AwsError> {
        let call = self.call("secretsmanager:PutSecretValue", secret);
        let request = self
            .client
            .put_secret_value()
            .secret_id(secret.as_str())
            .client_request_token(version.as_str())
            .version_stages(StagingLabel::Pending.as_str())
            .secret_string(value.expose())
            .set_rotation_token(token.map(|token| token.expose().to_owned()));
        let stored = call.find(request.send(), "ResourceExistsException").await?;
        Ok(stored.is_some())
    }

    /// Moves `AWSCURRENT` from the version that has it to another, in one call (`UpdateSecretVersionStage`).
    pub(crate) async fn move_current(
        &self,
        secret: &SecretId,
        from: Option<&VersionId>,
        to: &VersionId,
    ) -> Result<(), AwsError> {
        let call = self.call("secretsmanager:UpdateSecretVersionStage", secret);
        let request = self
            .client
            .update_secret_version_stage()
            .secret_id(secret.as_str())
            .version_stage(StagingLabel::Current.as_str())
            .move_to_version_id(to.as_str())
            .set_remove_from_version_id(from.map(|version| version.as_str().to_owned()));
        call.send(request.send()).await.map(drop)
    }

    async fn get_secret_value(
        &self,
        secret: &SecretId,
        request: GetSecretValueFluentBuilder,
    ) -> Result<Option<GetSecretValueOutput>, AwsError> {
        let call = self.call("secretsmanager:GetSecretValue", secret);
        let request = request.secret_id(secret.as_str());
        call.find(request.send(), "ResourceNotFoundException").await
    }

    fn call<'a>(&self, action: &'static str, secret: &'a SecretId) -> Call<'a> {
        Call::new(action, secret.as_str(), self.deadline)
    }
}

fn value(answer: GetSecretValueOutput) -> SecretValue {
    answer.secret_string.map_or(SecretValue::Binary, |text| {
        SecretValue::Text(SecretText::new(text))
    })
}

fn metadata(entry: SecretListEntry) -> SecretMetadata {
    let versions = entry.secret_versions_to_stages.unwrap_or_default();
    let has = |labels: &[String], label: StagingLabel| labels.iter().any(|l| l == label.as_str());
    let tags = entry.tags.unwrap_or_default().into_iter();
    let arn = entry.arn.or(entry.name).unwrap_or_default();
    SecretMetadata {
        created: moment(entry.created_date),
        last_changed: moment(entry.last_changed_date),
        last_rotated: moment(entry.last_rotated_date),
        next_rotation: moment(entry.next_rotation_date),
        rotates: entry.rotation_enabled.unwrap_or_default(),
        schedule: entry.rotation_rules.as_ref().and_then(schedule),
        is_pending: versions.values().any(|labels| {
            has(labels, StagingLabel::Pending) && !has(labels, StagingLabel::Current)
        }),
        tags: tags.filter_map(pair).collect(),
        is_managed: entry.owning_service.is_some(),
        is_replica: is_elsewhere(entry.primary_region, &arn),
        id: SecretId::from(arn),
    }
}

/// The service gives days beside an expression, too, and then they are only what the expression amounts to.
fn schedule(rules: &RotationRulesType) -> Option<Schedule> {
    if rules.schedule_expression.is_some() {
        return Some(Schedule::Expression);
    }
    let days = rules.automatically_after_days?;
    u32::try_from(days).ok().map(Schedule::Days)
}

fn in_words(rules: RotationRulesType) -> Option<String> {
    let days = rules.automatically_after_days;
    let days = || days.map(|days| format!("every {days} days"));
    rules.schedule_expression.or_else(days)
}

/// Whether a secret is a replica: one that has replicas names its own region.
fn is_elsewhere(primary_region: Option<String>, arn: &str) -> bool {
    primary_region.is_some_and(|primary| arn.split(':').nth(3) != Some(primary.as_str()))
}

fn moment(date: Option<DateTime>) -> Option<SystemTime> {
    SystemTime::try_from(date?).ok()
}

fn pair(tag: Tag) -> Option<(String, String)> {
    Some((tag.key?, tag.value.unwrap_or_default()))
}

/// Secrets in a page: the most that the service gives.
const PAGE: i32 = 100;
