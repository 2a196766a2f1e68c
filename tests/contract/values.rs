//! Values: how a version gets one, and who may read it.

use aws_sdk_secretsmanager::primitives::Blob;

use crate::account::{Account, answered, token};
use crate::belief::{Answer, Asked, Belief, Outcome, is, refused};

const PUT: &str =
    "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html";
const GET: &str =
    "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html";
const PASSWORD: &str =
    "https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html";

pub(crate) const BELIEFS: &[Belief] = &[
    Belief {
        says: "PutSecretValue with a version's token and its own value succeeds and changes nothing",
        sources: &[PUT],
        asked: Asked::Both(|account| Box::pin(same_again(account))),
    },
    Belief {
        says: "PutSecretValue with a version's token and another value fails with ResourceExistsException",
        sources: &[PUT, "https://github.com/floci-io/floci/pull/1467"],
        asked: Asked::Both(|account| Box::pin(another_value(account))),
    },
    Belief {
        says: "PutSecretValue with VersionStages AWSPENDING leaves AWSCURRENT where it is",
        sources: &[PUT],
        asked: Asked::Both(|account| Box::pin(pending_alone(account))),
    },
    Belief {
        says: "PutSecretValue with AWSPENDING takes that label from the version that has it",
        sources: &[PUT],
        asked: Asked::Both(|account| Box::pin(takes_pending(account))),
    },
    Belief {
        says: "PutSecretValue without VersionStages moves AWSCURRENT, and AWSPREVIOUS behind it",
        sources: &[PUT],
        asked: Asked::Both(|account| Box::pin(moves_current(account))),
    },
    Belief {
        says: "GetSecretValue without a version answers with AWSCURRENT's",
        sources: &[GET],
        asked: Asked::Both(|account| Box::pin(current_by_default(account))),
    },
    Belief {
        says: "GetSecretValue of a version or a label that isn't there fails with ResourceNotFoundException",
        sources: &[GET],
        asked: Asked::Both(|account| Box::pin(nothing_there(account))),
    },
    Belief {
        says: "GetSecretValue of a version that doesn't have the label asked for as well fails, with InvalidRequestException or ResourceNotFoundException",
        sources: &[
            "both must name the same version:",
            GET,
            "no page says with which error; moto has the first, other emulators the second",
        ],
        asked: Asked::Both(|account| Box::pin(other_label(account))),
    },
    Belief {
        says: "GetSecretValue of a binary value has no SecretString",
        sources: &[GET],
        asked: Asked::Both(|account| Box::pin(binary(account))),
    },
    Belief {
        says: "GetRandomPassword refuses what can't be with InvalidParameterException",
        sources: &[PASSWORD],
        asked: Asked::Both(|account| Box::pin(impossible_passwords(account))),
    },
    Belief {
        says: "GetRandomPassword leaves the excluded characters out, and has one of each type",
        sources: &[PASSWORD],
        asked: Asked::Both(|account| Box::pin(possible_passwords(account))),
    },
];

async fn same_again(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let version = token();
    account.put(&secret, &version, "two", "AWSPENDING").await?;
    let before = account.labels(&secret).await?;
    account.put(&secret, &version, "two", "AWSPENDING").await?;
    is(&account.labels(&secret).await?, &before)?;
    is(
        &account.value(&secret, "AWSPENDING").await?,
        &"two".to_owned(),
    )?;
    Ok(Answer::Holds)
}

async fn another_value(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let version = token();
    account.put(&secret, &version, "two", "AWSPENDING").await?;
    let again = account.put(&secret, &version, "three", "AWSPENDING").await;
    refused(again, "ResourceExistsException")?;
    is(
        &account.value(&secret, "AWSPENDING").await?,
        &"two".to_owned(),
    )?;
    Ok(Answer::Holds)
}

async fn pending_alone(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let version = token();
    account.put(&secret, &version, "two", "AWSPENDING").await?;
    is(
        &account.value(&secret, "AWSCURRENT").await?,
        &"one".to_owned(),
    )?;
    let labels = account.labels(&secret).await?;
    is(
        &labels.get(&version),
        &Some(&["AWSPENDING".to_owned()].into()),
    )?;
    Ok(Answer::Holds)
}

