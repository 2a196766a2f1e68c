//! Our own ways in: as administrator through the socket, and as anybody through the front door.

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::OnceLock;

use postgres_native_tls::TlsConnector;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{NoTls, TlsConnect};
use tokio_postgres::{Client, Config};

use super::Postgres;
use super::authority::Authority;
use super::row::Row;
use crate::background::{home, spawn};
use crate::error::{Context as _, Error, Result};

/// A session that stays open until it is dropped, for locks and transactions.
#[derive(Debug)]
pub struct Session {
    client: Client,
}

/// A login that the server turned away, or that never got so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The SQLSTATE, where the server gave one: `28P01` is a wrong password.
    pub code: Option<String>,
    /// What it said.
    pub message: String,
}

impl Postgres {
    /// Runs statements as the administrator, through the socket; the rows of all of them. The session is kept for the next
    /// ones, as it was.
    pub async fn admin(&self, sql: &str) -> Result<Vec<Row>> {
        let kept = self.cluster.admin.lock().take();
        let session = match kept.filter(|session| !session.client.is_closed()) {
            Some(session) => session,
            None => self.admin_session("postgres").await?,
        };
        let rows = session.run(sql).await?;
        if session.run("DISCARD ALL").await.is_ok() {
            *self.cluster.admin.lock() = Some(session);
        }
        Ok(rows)
    }

    /// The first column of the first row.
    pub async fn value(&self, sql: &str) -> Result<Option<String>> {
        let rows = self.admin(sql).await?;
        Ok(rows.into_iter().next().and_then(Row::first))
    }

    /// A session of the administrator's in a database.
    pub async fn admin_session(&self, database: &str) -> Result<Session> {
        let mut config = Config::new();
        config
            .user("postgres")
            .dbname(database)
            .application_name(APPLICATION)
            // An administrator writes also where a database's default says no.
            .options("-c default_transaction_read_only=off")
            .ssl_mode(SslMode::Disable);
        let socket = self
            .socket_folder()
            .join(format!(".s.PGSQL.{}", self.port()));
        home(async move {
            let stream = UnixStream::connect(&socket)
                .await
                .context("PostgreSQL isn't running")?;
            let (client, connection) = config
                .connect_raw(stream, NoTls)
                .await
                .map_err(|failure| described(&failure))?;
            drive(connection);
            Ok(Session { client })
        })
        .await
    }

    /// Logs in as anybody does: over TLS, with the certificate verified.
    pub async fn login(
        &self,
        role: &str,
        password: &str,
        database: &str,
    ) -> Result<Session, Refused> {
        let connector = connector().map_err(Refused::unreached)?;
        let connector = TlsConnector::new(connector, self.host());
        self.login_through(role, password, database, SslMode::Require, connector)
            .await
    }

    /// Logs in over clear text.
    pub async fn login_in_clear(
        &self,
        role: &str,
        password: &str,
        database: &str,
    ) -> Result<Session, Refused> {
        self.login_through(role, password, database, SslMode::Disable, NoTls)
            .await
    }

    /// Whether this password is the role's. Only `28P01` says that it isn't.
    pub async fn logs_in(&self, role: &str, password: &str, database: &str) -> Result<bool> {
        let login = match self.cluster.options.tls {
            super::Tls::Valid => self.login(role, password, database).await,
            _ => self.login_in_clear(role, password, database).await,
        };
        match login {
            Ok(_) => Ok(true),
            Err(refused) if refused.is_wrong_password() => Ok(false),
            Err(refused) => Err(Error::new(format!(
                "could not tell whether {role} logs in: {refused}"
            ))),
        }
    }

    async fn login_through<T>(
        &self,
        role: &str,
        password: &str,
        database: &str,
        mode: SslMode,
        tls: T,
    ) -> Result<Session, Refused>
    where
        T: TlsConnect<TcpStream> + Send + 'static,
        T::Stream: Send,
        T::Future: Send,
    {
        let mut config = Config::new();
        config
            .user(role)
            .password(password)
            .dbname(database)
            .application_name(APPLICATION)
            .ssl_mode(mode);
        let port = self.port();
        home(async move {
            let socket = TcpSocket::new_v4().map_err(Refused::unreached)?;
            socket.bind(OURS).map_err(Refused::unreached)?;
            let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let stream = socket.connect(server).await;
            let stream = stream.map_err(Refused::unreached)?;
            let login = config.connect_raw(stream, tls).await;
            let (client, connection) = login.map_err(Refused::from)?;
            drive(connection);
            Ok(Session { client })
        })
        .await
    }
}

/// Trusts the testbed's authority and nobody else. Made once: it costs a look at all of the system's roots.
fn connector() -> Result<native_tls::TlsConnector> {
    static CONNECTOR: OnceLock<native_tls::TlsConnector> = OnceLock::new();
    if let Some(connector) = CONNECTOR.get() {
        return Ok(connector.clone());
    }
    let ca = native_tls::Certificate::from_pem(Authority::shared()?.pem().as_bytes());
    let connector = native_tls::TlsConnector::builder()
        .disable_built_in_roots(true)
        .add_root_certificate(ca.context("the authority is malformed")?)
        .build()
        .context("could not set up TLS")?;
    Ok(CONNECTOR.get_or_init(|| connector).clone())
}

impl Session {
    /// Runs statements; the rows of all of them.
    pub async fn run(&self, sql: &str) -> Result<Vec<Row>> {
        let messages = self
            .client
            .simple_query(sql)
            .await
            .map_err(|failure| described(&failure))?;
        Ok(messages.iter().filter_map(Row::of).collect())
    }
}

impl Refused {
    /// Whether it was about the password, and nothing else.
    pub fn is_wrong_password(&self) -> bool {
        self.code.as_deref() == Some("28P01")
    }

    fn unreached(failure: impl fmt::Display) -> Self {
        Self {
            code: None,
            message: failure.to_string(),
        }
    }
}

impl std::error::Error for Refused {}

impl From<tokio_postgres::Error> for Refused {
    fn from(failure: tokio_postgres::Error) -> Self {
        Self {
            code: failure.code().map(|code| code.code().to_owned()),
            message: described(&failure).to_string(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({})",
            self.message,
            self.code.as_deref().unwrap_or("no SQLSTATE")
        )
    }
}

/// tokio-postgres says `db error` and keeps the rest to itself.
fn described(failure: &tokio_postgres::Error) -> Error {
    let text = match failure.as_db_error() {
        Some(error) => format!("PostgreSQL says: {error}"),
        None => failure.to_string(),
    };
    match std::error::Error::source(failure) {
        Some(cause) if failure.as_db_error().is_none() => Error::new(format!("{text}: {cause}")),
        _ => Error::new(text),
    }
}

fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    tokio_postgres::Connection<S, T>: Future<Output: Send> + Send + 'static,
    S: AsyncRead + AsyncWrite,
    T: AsyncRead + AsyncWrite,
{
    // How it ends shows in the client's answers.
    drop(spawn(connection));
}

/// Where our own logins come from: the log tells them from the function's by that.
const OURS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 2), 0));

/// What our own sessions call themselves.
const APPLICATION: &str = "testbed";
