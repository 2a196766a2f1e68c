//! A session: opened with a login, bounded in time, closed politely.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::bound::{Bound, CONNECT, LOCK, START, STATEMENT};
use super::challenge::{Challenge, Handshaken, Watched};
use super::{DatabaseError, Fault, Roots};
use crate::login::{Endpoint, Login, RoleName, TlsMode};
use crate::password::{Password, PasswordTransport};

/// Opens sessions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connector<'a> {
    /// Whose certificates are believed.
    pub roots: &'a Roots,
    /// Whether the server may see a password as text.
    pub transport: PasswordTransport,
    /// Passwords that a server, if it knows them, must not tell the log through its messages.
    pub(crate) hushed: [Option<&'a Password>; 3],
    /// When everything must be over.
    pub until: Instant,
}

/// What became of a login.
#[derive(Debug)]
pub(crate) enum LoginOutcome {
    /// It worked.
    In(Session),
    /// The server said that the password is wrong.
    Refused,
    /// Neither: whether the password is right is not known, or no longer the question.
    Unknown(DatabaseError),
}

impl LoginOutcome {
    /// The session; a refusal becomes what `refused` makes of it.
    ///
    /// # Errors
    /// What `refused` makes, or why nothing is known.
    pub(crate) fn session<E: From<DatabaseError>>(
        self,
        refused: impl FnOnce() -> E,
    ) -> Result<Session, E> {
        match self {
            Self::In(session) => Ok(session),
            Self::Refused => Err(refused()),
            Self::Unknown(error) => Err(error.into()),
        }
    }
}

/// One login's connection.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    driver: JoinHandle<()>,
    at: Endpoint,
    role: RoleName,
    /// What it logged in with, which the server's messages must not tell either.
    pub(super) password: Password,
    until: Instant,
    challenge: Challenge,
}

/// A row, as text.
pub(super) type Row = Vec<Option<String>>;

impl<'a> Connector<'a> {
    /// The same, but for messages that repeat one more password.
    pub(crate) fn hushing(mut self, password: &'a Password) -> Self {
        self.hushed[2] = Some(password);
        self
    }

    /// Logs in.
    pub(crate) async fn log_in(&self, login: &Login) -> LoginOutcome {
        match self.open(login).await {
            Ok(session) => LoginOutcome::In(session),
            Err(Fault::Refused) => LoginOutcome::Refused,
            Err(fault) => {
                let own = &login.credentials.password;
                LoginOutcome::Unknown(self.failed(own, format!("log in to {login}"), fault))
            }
        }
    }

    /// An error of this rotation's, without what must not be told; `own` is what the session logs in with.
    pub(super) fn failed(&self, own: &Password, attempt: String, fault: Fault) -> DatabaseError {
        let fault = self.hushed(own).fold(fault, Fault::without);
        DatabaseError { attempt, fault }
    }

    /// Whether a server's text repeats what must not be told.
    pub(super) fn is_hushed(&self, own: &Password, text: &str) -> bool {
        self.hushed(own).any(|password| password.is_in(text))
    }

    /// A role's name that the server wrote, as a log may have it.
    pub(super) fn told(&self, own: &Password, role: &str) -> String {
        if self.is_hushed(own, role) {
            return "a secret".to_owned();
        }
        role.chars().take(63).collect()
    }