async fn takes_pending(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let earlier = token();
    let later = token();
    account.put(&secret, &earlier, "two", "AWSPENDING").await?;
    account.put(&secret, &later, "three", "AWSPENDING").await?;
    let labels = account.labels(&secret).await?;
    is(
        &labels.get(&later),
        &Some(&["AWSPENDING".to_owned()].into()),
    )?;
    is(
        &labels
            .get(&earlier)
            .is_some_and(|labels| labels.contains("AWSPENDING")),
        &false,
    )?;
    Ok(Answer::Holds)
}

async fn moves_current(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let put = account
        .secrets
        .put_secret_value()
        .secret_id(&secret.arn)
        .secret_string("two");
    let second = answered(put.send().await)?
        .version_id
        .ok_or("a version without a name")?;
    let labels = account.labels(&secret).await?;
    is(
        &labels.get(&second),
        &Some(&["AWSCURRENT".to_owned()].into()),
    )?;
    is(
        &labels.get(&secret.first),
        &Some(&["AWSPREVIOUS".to_owned()].into()),
    )?;
    Ok(Answer::Holds)
}

async fn current_by_default(account: Account) -> Outcome {
    let secret = account.secret().await?;
    account.put(&secret, &token(), "two", "AWSCURRENT").await?;
    account
        .put(&secret, &token(), "three", "AWSPENDING")
        .await?;
    account.settle().await;
    let asked = account
        .secrets
        .get_secret_value()
        .secret_id(&secret.arn)
        .send()
        .await;
    is(&answered(asked)?.secret_string.as_deref(), &Some("two"))?;
    Ok(Answer::Holds)
}

async fn nothing_there(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let by = || account.secrets.get_secret_value().secret_id(&secret.arn);
    for request in [by().version_id(token()), by().version_stage("AWSPENDING")] {
        refused(answered(request.send().await), "ResourceNotFoundException")?;
    }
    Ok(Answer::Holds)
}

async fn other_label(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let asked = account.secrets.get_secret_value().secret_id(&secret.arn);
    let asked = asked.version_id(&secret.first).version_stage("AWSPENDING");
    match answered(asked.send().await).map_err(|failure| failure.to_string()) {
        Err(code) if code == "InvalidRequestException" => {
            Ok(Answer::Either("InvalidRequestException"))
        }
        Err(code) if code == "ResourceNotFoundException" => {
            Ok(Answer::Either("ResourceNotFoundException"))
        }
        other => Err(format!("not refused so, but {:?}", other.err()).into()),
    }
}

async fn binary(account: Account) -> Outcome {
    let secret = account.secret().await?;
    let put = account.secrets.put_secret_value().secret_id(&secret.arn);
    answered(
        put.secret_binary(Blob::new([0, 159, 146, 150]))
            .send()
            .await,
    )?;
    account.settle().await;
    let asked = account
        .secrets
        .get_secret_value()
        .secret_id(&secret.arn)
        .send()
        .await;
    is(&answered(asked)?.secret_string, &None)?;
    Ok(Answer::Holds)
}

async fn impossible_passwords(account: Account) -> Outcome {
    let ask = || account.secrets.get_random_password();
    let nothing = ask()
        .exclude_lowercase(true)
        .exclude_uppercase(true)
        .exclude_numbers(true)
        .exclude_punctuation(true);
    for request in [
        ask().password_length(4097),
        ask().password_length(3).require_each_included_type(true),
        nothing,
    ] {
        refused(answered(request.send().await), "InvalidParameterException")?;
    }
    Ok(Answer::Holds)
}

async fn possible_passwords(account: Account) -> Outcome {
    for _ in 0..5 {
        let asked = account.secrets.get_random_password().password_length(32);
        let asked = asked
            .exclude_characters(r#":/@"'\"#)
            .require_each_included_type(true);
        let password = answered(asked.send().await)?
            .random_password
            .unwrap_or_default();
        let has = |is: fn(&char) -> bool| password.chars().any(|one| is(&one));
        let kinds = [
            char::is_ascii_lowercase,
            char::is_ascii_uppercase,
            char::is_ascii_digit,
            char::is_ascii_punctuation,
        ];
        is(&(password.len(), kinds.map(has)), &(32, [true; 4]))?;
        is(&password.contains([':', '/', '@', '"', '\'', '\\']), &false)?;
    }
    Ok(Answer::Holds)
}
