//! One call of the function's, as the gate saw it.

use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use hyper::Request;
use serde_json::Value;

/// An operation that the function asked for, in the order of asking.
#[derive(Clone)]
pub struct Call {
    /// `GetSecretValue`
    pub operation: String,
    /// When it had been read.
    pub started: Instant,
    /// When its answer went out; none while it is under way, or where it never had one.
    pub finished: Option<Instant>,
    /// The status that the function got.
    pub status: Option<u16>,
    /// The error's name that it got.
    pub code: Option<String>,
    /// `secretsmanager`
    pub(super) service: String,
    pub(super) body: Bytes,
    /// The body, where it is JSON.
    pub(super) request: Value,
    pub(crate) response: Value,
}

impl Call {
    /// Secrets Manager's has the operation in a header, RDS's in its form.
    pub(super) fn of(request: &Request<Bytes>) -> Self {
        let header = |name| request.headers().get(name)?.to_str().ok();
        let target = header("x-amz-target").and_then(|target| target.rsplit_once('.'));
        let form = String::from_utf8_lossy(request.body());
        let action = form
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action="));
        // Credential=key/date/region/service/aws4_request
        let signed = header("authorization").and_then(|scope| scope.split('/').nth(3));
        let (service, operation) = match target {
            Some((_, operation)) => ("secretsmanager", operation),
            None => (signed.unwrap_or_default(), action.unwrap_or("?")),
        };
        Self {
            operation: operation.to_owned(),
            started: Instant::now(),
            finished: None,
            status: None,
            code: None,
            service: service.to_owned(),
            body: request.body().clone(),
            request: serde_json::from_slice(request.body()).unwrap_or_default(),
            response: Value::Null,
        }
    }

    /// The operation, with the label that it reads: `GetSecretValue AWSPENDING`, `GetSecretValue without a label`.
    pub fn name(&self) -> String {
        if self.operation != "GetSecretValue" {
            return self.operation.clone();
        }
        let label = self.sent_text("VersionStage");
        format!("{} {}", self.operation, label.unwrap_or("without a label"))
    }

    /// A field of the request.
    pub fn sent(&self, field: &str) -> Option<&Value> {
        self.request.get(field)
    }

    /// A field of the request, where it is text.
    pub fn sent_text(&self, field: &str) -> Option<&str> {
        self.sent(field)?.as_str()
    }
}

/// Without bodies, which hold secrets.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        match (self.status, &self.code) {
            (Some(status), Some(code)) => write!(f, " → {status} {code}"),
            (Some(status), None) => write!(f, " → {status}"),
            (None, _) => write!(f, " → nothing"),
        }
    }
}

/// How many of these calls had to wait for one another: the longest chain in which each began after the last had ended.
pub fn depth(calls: &[Call]) -> usize {
    let spans = calls
        .iter()
        .filter_map(|call| Some((call.finished?, call.started)));
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    let mut last_end = None;
    let mut depth = 0;
    for (finished, started) in spans {
        if last_end.is_none_or(|end| started >= end) {
            depth += 1;
            last_end = Some(finished);
        }
    }
    depth
}