    fn hushed(&self, own: &'a Password) -> impl Iterator<Item = &'a Password> {
        self.hushed.into_iter().flatten().chain([own])
    }

    async fn open(&self, login: &Login) -> Result<Session, Fault> {
        let at = &login.endpoint;
        let connect = self.before(CONNECT);
        let addresses = tokio::net::lookup_host((at.host.as_str(), at.port));
        let addresses = connect
            .bound("looking up the host", addresses)
            .await?
            .map_err(Fault::HostNotFound)?;
        let addresses: Vec<_> = addresses.collect();
        let stream = TcpStream::connect(addresses.as_slice());
        let stream = connect
            .bound("connecting", stream)
            .await?
            .map_err(Fault::Unreachable)?;
        stream.set_nodelay(true).map_err(Fault::Unreachable)?;

        let start = self.before(START);
        match at.tls {
            TlsMode::Disabled => {
                let (stream, challenge) = Watched::new(stream, self.may_tell(at));
                self.begin(login, stream, NoTls, &challenge, &start).await
            }
            TlsMode::VerifyFull => {
                let stream = start
                    .bound(
                        "making the TLS handshake",
                        self.roots.secure(&at.host, stream),
                    )
                    .await??;
                let (stream, challenge) = Watched::new(stream, self.may_tell(at));
                self.begin(login, stream, Handshaken, &challenge, &start)
                    .await
            }
        }
    }

    async fn begin<S, T>(
        &self,
        login: &Login,
        stream: Watched<S>,
        tls: T,
        challenge: &Challenge,
        start: &Bound,
    ) -> Result<Session, Fault>
    where
        Watched<S>: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        T: TlsConnect<Watched<S>>,
        T::Stream: Unpin + Send + 'static,
    {
        let config = startup(login);
        let begun = start
            .bound("logging in", config.connect_raw(stream, tls))
            .await?;
        let (client, connection) = begun.map_err(|error| match Fault::of_start(&error) {
            Fault::ConnectionLost(_)
                if challenge.is_clear_text() && !self.may_tell(&login.endpoint) =>
            {
                Fault::ClearTextAsked
            }
            Fault::ConnectionLost(_) if challenge.is_unknown() => Fault::AuthenticationUnsupported,
            fault => fault,
        })?;
        // The connection's own errors reach whoever waits for an answer through the client.
        let driver = tokio::spawn(async move { connection.await.unwrap_or_default() });
        Ok(Session {
            client,
            driver,
            at: login.endpoint.clone(),
            role: login.credentials.role.clone(),
            password: Password::new(login.credentials.password.expose().to_owned()),
            until: self.until,
            challenge: challenge.clone(),
        })
    }

    /// Whether a server that asks for the password itself is told: it was allowed, and nobody else listens.
    fn may_tell(&self, at: &Endpoint) -> bool {
        self.transport == PasswordTransport::Plaintext && at.tls == TlsMode::VerifyFull
    }

    fn before(&self, most: Duration) -> Bound {
        Bound::new(most, self.until)
    }
}

impl Session {
    /// The role and where it is logged in, for a message.
    pub(super) fn place(&self) -> String {
        format!(
            "as {:?} at {}/{}",
            self.role.as_str(),
            self.at,
            self.at.database
        )
    }

    /// What is left of the time: the server gives up before this side does, so that nothing goes on behind a call that
    /// has ended.
    pub(super) fn bounds(&self) -> (Duration, Duration) {
        let left = self.until.saturating_duration_since(Instant::now());
        (LOCK.min(left), STATEMENT.min(left))
    }

    /// The same, with what `other` was challenged with: that, and not what a superuser is asked for, tells how the
    /// application must prove its password.
    pub(crate) fn challenged_as(self, other: &Self) -> Self {
        let challenge = other.challenge.clone();
        Self { challenge, ..self }
    }

    /// Whether the server asked for a password at all.
    pub(crate) fn checks_passwords(&self) -> bool {
        !self.challenge.is_none()
    }

    /// Whether the server asked for a proof by SCRAM.
    pub(super) fn is_scram(&self) -> bool {
        self.challenge.is_scram()
    }

    /// Sends `sql`, one statement or several, and gives the last row.
    pub(super) async fn run(&self, sql: &str) -> Result<Row, Fault> {
        let bound = Bound::new(STATEMENT + ANSWER, self.until + ANSWER);
        let answer = bound
            .bound("running a statement", self.client.simple_query(sql))
            .await?;
        let messages = answer.map_err(|error| Fault::of_statement(&error))?;
        let last = messages.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let Some(row) = last else {
            return Ok(Row::new());
        };
        let text = |i| row.try_get(i).map(|text| text.map(str::to_owned));
        let texts: Result<Row, _> = (0..row.len()).map(text).collect();
        texts.map_err(|error| Fault::of_statement(&error))
    }

    /// Says goodbye and waits until the server has heard it, for a moment.
    pub(crate) async fn close(self) {
        let Self {
            client, mut driver, ..
        } = self;
        drop(client);
        if timeout(GOODBYE, &mut driver).await.is_err() {
            driver.abort();
        }
    }
}

fn startup(login: &Login) -> Config {
    let mut config = Config::new();
    config
        .user(login.credentials.role.as_str())
        .password(login.credentials.password.expose())
        .dbname(&login.endpoint.database)
        .application_name("db-rotation");
    match login.endpoint.tls {
        TlsMode::Disabled => config.ssl_mode(SslMode::Disable),
        // `Direct`, since the request for TLS was made before: see `Handshaken`.
        TlsMode::VerifyFull => config
            .ssl_mode(SslMode::Require)
            .ssl_negotiation(SslNegotiation::Direct),
    };
    config
}

/// How much longer than the server's own bound its answer may take to come.
const ANSWER: Duration = Duration::from_millis(50);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(100);
