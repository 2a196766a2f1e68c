//! Between the function and PostgreSQL.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::turn::{Deed, When};
use super::wire::relay;
use crate::background::{eventually, home, spawn};
use crate::error::{Context as _, Result};
use crate::postgres::Postgres;

/// What happens to one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbFault {
    /// Reset as soon as it is open.
    Reset,
    /// Reset once the client has sent so many bytes; those beyond never arrive.
    ResetAfterSent(usize),
    /// Reset once the server has sent so many bytes; those beyond never arrive.
    ResetAfterReceived(usize),
    /// The client's k-th turn (1 is its first) reaches the server, the server answers, the answer is lost: reset.
    LoseAnswer(usize),
    /// The client's k-th turn never reaches the server: reset.
    LoseTurn(usize),
    /// Nothing reaches anyone; the connection stays open.
    Silent,
    /// Once the client has had its k-th turn, nothing more reaches anyone; the connection stays open.
    StallAfter(usize),
    /// TLS is answered with "no".
    StripTls,
}

/// A way to a cluster that records and breaks connections. Clones are the same gate; its host is the cluster's.
#[derive(Clone, Debug)]
pub struct DbGate {
    inner: Arc<Inner>,
    accepting: Arc<Mutex<Option<Accepting>>>,
    port: u16,
}

#[derive(Debug)]
pub(super) struct Inner {
    behind: u16,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What happens to the n-th connection; 0 is for those that aren't named.
    faults: BTreeMap<usize, DbFault>,
    /// The client's turns on each connection.
    turns: Vec<usize>,
    deeds: Vec<Deed>,
}

#[derive(Debug)]
struct Accepting(JoinHandle<()>);

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl DbGate {
    /// A gate of one's own in front of a cluster.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(behind: &Postgres) -> Result<Self> {
        Self::to(behind.port()).await
    }

    /// A listener behind which there is nothing: it takes connections and stays silent. A test asks it for
    /// `connections`, which must be none where nobody should have come.
    ///
    /// # Errors
    /// No port is free.
    pub async fn decoy() -> Result<Self> {
        let decoy = Self::to(0).await?;
        decoy.every(DbFault::Silent);
        Ok(decoy)
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Breaks the `nth` connection from now on; 1 is the next one.
    pub fn connection(&self, nth: usize, fault: DbFault) {
        let mut state = self.inner.state();
        let at = state.turns.len() + nth;
        state.faults.insert(at, fault);
    }

    /// Breaks every connection for which there is no other rule.
    pub fn every(&self, fault: DbFault) {
        self.inner.state().faults.insert(0, fault);
    }

    /// Does something before the client's k-th turn on the `nth` connection from now on reaches the server; it waits.
    pub fn before(&self, nth: usize, turn: usize, deed: impl Future<Output = ()> + Send + 'static) {
        self.watch(nth, turn, When::Spoken, Box::pin(deed));
    }

    /// Does something once the server has answered the client's k-th turn, before the client hears of it.
    pub fn after(&self, nth: usize, turn: usize, deed: impl Future<Output = ()> + Send + 'static) {
        self.watch(nth, turn, When::Answered, Box::pin(deed));
    }

    /// Takes back every rule.
    pub fn heal(&self) {
        let mut state = self.inner.state();
        state.faults.clear();
        state.deeds.clear();
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.state().turns.len()
    }

    /// The client's turns on each connection: it spoke, having heard the server or not yet. One turn is one round trip
    /// where the server answers; TLS's are among them.
    #[must_use]
    pub fn turns(&self) -> Vec<usize> {
        self.inner.state().turns.clone()
    }

    /// Forgets the connections so far; those still open go on uncounted.
    pub fn forget(&self) {
        let mut state = self.inner.state();
        state.turns.clear();
        state.faults.retain(|nth, _| *nth == 0);
        state.deeds.clear();
    }

    /// Stops listening: connections are refused, open ones cut.
    pub fn close(&self) {
        drop(
            self.accepting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    /// Listens again, at the same port.
    ///
    /// # Errors
    /// Somebody else has taken the port.
    pub async fn open(&self) -> Result<()> {
        self.close();
        // The one that was closed may take a moment to go.
        let accepting = eventually("the port to be free", Duration::from_secs(5), async || {
            Ok(listen(&self.inner, self.port).await.ok())
        });
        let (_, accepting) = accepting.await?;
        *self
            .accepting
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(accepting);
        Ok(())
    }

    fn watch(
        &self,
        nth: usize,
        turn: usize,
        when: When,
        work: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) {
        let mut state = self.inner.state();
        let connection = state.turns.len() + nth - 1;
        state.deeds.push(Deed {
            connection,
            turn,
            when,
            work,
        });
    }

    async fn to(behind: u16) -> Result<Self> {
        let inner = Arc::new(Inner {
            behind,
            state: Mutex::default(),
        });
        let (port, accepting) = listen(&inner, 0).await?;
        Ok(Self {
            inner,
            accepting: Arc::new(Mutex::new(Some(accepting))),
            port,
        })
    }
}

impl Inner {
    /// Counts another turn of the client's on a connection; how many it has had.
    pub(super) fn turn(&self, connection: usize) -> usize {
        let mut state = self.state();
        let Some(turns) = state.turns.get_mut(connection) else {
            return 0;
        };
        *turns += 1;
        *turns
    }

    /// Does what a test wants done at this moment.
    pub(super) async fn reached(&self, connection: usize, turn: usize, when: When) {
        let due: Vec<_> = self
            .state()
            .deeds
            .extract_if(.., |deed| {
                (deed.connection, deed.turn, deed.when) == (connection, turn, when)
            })
            .collect();
        for one in due {
            one.work.await;
        }
    }

    fn arrive(&self) -> (usize, Option<DbFault>) {
        let mut state = self.state();
        state.turns.push(0);
        let nth = state.turns.len();
        let fault = state
            .faults
            .remove(&nth)
            .or_else(|| state.faults.get(&0).copied());
        (nth - 1, fault)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn listen(inner: &Arc<Inner>, port: u16) -> Result<(u16, Accepting)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = home(TcpListener::bind(address))
        .await
        .context(format!("could not listen on {address}"))?;
    let port = listener
        .local_addr()
        .context("the listener has no address")?
        .port();
    let inner = Arc::clone(inner);
    let accepting = spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let (number, fault) = inner.arrive();
            connections.spawn(serve(Arc::clone(&inner), client, number, fault));
            while connections.try_join_next().is_some() {}
        }
    });
    Ok((port, Accepting(accepting)))
}

async fn serve(inner: Arc<Inner>, client: TcpStream, number: usize, fault: Option<DbFault>) {
    match fault {
        Some(DbFault::Reset) => reset(&client),
        Some(DbFault::Silent) => silence(client).await,
        _ => {
            if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, inner.behind)).await {
                relay(&inner, client, server, number, fault).await;
            }
        }
    }
}

/// Makes the stream's end a reset.
pub(super) fn reset(stream: &TcpStream) {
    // Fails only where the other side was faster.
    let _ = stream.set_zero_linger();
}

/// Holds a connection until the other side gives up.
pub(super) async fn silence(stream: TcpStream) {
    let mut buffer = [0; 4096];
    loop {
        let _ = stream.readable().await;
        match stream.try_read(&mut buffer) {
            Ok(0) => return,
            Err(failure) if failure.kind() != std::io::ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}
