//! A call to an AWS service, and what its failure means.

use std::error::Error as _;
use std::time::Duration;

use aws_sdk_secretsmanager::error::{ConnectorError, ProvideErrorMetadata, SdkError};

use super::SecretId;
use super::sdk::OPERATION;

/// Why a call to Secrets Manager or RDS failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The role, a resource policy or the key's policy does not allow the call.
    #[error("{action} on {resource} is denied")]
    AccessDenied {
        /// The IAM action, such as `secretsmanager:GetSecretValue`.
        action: &'static str,
        /// The secret, or `*`.
        resource: String,
    },
    /// The service answered with another error, or unreadably.
    #[error("{action} on {resource} failed with {code}")]
    Failed {
        /// The IAM action.
        action: &'static str,
        /// The secret, or `*`.
        resource: String,
        /// The service's error code.
        code: String,
    },
    /// The secret does not exist.
    #[error("{action} found no secret {resource}")]
    SecretNotFound {
        /// The IAM action.
        action: &'static str,
        /// The secret.
        resource: String,
    },
    /// The invocation's time did not suffice.
    #[error("no answer from AWS within {} ms while {phase}", after.as_millis())]
    Late {
        /// What was waited for.
        phase: &'static str,
        /// How long.
        after: Duration,
    },
    /// Two answers contradict each other: one of them is from before the label moved.
    #[error("AWSCURRENT of {0} moved while it was read")]
    Stale(SecretId),
    /// No answer came from the service.
    #[error("{action} on {resource} got no answer: {cause}")]
    Unreachable {
        /// The IAM action.
        action: &'static str,
        /// The secret, or `*`.
        resource: String,
        /// What the connection died of.
        cause: String,
    },
}

/// One call, for the message when it fails.
pub(super) struct Call<'a> {
    action: &'static str,
    resource: &'a str,
}

impl<'a> Call<'a> {
    pub(super) fn new(action: &'static str, resource: &'a str) -> Self {
        Self { action, resource }
    }

    /// `None` where the failure is no more than `not_found`.
    pub(super) fn found<T, E: ProvideErrorMetadata, R>(
        &self,
        error: &SdkError<E, R>,
        not_found: &str,
    ) -> Result<Option<T>, StoreError> {
        if error.code() == Some(not_found) {
            Ok(None)
        } else {
            Err(self.failed(error))
        }
    }

    /// The service's own words are not repeated, only its code: they may quote what was sent, or asked for.
    pub(super) fn failed<E: ProvideErrorMetadata, R>(&self, error: &SdkError<E, R>) -> StoreError {
        let (action, resource) = (self.action, self.resource.to_owned());
        let unreachable = |cause| StoreError::Unreachable {
            action,
            resource: resource.clone(),
            cause,
        };
        let failed = |code| StoreError::Failed {
            action,
            resource: resource.clone(),
            code,
        };
        match error {
            SdkError::TimeoutError(_) => unreachable(format!("nothing came within {OPERATION:?}")),
            // Nothing but a request that could not even be made (no credentials, say) speaks for an answer.
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(e) if e.is_user() => failed(format!("no request sent: {}", chain(e))),
                Some(e) => unreachable(chain(e)),
                None => failed("no request sent".to_owned()),
            },
            SdkError::ServiceError(e) => match e.err().code() {
                Some("AccessDeniedException" | "AccessDenied") => {
                    StoreError::AccessDenied { action, resource }
                }
                Some("ResourceNotFoundException") => {
                    StoreError::SecretNotFound { action, resource }
                }
                Some(code) if is_error_code(code) => failed(code.to_owned()),
                _ => self.unreadable(),
            },
            _ => self.unreadable(),
        }
    }

    pub(super) fn unreadable(&self) -> StoreError {
        let code = "an answer that cannot be read".to_owned();
        StoreError::Failed {
            action: self.action,
            resource: self.resource.to_owned(),
            code,
        }
    }
}

/// Whether a code looks like one of AWS's: a garbled answer may hold anything in its place.
fn is_error_code(code: &str) -> bool {
    let ends_well = ["Exception", "Error", "Failure", "Fault"]
        .iter()
        .any(|end| code.ends_with(end));
    let is_short_word = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric());
    ends_well && is_short_word || COMMON_CODES.contains(&code)
}

/// How RDS ends without saying that it is an error (RDS's API reference, *Common errors*).
const COMMON_CODES: [&str; 6] = [
    "ExpiredToken",
    "InvalidClientTokenId",
    "OptInRequired",
    "ServiceUnavailable",
    "SignatureDoesNotMatch",
    "Throttling",
];

/// What a connection died of, from the outermost word to the operating system's.
fn chain(error: &ConnectorError) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        words.push(cause.to_string());
        source = cause.source();
    }
    words.dedup();
    words.join(": ")
}
