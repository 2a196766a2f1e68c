//! A call to an AWS service: bound in time, sent, and what its failure means.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use aws_sdk_secretsmanager::error::{ConnectorError, ProvideErrorMetadata, SdkError};

use super::sdk::OPERATION;
use crate::deadline::Deadline;

/// Why a call to Secrets Manager or RDS failed.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
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
    /// The invocation's time was up.
    #[error("{action} on {resource} got no answer within {} ms", after.as_millis())]
    TimedOut {
        /// The IAM action.
        action: &'static str,
        /// The secret, or `*`.
        resource: String,
        /// How long the answer was waited for.
        after: Duration,
    },
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

/// One call: what IAM calls it, on what, and by when it must be over.
pub(super) struct Call<'a> {
    action: &'static str,
    resource: &'a str,
    deadline: Deadline,
}

impl<'a> Call<'a> {
    pub(super) fn new(action: &'static str, resource: &'a str, deadline: Deadline) -> Self {
        Self {
            action,
            resource,
            deadline,
        }
    }

    /// Sends `request` and waits for its answer.
    pub(super) fn send<T, E, R>(
        &self,
        request: impl Future<Output = Result<T, SdkError<E, R>>>,
    ) -> impl Future<Output = Result<T, AwsError>>
    where
        E: ProvideErrorMetadata,
    {
        let answer = self.answer(request);
        async { answer.await?.map_err(|error| self.failed(&error)) }
    }

    /// The same, where an answer with the error code `absent` means that there is none.
    pub(super) fn find<T, E, R>(
        &self,
        request: impl Future<Output = Result<T, SdkError<E, R>>>,
        absent: &str,
    ) -> impl Future<Output = Result<Option<T>, AwsError>>
    where
        E: ProvideErrorMetadata,
    {
        let answer = self.answer(request);
        async move {
            match answer.await? {
                Ok(answer) => Ok(Some(answer)),
                Err(error) if error.code() == Some(absent) => Ok(None),
                Err(error) => Err(self.failed(&error)),
            }
        }
    }

    /// The same for the next page of an answer that comes in pages; `None` after the last.
    pub(super) fn next<T, E, R>(
        &self,
        page: impl Future<Output = Option<Result<T, SdkError<E, R>>>>,
    ) -> impl Future<Output = Result<Option<T>, AwsError>>
    where
        E: ProvideErrorMetadata,
    {
        let page = self.answer(page);
        async {
            let page = page.await?;
            page.transpose().map_err(|error| self.failed(&error))
        }
    }

    /// The answer cannot be read.
    pub(super) fn unreadable(&self) -> AwsError {
        self.failed_with("an answer that cannot be read".to_owned())
    }

    /// An SDK's future holds the whole client stack, some twenty kilobytes: boxed here, once and before anything waits for it,
    /// no caller's grows with it.
    fn answer<T>(
        &self,
        request: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, AwsError>> {
        let request = Box::pin(request);
        async {
            let answer = self.deadline.bind(self.action, request).await;
            answer.map_err(|timed_out| AwsError::TimedOut {
                action: self.action,
                resource: self.resource.to_owned(),
                after: timed_out.after,
            })
        }
    }

    /// The service's own words are not repeated, only its code: they may quote what was sent, or asked for.
    fn failed<E: ProvideErrorMetadata, R>(&self, error: &SdkError<E, R>) -> AwsError {
        match error {
            SdkError::TimeoutError(_) => {
                self.unreachable(format!("nothing came within {OPERATION:?}"))
            }
            // A request that could not even be made (no credentials, say) got no answer and says nothing of the network.
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(e) if e.is_user() => {
                    self.failed_with(format!("no request sent: {}", chain(e)))
                }
                Some(e) => self.unreachable(chain(e)),
                None => self.failed_with("no request sent".to_owned()),
            },
            SdkError::ServiceError(e) => self.refused(e.err().code()),
            _ => self.unreadable(),
        }
    }

    fn refused(&self, code: Option<&str>) -> AwsError {
        let action = self.action;
        let resource = self.resource.to_owned();
        match code {
            Some("AccessDeniedException" | "AccessDenied") => {
                AwsError::AccessDenied { action, resource }
            }
            Some("ResourceNotFoundException") => AwsError::SecretNotFound { action, resource },
            Some(code) if is_error_code(code) => self.failed_with(code.to_owned()),
            _ => self.unreadable(),
        }
    }

    fn failed_with(&self, code: String) -> AwsError {
        AwsError::Failed {
            action: self.action,
            resource: self.resource.to_owned(),
            code,
        }
    }

    fn unreachable(&self, cause: String) -> AwsError {
        AwsError::Unreachable {
            action: self.action,
            resource: self.resource.to_owned(),
            cause,
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

/// How RDS ends without saying that it is an error (RDS's API reference, *Common errors*).
const COMMON_CODES: [&str; 6] = [
    "ExpiredToken",
    "InvalidClientTokenId",
    "OptInRequired",
    "ServiceUnavailable",
    "SignatureDoesNotMatch",
    "Throttling",
];
