//! From a login to a session: address, TCP, TLS, and what the server says of the password.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, SslNegotiation};

use super::stream::{Handshaken, Stream, Wire};
use super::tls::Certificate;
use super::{DatabaseError, Failure, PasswordTransport, Roots, Session};
use crate::deadline::{Deadline, TimedOut};
use crate::login::{Endpoint, Login, TlsMode};
use crate::sensitive::{Password, Redaction};

/// Opens sessions.
#[derive(Debug, Clone)]
pub(crate) struct Connector<'a> {
    /// Whose certificates are believed.
    pub(crate) roots: &'a Roots,
    /// Whether a server may see a password as text.
    pub(crate) transport: PasswordTransport,
    /// What a server's messages must not tell the log.
    pub(crate) redaction: Redaction,
    /// When everything must be over.
    pub(crate) deadline: Deadline,
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

/// A server that was reached, TLS included, and not yet told who logs in.
pub(crate) struct Reached(Stream);

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

impl Connector<'_> {
    /// The same, whose sessions don't tell `password` either.
    pub(crate) fn redacting(mut self, password: &Password) -> Self {
        self.redaction = self.redaction.and(password);
        self
    }

    /// Logs in.
    pub(crate) async fn log_in(&self, login: &Login) -> LoginOutcome {
        match self.connect(&login.endpoint).await {
            Ok(reached) => self.log_in_to(reached, login).await,
            Err(failure) => self.outcome(login, Err(failure)),
        }
    }

    /// Goes as far as one can without saying who logs in. What fails here will fail again, with its name, in
    /// [`Self::log_in`].
    pub(crate) async fn reach(&self, endpoint: &Endpoint) -> Option<Reached> {
        self.connect(endpoint).await.ok()
    }

    /// Logs in to a server that was reached.
    pub(crate) async fn log_in_to(&self, reached: Reached, login: &Login) -> LoginOutcome {
        let session = self.start(reached, login).await;
        self.outcome(login, session)
    }

    fn outcome(&self, login: &Login, session: Result<Session, Failure>) -> LoginOutcome {
        match session {
            Ok(session) => LoginOutcome::In(session),
            Err(Failure::Refused) => LoginOutcome::Refused,
            Err(failure) => {
                let redaction = self.redaction.clone().and(&login.credentials.password);
                LoginOutcome::Unknown(DatabaseError {
                    attempt: format!("log in to {login}"),
                    failure: failure.redacted(&redaction),
                })
            }
        }
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<Reached, Failure> {
        let addresses = self.look_up(endpoint).await?;
        let stream = self.dial(addresses).await?;
        self.secure(endpoint, stream).await
    }

    /// The addresses of a host.
    pub(crate) async fn look_up(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Failure> {
        let connect = self.deadline.within(CONNECT);
        let addresses = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port));
        let addresses = connect.bind("looking up the host", addresses).await?;
        Ok(addresses.map_err(Failure::HostNotFound)?.collect())
    }

    /// Connects to the first of these addresses that answers.
    pub(crate) async fn dial(&self, addresses: Vec<SocketAddr>) -> Result<TcpStream, Failure> {
        let stream = one_of(addresses, self.deadline.within(CONNECT)).await?;
        stream.set_nodelay(true).map_err(Failure::Unreachable)?;
        Ok(stream)
    }

    /// Makes the TLS handshake with a server that was dialled, and looks at its certificate; `None` where TLS is off.
    pub(crate) async fn certificate(
        &self,
        endpoint: &Endpoint,
        stream: TcpStream,
    ) -> Result<Option<Certificate>, Failure> {
        if endpoint.tls == TlsMode::Disabled {
            return Ok(None);
        }
        let handshake = self.roots.certificate(endpoint, stream);
        let start = self.deadline.within(START);
        start.bind(HANDSHAKE, handshake).await?
    }

    async fn secure(&self, endpoint: &Endpoint, stream: TcpStream) -> Result<Reached, Failure> {
        let wire = match endpoint.tls {
            TlsMode::Disabled => Wire::Clear(stream),
            TlsMode::VerifyCa | TlsMode::VerifyFull => {
                let handshake = self.roots.secure(endpoint, stream);
                let start = self.deadline.within(START);
                let stream = start.bind(HANDSHAKE, handshake).await??;
                Wire::Encrypted(Box::new(stream))
            }
        };
        // Only where it was allowed, and where nobody else listens.
        let answers_clear_text =
            self.transport == PasswordTransport::Plaintext && endpoint.tls == TlsMode::VerifyFull;
        Ok(Reached(Stream::new(wire, answers_clear_text)))
    }

    async fn start(&self, reached: Reached, login: &Login) -> Result<Session, Failure> {
        let Reached(stream) = reached;
        let seen = stream.seen();
        let start = self.deadline.within(START);
        let config = startup(login);
        let started = config.connect_raw(stream, Handshaken);
        let started = start.bind("logging in", started).await;
        let started = started.map_err(|timed_out| match timed_out {
            TimedOut { after, .. } if seen.asks_proof() => Failure::PasswordUnanswered { after },
            timed_out => Failure::TimedOut(timed_out),
        })?;
        let (client, connection) = started.map_err(|error| match Failure::of_start(&error) {
            Failure::ConnectionLost(_) if seen.asks_clear_text() => Failure::ClearTextAsked,
            Failure::ConnectionLost(_) if seen.disagrees() => Failure::AuthenticationUnsupported,
            failure => failure,
        })?;
        let redaction = self.redaction.clone().and(&login.credentials.password);
        Ok(Session::new(
            client,
            connection,
            login,
            seen,
            redaction,
            self.deadline,
        ))
    }
}

/// Connects to the first address that answers. Each gets an equal share of what time is left, so that one that swallows packets
/// doesn't keep the next from being tried.
async fn one_of(addresses: Vec<SocketAddr>, deadline: Deadline) -> Result<TcpStream, Failure> {
    let nothing = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut last = Failure::HostNotFound(nothing);
    let shares = (1..=u32::try_from(addresses.len()).unwrap_or(u32::MAX)).rev();
    for (address, shares) in addresses.into_iter().zip(shares) {
        let share = deadline.within(deadline.left() / shares);
        last = match share.bind("connecting", TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(refused)) => Failure::Unreachable(refused),
            Err(timed_out) => Failure::TimedOut(timed_out),
        };
    }
    Err(last)
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
        TlsMode::VerifyCa | TlsMode::VerifyFull => config
            .ssl_mode(SslMode::Require)
            .ssl_negotiation(SslNegotiation::Direct),
    };
    config
}

const HANDSHAKE: &str = "making the TLS handshake";
/// How long a name's look-up and a TCP connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long TLS may take, and the login after it.
const START: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// A listener whose queue is full: who connects hears nothing.
    async fn silent() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        let a_while = Duration::from_millis(200);
        let connect = || tokio::time::timeout(a_while, TcpStream::connect(address));
        while let Ok(stream) = connect().await {
            queue.push(stream.unwrap());
        }
        (address, listener, queue)
    }

    #[tokio::test]
    async fn c48_an_address_that_swallows_packets_does_not_keep_the_next_from_being_tried() {
        let (silent, _listener, _queue) = silent().await;
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = good.local_addr().unwrap();
        let deadline = Deadline::of_invocation(Duration::from_secs(3));
        let stream = one_of(vec![silent, silent, good], deadline).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let outcome = one_of(vec![silent], deadline.within(Duration::from_millis(50))).await;
        assert!(matches!(outcome, Err(Failure::TimedOut(_))), "{outcome:?}");
    }
}
