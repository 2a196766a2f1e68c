use serde_json::{Value, json};
use testbed::{Result, SecretsManager, unique};

/// What Secrets Manager says to a call that it refuses.
async fn refusal(secrets: &SecretsManager, operation: &str, body: Value) -> String {
    match secrets.call(operation, body).await {
        Ok(answer) => format!("accepted: {answer}"),
        Err(failure) => failure.to_string(),
    }
}

#[tokio::test]
async fn a_rotation_begins_and_ends_as_the_service_does_it() -> Result<()> {
    let secrets = SecretsManager::shared().await?;
    let secret = secrets.create_secret(&unique("s"), "one").await?;
    for (old, new) in [("one", "two"), ("two", "three")] {
        let token = secrets.stage_pending(&secret).await?;
        assert_eq!(secrets.value(&secret, "AWSPENDING").await?, None);
        assert_eq!(secrets.value(&secret, &token).await?, None);
        assert_eq!(
            secrets.value(&secret, "AWSCURRENT").await?.as_deref(),
            Some(old)
        );
        let described = secrets
            .call("DescribeSecret", json!({ "SecretId": secret.arn }))
            .await?;
        assert_eq!(described.get("RotationEnabled"), Some(&json!(true)));
        secrets
            .put_value(&secret, Some(&token), &["AWSPENDING"], new)
            .await?;
        secrets.move_label(&secret, "AWSCURRENT", &token).await?;
        secrets.tidy(&secret).await?;
        assert_eq!(
            secrets.value(&secret, "AWSCURRENT").await?.as_deref(),
            Some(new)
        );
        assert_eq!(
            secrets.value(&secret, "AWSPREVIOUS").await?.as_deref(),
            Some(old)
        );
        assert_eq!(secrets.value(&secret, "AWSPENDING").await?, None);
    }
    let token = secrets.stage_pending_with_copy(&secret).await?;
    assert_eq!(
        secrets.value(&secret, &token).await?.as_deref(),
        Some("three")
    );
    Ok(())
}

#[tokio::test]
async fn a_value_is_written_once() -> Result<()> {
    let secrets = SecretsManager::shared().await?;
    let secret = secrets.create_secret(&unique("s"), "one").await?;
    let token = secrets.stage_pending(&secret).await?;
    secrets
        .put_value(&secret, Some(&token), &["AWSPENDING"], "two")
        .await?;
    secrets
        .put_value(&secret, Some(&token), &["AWSPENDING"], "two")
        .await?;
    let again =
        json!({ "SecretId": secret.arn, "ClientRequestToken": token, "SecretString": "three" });
    let refused = refusal(&secrets, "PutSecretValue", again).await;
    assert!(
        refused.contains("400") && refused.contains("ResourceExistsException"),
        "{refused}"
    );
    assert_eq!(
        secrets.value(&secret, "AWSPENDING").await?.as_deref(),
        Some("two")
    );
    Ok(())
}

