//! The RDS API: which host a database's writer has. Asked only where the secrets don't say.

use aws_config::SdkConfig;
use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbCluster, DbInstance};

use super::StoreError;
use super::call::Call;

/// RDS, as this function uses it. The client is made for the look-up: a rotation without one pays nothing.
#[derive(Debug)]
pub(crate) struct Instances {
    sdk: SdkConfig,
}

/// Where a database listens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) engine: String,
}

impl Instances {
    pub(crate) fn new(sdk: SdkConfig) -> Self {
        Self { sdk }
    }

    /// The host of the writer that `host` replicates: of an instance replica, of an Aurora reader endpoint, or of a
    /// reader instance; `None` for any other host.
    ///
    /// # Errors
    /// [`StoreError`] where RDS can't be asked.
    pub(crate) async fn writer_of(&self, host: &str) -> Result<Option<String>, StoreError> {
        let client = Client::new(&self.sdk);
        let name = host.split('.').next().unwrap_or_default();
        if host.contains(".cluster-ro-") {
            let cluster = cluster(&client, name).await?;
            let is_its = cluster
                .as_ref()
                .is_some_and(|c| is_host(c.reader_endpoint(), host));
            return Ok(cluster.filter(|_| is_its).and_then(|c| c.endpoint));
        }
        let Some(reader) = instance(&client, name).await? else {
            return Ok(None);
        };
        if !is_host(reader.endpoint().and_then(|e| e.address()), host) {
            return Ok(None);
        }
        if let Some(source) = reader.read_replica_source_db_instance_identifier() {
            let source = instance(&client, source).await?;
            return Ok(source.and_then(|s| s.endpoint).and_then(|e| e.address));
        }
        let Some(id) = reader.db_cluster_identifier() else {
            return Ok(None);
        };
        Ok(cluster(&client, id).await?.and_then(|c| c.endpoint))
    }

    /// Where the instance or cluster with this ARN listens; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError`] where RDS can't be asked.
    pub(crate) async fn address_of(&self, arn: &str) -> Result<Option<Address>, StoreError> {
        let client = Client::new(&self.sdk);
        let port = |port: Option<i32>| port.and_then(|p| u16::try_from(p).ok());
        if arn.contains(":cluster:") {
            let Some(cluster) = cluster(&client, arn).await? else {
                return Ok(None);
            };
            let engine = cluster.engine.unwrap_or_default();
            return Ok(cluster.endpoint.map(|host| Address {
                host,
                port: port(cluster.port),
                engine,
            }));
        }
        let Some(instance) = instance(&client, arn).await? else {
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
}

/// Whether RDS's `address` is `host`: a name that only begins alike is a stranger's.
fn is_host(address: Option<&str>, host: &str) -> bool {
    address.is_some_and(|address| address.eq_ignore_ascii_case(host))
}

async fn instance(client: &Client, id: &str) -> Result<Option<DbInstance>, StoreError> {
    let call = Call::new("rds:DescribeDBInstances", id);
    match client
        .describe_db_instances()
        .db_instance_identifier(id)
        .send()
        .await
    {
        Ok(answer) => Ok(answer.db_instances.unwrap_or_default().into_iter().next()),
        Err(e) => call.found(&e, "DBInstanceNotFound"),
    }
}

async fn cluster(client: &Client, id: &str) -> Result<Option<DbCluster>, StoreError> {
    let call = Call::new("rds:DescribeDBClusters", id);
    match client
        .describe_db_clusters()
        .db_cluster_identifier(id)
        .send()
        .await
    {
        Ok(answer) => Ok(answer.db_clusters.unwrap_or_default().into_iter().next()),
        Err(e) => call.found(&e, "DBClusterNotFoundFault"),
    }
}
