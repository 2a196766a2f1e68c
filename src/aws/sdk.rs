//! How AWS's services are reached: region and credentials as Lambda gives them, certificates as Amazon issues them.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_secretsmanager::Client;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};

use super::{Rds, SecretsManager};
use crate::deadline::Deadline;

/// The services. Their clients, and the connections that these keep, live with the process.
#[derive(Debug)]
pub(crate) struct Aws {
    sdk: SdkConfig,
    secrets_manager: Client,
}

/// Whose certificates prove that a service is AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authorities {
    /// Amazon's public ones alone: to parse the system's whole bundle would cost more than the rest of a cold start.
    Amazon,
    /// The system's, or those in the file that `SSL_CERT_FILE` names.
    System,
}

impl Aws {
    /// Makes the clients, without a call; `endpoint` replaces the region's own for Secrets Manager.
    pub(crate) async fn start(authorities: Authorities, endpoint: Option<&str>) -> Self {
        let sdk = sdk(authorities).await;
        let mut config = aws_sdk_secretsmanager::config::Builder::from(&sdk);
        if let Some(url) = endpoint {
            config = config.endpoint_url(url);
        }
        Self {
            secrets_manager: Client::from_conf(config.build()),
            sdk,
        }
    }

    /// Secrets Manager, whose calls are over by `deadline`.
    pub(crate) fn secrets_manager(&self, deadline: Deadline) -> SecretsManager {
        SecretsManager::new(self.secrets_manager.clone(), deadline)
    }

    /// RDS, whose calls are over by `deadline`.
    pub(crate) fn rds(&self, deadline: Deadline) -> Rds<'_> {
        Rds::new(&self.sdk, deadline)
    }
}

async fn sdk(authorities: Authorities) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(BACKOFF);
    let sdk = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(retries);
    let amazons = TlsContext::builder()
        .with_trust_store(TrustStore::empty().with_pem_certificate(AMAZON))
        .build();
    match (authorities, amazons) {
        (Authorities::Amazon, Ok(amazons)) => {
            let client = Builder::new()
                .tls_provider(Provider::rustls(CryptoMode::AwsLc))
                .tls_context(amazons)
                .build_https();
            sdk.http_client(client).load().await
        }
        _ => sdk.load().await,
    }
}

/// Amazon's public authorities, in PEM form.
const AMAZON: &str = include_str!("../amazon.pem");

/// Bounds of one call. A subnet without a way to AWS swallows packets: four tries at a connection fit into the whole.
const CONNECT: Duration = Duration::from_millis(1500);
const ATTEMPT: Duration = Duration::from_secs(3);
pub(super) const OPERATION: Duration = Duration::from_secs(8);
const ATTEMPTS: u32 = 4;
const BACKOFF: Duration = Duration::from_millis(250);
