//! What the application is put through: rotation upon rotation, between real servers, while it goes on querying.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Config;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Credentials, Region};
use native_tls::{Certificate, TlsConnector};
use postgres_native_tls::MakeTlsConnector;
use testbed::{ApiGate, Error, Mark, Postgres, Result, World};

use crate::database::{self, Database, Logins};

/// Whose password is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    SingleUser,
    AlternatingUsers,
}

/// One application, and what rotates under it.
pub(crate) struct Trial {
    pub(crate) world: World,
    database: Arc<Database>,
    /// The application's way to Secrets Manager, which can be cut.
    secrets: ApiGate,
    strategy: Strategy,
    /// How many requests there were, in all.
    made: Arc<AtomicUsize>,
}

/// What the application saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: usize,
    /// How many of them were tried more than once.
    pub(crate) retried: usize,
    /// Why a request failed, though it was tried again.
    pub(crate) failed: Vec<String>,
    pub(crate) slowest: Duration,
    /// The users that queries were run as.
    pub(crate) users: BTreeSet<String>,
    /// How many logins the server refused.
    pub(crate) refused: usize,
}

/// How many requests go on at the same time, and over how many connections.
const WORKERS: usize = 4;
const CONNECTIONS: usize = 3;
/// So many requests tell something.
const ENOUGH: usize = 12;

/// A real application's would be half an hour: so that each rotation meets many new logins.
const LONGEST_LIFE: Duration = Duration::from_millis(100);

impl Trial {
    /// An application whose cache is `oldest` old at most.
    pub(crate) async fn start(
        function: &Path,
        strategy: Strategy,
        oldest: Duration,
    ) -> Result<Self> {
        let world = world(function, strategy).await?;
        let secrets = ApiGate::start(&world.secrets).await?;
        let failed = |error: &dyn std::error::Error| Error::new(error.to_string());
        let logins = Logins {
            secret_id: world.secret.arn.clone(),
            secrets: database::cache(client(&secrets), oldest).map_err(|error| failed(&error))?,
            tls: tls(&world.postgres).map_err(|error| failed(&*error))?,
            longest_life: LONGEST_LIFE,
        };
        let database = Database::new(logins, CONNECTIONS).map_err(|error| failed(&error))?;
        Ok(Self {
            world,
            database: Arc::new(database),
            secrets,
            strategy,
            made: Arc::default(),
        })
    }

    /// What the application sees while `changes` are done.
    pub(crate) async fn while_it_queries(
        &self,
        changes: impl Future<Output = Result<()>>,
    ) -> Result<Seen> {
        let since = self.world.postgres.mark();
        let ends = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                tokio::spawn(requests(
                    self.database.clone(),
                    self.made.clone(),
                    ends.clone(),
                ))
            })
            .collect();
        let done = changes.await;
        ends.store(true, Ordering::Relaxed);
        let mut seen = Seen::default();
        for worker in workers {
            seen.add(
                worker
                    .await
                    .map_err(|error| Error::new(error.to_string()))?,
            );
        }
        seen.refused = self.refused(since);
        done.map(|()| seen)
    }

    pub(crate) async fn rotate(&self, rotations: usize) -> Result<()> {
        for _ in 0..rotations {
            self.world.rotate().await?;
        }
        Ok(())
    }

    /// What it sees while Secrets Manager can't be asked: for so long, and until it has seen enough. A request takes as long as
    /// the SDK goes on asking.
    pub(crate) async fn cut_off(&self, lasting: Duration) -> Result<Seen> {
        self.secrets.close();
        let enough = self.made.load(Ordering::Relaxed) + ENOUGH;
        let waiting = async {
            tokio::time::sleep(lasting).await;
            while self.made.load(Ordering::Relaxed) < enough {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        };
        let seen = self.while_it_queries(waiting).await?;
        self.secrets.open().await?;
        Ok(seen)
    }

    /// The version of the secret that the application holds.
    pub(crate) async fn version(&self) -> Result<String> {
        let version = self.database.version().await;
        version.map_err(|error| Error::new(error.to_string()))
    }

    /// The users that may be seen.
    pub(crate) fn users(&self) -> BTreeSet<String> {
        let role = self.world.role.clone();
        match self.strategy {
            Strategy::SingleUser => [role].into(),
            Strategy::AlternatingUsers => [format!("{role}_clone"), role].into(),
        }
    }

    fn refused(&self, since: Mark) -> usize {
        let users = self.users();
        users
            .iter()
            .map(|user| self.world.postgres.refusals(user, since).len())
            .sum()
    }
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.retried += other.retried;
        self.failed.extend(other.failed);
        self.slowest = self.slowest.max(other.slowest);
        self.users.extend(other.users);
    }
}

/// One request after the other, until it is told to end.
async fn requests(database: Arc<Database>, made: Arc<AtomicUsize>, ends: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    while !ends.load(Ordering::Relaxed) {
        let began = Instant::now();
        match database.user().await {
            Ok((user, tries)) => {
                seen.retried += usize::from(tries > 1);
                seen.users.insert(user);
            }
            Err(error) => seen.failed.push(format!("{error:?}")),
        }
        seen.requests += 1;
        made.fetch_add(1, Ordering::Relaxed);
        seen.slowest = seen.slowest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    seen
}

async fn world(function: &Path, strategy: Strategy) -> Result<World> {
    let builder = World::builder(function);
    match strategy {
        Strategy::SingleUser => builder.start().await,
        Strategy::AlternatingUsers => Ok(builder.alternating().await?.world),
    }
}

fn client(gate: &ApiGate) -> aws_sdk_secretsmanager::Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(gate.url())
        .credentials_provider(Credentials::new(
            "any",
            "any",
            None,
            None,
            "the testbed asks for none",
        ))
        .build();
    aws_sdk_secretsmanager::Client::from_conf(config)
}

fn tls(postgres: &Postgres) -> std::result::Result<MakeTlsConnector, Box<dyn std::error::Error>> {
    let authority = Certificate::from_pem(&std::fs::read(postgres.ca_pem_path())?)?;
    let connector = TlsConnector::builder()
        .add_root_certificate(authority)
        .build()?;
    Ok(MakeTlsConnector::new(connector))
}
