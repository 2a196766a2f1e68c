//! A `PostgreSQL` server that says what a test has it say, in clear text: SQLSTATEs that no real one gives on demand.
//!
//! Source: `PostgreSQL`, *Frontend/Backend Protocol*, message formats.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use testbed::TestResult;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What it says to a login, or to a statement.
#[derive(Clone, Debug)]
pub(super) enum Say {
    /// Come in; done; or a row.
    Yes(Vec<&'static str>),
    /// An error: `FATAL` at a login.
    No(&'static str, String),
    /// A row that is no text.
    Garbled,
    /// An authentication request of this kind: 3 is clear text, 10 is SASL, by `OAUTHBEARER`.
    Ask(u32),
    /// Nothing at all.
    Nothing,
    /// The end of the connection.
    Goodbye,
}

type Answers = Arc<dyn Fn(&str, usize) -> Say + Send + Sync>;

/// A server on a port of its own, for as long as the test runs.
pub(super) struct Server {
    pub(super) port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answers` is given what the client says, `login` or a statement, and how often it has said so before. What it
    /// doesn't mean to answer gets `usual`.
    pub(super) async fn start(
        answers: impl Fn(&str, usize) -> Say + Send + Sync + 'static,
    ) -> TestResult<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let (answers, ears): (Answers, _) = (Arc::new(answers), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that leaves in the middle ends its connection only.
                tokio::spawn(converse(stream, Arc::clone(&answers), Arc::clone(&ears)));
            }
        });
        Ok(Self { port, heard })
    }

    /// All that clients said: `login`, statements, and messages after the login that are none (`p`: a password).
    pub(super) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    pub(super) fn logins(&self) -> usize {
        self.heard().iter().filter(|said| *said == "login").count()
    }

    /// Makes a secret's value, the application's or the superuser's, point here, without TLS.
    pub(super) fn in_secret(&self) -> impl FnOnce(&mut Value) + Send + 'static {
        let port = self.port;
        move |value| {
            value["port"] = json!(port);
            value["ssl"] = json!(false);
        }
    }
}

/// A primary's facts and success to everything else.
pub(super) fn usual(said: &str) -> Say {
    if said.contains("password_encryption") {
        Say::Yes(vec!["scram-sha-256", "4096"])
    } else {
        Say::Yes(vec![])
    }
}

async fn converse(
    mut stream: TcpStream,
    answers: Answers,
    heard: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut counts = BTreeMap::<String, usize>::new();
    let startup = usize::try_from(stream.read_u32().await?).unwrap();
    stream.read_exact(&mut vec![0; startup - 4]).await?;
    let mut said = "login".to_owned();
    loop {
        heard.lock().unwrap().push(said.clone());
        let count = counts.entry(said.clone()).or_default();
        let answer = answers(&said, *count);
        *count += 1;
        let is_login = said == "login";
        let mut out = Vec::new();
        match answer {
            Say::Goodbye => return Ok(()),
            Say::Nothing => {}
            Say::Ask(kind) => {
                let mechanisms: &[u8] = if kind == 10 { b"OAUTHBEARER\0\0" } else { b"" };
                message(&mut out, b'R', &[&kind.to_be_bytes(), mechanisms].concat());
            }
            Say::Garbled => {
                message(&mut out, b'T', &columns(1));
                message(&mut out, b'D', &[0, 1, 0, 0, 0, 1, 0xff]);
                message(&mut out, b'C', b"DONE\0");
            }
            Say::No(code, text) => {
                let severity = if is_login { "FATAL" } else { "ERROR" };
                message(
                    &mut out,
                    b'E',
                    format!("S{severity}\0V{severity}\0C{code}\0M{text}\0\0").as_bytes(),
                );
            }
            Say::Yes(_) if is_login => message(&mut out, b'R', &[0; 4]),
            Say::Yes(row) => {
                if !row.is_empty() {
                    message(&mut out, b'T', &columns(row.len()));
                    message(&mut out, b'D', &values(&row));
                }
                message(&mut out, b'C', b"DONE\0");
            }
        }
        let ends = is_login && out.first() == Some(&b'E');
        if matches!(out.first(), Some(b'C' | b'E' | b'T'))
            || out.ends_with(&[b'R', 0, 0, 0, 8, 0, 0, 0, 0])
        {
            message(&mut out, b'Z', b"I");
        }
        stream.write_all(&out).await?;
        if ends {
            return Ok(());
        }
        let kind = stream.read_u8().await?;
        let length = usize::try_from(stream.read_u32().await?).unwrap();
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).await?;
        said = match kind {
            b'Q' => String::from_utf8_lossy(&body)
                .trim_end_matches('\0')
                .to_owned(),
            b'X' => return Ok(()),
            other => char::from(other).to_string(),
        };
    }
}

fn message(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.push(kind);
    out.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    out.extend(body);
}

/// A row's description: so many columns of type text.
fn columns(count: usize) -> Vec<u8> {
    let mut body = u16::try_from(count).unwrap().to_be_bytes().to_vec();
    for _ in 0..count {
        body.extend(b"c\0");
        body.extend([0; 6]);
        body.extend(25_u32.to_be_bytes());
        body.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    }
    body
}

fn values(row: &[&str]) -> Vec<u8> {
    let mut body = u16::try_from(row.len()).unwrap().to_be_bytes().to_vec();
    for value in row {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value.as_bytes());
    }
    body
}
