//! Staging labels, and how they move.

use crate::account::{Account, Secret, answered, token};
use crate::belief::{Answer, Asked, Belief, Failure, Outcome, is, refused};

const MOVE: &str = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html";

pub(crate) const BELIEFS: &[Belief] = &[
    Belief {
        says: "Moving AWSCURRENT moves AWSPREVIOUS to the version that it was taken from",
        sources: &[MOVE],
        asked: Asked::Both(|account| Box::pin(previous_follows(account))),
    },
    Belief {
        says: "Moving AWSCURRENT outside a rotation leaves AWSPENDING on the version, or takes it off; the function is right for both",
        sources: &[
            "takes it off: AWS's guide, Lambda rotation functions, as https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas/issues/168 \
             quotes it, which has seen it stay",
            "either: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html",
            "leaves it, and the service takes it off when the rotation completes: \
             https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas/pull/145",
        ],
        asked: Asked::Both(|account| Box::pin(pending_after(account))),
    },
    Belief {
        says: "UpdateSecretVersionStage moves AWSCURRENT only away from the version that has it and is named, else nothing changes",
        sources: &[MOVE],
        asked: Asked::Both(|account| Box::pin(must_name_the_holder(account))),
    },
    Belief {
        says: "UpdateSecretVersionStage refuses to take AWSCURRENT away without a version to move it to",
        sources: &["no page says so; that every secret has an AWSCURRENT: \
            https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas/issues/92"],
        asked: Asked::Both(|account| Box::pin(current_stays(account))),
    },
    Belief {
        says: "UpdateSecretVersionStage takes AWSPENDING off, and the version can still be read by its name",
        sources: &[MOVE],
        asked: Asked::Both(|account| Box::pin(unlabelled(account))),
    },
];

/// A secret with a pending version that has a value.
pub(crate) async fn pending(account: &Account) -> Result<(Secret, String), Failure> {
    let secret = account.secret().await?;
    let version = token();
    account.put(&secret, &version, "two", "AWSPENDING").await?;
    Ok((secret, version))
}

async fn previous_follows(account: Account) -> Outcome {
    let (secret, version) = pending(&account).await?;
    account
        .move_label(&secret, "AWSCURRENT", Some(&secret.first), Some(&version))
        .await?;
    let labels = account.labels(&secret).await?;
    is(
        &labels
            .get(&version)
            .is_some_and(|labels| labels.contains("AWSCURRENT")),
        &true,
    )?;
    is(
        &labels.get(&secret.first),
        &Some(&["AWSPREVIOUS".to_owned()].into()),
    )?;
    Ok(Answer::Holds)
}

async fn pending_after(account: Account) -> Outcome {
    let (secret, version) = pending(&account).await?;
    account
        .move_label(&secret, "AWSCURRENT", Some(&secret.first), Some(&version))
        .await?;
    let labels = account.labels(&secret).await?;
    let pending: Vec<_> = labels
        .iter()
        .filter(|(_, labels)| labels.contains("AWSPENDING"))
        .collect();
    match pending.as_slice() {
        [] => Ok(Answer::Either("it was taken off")),
        [(on, _)] if **on == version => Ok(Answer::Either("it stayed on the version")),
        other => Err(format!("AWSPENDING is on {other:?}").into()),
    }
}

async fn must_name_the_holder(account: Account) -> Outcome {
    let (secret, version) = pending(&account).await?;
    let before = account.labels(&secret).await?;
    for from in [None, Some(version.as_str())] {
        let moved = account
            .move_label(&secret, "AWSCURRENT", from, Some(&version))
            .await;
        refused(moved, "InvalidParameterException")?;
        is(&account.labels(&secret).await?, &before)?;
    }
    let nowhere = account
        .move_label(&secret, "AWSCURRENT", Some(&secret.first), Some(&token()))
        .await;
    refused(nowhere, "ResourceNotFoundException")?;
    is(&account.labels(&secret).await?, &before)?;
    // As a retry of a call whose answer was lost, after the label has moved.
    account
        .move_label(&secret, "AWSCURRENT", Some(&secret.first), Some(&version))
        .await?;
    account.settle().await;
    let again = account
        .move_label(&secret, "AWSCURRENT", Some(&secret.first), Some(&version))
        .await;
    refused(again, "InvalidParameterException")?;
    Ok(Answer::Holds)
}

async fn current_stays(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let removed = account
        .move_label(&secret, "AWSCURRENT", Some(&secret.first), None)
        .await;
    refused(removed, "InvalidParameterException")?;
    is(
        &account.value(&secret, "AWSCURRENT").await?,
        &"one".to_owned(),
    )?;
    Ok(Answer::Holds)
}

async fn unlabelled(account: Account) -> Outcome {
    let (secret, version) = pending(&account).await?;
    account
        .move_label(&secret, "AWSPENDING", Some(&version), None)
        .await?;
    let labels = account.labels(&secret).await?;
    is(
        &labels
            .get(&version)
            .is_none_or(std::collections::BTreeSet::is_empty),
        &true,
    )?;
    let asked = account
        .secrets
        .get_secret_value()
        .secret_id(&secret.arn)
        .version_id(&version);
    is(
        &answered(asked.send().await)?.secret_string.as_deref(),
        &Some("two"),
    )?;
    Ok(Answer::Holds)
}
