//! Lambda's Runtime API, for one process.
//!
//! Source: AWS Lambda Developer Guide, *Using the Lambda runtime API for custom runtimes*.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::{Method, Request};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc, watch};

use super::invocation::Failure;
use crate::background::Ongoing;
use crate::error::Result;
use crate::gate::Port;
use crate::http::{Cut, Reply, serve};
use crate::unique::random_hex;

/// The API, and what the process has told it.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    _server: Ongoing,
    events: mpsc::UnboundedSender<Event>,
    told: watch::Receiver<Told>,
}

/// What the process has told us so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// When it asked for its first event.
    pub(super) first_poll: Option<Instant>,
    /// How many events it has asked for.
    pub(super) polls: usize,
    /// Its last answer, with the event's identifier and when it came.
    pub(super) answer: Option<(String, Instant, Result<Value, Failure>)>,
    /// Why it could not start.
    pub(super) init_error: Option<Failure>,
}

#[derive(Debug)]
struct Event {
    id: String,
    body: Bytes,
    deadline: Duration,
}

impl RuntimeApi {
    pub(super) async fn start() -> Result<Self> {
        let (events, waiting) = mpsc::unbounded_channel();
        let (tell, told) = watch::channel(Told::default());
        let waiting = Arc::new(Mutex::new(waiting));
        let port = Port::any()?;
        let server = serve(port.listen().await?, move |request| {
            answer(request, Arc::clone(&waiting), tell.clone())
        });
        Ok(Self {
            address: port.address(),
            _server: server,
            events,
            told,
        })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` holds.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Gives the process an event; its identifier.
    pub(super) fn hand(&self, event: &Value, deadline: Duration) -> String {
        let id = random_hex(16);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let event = Event {
            id: id.clone(),
            body: event.to_string().into(),
            deadline: now + deadline,
        };
        // The other end is as old as the server.
        let _ = self.events.send(event);
        id
    }

    /// Waits until the process has told us enough.
    pub(super) async fn until(&self, enough: impl FnMut(&Told) -> bool) -> Told {
        let mut told = self.told.clone();
        match told.wait_for(enough).await {
            Ok(told) => told.clone(),
            Err(_) => self.told(),
        }
    }

    pub(super) fn told(&self) -> Told {
        self.told.borrow().clone()
    }
}

async fn answer(
    request: Request<Bytes>,
    waiting: Arc<Mutex<mpsc::UnboundedReceiver<Event>>>,
    tell: watch::Sender<Told>,
) -> Result<Reply, Cut> {
    let path = request
        .uri()
        .path()
        .strip_prefix("/2018-06-01/runtime/")
        .unwrap_or_default()
        .to_owned();
    let words: Vec<_> = path.split('/').collect();
    let body = request.body();
    match (request.method(), words.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => {
            tell.send_modify(|told| {
                told.polls += 1;
                told.first_poll.get_or_insert_with(Instant::now);
            });
            let event = waiting.lock().await.recv().await.ok_or(Cut)?;
            return Ok(Reply {
                status: 200,
                headers: headers(&event),
                body: event.body,
                cut_at: None,
            });
        }
        (&Method::POST, ["invocation", id, "response"]) => {
            let text = || Value::String(String::from_utf8_lossy(body).into_owned());
            let value = serde_json::from_slice(body).unwrap_or_else(|_| text());
            tell.send_modify(|told| {
                told.answer = Some(((*id).to_owned(), Instant::now(), Ok(value)));
            });
        }
        (&Method::POST, ["invocation", id, "error"]) => {
            let failure = Failure::of(body);
            tell.send_modify(|told| {
                told.answer = Some(((*id).to_owned(), Instant::now(), Err(failure)));
            });
        }
        (&Method::POST, ["init", "error"]) => {
            let failure = Failure::of(body);
            tell.send_modify(|told| told.init_error = Some(failure));
        }
        _ => {
            return Ok(Reply {
                status: 404,
                ..Reply::default()
            });
        }
    }
    Ok(Reply {
        status: 202,
        body: Bytes::from_static(b"{\"status\":\"OK\"}"),
        ..Reply::default()
    })
}

fn headers(event: &Event) -> Vec<(&'static str, String)> {
    vec![
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", event.id.clone()),
        (
            "lambda-runtime-deadline-ms",
            event.deadline.as_millis().to_string(),
        ),
        (
            "lambda-runtime-invoked-function-arn",
            super::process::ARN.to_owned(),
        ),
        (
            "lambda-runtime-trace-id",
            format!("Root=1-00000000-{};Sampled=0", random_hex(12)),
        ),
    ]
}
