//! Lambda's Runtime API, for one process.
//!
//! Source: AWS Lambda Developer Guide, *Using the Lambda runtime API for custom runtimes*.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::{Method, Request};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc, watch};

use super::invocation::Failure;
use crate::error::Result;
use crate::http::{Cut, Reply, converse};
use crate::listener::Listener;
use crate::unique::random_hex;

/// The API, and how far the process has got.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    listener: Listener,
    events: mpsc::UnboundedSender<Reply>,
    progress: watch::Receiver<Progress>,
}

/// How far the process has got.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// How many events it has asked for.
    pub(super) polls: usize,
    /// When it asked for its first event.
    pub(super) first_poll: Option<Instant>,
    /// Its last answer.
    pub(super) answer: Option<Answer>,
    /// Why it could not start, where it says so.
    pub(super) init_error: String,
}

#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The event's identifier.
    pub(super) id: String,
    pub(super) at: Instant,
    pub(super) outcome: Result<Value, Failure>,
}

impl RuntimeApi {
    pub(super) async fn start() -> Result<Self> {
        let (events, waiting) = mpsc::unbounded_channel();
        let (tell, progress) = watch::channel(Progress::default());
        let waiting = Arc::new(Mutex::new(waiting));
        let listener = Listener::start(move |stream| {
            let waiting = Arc::clone(&waiting);
            let tell = tell.clone();
            converse(stream, move |request| {
                answer(request, Arc::clone(&waiting), tell.clone())
            })
        });
        Ok(Self {
            listener: listener.await?,
            events,
            progress,
        })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` holds.
    pub(super) fn address(&self) -> String {
        self.listener.address().to_string()
    }

    /// Gives the process an event; its identifier.
    pub(super) fn hand(&self, event: &Value, deadline: Duration) -> String {
        let id = random_hex(16);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let deadline = now.unwrap_or_default() + deadline;
        let trace = format!("Root=1-00000000-{};Sampled=0", random_hex(12));
        let handed = Reply {
            status: 200,
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("lambda-runtime-aws-request-id", id.clone()),
                (
                    "lambda-runtime-deadline-ms",
                    deadline.as_millis().to_string(),
                ),
                (
                    "lambda-runtime-invoked-function-arn",
                    super::process::ARN.to_owned(),
                ),
                ("lambda-runtime-trace-id", trace),
            ],
            body: event.to_string().into(),
            cut_at: None,
        };
        // The other end is as old as the server.
        let _ = self.events.send(handed);
        id
    }

    /// Waits until the process has got so far that `look` sees something.
    pub(super) async fn until<T>(&self, look: impl Fn(&Progress) -> Option<T>) -> T {
        let mut progress = self.progress.clone();
        loop {
            let seen = look(&progress.borrow_and_update());
            if let Some(seen) = seen {
                return seen;
            }
            if progress.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }
}

async fn answer(
    request: Request<Bytes>,
    waiting: Arc<Mutex<mpsc::UnboundedReceiver<Reply>>>,
    progress: watch::Sender<Progress>,
) -> Result<Reply, Cut> {
    let path = request.uri().path().strip_prefix("/2018-06-01/runtime/");
    let words: Vec<_> = path.unwrap_or_default().split('/').collect();
    let body = request.body();
    let (id, outcome) = match (request.method(), words.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => {
            progress.send_modify(|progress| {
                progress.polls += 1;
                progress.first_poll.get_or_insert_with(Instant::now);
            });
            return waiting.lock().await.recv().await.ok_or(Cut);
        }
        (&Method::POST, ["invocation", id, "response"]) => {
            let text = || Value::String(String::from_utf8_lossy(body).into_owned());
            (
                *id,
                Ok(serde_json::from_slice(body).unwrap_or_else(|_| text())),
            )
        }
        (&Method::POST, ["invocation", id, "error"]) => (*id, Err(Failure::of(body))),
        (&Method::POST, ["init", "error"]) => {
            let text = String::from_utf8_lossy(body).into_owned();
            progress.send_modify(|progress| progress.init_error = text);
            return Ok(accepted());
        }
        _ => {
            return Ok(Reply {
                status: 404,
                ..Reply::default()
            });
        }
    };
    let answer = Answer {
        id: id.to_owned(),
        at: Instant::now(),
        outcome,
    };
    progress.send_modify(|progress| progress.answer = Some(answer));
    Ok(accepted())
}

fn accepted() -> Reply {
    Reply {
        status: 202,
        body: Bytes::from_static(b"{\"status\":\"OK\"}"),
        ..Reply::default()
    }
}