#[tokio::test]
async fn a_label_moves_whole_or_not_at_all() -> Result<()> {
    let secrets = SecretsManager::shared().await?;
    let secret = secrets.create_secret(&unique("s"), "one").await?;
    let empty = secrets.stage_pending(&secret).await?;
    let before = secrets.labels(&secret).await?;
    let first = before
        .keys()
        .find(|version| **version != empty)
        .cloned()
        .unwrap_or_default();
    let of = |from: Option<&str>, to: Option<&str>| json!({ "SecretId": secret.arn, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": from, "MoveToVersionId": to });
    let nobody = "00000000-0000-0000-0000-000000000000";
    for (request, code) in [
        (of(Some(&first), Some(&empty)), "InvalidRequestException"),
        (of(None, Some(&empty)), "InvalidParameterException"),
        (of(Some(&empty), Some(&empty)), "InvalidParameterException"),
        (of(Some(&first), None), "InvalidParameterException"),
        (of(Some(&first), Some(nobody)), "ResourceNotFoundException"),
    ] {
        let refused = refusal(&secrets, "UpdateSecretVersionStage", request.clone()).await;
        assert!(
            refused.contains("400") && refused.contains(code),
            "{request}: {refused}"
        );
        assert_eq!(secrets.labels(&secret).await?, before);
    }
    secrets
        .call("UpdateSecretVersionStage", of(Some(&first), Some(&first)))
        .await
        .map(drop)
}

#[tokio::test]
async fn an_operator_s_value_leaves_one_current_and_one_previous() -> Result<()> {
    let secrets = SecretsManager::shared().await?;
    let secret = secrets.create_secret(&unique("s"), "one").await?;
    let token = secrets.stage_pending(&secret).await?;
    secrets
        .put_value(&secret, Some(&token), &["AWSPENDING"], "two")
        .await?;
    secrets.move_label(&secret, "AWSCURRENT", &token).await?;
    secrets.tidy(&secret).await?;
    let by_hand = secrets
        .put_value(&secret, None, &["AWSCURRENT"], "three")
        .await?;
    let labels = secrets.labels(&secret).await?;
    let of = |version: &str| {
        labels
            .get(version)
            .map(|labels| labels.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(of(&by_hand), Some(vec!["AWSCURRENT"]));
    assert_eq!(of(&token), Some(vec!["AWSPREVIOUS"]));
    assert_eq!(
        labels.values().filter(|labels| !labels.is_empty()).count(),
        2,
        "{labels:?}"
    );
    Ok(())
}

#[tokio::test]
async fn unlabelled_versions_are_listed_where_asked_for_and_dated() -> Result<()> {
    let secrets = SecretsManager::shared().await?;
    let secret = secrets.create_secret(&unique("s"), "one").await?;
    let token = secrets.stage_pending(&secret).await?;
    secrets
        .put_value(&secret, Some(&token), &["AWSPENDING"], "two")
        .await?;
    secrets.remove_label(&secret, "AWSPENDING").await?;
    let count = async |all: bool, most: u32| -> Result<(usize, bool)> {
        let request =
            json!({ "SecretId": secret.arn, "IncludeDeprecated": all, "MaxResults": most });
        let answer = secrets.call("ListSecretVersionIds", request).await?;
        let versions = answer
            .get("Versions")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        assert!(
            versions
                .iter()
                .all(|version| version.get("CreatedDate").is_some_and(Value::is_f64)),
            "{versions:?}"
        );
        Ok((versions.len(), answer.get("NextToken").is_some()))
    };
    assert_eq!(count(false, 10).await?, (1, false));
    assert_eq!(count(true, 10).await?, (2, false));
    assert_eq!(count(true, 1).await?, (1, true));
    assert_eq!(
        secrets.value(&secret, &token).await?.as_deref(),
        Some("two")
    );
    Ok(())
}

#[tokio::test]
async fn deletion_rotation_enabled_tags_and_impossible_passwords() -> Result<()> {
    let secrets = SecretsManager::shared().await?;
    let secret = secrets
        .create_binary_secret(&unique("s"), &[0, 159, 146, 150])
        .await?;
    assert_eq!(secrets.value(&secret, "AWSCURRENT").await?, None);
    secrets
        .tag(&secret, "aws:rds:primaryDBInstanceArn", "arn")
        .await?;
    secrets.rotation_enabled(&secret, Some(false));
    let described = secrets
        .call("DescribeSecret", json!({ "SecretId": secret.arn }))
        .await?;
    assert_eq!(described.get("RotationEnabled"), Some(&json!(false)));
    assert!(described.to_string().contains("primaryDBInstanceArn"));
    secrets.delete_secret(&secret).await?;
    let refused = refusal(
        &secrets,
        "GetSecretValue",
        json!({ "SecretId": secret.arn }),
    )
    .await;
    assert!(refused.contains("InvalidRequestException"), "{refused}");
    let impossible = json!({ "PasswordLength": 5000 });
    let refused = refusal(&secrets, "GetRandomPassword", impossible).await;
    assert!(
        refused.contains("400") && refused.contains("InvalidParameterException"),
        "{refused}"
    );
    let unknown = refusal(&secrets, "DescribeSecret", json!({ "SecretId": "nobody" })).await;
    assert!(
        unknown.contains("400") && unknown.contains("ResourceNotFoundException"),
        "{unknown}"
    );
    Ok(())
}

#[tokio::test]
async fn rds_has_instances_replicas_and_clusters() -> Result<()> {
    let secrets = SecretsManager::shared().await?;
    secrets.create_db_instance("writer", None, 5432).await?;
    secrets.create_db_replica("reader", "writer").await?;
    secrets.create_db_cluster("aurora", 5432).await?;
    secrets
        .create_db_instance("aurora-1", Some("aurora"), 5432)
        .await?;
    let reader = secrets
        .rds("DescribeDBInstances", &[("DBInstanceIdentifier", "reader")])
        .await?;
    assert!(
        reader.contains("<ReadReplicaSourceDBInstanceIdentifier>writer<"),
        "{reader}"
    );
    let cluster = secrets
        .rds("DescribeDBClusters", &[("DBClusterIdentifier", "aurora")])
        .await?;
    assert!(cluster.contains("<ReaderEndpoint>"), "{cluster}");
    Ok(())
}
