//! A session: who logged in, what it must not repeat, what it was asked for.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, Connection, SimpleQueryMessage};

use super::seen::Seen;
use super::stream::Stream;
use super::{DatabaseError, Failure, statement};
use crate::deadline::Deadline;
use crate::login::{Credentials, Endpoint, Login, TlsMode};
use crate::sensitive::Redaction;

/// One login's connection.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    driver: JoinHandle<()>,
    endpoint: Endpoint,
    credentials: Credentials,
    seen: Seen,
    pub(super) redaction: Redaction,
    pub(super) deadline: Deadline,
}

/// A row, as text.
pub(super) type Row = Vec<Option<String>>;

impl Session {
    pub(super) fn new(
        client: Client,
        connection: Connection<Stream, Stream>,
        login: &Login,
        seen: Seen,
        redaction: Redaction,
        deadline: Deadline,
    ) -> Self {
        // The connection's own errors reach whoever waits for an answer through the client.
        let driver = tokio::spawn(async move { connection.await.unwrap_or_default() });
        Self {
            client,
            driver,
            endpoint: login.endpoint.clone(),
            credentials: login.credentials.clone(),
            seen,
            redaction,
            deadline,
        }
    }

    /// What it logged in with.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The database that it logged in to.
    pub(crate) fn database(&self) -> &str {
        &self.endpoint.database
    }

    /// Whether nobody else can listen.
    pub(super) fn is_encrypted(&self) -> bool {
        self.endpoint.tls != TlsMode::Disabled
    }

    /// Whether the server asked for a password at all.
    pub(crate) fn checks_passwords(&self) -> bool {
        !self.seen.asks_nothing()
    }

    /// Whether the server keeps an md5 verifier of this role.
    pub(super) fn has_md5_verifier(&self) -> bool {
        self.seen.asks_md5()
    }

    /// The process that the server said, when the session began, it answers by.
    pub(super) fn process(&self) -> Option<u32> {
        self.seen.process()
    }

    /// An error of this session's, without what must not be told.
    pub(super) fn failed(&self, attempt: String, failure: Failure) -> DatabaseError {
        DatabaseError {
            attempt,
            failure: failure.redacted(&self.redaction),
        }
    }

    /// The role and where it is logged in, for a message.
    pub(super) fn place(&self) -> String {
        let Self {
            endpoint,
            credentials,
            ..
        } = self;
        let role = credentials.role.as_str();
        format!("as {role:?} at {endpoint}/{}", endpoint.database)
    }

    /// Sends `sql`, one statement or several, and gives the last row.
    pub(super) async fn run(&self, sql: &str) -> Result<Row, Failure> {
        let begun = Instant::now();
        let bound = self.deadline.within(statement::MOST_TIME).and(ANSWER);
        let answer = self.client.simple_query(sql);
        let answer = bound.bind("running a statement", answer).await?;
        let messages = answer.map_err(|e| Failure::of_statement(&e, begun.elapsed()))?;
        let last = messages.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let Some(row) = last else {
            return Ok(Row::new());
        };
        let text = |i| row.try_get(i).map(|text| text.map(str::to_owned));
        let texts: Result<Row, _> = (0..row.len()).map(text).collect();
        texts.map_err(|_| Failure::AnswerUnreadable)
    }

    /// Says goodbye and waits until the server has heard it, for a moment. A transaction that is open is rolled back.
    pub(crate) async fn close(self) {
        let Self {
            client, mut driver, ..
        } = self;
        drop(client);
        if timeout(GOODBYE, &mut driver).await.is_err() {
            driver.abort();
        }
    }

    /// A name that the server wrote, as a log may have it.
    pub(super) fn presentable(&self, name: &str) -> String {
        if self.redaction.covers(name) {
            return "a secret".to_owned();
        }
        name.chars().take(63).collect()
    }

    /// Names that the server wrote, as a log may have them.
    pub(super) fn presentable_list(&self, names: &str) -> String {
        if self.redaction.covers(names) {
            return "a secret".to_owned();
        }
        names.chars().take(500).collect()
    }
}

/// How much longer than the server's own bound its answer may take to come.
const ANSWER: Duration = Duration::from_millis(50);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(100);
