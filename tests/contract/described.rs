//! What is told of a secret and its versions, also of one that isn't there or is to be deleted.

use crate::account::{Account, answered, token};
use crate::belief::{Answer, Asked, Belief, Outcome, is, refused};
use crate::labels::pending;

const LIST: &str =
    "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html";
const DESCRIBE: &str =
    "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html";
const DELETE: &str =
    "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html";

pub(crate) const BELIEFS: &[Belief] = &[
    Belief {
        says: "ListSecretVersionIds has versions without a label only with IncludeDeprecated",
        sources: &[LIST],
        asked: Asked::Both(|account| Box::pin(deprecated(account))),
    },
    Belief {
        says: "ListSecretVersionIds dates each version, later ones later; its order means nothing",
        sources: &[
            LIST,
            "no page says in which order; the function sorts by CreatedDate",
        ],
        asked: Asked::Both(|account| Box::pin(dated(account))),
    },
    Belief {
        says: "DescribeSecret leaves RotationEnabled out where rotation was never configured",
        sources: &[DESCRIBE],
        asked: Asked::Both(|account| Box::pin(never_rotated(account))),
    },
    Belief {
        says: "DescribeSecret lists a secret's tags",
        sources: &[DESCRIBE],
        asked: Asked::Both(|account| Box::pin(tags(account))),
    },
    Belief {
        says: "An unknown secret is ResourceNotFoundException; whatever is the caller's fault has status 400",
        sources: &[
            "https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html",
            "InternalServiceError has 400 there and 500 in the same page as Markdown",
        ],
        asked: Asked::Both(|account| Box::pin(unknown(account))),
    },
    Belief {
        says: "A secret that is scheduled for deletion is described with DeletedDate, and its value is InvalidRequestException",
        sources: &[DELETE, DESCRIBE],
        asked: Asked::Both(|account| Box::pin(deleted(account))),
    },
];

async fn deprecated(account: Account) -> Outcome {
    let (secret, version) = pending(&account).await?;
    account
        .move_label(&secret, "AWSPENDING", Some(&version), None)
        .await?;
    account.settle().await;
    for (all, expected) in [(false, 1), (true, 2)] {
        let asked = account
            .secrets
            .list_secret_version_ids()
            .secret_id(&secret.arn)
            .include_deprecated(all);
        is(
            &answered(asked.send().await)?
                .versions
                .unwrap_or_default()
                .len(),
            &expected,
        )?;
    }
    Ok(Answer::Holds)
}

async fn dated(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let mut made = vec![secret.first.clone()];
    for value in ["two", "three"] {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        made.push(token());
        account
            .put(&secret, made.last().ok_or("none")?, value, "AWSCURRENT")
            .await?;
    }
    account.settle().await;
    let asked = account
        .secrets
        .list_secret_version_ids()
        .secret_id(&secret.arn)
        .include_deprecated(true);
    let mut versions = answered(asked.send().await)?.versions.unwrap_or_default();
    versions.sort_by_key(|version| version.created_date);
    is(
        &versions
            .iter()
            .all(|version| version.created_date.is_some()),
        &true,
    )?;
    let names: Vec<_> = versions
        .into_iter()
        .filter_map(|version| version.version_id)
        .collect();
    is(&names, &made)?;
    Ok(Answer::Holds)
}

async fn never_rotated(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let described = answered(
        account
            .secrets
            .describe_secret()
            .secret_id(&secret.arn)
            .send()
            .await,
    )?;
    is(&described.rotation_enabled, &None)?;
    Ok(Answer::Holds)
}

async fn tags(account: Account) -> Outcome {
    let secret = account.secret().await?;
    account.settle().await;
    let described = answered(
        account
            .secrets
            .describe_secret()
            .secret_id(&secret.arn)
            .send()
            .await,
    )?;
    let keys: Vec<_> = described
        .tags()
        .iter()
        .filter_map(|tag| tag.key())
        .collect();
    is(&keys, &vec!["made-by"])?;
    Ok(Answer::Holds)
}

async fn unknown(account: Account) -> Outcome {
    let name = format!("{}-nobody-{}", crate::account::PREFIX, token());
    let asked = account
        .secrets
        .describe_secret()
        .secret_id(name)
        .send()
        .await;
    let status = asked
        .as_ref()
        .err()
        .and_then(|failure| failure.raw_response())
        .map(|raw| raw.status().as_u16());
    refused(answered(asked), "ResourceNotFoundException")?;
    is(&status, &Some(400))?;
    Ok(Answer::Holds)
}

async fn deleted(account: Account) -> Outcome {
    let (secret, version) = pending(&account).await?;
    let deletion = account
        .secrets
        .delete_secret()
        .secret_id(&secret.arn)
        .recovery_window_in_days(7);
    answered(deletion.send().await)?;
    account.settle().await;
    let described = answered(
        account
            .secrets
            .describe_secret()
            .secret_id(&secret.arn)
            .send()
            .await,
    )?;
    is(&described.deleted_date.is_some(), &true)?;
    let read = account
        .secrets
        .get_secret_value()
        .secret_id(&secret.arn)
        .send()
        .await;
    refused(answered(read), "InvalidRequestException")?;
    let written = account.put(&secret, &token(), "three", "AWSPENDING").await;
    refused(written, "InvalidRequestException")?;
    let moved = account
        .move_label(&secret, "AWSCURRENT", Some(&secret.first), Some(&version))
        .await;
    refused(moved, "InvalidRequestException")?;
    Ok(Answer::Holds)
}
