//! The RDS API: which host a database's writer has. Asked only where the secrets don't say.

use aws_config::SdkConfig;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbCluster, DbInstance};

use super::AwsError;
use super::error::Call;
use crate::deadline::Deadline;

/// RDS, for one invocation. The client is made for the look-up: a rotation without one pays nothing.
#[derive(Debug)]
pub(crate) struct Rds<'a> {
    sdk: &'a SdkConfig,
    deadline: Deadline,
}

/// Where a database listens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) engine: String,
}

impl<'a> Rds<'a> {
    pub(super) fn new(sdk: &'a SdkConfig, deadline: Deadline) -> Self {
        Self { sdk, deadline }
    }

    /// The host of the writer that `host` replicates: of an instance replica, also of a replica; of an Aurora reader endpoint,
    /// reader instance or custom endpoint; `None` for any other host. A custom endpoint's name doesn't tell its cluster: it
    /// is looked for in that of `supposed`.
    ///
    /// # Errors
    /// [`AwsError`] where RDS can't be asked.
    pub(crate) async fn writer_of(
        &self,
        host: &str,
        supposed: &str,
    ) -> Result<Option<String>, AwsError> {
        let client = Client::new(self.sdk);
        if host.contains(".cluster-ro-") {
            let cluster = self.cluster(&client, first_label(host)).await?;
            let its = cluster.filter(|cluster| is_host(cluster.reader_endpoint(), host));
            return Ok(its.and_then(|cluster| cluster.endpoint));
        }
        if host.contains(".cluster-custom-") {
            let cluster = self.cluster(&client, first_label(supposed)).await?;
            let its = cluster.filter(|cluster| {
                let mut custom = cluster.custom_endpoints().iter();
                custom.any(|endpoint| is_host(Some(endpoint), host))
            });
            return Ok(its.and_then(|cluster| cluster.endpoint));
        }
        let reader = self.instance(&client, first_label(host)).await?;
        let Some(reader) = reader.filter(|reader| is_host(address(reader), host)) else {
            return Ok(None);
        };
        self.source_of(&client, reader).await
    }

    /// Where the changes come from that arrive at a reader instance, over at most so many replicas.
    async fn source_of(
        &self,
        client: &Client,
        reader: DbInstance,
    ) -> Result<Option<String>, AwsError> {
        let mut instance = reader;
        for hop in 0..MOST_HOPS {
            if let Some(source) = instance.read_replica_source_db_instance_identifier() {
                let Some(source) = self.instance(client, source).await? else {
                    return Ok(None);
                };
                instance = source;
            } else if let Some(id) = instance.db_cluster_identifier() {
                return Ok(self.cluster(client, id).await?.and_then(|c| c.endpoint));
            } else {
                let is_source = hop > 0;
                return Ok(address(&instance).filter(|_| is_source).map(str::to_owned));
            }
        }
        Ok(None)
    }

    /// Where the instance or cluster with this ARN listens; `None` where there is none.
    ///
    /// # Errors
    /// [`AwsError`] where RDS can't be asked.
    pub(crate) async fn address_of(&self, arn: &str) -> Result<Option<Address>, AwsError> {
        let client = Client::new(self.sdk);
        let port = |port: Option<i32>| port.and_then(|p| u16::try_from(p).ok());
        if arn.contains(":cluster:") {
            let Some(cluster) = self.cluster(&client, arn).await? else {
                return Ok(None);
            };
            let engine = cluster.engine.unwrap_or_default();
            return Ok(cluster.endpoint.map(|host| Address {
                host,
                port: port(cluster.port),
                engine,
            }));
        }
        let Some(instance) = self.instance(&client, arn).await? else {
            return Ok(None);
        };
        let engine = instance.engine.unwrap_or_default();
        let endpoint = instance
            .endpoint
            .and_then(|e| e.address.map(|host| (host, e.port)));
        Ok(endpoint.map(|(host, p)| Address {
            host,
            port: port(p),
            engine,
        }))
    }

    async fn instance(&self, client: &Client, id: &str) -> Result<Option<DbInstance>, AwsError> {
        let call = Call::new("rds:DescribeDBInstances", id, self.deadline);
        let request = client.describe_db_instances().db_instance_identifier(id);
        let answer = call.find(request.send(), "DBInstanceNotFound").await?;
        let instances = answer.and_then(|answer| answer.db_instances);
        Ok(instances.unwrap_or_default().into_iter().next())
    }

    async fn cluster(&self, client: &Client, id: &str) -> Result<Option<DbCluster>, AwsError> {
        let call = Call::new("rds:DescribeDBClusters", id, self.deadline);
        let request = client.describe_db_clusters().db_cluster_identifier(id);
        let answer = call.find(request.send(), "DBClusterNotFoundFault").await?;
        let clusters = answer.and_then(|answer| answer.db_clusters);
        Ok(clusters.unwrap_or_default().into_iter().next())
    }
}

/// How an instance or a cluster is called, by its host.
fn first_label(host: &str) -> &str {
    host.split('.').next().unwrap_or_default()
}

fn address(instance: &DbInstance) -> Option<&str> {
    instance.endpoint()?.address()
}

/// Replicas of replicas end somewhere: RDS allows three.
const MOST_HOPS: usize = 5;

/// Whether RDS's `address` is `host`: a name that only begins alike is a stranger's.
fn is_host(address: Option<&str>, host: &str) -> bool {
    address.is_some_and(|address| address.eq_ignore_ascii_case(host))
}
