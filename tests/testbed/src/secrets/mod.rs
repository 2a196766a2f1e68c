//! Secrets Manager: moto's server, which `secrets_manager.py` corrects where it isn't AWS.

mod console;
mod rds;

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

pub(crate) use self::console::holder;
pub use self::console::{Labels, Secret};
use crate::background::{blocking, eventually, home};
use crate::error::{Context as _, Error, Result};
use crate::tools;
use crate::watchdog::Server;

/// A Secrets Manager of one's own (and RDS's API beside it). Clones are the same one.
#[derive(Clone, Debug)]
pub struct SecretsManager {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    known: Mutex<Known>,
    /// Ends the server when dropped.
    _server: Server,
}

/// What moto forgets, or never knew.
#[derive(Debug, Default)]
struct Known {
    /// What `RotationEnabled` is said to be, where a test has said so.
    rotation_enabled: BTreeMap<String, Option<bool>>,
    /// Every value that any version ever had, by ARN.
    values: Vec<(String, String)>,
    /// What it has answered about each secret: most questions are asked again and again.
    answers: HashMap<String, Answers>,
}

/// What moto has answered about a secret since that changed.
#[derive(Debug, Default)]
struct Answers {
    to: HashMap<String, Answer>,
    /// How often it has changed: an answer from before is worth nothing.
    changes: u64,
}

/// What Secrets Manager answers to one operation.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl SecretsManager {
    /// Starts one and returns when it answers.
    pub async fn start() -> Result<Self> {
        let moto = blocking(tools::moto).await?;
        let mut server = Server::new(moto, Signal::SIGKILL)?;
        let mut server = blocking(move || server.start().map(|()| server)).await?;
        // It says its port once it listens.
        let port = eventually("moto's port", async || {
            let output = server.output().since(0);
            match output.lines().find_map(|line| line.parse().ok()) {
                None if !server.is_alive() => {
                    Err(Error::new(format!("moto does not start:\n{output}")))
                }
                port => Ok(port),
            }
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.await?));
        let inner = Inner {
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
            known: Mutex::default(),
            _server: server,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The one for tests that use secrets of different names, one per process.
    pub async fn shared() -> Result<Self> {
        static SHARED: OnceCell<SecretsManager> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await.cloned()
    }

    /// Answers one operation as Secrets Manager would: everyone, test or function, comes through here.
    pub(crate) async fn answer(&self, operation: &str, body: Value) -> Answer {
        let answer = self.remembered_or_asked(operation, &body).await;
        answer.unwrap_or_else(|failure| {
            Answer::error(500, "InternalServiceError", &format!("{failure:?}"))
        })
    }

    async fn remembered_or_asked(&self, operation: &str, body: &Value) -> Result<Answer> {
        let known = &self.inner.known;
        let secret = body.get("SecretId").and_then(Value::as_str);
        // By its ARN alone: under its other names nobody would know when it changes.
        let read = secret.filter(|secret| secret.starts_with("arn:") && READS.contains(&operation));
        let Some(arn) = read else {
            known.lock().forget_answers(secret);
            let answer = self.ask(operation, body).await;
            // What was asked meanwhile, too; and whether or not this was answered.
            known.lock().forget_answers(secret);
            return answer;
        };
        let question = format!("{operation} {body}");
        let changes = {
            let mut known = known.lock();
            let answers = known.answers.entry(arn.to_owned()).or_default();
            if let Some(answer) = answers.to.get(&question) {
                return Ok(answer.clone());
            }
            answers.changes
        };
        let answer = self.ask(operation, body).await?;
        if let Some(answers) = known.lock().answers.get_mut(arn)
            && answers.changes == changes
        {
            answers.to.insert(question, answer.clone());
        }
        Ok(answer)
    }

    async fn ask(&self, operation: &str, body: &Value) -> Result<Answer> {
        let sent = self.send("secretsmanager", Some(operation), body.to_string().into());
        let (status, bytes) = sent.await?;
        let mut answer = Answer {
            // As AWS has it, whatever the caller did wrong.
            status: if status / 100 == 4 { 400 } else { status },
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        };
        self.inner.known.lock().note(operation, body, &mut answer);
        Ok(answer)
    }

    /// A request to a service, as AWS's JSON where an operation is named, else as a form; the status and the body.
    pub(crate) async fn send(
        &self,
        service: &str,
        operation: Option<&str>,
        body: Bytes,
    ) -> Result<(u16, Bytes)> {
        // moto verifies nothing, but reads region and service from here.
        let scope = format!("Credential=testbed/20260101/us-east-1/{service}/aws4_request");
        let request = Request::post(format!("http://{}/", self.inner.address))
            .header("host", format!("{service}.us-east-1.amazonaws.com"))
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"),
            );
        let request = match operation {
            Some(operation) => request
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", format!("{service}.{operation}")),
            None => request.header(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            ),
        };
        let request = request
            .body(Full::from(body))
            .context("a malformed request")?;
        let sent = self.inner.client.request(request);
        home(async move {
            let response = sent.await.context("no answer from moto")?;
            let status = response.status().as_u16();
            let body = response
                .collect()
                .await
                .context("half an answer from moto")?;
            Ok((status, body.to_bytes()))
        })
        .await
    }

    /// Every value that a secret has had in any version.
    pub(crate) fn values(&self, arn: &str) -> Vec<String> {
        let known = self.inner.known.lock();
        let values = known.values.iter().filter(|(of, _)| of == arn);
        values.map(|(_, value)| value.clone()).collect()
    }
}

impl Known {
    /// Keeps the values of a call, and says of `RotationEnabled` what a test wants said.
    fn note(&mut self, operation: &str, asked: &Value, answer: &mut Answer) {
        let Some(fields) = answer.body.as_object_mut() else {
            return;
        };
        let Some(arn) = fields.get("ARN").and_then(Value::as_str).map(str::to_owned) else {
            return;
        };
        let enabled = self.rotation_enabled.get(&arn);
        if let Some(enabled) = enabled.filter(|_| operation == "DescribeSecret") {
            fields.remove("RotationEnabled");
            fields.extend(enabled.map(|enabled| ("RotationEnabled".to_owned(), enabled.into())));
        }
        let given = ["SecretString", "SecretBinary"].map(|form| asked.get(form)?.as_str());
        let values = given
            .into_iter()
            .flatten()
            .map(|value| (arn.clone(), value.to_owned()));
        self.values.extend(values);
    }

    /// Forgets what was answered about a secret; about all, where it isn't named by its ARN.
    fn forget_answers(&mut self, secret: Option<&str>) {
        let Some(secret) = secret else {
            return;
        };
        for (arn, answers) in &mut self.answers {
            if arn == secret || !secret.starts_with("arn:") {
                answers.to.clear();
                answers.changes += 1;
            }
        }
    }
}

impl Answer {
    /// An error as AWS sends it.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            body: json!({ "__type": code, "message": message, "Message": message }),
        }
    }

    /// The error's name, where it is one.
    pub(crate) fn code(&self) -> Option<&str> {
        let code = self.body.get("__type")?.as_str()?;
        (self.status != 200).then(|| code.rsplit('#').next().unwrap_or(code))
    }

    /// The body of a success; an error names the operation.
    pub(crate) fn success(self, operation: &str) -> Result<Value> {
        if self.status == 200 {
            return Ok(self.body);
        }
        Err(Error::new(format!(
            "{operation}: {} {}",
            self.status, self.body
        )))
    }
}

/// The operations whose answers are kept until their secret changes.
const READS: [&str; 3] = ["DescribeSecret", "GetSecretValue", "ListSecretVersionIds"];
