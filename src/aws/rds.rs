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

    /// The host of the writer that `host` replicates: of an instance replica, of an Aurora reader endpoint, or of a
    /// reader instance; `None` for any other host.
    ///
    /// # Errors
    /// [`AwsError`] where RDS can't be asked.
    pub(crate) async fn writer_of(&self, host: &str) -> Result<Option<String>, AwsError> {
        let client = Client::new(self.sdk);
        let name = host.split('.').next().unwrap_or_default();
        if host.contains(".cluster-ro-") {
            let cluster = self.cluster(&client, name).await?;
            let is_its = cluster
                .as_ref()
                .is_some_and(|c| is_host(c.reader_endpoint(), host));
            return Ok(cluster.filter(|_| is_its).and_then(|c| c.endpoint));
        }
        let Some(reader) = self.instance(&client, name).await? else {
            return Ok(None);
        };
        if !is_host(reader.endpoint().and_then(|e| e.address()), host) {
            return Ok(None);
        }
        if let Some(source) = reader.read_replica_source_db_instance_identifier() {
            let source = self.instance(&client, source).await?;
            return Ok(source.and_then(|s| s.endpoint).and_then(|e| e.address));
        }
        let Some(id) = reader.db_cluster_identifier() else {
            return Ok(None);
        };
        Ok(self.cluster(&client, id).await?.and_then(|c| c.endpoint))
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

/// Whether RDS's `address` is `host`: a name that only begins alike is a stranger's.
fn is_host(address: Option<&str>, host: &str) -> bool {
    address.is_some_and(|address| address.eq_ignore_ascii_case(host))
}
