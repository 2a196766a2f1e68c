//! What Secrets Manager says: the secret, its labels, its values, a new password.

use super::report::{Check, Report};
use crate::aws::{AwsError, SecretsManager};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::login::Login;
use crate::rotation::{PAUSE, Rotator, STALE, Subject, contradictory};
use crate::secret::{
    Inadmissible, SecretDescription, SecretDocument, SecretId, SecretValue, SecretVersions,
    StagingLabel, VersionId,
};

/// What a rotation would begin with.
pub(super) struct Given<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) versions: SecretVersions,
    /// The login of a rotation that has not ended, where its value can be read.
    pub(super) stuck: Option<Login>,
    /// The login of the value that createSecret would store; `None` where there is no new password.
    pub(super) next: Option<Login>,
}

/// Asks what a rotation asks; `None` where there is no current value to go on with.
pub(super) async fn read<'a>(
    report: &mut Report,
    rotator: Rotator<'a>,
    secret_id: &'a SecretId,
    function_arn: &str,
    deadline: Deadline,
) -> Option<Given<'a>> {
    let secrets_manager = rotator.aws.secrets_manager(deadline);
    let (described, current) = describe_and_read(&secrets_manager, secret_id, deadline).await;
    for check in [Check::PutSecretValue, Check::UpdateSecretVersionStage] {
        report.not_tried(check, "it would change the secret");
    }
    let policy = &rotator.config.policy;
    let password = secrets_manager.random_password(policy).await;
    let password = report.pass(Check::RandomPassword, password);
    if password.is_some() {
        report.ok(Check::RandomPassword, "answers with a password");
    }
    let mut stuck = None;
    let mut versions = SecretVersions::unlabelled(secret_id.clone());
    if let Some(description) = report.pass(Check::Secret, described) {
        check_secret(report, &description);
        check_rotation(report, &description, function_arn);
        versions = description.versions;
        stuck = check_pending(report, &secrets_manager, &versions).await;
    }
    let value = current_value(&versions, current);
    let value = report.pass(Check::Current, value)?;
    let document = SecretDocument::parse(StagingLabel::Current, value);
    let document = report.pass(Check::Current, document)?;
    let subject = Subject::new(rotator, secret_id, document, deadline);
    let subject = report.pass(Check::Current, subject)?;
    check_value(report, &subject);
    let current = &subject.current;
    let role = subject.strategy.next_role(&current.login.credentials.role);
    let next = password.and_then(|password| {
        let next = SecretValue::Text(current.next(role, &password).text);
        SecretDocument::parse(StagingLabel::Pending, next).ok()
    });
    Some(Given {
        next: next.map(|document| document.login),
        subject,
        versions,
        stuck,
    })
}

type Current = Result<Option<(VersionId, SecretValue)>, AwsError>;

/// The secret and its current value, asked again for a while where they disagree.
async fn describe_and_read(
    secrets_manager: &SecretsManager,
    secret_id: &SecretId,
    deadline: Deadline,
) -> (Result<SecretDescription, AwsError>, Current) {
    let patience = deadline.within(STALE);
    loop {
        let (description, current) = tokio::join!(
            secrets_manager.describe(secret_id),
            secrets_manager.current(secret_id)
        );
        let disagree = match (&description, &current) {
            (Ok(description), Ok(current)) => {
                let labelled = description.versions.version_with(StagingLabel::Current);
                labelled != current.as_ref().map(|(version, _)| version)
            }
            _ => false,
        };
        if !disagree || !patience.pause(PAUSE).await {
            return (description, current);
        }
    }
}

/// Whether Secrets Manager would rotate the secret at all.
fn check_secret(report: &mut Report, description: &SecretDescription) {
    let SecretDescription {
        versions,
        owner,
        is_replica,
        ..
    } = description;
    if versions.deleted {
        let deleted = Inadmissible::SecretPendingDeletion(versions.secret.clone());
        report.failure(Check::Secret, &deleted.into());
    } else if let Some(owner) = owner {
        let found = format!("the secret belongs to the service {owner}, which rotates it itself");
        report.refusal(Check::Secret, found, "Leave its rotation to that service");
    } else if *is_replica {
        let found = "the secret is a replica of one in another region";
        report.refusal(
            Check::Secret,
            found,
            "Rotate the secret in its own region: the replica follows",
        );
    } else {
        let current = versions.version_with(StagingLabel::Current);
        let current = current.map_or("no version", VersionId::as_str);
        report.ok(Check::Secret, format!("AWSCURRENT is on {current}"));
    }
}

