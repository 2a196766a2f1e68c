//! moto's server as a process, and how to speak to it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::Signal;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::background::{blocking, eventually, home};
use crate::error::{Context as _, Error, Result};
use crate::postgres::free_port;
use crate::tools;
use crate::watchdog::Server;

/// A running server.
#[derive(Debug)]
pub(crate) struct Moto {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    reads: Mutex<Reads>,
    /// Ends the server when dropped.
    server: Mutex<Server>,
}

/// What Secrets Manager answers to one operation.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
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

impl Moto {
    /// Starts a server on a free port and returns when it answers.
    pub(super) async fn start() -> Result<Self> {
        for _ in 0..4 {
            if let Some(moto) = Self::attempt().await? {
                return Ok(moto);
            }
        }
        Err(Error::new("moto found no free port"))
    }

    /// One operation of Secrets Manager.
    pub(super) async fn call(&self, operation: &str, body: &Value) -> Result<Answer> {
        let secret = body.get("SecretId").and_then(Value::as_str);
        // By its ARN alone: under its other names nobody would know when it changes.
        let secret = secret.filter(|secret| secret.starts_with("arn:"));
        if !READS.contains(&operation) {
            self.reads.lock().forget(secret);
            let answer = self.ask(operation, body).await;
            self.reads.lock().forget(secret);
            return answer;
        }
        let Some(secret) = secret else {
            return self.ask(operation, body).await;
        };
        let question = format!("{operation} {body}");
        let (known, changes) = self.reads.lock().of(secret, &question);
        if let Some(answer) = known {
            return Ok(answer);
        }
        let answer = self.ask(operation, body).await?;
        self.reads.lock().note(secret, question, &answer, changes);
        Ok(answer)
    }

    async fn ask(&self, operation: &str, body: &Value) -> Result<Answer> {
        let target = format!("secretsmanager.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", &target),
        ];
        let body = Bytes::from(body.to_string());
        let response = self.send("secretsmanager", &headers, body).await;
        let response = response.context(format!("moto doesn't answer {operation}"))?;
        Ok(Answer {
            status: response.status().as_u16(),
            body: serde_json::from_slice(response.body()).unwrap_or(Value::Null),
        })
    }

    /// A request to any service, as it is.
    pub(super) async fn pass(&self, service: &str, body: Bytes) -> Result<Response<Bytes>> {
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        self.send(service, &[("content-type", form)], body).await
    }

    async fn send(
        &self,
        service: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Response<Bytes>> {
        // moto verifies nothing, but reads region and service from here.
        let scope = format!("Credential=testbed/20260101/us-east-1/{service}/aws4_request");
        let signature = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
        let mut request = Request::post(format!("http://{}/", self.address))
            .header("host", format!("{service}.us-east-1.amazonaws.com"))
            .header("authorization", signature);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body));
        let sent = self.client.request(request.context("a malformed request")?);
        home(async move {
            let response = sent.await.context("no answer from moto")?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.context("half an answer from moto")?;
            Ok(Response::from_parts(head, body.to_bytes()))
        })
        .await
    }

    async fn attempt() -> Result<Option<Self>> {
        let (server, port) = blocking(|| {
            let port = free_port()?;
            let folder = tempfile::Builder::new()
                .prefix("testbed-")
                .tempdir()
                .context("no temporary folder")?
                .keep();
            let mut command = tools::moto()?;
            command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
            let mut server = Server::new(folder, command, Signal::SIGKILL);
            server.start()?;
            Ok::<_, Error>((server, port))
        })
        .await?;
        let moto = Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            client: Client::builder(TokioExecutor::new()).build_http(),
            reads: Mutex::default(),
            server: Mutex::new(server),
        };
        eventually("moto to answer", async || {
            if moto.server.lock().is_alive() {
                let answer = moto.call("ListSecrets", &json!({})).await;
                return Ok(answer
                    .is_ok_and(|answer| answer.status == 200)
                    .then_some(true));
            }
            match moto.server.lock().log() {
                log if log.contains("in use") => Ok(Some(false)),
                log => Err(Error::new(format!("moto does not start:\n{log}"))),
            }
        })
        .await
        .map(|started| started.then_some(moto))
    }
}

/// What moto has answered about each secret since that changed. Most questions are asked again and again: without this the
/// random search takes a sixth longer.
#[derive(Debug, Default)]
struct Reads(HashMap<String, Secret>);

#[derive(Debug, Default)]
struct Secret {
    answers: HashMap<String, Answer>,
    /// How often it has changed: an answer from before is worth nothing.
    changes: u64,
}

impl Reads {
    fn of(&mut self, secret: &str, question: &str) -> (Option<Answer>, u64) {
        let secret = self.0.entry(secret.to_owned()).or_default();
        (secret.answers.get(question).cloned(), secret.changes)
    }

    fn note(&mut self, secret: &str, question: String, answer: &Answer, changes: u64) {
        let secret = self.0.entry(secret.to_owned()).or_default();
        if changes == secret.changes {
            secret.answers.insert(question, answer.clone());
        }
    }

    /// Forgets one, or all where it isn't known which has changed.
    fn forget(&mut self, secret: Option<&str>) {
        for (arn, known) in &mut self.0 {
            if secret.is_none_or(|secret| secret == arn) {
                known.changes += 1;
                known.answers.clear();
            }
        }
    }
}

/// The operations that change nothing of which anybody could have asked before.
const READS: [&str; 6] = [
    "CreateSecret",
    "DescribeSecret",
    "GetRandomPassword",
    "GetSecretValue",
    "ListSecretVersionIds",
    "ListSecrets",
];
