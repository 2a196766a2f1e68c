//! RDS: who replicates whom, and what hosts are called. Of AWS only what is there is looked at; nothing is made.

use testbed::unique;

use crate::account::{Account, answered};
use crate::belief::{Answer, Asked, Belief, Outcome, is, refused};

const INSTANCES: &str =
    "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html";
const CLUSTERS: &str =
    "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBClusters.html";
const MODEL: &str = "AWS's own model of the API, in aws-sdk-rds";
const NONE_HERE: &str = "this account has none";

pub(crate) const BELIEFS: &[Belief] = &[
    Belief {
        says: "An unknown instance is the error DBInstanceNotFound, without the Fault of its documented name",
        sources: &[INSTANCES, MODEL],
        asked: Asked::Both(|account| Box::pin(no_instance(account))),
    },
    Belief {
        says: "An unknown cluster is the error DBClusterNotFoundFault",
        sources: &[CLUSTERS, MODEL],
        asked: Asked::Both(|account| Box::pin(no_cluster(account))),
    },
    Belief {
        says: "DescribeDBInstances takes an instance's ARN for its identifier",
        sources: &[INSTANCES],
        asked: Asked::Both(|account| Box::pin(by_arn(account))),
    },
    Belief {
        says: "A replica names its source by identifier, which DescribeDBInstances takes",
        sources: &["https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html"],
        asked: Asked::Both(|account| Box::pin(replica(account))),
    },
    Belief {
        says: "An Aurora cluster's reader endpoint has cluster-ro- behind the cluster's name",
        sources: &[
            "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Endpoints.Reader.html",
        ],
        asked: Asked::Both(|account| Box::pin(reader(account))),
    },
    Belief {
        says: "A custom endpoint of Aurora is called NAME.cluster-custom-ID.REGION.rds.amazonaws.com",
        sources: &[
            "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Endpoints.Custom.Considerations.html",
        ],
        asked: Asked::Nobody,
    },
    Belief {
        says: "A secret that RDS manages names its instance or cluster in the tag aws:rds:primaryDBInstanceArn or aws:rds:primaryDBClusterArn",
        sources: &[
            "seen on AWS: https://github.com/floci-io/floci/pull/2378",
            "a cluster's: https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas/issues/105",
        ],
        asked: Asked::Nobody,
    },
];

async fn no_instance(account: Account) -> Outcome {
    let asked = account
        .rds
        .describe_db_instances()
        .db_instance_identifier(nobody());
    refused(answered(asked.send().await), "DBInstanceNotFound")?;
    Ok(Answer::Holds)
}

async fn no_cluster(account: Account) -> Outcome {
    let asked = account
        .rds
        .describe_db_clusters()
        .db_cluster_identifier(nobody());
    refused(answered(asked.send().await), "DBClusterNotFoundFault")?;
    Ok(Answer::Holds)
}

async fn by_arn(account: Account) -> Outcome {
    if let Some((servers, _)) = &account.testbed {
        servers.create_db_instance(&nobody(), None, 5432).await?;
    }
    let all = answered(account.rds.describe_db_instances().send().await)?;
    let Some(one) = all
        .db_instances()
        .iter()
        .find(|one| one.db_instance_arn().is_some())
    else {
        return Ok(Answer::NotAsked(NONE_HERE));
    };
    let asked = account
        .rds
        .describe_db_instances()
        .set_db_instance_identifier(one.db_instance_arn.clone());
    let found = answered(asked.send().await)?;
    let found: Vec<_> = found
        .db_instances()
        .iter()
        .map(|one| one.db_instance_identifier())
        .collect();
    is(&found, &vec![one.db_instance_identifier()])?;
    Ok(Answer::Holds)
}

async fn replica(account: Account) -> Outcome {
    if let Some((servers, _)) = &account.testbed {
        let writer = nobody();
        let reader = nobody();
        servers.create_db_instance(&writer, None, 5432).await?;
        servers.create_db_replica(&reader, &writer).await?;
    }
    let all = answered(account.rds.describe_db_instances().send().await)?;
    let source = |one: &aws_sdk_rds::types::DbInstance| {
        one.read_replica_source_db_instance_identifier.clone()
    };
    let Some(source) = all.db_instances().iter().find_map(source) else {
        return Ok(Answer::NotAsked(NONE_HERE));
    };
    let asked = account
        .rds
        .describe_db_instances()
        .db_instance_identifier(source);
    is(&answered(asked.send().await)?.db_instances().len(), &1)?;
    Ok(Answer::Holds)
}

async fn reader(account: Account) -> Outcome {
    if let Some((servers, _)) = &account.testbed {
        servers.create_db_cluster(&nobody(), 5432).await?;
    }
    let all = answered(account.rds.describe_db_clusters().send().await)?;
    let Some((name, endpoint)) = all
        .db_clusters()
        .iter()
        .find_map(|one| one.db_cluster_identifier().zip(one.reader_endpoint()))
    else {
        return Ok(Answer::NotAsked(NONE_HERE));
    };
    is(&endpoint.starts_with(&format!("{name}.cluster-ro-")), &true)?;
    Ok(Answer::Holds)
}

/// A name that no database has, as RDS takes names.
fn nobody() -> String {
    unique("nobody").replace('_', "-")
}
