//! What happens to a call on its way.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;
use hyper::Request;
use parking_lot::Mutex;
use serde_json::Value;

use super::addresses::Addresses;
use super::asked::{Asked, broken};
use super::call::Call;
use super::fault::{Fault, Rule, Watch};
use crate::background::pause;
use crate::http::{Cut, Reply};
use crate::secrets::{Answer, SecretsManager};

/// The way to Secrets Manager, and what is known of it.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) behind: SecretsManager,
    pub(super) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) calls: Vec<Call>,
    pub(super) watches: Vec<Watch>,
    pub(super) addresses: Addresses,
    /// The last answer to each request, for stale reads.
    pub(super) remembered: HashMap<(String, Bytes), Reply>,
}

impl Traffic {
    /// One call: noticed, broken or answered, recorded.
    pub(super) async fn pass(&self, request: Request<Bytes>) -> Result<Reply, Cut> {
        let asked = Asked::of(&request);
        let (at, call, rules) = self.notice(&asked);
        for rule in &rules {
            if let Rule::Before(deed) = rule {
                deed(call.clone()).await;
            }
        }
        let fault = rules.iter().find_map(|rule| match rule {
            Rule::Fault(fault) => Some(fault.clone()),
            _ => None,
        });
        let reply = self.fate(fault, &asked).await;
        for rule in &rules {
            if let Rule::After(deed) = rule {
                deed(call.clone()).await;
            }
        }
        self.record(at, &reply);
        reply
    }

    fn notice(&self, asked: &Asked) -> (Instant, Call, Vec<Rule>) {
        let call = Call {
            operation: asked.operation.clone(),
            started: Instant::now(),
            finished: None,
            status: None,
            code: None,
            request: asked.json(),
            response: Value::Null,
        };
        let mut state = self.state.lock();
        let rules = state
            .watches
            .iter_mut()
            .filter_map(|watch| watch.notice(&call))
            .collect();
        state.calls.push(call.clone());
        (call.started, call, rules)
    }

    /// What becomes of the call; an error closes the connection.
    async fn fate(&self, fault: Option<Fault>, asked: &Asked) -> Result<Reply, Cut> {
        match fault {
            None => Ok(self.effect(asked).await),
            Some(Fault::Delay(span)) => {
                pause(span).await;
                Ok(self.effect(asked).await)
            }
            Some(Fault::DropAfter) => {
                self.effect(asked).await;
                Err(Cut)
            }
            Some(Fault::DropBefore) => Err(Cut),
            Some(Fault::Error(code)) => Ok(Reply::of(&broken(&code))),
            Some(Fault::MalformedBody) => {
                let reply = self.effect(asked).await;
                let body = reply.body.slice(..reply.body.len().saturating_sub(1));
                Ok(Reply { body, ..reply })
            }
            Some(Fault::Stale) => match self.remembered(asked) {
                Some(earlier) => Ok(earlier),
                None => Ok(self.effect(asked).await),
            },
            Some(Fault::Stall) => std::future::pending().await,
            Some(Fault::Status(status, body)) => Ok(Reply {
                status,
                body: body.into(),
                ..Reply::default()
            }),
            Some(Fault::TruncatedBody) => {
                let reply = self.effect(asked).await;
                Ok(Reply {
                    cut_at: Some(reply.body.len() * 2 / 3),
                    ..reply
                })
            }
        }
    }

    async fn effect(&self, asked: &Asked) -> Reply {
        let reply = if asked.service == "secretsmanager" {
            Reply::of(&self.behind.answer(&asked.operation, asked.json()).await)
        } else {
            let addresses = self.state.lock().addresses.clone();
            let form = addresses.asked(&asked.body);
            match self.behind.pass(&asked.service, form).await {
                Ok(response) => Reply {
                    status: response.status().as_u16(),
                    headers: vec![("content-type", "text/xml".to_owned())],
                    body: addresses.told(response.body()),
                    cut_at: None,
                },
                Err(failure) => Reply {
                    status: 500,
                    body: format!("{failure:?}").into(),
                    ..Reply::default()
                },
            }
        };
        let key = (asked.operation.clone(), asked.body.clone());
        self.state.lock().remembered.insert(key, reply.clone());
        reply
    }

    fn remembered(&self, asked: &Asked) -> Option<Reply> {
        self.state
            .lock()
            .remembered
            .get(&(asked.operation.clone(), asked.body.clone()))
            .cloned()
    }

    fn record(&self, started: Instant, reply: &Result<Reply, Cut>) {
        let mut state = self.state.lock();
        let Some(call) = state.calls.iter_mut().find(|call| call.started == started) else {
            return;
        };
        call.finished = Some(Instant::now());
        if let Ok(reply) = reply {
            call.status = Some(reply.status);
            call.response = serde_json::from_slice(&reply.body).unwrap_or_default();
            call.code = Answer {
                status: reply.status,
                body: call.response.clone(),
            }
            .code()
            .map(str::to_owned);
        }
    }
}
