//! RDS's API, as far as the function asks it: what an instance or a cluster is called, and whose replica it is.

use super::SecretsManager;
use crate::error::{Error, Result};

impl SecretsManager {
    /// Any action of RDS's query API; the parameters as a form.
    pub async fn rds(&self, action: &str, parameters: &str) -> Result<()> {
        let form = format!("Action={action}&Version=2014-10-31&{parameters}");
        let (status, body) = self.send("rds", None, form.into()).await?;
        if status == 200 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&body);
        Err(Error::new(format!("{action}: {status} {text}")))
    }

    /// Makes an instance that listens on `port`; moto gives it an endpoint.
    pub async fn create_db_instance(
        &self,
        name: &str,
        cluster: Option<&str>,
        port: u16,
    ) -> Result<()> {
        let of = match cluster {
            Some(cluster) => format!("Engine=aurora-postgresql&DBClusterIdentifier={cluster}"),
            None => format!("Engine=postgres&AllocatedStorage=20&{MASTER}"),
        };
        let class = "DBInstanceClass=db.t4g.micro";
        let parameters = format!("DBInstanceIdentifier={name}&Port={port}&{class}&{of}");
        self.rds("CreateDBInstance", &parameters).await
    }

    /// Makes an instance that follows another one.
    pub async fn create_db_replica(&self, name: &str, of: &str) -> Result<()> {
        let parameters = format!("DBInstanceIdentifier={name}&SourceDBInstanceIdentifier={of}");
        self.rds("CreateDBInstanceReadReplica", &parameters).await
    }

    /// Makes an Aurora cluster without instances, whose endpoints listen on `port`.
    pub async fn create_db_cluster(&self, name: &str, port: u16) -> Result<()> {
        let parameters =
            format!("DBClusterIdentifier={name}&Port={port}&Engine=aurora-postgresql&{MASTER}");
        self.rds("CreateDBCluster", &parameters).await
    }
}

const MASTER: &str = "MasterUsername=admin1&MasterUserPassword=unused-here";
