//! A superuser secret that RDS manages holds a login and no place: C33.

use testbed::{Alternating, TestResult};

use crate::world;
use serde_json::json;

use super::rds_name;

const INSTANCE: &str = "aws:rds:primaryDBInstanceArn";
const CLUSTER: &str = "aws:rds:primaryDBClusterArn";

/// Rewrites the superuser secret as RDS has it.
async fn managed(it: &Alternating, tag: Option<(&str, &str)>) -> TestResult {
    it.name_superuser(|value| {
        *value = json!({"username": it.superuser_role, "password": it.superuser_password});
    })
    .await?;
    if let Some((key, arn)) = tag {
        it.world.secrets.tag(&it.superuser, key, arn).await?;
    }
    Ok(())
}

fn arn(kind: &str, name: &str) -> String {
    format!("arn:aws:rds:us-east-1:123456789012:{kind}:{name}")
}

#[tokio::test]
async fn c33_a_tag_that_names_the_instance_leads_the_superuser_there() -> TestResult {
    let it = world().alternating().await?;
    let name = rds_name("primary");
    let port = it.world.db.port();
    let rds = &it.world.secrets;
    rds.create_db_instance(&name, None, port).await?;
    it.world.api.lead(&format!("{name}."), "localhost");
    managed(&it, Some((INSTANCE, &arn("db", &name)))).await?;
    for _ in 0..2 {
        it.world.rotate().await?;
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c33_a_tag_that_names_the_cluster_leads_the_superuser_there() -> TestResult {
    let it = world().alternating().await?;
    let name = rds_name("primary");
    let port = it.world.db.port();
    let rds = &it.world.secrets;
    rds.create_db_cluster(&name, port).await?;
    it.world.api.lead(&format!("{name}.cluster-"), "localhost");
    managed(&it, Some((CLUSTER, &arn("cluster", &name)))).await?;
    for _ in 0..2 {
        it.world.rotate().await?;
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c33_a_tag_that_leads_to_no_postgres_or_to_another_server_is_foreign() -> TestResult {
    let mysql = rds_name("mysql");
    let other = rds_name("other");
    let it = world().alternating().await?;
    let port = it.world.db.port();
    let engine = "Engine=mysql&DBInstanceClass=db.t4g.micro&AllocatedStorage=20";
    let master = "MasterUsername=admin1&MasterUserPassword=unused-here";
    let parameters = format!("DBInstanceIdentifier={mysql}&Port={port}&{engine}&{master}");
    let rds = &it.world.secrets;
    rds.rds("CreateDBInstance", &parameters).await?;
    rds.create_db_instance(&other, None, port).await?;
    it.world.api.lead(&format!("{mysql}."), "localhost");
    for (tag, says) in [
        (None, "none of the tags"),
        (Some(arn("db", "nobody")), "RDS knows no"),
        (Some(arn("cluster", "nobody")), "RDS knows no"),
        (Some("not an ARN at all".to_owned()), "RDS knows no"),
        (Some(arn("db", &mysql)), "engine \"mysql\""),
        (Some(arn("db", &other)), "nor the writer"),
    ] {
        managed(&it, tag.as_deref().map(|arn| (INSTANCE, arn))).await?;
        let token = it.world.created().await?;
        let message = it
            .world
            .step("setSecret", &token)
            .await
            .failed_with("ForeignTarget")?;
        assert!(message.contains(says), "{tag:?}: {message}");
        it.world.cancel().await?;
    }
    assert_eq!(it.world.db.connections(), 0);
    it.world.finish().await?;
    Ok(())
}
