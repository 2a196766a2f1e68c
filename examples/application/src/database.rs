//! The habit of an application that survives rotation. The rest of this example puts it to the test.
//!
//! - The secret comes out of a cache that is a few minutes old at most, and that serves what it has while Secrets Manager
//!   can't be asked.
//! - A refused login means: the secret has moved on. It is refreshed, once, and the login tried again.
//! - A connection has a longest life, so that no session goes on as a user whose turn it is to change.
//! - A request whose login is refused is tried again within its second: between the change of a single user's password and
//!   the move of `AWSCURRENT` there is nothing that would log in. Alternating users have no such moment.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Client as SecretsManager;
use aws_secretsmanager_caching::SecretsManagerCachingClient;
use deadpool::managed::{self, BuildError, Metrics, Pool, RecycleError, RecycleResult};
use postgres_native_tls::MakeTlsConnector;
use serde::Deserialize;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};

/// A pool of connections that log in with what the secret says.
pub(crate) struct Database {
    pool: Pool<Logins>,
}

/// Makes the pool's connections.
pub(crate) struct Logins {
    /// Name or ARN of the secret.
    pub(crate) secret_id: String,
    pub(crate) secrets: SecretsManagerCachingClient,
    pub(crate) tls: MakeTlsConnector,
    /// After that a connection is replaced.
    pub(crate) longest_life: Duration,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no secret: {0}")]
    NoSecret(String),
    #[error("the database failed")]
    Database(#[from] tokio_postgres::Error),
    #[error("no connection in the pool: {0}")]
    Pool(String),
}

/// What the secret says, and which of its versions says so.
struct Secret {
    version: String,
    value: Value,
}

#[derive(Deserialize)]
struct Value {
    host: String,
    port: u16,
    dbname: String,
    username: String,
    password: String,
}

/// How long a request is tried again while logins are refused.
const PATIENCE: Duration = Duration::from_secs(1);

/// Serves what it has while Secrets Manager can't be asked.
pub(crate) fn cache(
    secrets: SecretsManager,
    oldest: Duration,
) -> Result<SecretsManagerCachingClient, Error> {
    SecretsManagerCachingClient::new(secrets, NonZeroUsize::MIN, oldest, true)
        .map_err(|error| Error::NoSecret(error.to_string()))
}

impl Database {
    pub(crate) fn new(logins: Logins, connections: usize) -> Result<Self, BuildError> {
        let pool = Pool::builder(logins).max_size(connections).build()?;
        Ok(Self { pool })
    }

    /// The user that a query was run as, and how often it was tried.
    pub(crate) async fn user(&self) -> Result<(String, u32), Error> {
        let deadline = Instant::now() + PATIENCE;
        for tries in 1.. {
            match self.try_user().await {
                Err(error) if error.is_refused() && Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                outcome => return Ok((outcome?, tries)),
            }
        }
        Err(Error::Pool("tried too often".to_owned()))
    }

    async fn try_user(&self) -> Result<String, Error> {
        let connection = self.pool.get().await.map_err(|error| match error {
            managed::PoolError::Backend(error) => error,
            error => Error::Pool(error.to_string()),
        })?;
        let row = connection
            .query_one("SELECT session_user::text", &[])
            .await?;
        Ok(row.try_get(0)?)
    }

    /// The version of the secret that new connections log in with.
    pub(crate) async fn version(&self) -> Result<String, Error> {
        Ok(self.pool.manager().secret(false).await?.version)
    }
}

impl managed::Manager for Logins {
    type Type = Client;
    type Error = Error;

    async fn create(&self) -> Result<Client, Error> {
        let known = self.secret(false).await?;
        let refused = match self.log_in(&known.value).await {
            Err(error) if error.is_refused() => error,
            outcome => return outcome,
        };
        match self.secret(true).await {
            Ok(latest) if latest.version != known.version => self.log_in(&latest.value).await,
            // The same one, or none to be had: the refusal stands.
            _ => Err(refused),
        }
    }

    async fn recycle(&self, client: &mut Client, metrics: &Metrics) -> RecycleResult<Error> {
        if client.is_closed() || metrics.age() > self.longest_life {
            return Err(RecycleError::message("it had its time"));
        }
        Ok(())
    }
}

impl Logins {
    async fn secret(&self, refresh: bool) -> Result<Secret, Error> {
        // Boxed: an SDK's future is large, and its type too deep for the compiler.
        let asked = Box::pin(
            self.secrets
                .get_secret_value(&self.secret_id, None, None, refresh),
        );
        let answer = asked
            .await
            .map_err(|error| Error::NoSecret(error.to_string()))?;
        let (Some(version), Some(text)) = (answer.version_id, answer.secret_string) else {
            return Err(Error::NoSecret("its value is no text".to_owned()));
        };
        // serde's words can repeat a part of the value.
        let value = serde_json::from_str(&text)
            .map_err(|_| Error::NoSecret("its value is malformed".to_owned()))?;
        Ok(Secret { version, value })
    }

    async fn log_in(&self, value: &Value) -> Result<Client, Error> {
        let (client, connection) = Config::new()
            .host(&value.host)
            .port(value.port)
            .dbname(&value.dbname)
            .user(&value.username)
            .password(&value.password)
            .application_name("application")
            .ssl_mode(SslMode::Require)
            .connect(self.tls.clone())
            .await?;
        // It ends with the client; what went wrong, the client is told.
        tokio::spawn(connection);
        Ok(client)
    }
}

impl Error {
    /// Whether the password was not, or is no longer, the user's.
    fn is_refused(&self) -> bool {
        matches!(self, Self::Database(error) if error.code() == Some(&SqlState::INVALID_PASSWORD))
    }
}