/// Whether, when and by which function the secret rotates.
fn check_rotation(report: &mut Report, description: &SecretDescription, function_arn: &str) {
    let SecretDescription {
        versions,
        rotated_by,
        schedule,
        ..
    } = description;
    let secret = &versions.secret;
    let enable = format!(
        "aws secretsmanager rotate-secret --secret-id {secret} --rotation-lambda-arn {} --rotation-rules …",
        unqualified(function_arn)
    );
    match rotated_by {
        Some(function) if versions.rotation_enabled == Some(true) => {
            if unqualified(function) == unqualified(function_arn) {
                let schedule = schedule.as_deref().unwrap_or("without a schedule");
                report.ok(Check::Rotation, format!("{schedule}, by this function"));
            } else {
                let found = format!("the secret is rotated by another function: {function}");
                report.warning(
                    Check::Rotation,
                    found,
                    format!("To have it rotated by this one: {enable}"),
                );
            }
        }
        _ => report.warning(
            Check::Rotation,
            "rotation is off",
            format!("To turn it on: {enable}"),
        ),
    }
}

/// A function's ARN without the version or alias behind its name.
fn unqualified(arn: &str) -> &str {
    let end = arn.match_indices(':').nth(6);
    end.and_then(|(end, _)| arn.get(..end)).unwrap_or(arn)
}

/// The service begins no rotation while another has not ended.
async fn check_pending(
    report: &mut Report,
    secrets_manager: &SecretsManager,
    versions: &SecretVersions,
) -> Option<Login> {
    let stuck = versions.version_with(StagingLabel::Pending);
    let Some(version) = stuck.filter(|version| !versions.has(version, StagingLabel::Current))
    else {
        report.ok(Check::Pending, "no rotation is under way");
        return None;
    };
    let secret = &versions.secret;
    let label = StagingLabel::Pending;
    let value = secrets_manager.staged(secret, label, version).await;
    let value = value.map_err(Error::from).and_then(|value| {
        let value = value.ok_or_else(|| SecretDocument::missing(label))?;
        Ok(SecretDocument::parse(label, value)?.login)
    });
    let state = match &value {
        Ok(login) => format!("names {login}"),
        Err(error) => format!("cannot be used: {}", error.explanation()),
    };
    report.refusal(
        Check::Pending,
        format!("a rotation is under way, or stuck: AWSPENDING is on version {version}, whose value {state}"),
        format!("Wait for it to end. If it is stuck, fix the cause and wait for the retry. Or start over, once the function's timeout has passed since the last line of its log: aws secretsmanager update-secret-version-stage --secret-id {secret} --version-stage AWSPENDING --remove-from-version-id {version}"),
    );
    value.ok()
}

fn current_value(versions: &SecretVersions, current: Current) -> Result<SecretValue, Error> {
    let Some((version, value)) = current? else {
        return Err(SecretDocument::missing(StagingLabel::Current).into());
    };
    match versions.version_with(StagingLabel::Current) {
        Some(labelled) if *labelled != version => Err(contradictory(&versions.secret)),
        _ => Ok(value),
    }
}

/// What follows from the current value alone.
fn check_value(report: &mut Report, subject: &Subject<'_>) {
    let Subject {
        current, strategy, ..
    } = subject;
    let login = &current.login;
    match current.unknown_tls {
        None => {
            let strategy = strategy.as_str();
            report.ok(Check::Current, format!("{login}, {strategy}"));
        }
        Some(key) => {
            let found = format!("the value of {key} is not a known TLS mode");
            let advice = "verify-full is used. Write verify-full there, and this warning goes away";
            report.warning(Check::Current, found, advice);
        }
    }
    if report.pass(Check::Proxy, subject.refuse_proxy()).is_some() {
        report.ok(Check::Proxy, "not in the way");
    }
    let next = current.next(&login.credentials.role, &login.credentials.password);
    let followed = match next.followed.join(", ") {
        none if none.is_empty() => "none".to_owned(),
        keys => format!("{keys} will follow"),
    };
    if next.not_followed.is_empty() {
        report.ok(Check::ConnectionStrings, followed);
        return;
    }
    let keys = next.not_followed.join(", ");
    let found = format!(
        "{keys} will go on holding the old password, in a form that is not known; {followed}"
    );
    let advice = "Have applications read username and password instead, or use one of the forms of connection string that docs/applications.md lists";
    report.warning(Check::ConnectionStrings, found, advice);
}
