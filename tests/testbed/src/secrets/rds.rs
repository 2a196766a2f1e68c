//! RDS's API, as far as the function asks it: what an instance or a cluster is called, and whose replica it is.

use std::fmt::Write as _;

use bytes::Bytes;

use super::SecretsManager;
use crate::error::{Error, Result};

impl SecretsManager {
    /// Any action of RDS's query API with its parameters; the answer's XML.
    pub async fn rds(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let mut form = format!("Action={action}&Version=2014-10-31");
        for (name, value) in parameters {
            let _ = write!(form, "&{name}={}", percent(value));
        }
        let response = self.pass("rds", Bytes::from(form)).await?;
        let text = String::from_utf8_lossy(response.body()).into_owned();
        if response.status().is_success() {
            return Ok(text);
        }
        Err(Error::new(format!(
            "{action}: {} {text}",
            response.status()
        )))
    }

    /// Makes an instance that listens on `port`; moto gives it an endpoint.
    pub async fn create_db_instance(
        &self,
        name: &str,
        cluster: Option<&str>,
        port: u16,
    ) -> Result<()> {
        let port = port.to_string();
        let mut parameters = vec![
            ("Port", port.as_str()),
            ("DBInstanceIdentifier", name),
            ("DBInstanceClass", "db.t4g.micro"),
            (
                "Engine",
                if cluster.is_some() {
                    "aurora-postgresql"
                } else {
                    "postgres"
                },
            ),
        ];
        match cluster {
            Some(cluster) => parameters.push(("DBClusterIdentifier", cluster)),
            None => parameters.extend([
                ("AllocatedStorage", "20"),
                ("MasterUsername", "admin1"),
                ("MasterUserPassword", "unused-here"),
            ]),
        }
        self.rds("CreateDBInstance", &parameters).await.map(drop)
    }

    /// Makes an instance that follows another one.
    pub async fn create_db_replica(&self, name: &str, of: &str) -> Result<()> {
        let parameters = [
            ("DBInstanceIdentifier", name),
            ("SourceDBInstanceIdentifier", of),
        ];
        self.rds("CreateDBInstanceReadReplica", &parameters)
            .await
            .map(drop)
    }

    /// Makes an Aurora cluster without instances, whose endpoints listen on `port`.
    pub async fn create_db_cluster(&self, name: &str, port: u16) -> Result<()> {
        let port = port.to_string();
        let parameters = [
            ("Port", port.as_str()),
            ("DBClusterIdentifier", name),
            ("Engine", "aurora-postgresql"),
            ("MasterUsername", "admin1"),
            ("MasterUserPassword", "unused-here"),
        ];
        self.rds("CreateDBCluster", &parameters).await.map(drop)
    }
}

/// A value as a form has it.
pub(crate) fn percent(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}
