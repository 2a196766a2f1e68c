//! How AWS's services are reached: region and credentials as Lambda gives them, certificates as Amazon issues them.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};

/// Whose certificates prove that a service is AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authorities {
    /// Amazon's public ones alone: to parse the system's whole bundle would cost more than the rest of a cold start.
    Amazon,
    /// The system's, or those in the file that `SSL_CERT_FILE` names.
    System,
}

/// What the clients of AWS's services have in common. No call is made.
pub(crate) async fn sdk(authorities: Authorities) -> SdkConfig {
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
