//! What happens to a call on its way.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;
use hyper::Request;
use parking_lot::Mutex;
use serde_json::json;

use super::addresses::Addresses;
use super::call::Call;
use super::fault::{Fault, Intervention, Rule};
use crate::background::pause;
use crate::http::{Cut, Reply};
use crate::secrets::{Answer, SecretsManager};
use crate::unique::random_hex;

/// The way to Secrets Manager, and what is known of it.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) behind: SecretsManager,
    pub(super) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) calls: Vec<Call>,
    pub(super) rules: Vec<Rule>,
    pub(super) addresses: Addresses,
    /// The last answer to each request, for stale reads.
    pub(super) remembered: HashMap<(String, Bytes), Reply>,
}

impl Traffic {
    /// One call: noticed, broken or answered, recorded. An error closes the connection.
    pub(super) async fn pass(&self, request: Request<Bytes>) -> Result<Reply, Cut> {
        let call = Call::of(&request);
        let interventions: Vec<_> = {
            let mut state = self.state.lock();
            state.calls.push(call.clone());
            let rules = state.rules.iter_mut();
            rules.filter_map(|rule| rule.notice(&call)).collect()
        };
        let mut fault = None;
        for intervention in &interventions {
            match intervention {
                Intervention::Before(act) => act(call.clone()).await,
                Intervention::Fault(one) => fault = fault.or(Some(one)),
                Intervention::After(_) => {}
            }
        }
        let reply = match fault {
            Some(fault) => self.broken(fault, &call).await,
            None => Ok(self.effect(&call).await),
        };
        for intervention in &interventions {
            if let Intervention::After(act) = intervention {
                act(call.clone()).await;
            }
        }
        self.record(&call, &reply);
        reply
    }

    /// What a fault makes of a call.
    async fn broken(&self, fault: &Fault, call: &Call) -> Result<Reply, Cut> {
        match fault {
            Fault::Delay(span) => {
                pause(*span).await;
                Ok(self.effect(call).await)
            }
            Fault::DropAfter => {
                self.effect(call).await;
                Err(Cut)
            }
            Fault::DropBefore => Err(Cut),
            Fault::Error(code) => Ok(Reply::of(&worded(code))),
            Fault::MalformedBody => {
                let reply = self.effect(call).await;
                let body = reply.body.slice(..reply.body.len().saturating_sub(1));
                Ok(Reply { body, ..reply })
            }
            Fault::Stale => {
                let earlier = self.state.lock().remembered.get(&key(call)).cloned();
                match earlier {
                    Some(earlier) => Ok(earlier),
                    None => Ok(self.effect(call).await),
                }
            }
            Fault::Stall => std::future::pending().await,
            Fault::Status(status, body) => Ok(Reply {
                status: *status,
                body: body.clone().into(),
                ..Reply::default()
            }),
            Fault::TruncatedBody => {
                let reply = self.effect(call).await;
                let cut_at = Some(reply.body.len() * 2 / 3);
                Ok(Reply { cut_at, ..reply })
            }
        }
    }

    async fn effect(&self, call: &Call) -> Reply {
        let reply = if call.service == "secretsmanager" {
            Reply::of(
                &self
                    .behind
                    .answer(&call.operation, call.request.clone())
                    .await,
            )
        } else {
            let addresses = self.state.lock().addresses.clone();
            let form = addresses.asked(&call.body);
            let sent = self.behind.send(&call.service, None, form).await;
            let (status, body) =
                sent.unwrap_or_else(|failure| (500, format!("{failure:?}").into()));
            Reply {
                status,
                headers: vec![("content-type", "text/xml".to_owned())],
                body: addresses.answered(&body),
                cut_at: None,
            }
        };
        self.state
            .lock()
            .remembered
            .insert(key(call), reply.clone());
        reply
    }

    fn record(&self, call: &Call, reply: &Result<Reply, Cut>) {
        let mut state = self.state.lock();
        let mut calls = state.calls.iter_mut();
        let Some(recorded) = calls.find(|recorded| recorded.started == call.started) else {
            return;
        };
        recorded.finished = Some(Instant::now());
        if let Ok(reply) = reply {
            let answer = Answer {
                status: reply.status,
                body: serde_json::from_slice(&reply.body).unwrap_or_default(),
            };
            recorded.status = Some(answer.status);
            recorded.code = answer.code().map(str::to_owned);
            recorded.response = answer.body;
        }
    }
}

impl Reply {
    /// An answer as Secrets Manager sends it.
    fn of(answer: &Answer) -> Self {
        Self {
            status: answer.status,
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amzn-requestid", random_hex(16)),
            ],
            body: answer.body.to_string().into(),
            cut_at: None,
        }
    }
}

/// What makes a request the same as an earlier one.
fn key(call: &Call) -> (String, Bytes) {
    (call.operation.clone(), call.body.clone())
}

/// An error as AWS words it; those about the service itself have 500s.
fn worded(code: &str) -> Answer {
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
