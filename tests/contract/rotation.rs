//! What the service does when it rotates. Of AWS all of this takes a rotation function: `observe` deploys one and watches.

use crate::account::{Account, Secret, answered};
use crate::belief::{Answer, Asked, Belief, Failure, Outcome, is, refused};

const ROTATE: &str =
    "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html";
const GUIDE: &str =
    "https://docs.amazonaws.cn/en_us/secretsmanager/latest/userguide/rotate-secrets_lambda.html";
const EVENTS: &str =
    "https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieve-ct-entries.html";
const DESCRIBE: &str =
    "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html";
const EMPTY: &str = "seen on AWS by moto's maintainers: https://github.com/getmoto/moto/pull/8504";

pub(crate) const BELIEFS: &[Belief] = &[
    Belief {
        says: "RotateSecret stages a new version as AWSPENDING without a value; the event's token is its name",
        sources: &[ROTATE, DESCRIBE, EMPTY],
        asked: Asked::Testbed(|account| Box::pin(stages(account))),
    },
    Belief {
        says: "GetSecretValue of a version without a value fails with ResourceNotFoundException, by its name and by AWSPENDING",
        sources: &[DESCRIBE, EMPTY],
        asked: Asked::Testbed(|account| Box::pin(empty(account))),
    },
    Belief {
        says: "PutSecretValue gives the version without a value its value, once",
        sources: &[
            "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html",
        ],
        asked: Asked::Testbed(|account| Box::pin(filled(account))),
    },
    Belief {
        says: "UpdateSecretVersionStage refuses to move AWSCURRENT to a version without a value with InvalidRequestException",
        sources: &["no page says so; the function doesn't ask for it (C47)"],
        asked: Asked::Testbed(|account| Box::pin(empty_current(account))),
    },
    Belief {
        says: "RotateSecret is refused with InvalidRequestException while AWSPENDING is on another version than AWSCURRENT",
        sources: &[ROTATE],
        asked: Asked::Testbed(|account| Box::pin(one_at_a_time(account))),
    },
    Belief {
        says: "DescribeSecret has RotationEnabled once rotation is configured",
        sources: &[DESCRIBE],
        asked: Asked::Testbed(|account| Box::pin(enabled(account))),
    },
    Belief {
        says: "A rotation that ends well leaves AWSPENDING on no version; the service takes it off itself",
        sources: &[
            ROTATE,
            "https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas/pull/145",
        ],
        asked: Asked::Watched,
    },
    Belief {
        says: "The next step is called within 100 ms of the end of the one before",
        sources: &["no page says so"],
        asked: Asked::Watched,
    },
    Belief {
        says: "A step that fails is followed by the whole rotation again, from createSecret, with the same token, several times",
        sources: &[GUIDE, "no page says when"],
        asked: Asked::Watched,
    },
    Belief {
        says: "Where AWSCURRENT has moved already, the steps that are left are called none the less, and the rotation counts as succeeded",
        sources: &["no page says so; the function answers such a step with success (C1)"],
        asked: Asked::Watched,
    },
    Belief {
        says: "RotateImmediately=false calls testSecret alone, for an AWSPENDING version that is removed afterwards",
        sources: &[ROTATE],
        asked: Asked::Nobody,
    },
    Belief {
        says: "CloudTrail gets RotationStarted, then RotationSucceeded or RotationFailed",
        sources: &[EVENTS],
        asked: Asked::Watched,
    },
    Belief {
        says: "A value written by hand ends a rotation: AWSPENDING goes, and CloudTrail gets RotationAbandoned",
        sources: &[EVENTS],
        asked: Asked::Nobody,
    },
    Belief {
        says: "What was written is read a moment later; a read never misses what was written before the last RotateSecret",
        sources: &[
            "read before it was there: https://github.com/aws/aws-sdk-js-v3/issues/7701",
            "no page says for how long",
        ],
        asked: Asked::Nobody,
    },
];

/// A secret whose rotation has begun, and the version that it is to make; none at AWS.
async fn begun(account: &Account) -> Result<Option<(Secret, String)>, Failure> {
    let Some((servers, _)) = &account.testbed else {
        return Ok(None);
    };
    let secret = account.secret().await?;
    let staged = testbed::Secret {
        arn: secret.arn.clone(),
        name: secret.name.clone(),
    };
    let version = servers.stage_pending(&staged).await?;
    Ok(Some((secret, version)))
}

const NO_FUNCTION: Outcome = Ok(Answer::NotAsked(
    "it takes a rotation function; `observe` shows it",
));

async fn stages(account: Account) -> Outcome {
    let Some((secret, version)) = begun(&account).await? else {
        return NO_FUNCTION;
    };
    let labels = account.labels(&secret).await?;
    is(
        &labels.get(&version),
        &Some(&["AWSPENDING".to_owned()].into()),
    )?;
    is(
        &labels.get(&secret.first),
        &Some(&["AWSCURRENT".to_owned()].into()),
    )?;
    Ok(Answer::Holds)
}

async fn empty(account: Account) -> Outcome {
    let Some((secret, version)) = begun(&account).await? else {
        return NO_FUNCTION;
    };
    let by = || account.secrets.get_secret_value().secret_id(&secret.arn);
    let both = by().version_id(&version).version_stage("AWSPENDING");
    for request in [
        by().version_id(&version),
        by().version_stage("AWSPENDING"),
        both,
    ] {
        refused(answered(request.send().await), "ResourceNotFoundException")?;
    }
    Ok(Answer::Holds)
}

async fn filled(account: Account) -> Outcome {
    let Some((secret, version)) = begun(&account).await? else {
        return NO_FUNCTION;
    };
    account.put(&secret, &version, "two", "AWSPENDING").await?;
    refused(
        account.put(&secret, &version, "three", "AWSPENDING").await,
        "ResourceExistsException",
    )?;
    is(
        &account.value(&secret, "AWSPENDING").await?,
        &"two".to_owned(),
    )?;
    Ok(Answer::Holds)
}

async fn empty_current(account: Account) -> Outcome {
    let Some((secret, version)) = begun(&account).await? else {
        return NO_FUNCTION;
    };
    let moved = account
        .move_label(&secret, "AWSCURRENT", Some(&secret.first), Some(&version))
        .await;
    refused(moved, "InvalidRequestException")?;
    Ok(Answer::Holds)
}

async fn one_at_a_time(account: Account) -> Outcome {
    let Some((secret, _)) = begun(&account).await? else {
        return NO_FUNCTION;
    };
    let again = account
        .secrets
        .rotate_secret()
        .secret_id(&secret.arn)
        .send()
        .await;
    refused(answered(again), "InvalidRequestException")?;
    Ok(Answer::Holds)
}

async fn enabled(account: Account) -> Outcome {
    let Some((secret, _)) = begun(&account).await? else {
        return NO_FUNCTION;
    };
    let described = answered(
        account
            .secrets
            .describe_secret()
            .secret_id(&secret.arn)
            .send()
            .await,
    )?;
    is(&described.rotation_enabled, &Some(true))?;
    Ok(Answer::Holds)
}
