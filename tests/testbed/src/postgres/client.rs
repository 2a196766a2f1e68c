//! Our own ways in: through the socket, or from 127.0.0.2. Whoever comes from 127.0.0.1 is the function.

use std::net::Ipv4Addr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, UnixStream};
use tokio_postgres::tls::NoTls;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use super::Postgres;
use crate::background::{home, spawn};
use crate::error::{Context as _, Error, Result};

/// A session that stays open until it is dropped, for locks and transactions.
#[derive(Debug)]
pub struct Session {
    client: Client,
}

/// One row, as text; null is empty.
pub type Row = Vec<String>;

/// A login that the server turned away, or that never got so far.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({})", code.as_deref().unwrap_or("no SQLSTATE"))]
pub struct Refused {
    /// The SQLSTATE, where the server gave one: `28P01` is a wrong password.
    pub code: Option<String>,
    /// What it said.
    pub message: String,
}

impl Postgres {
    /// Runs statements as the administrator; the rows of all of them. The session is kept for the next ones, as it was.
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

    /// The first column of the first row; none where it is null or empty.
    pub async fn value(&self, sql: &str) -> Result<Option<String>> {
        let rows = self.admin(sql).await?;
        let value = rows.into_iter().flatten().next();
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// A session of the administrator's in a database.
    pub async fn admin_session(&self, database: &str) -> Result<Session> {
        let mut config = Config::new();
        config.user("postgres").dbname(database);
        // An administrator writes also where a database's default says no.
        config.options("-c default_transaction_read_only=off");
        let session = self.connect(config).await;
        session.context("PostgreSQL doesn't let its administrator in")
    }

    /// Logs in with a password.
    pub async fn login(
        &self,
        role: &str,
        password: &str,
        database: &str,
    ) -> Result<Session, Refused> {
        let mut config = Config::new();
        config.user(role).password(password).dbname(database);
        self.connect(config).await
    }

    /// Whether this password is the role's. Only `28P01` says that it isn't.
    pub async fn logs_in(&self, role: &str, password: &str, database: &str) -> Result<bool> {
        match self.login(role, password, database).await {
            Ok(_) => Ok(true),
            Err(refused) if refused.is_wrong_password() => Ok(false),
            Err(refused) => Err(refused).context(format!("could not tell whether {role} logs in")),
        }
    }

    async fn connect(&self, config: Config) -> Result<Session, Refused> {
        let socket = self.folder().join(format!(".s.PGSQL.{}", self.port()));
        home(async move { Session::begin(UnixStream::connect(socket).await?, config).await }).await
    }
}

impl Session {
    /// Logs in over TCP without TLS, as an application does; `port` is a server's or a gate's.
    pub async fn over_tcp(port: u16, role: &str, password: &str) -> Result<Self, Refused> {
        let mut config = Config::new();
        config.user(role).password(password).dbname("postgres");
        home(async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into())?;
            let stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?;
            Self::begin(stream, config).await
        })
        .await
    }

    async fn begin<S>(stream: S, config: Config) -> Result<Self, Refused>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (client, connection) = config.connect_raw(stream, NoTls).await?;
        // How it ends shows in the client's answers.
        drop(spawn(connection));
        Ok(Self { client })
    }

    /// Runs statements; the rows of all of them.
    pub async fn run(&self, sql: &str) -> Result<Vec<Row>> {
        let messages = self.client.simple_query(sql).await;
        let messages = messages.map_err(|failure| described(&failure))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let texts = rows.map(|row| {
            (0..row.len())
                .map(|at| row.get(at).unwrap_or_default().to_owned())
                .collect()
        });
        Ok(texts.collect())
    }
}

impl Refused {
    /// Whether it was about the password, and nothing else.
    pub fn is_wrong_password(&self) -> bool {
        self.code.as_deref() == Some("28P01")
    }
}

impl From<std::io::Error> for Refused {
    fn from(failure: std::io::Error) -> Self {
        Self {
            code: None,
            message: failure.to_string(),
        }
    }
}

impl From<tokio_postgres::Error> for Refused {
    fn from(failure: tokio_postgres::Error) -> Self {
        Self {
            code: failure.code().map(|code| code.code().to_owned()),
            message: described(&failure).to_string(),
        }
    }
}

/// tokio-postgres says `db error` and keeps the rest to itself.
fn described(failure: &tokio_postgres::Error) -> Error {
    Error::new(
        match (failure.as_db_error(), std::error::Error::source(failure)) {
            (Some(error), _) => format!("PostgreSQL says: {error}"),
            (None, Some(cause)) => format!("{failure}: {cause}"),
            (None, None) => failure.to_string(),
        },
    )
}
