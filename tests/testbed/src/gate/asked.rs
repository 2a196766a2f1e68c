//! What the function asks, and answers that AWS would give.

use bytes::Bytes;
use hyper::Request;
use serde_json::{Value, json};

use crate::http::Reply;
use crate::secrets::Answer;

/// A request, as far as the gate understands it.
pub(super) struct Asked {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn of(request: &Request<Bytes>) -> Self {
        let header = |name| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let target = header("x-amz-target").rsplit_once('.');
        // Credential=key/date/region/service/aws4_request
        let signed = header("authorization")
            .split('/')
            .nth(3)
            .unwrap_or("secretsmanager");
        let form = String::from_utf8_lossy(request.body());
        let action = form
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action="));
        let (service, operation) = match (target, action) {
            (Some((_, operation)), _) => ("secretsmanager", operation),
            (None, action) => (signed, action.unwrap_or("?")),
        };
        Self {
            service: service.to_owned(),
            operation: operation.to_owned(),
            body: request.body().clone(),
        }
    }

    /// The body, where it is JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Reply {
    /// An answer as Secrets Manager sends it.
    pub(super) fn of(answer: &Answer) -> Self {
        let mut headers = vec![("content-type", "application/x-amz-json-1.1".to_owned())];
        headers.push(("x-amzn-requestid", crate::unique::random_hex(16)));
        Self {
            status: answer.status,
            headers,
            body: answer.body.to_string().into(),
            cut_at: None,
        }
    }
}

/// An error as AWS words it; those about the service itself have 500s.
pub(super) fn broken(code: &str) -> Answer {
    match code {
        "InternalServiceError" => Answer::error(500, code, "An error occurred on the server side."),
        "ServiceUnavailable" => Answer {
            status: 503,
            body: json!({}),
        },
        "ThrottlingException" => Answer::error(400, code, "Rate exceeded"),
        _ => Answer::error(400, code, "The testbed refuses this call."),
    }
}
