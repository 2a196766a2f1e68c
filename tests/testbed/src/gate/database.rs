//! Between the function and PostgreSQL.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::wire::relay;
use crate::background::pause;
use crate::error::Result;
use crate::listener::Listener;
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
    listener: Arc<Listener>,
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
    acts: Vec<Act>,
    latency: Duration,
}

/// A moment of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The client has spoken, the server has not heard it.
    Spoken,
    /// The server has answered, the client has not heard it.
    Answered,
}

/// What a test does in a moment: of which connection's which turn.
struct Act {
    at: (usize, usize, Moment),
    work: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.at)
    }
}

impl DbGate {
    /// A gate of one's own in front of a cluster.
    pub async fn start(behind: &Postgres) -> Result<Self> {
        Self::to(behind.port()).await
    }

    /// A listener behind which there is nothing: it takes connections and stays silent. A test asks it for
    /// `connections`, which must be none where nobody should have come.
    pub async fn decoy() -> Result<Self> {
        let decoy = Self::to(0).await?;
        decoy.every(DbFault::Silent);
        Ok(decoy)
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.listener.address().port()
    }

    /// Breaks the `nth` connection from now on; 1 is the next one.
    pub fn connection(&self, nth: usize, fault: DbFault) {
        let mut state = self.inner.state.lock();
        let at = state.turns.len() + nth;
        state.faults.insert(at, fault);
    }

    /// Breaks every connection for which there is no other rule.
    pub fn every(&self, fault: DbFault) {
        self.inner.state.lock().faults.insert(0, fault);
    }

    /// Makes every turn of the client's take so much longer, as a network's latency does.
    pub fn slow_down(&self, latency: Duration) {
        self.inner.state.lock().latency = latency;
    }

    /// Does something before the client's k-th turn on the `nth` connection from now on reaches the server; it waits.
    pub fn before(&self, nth: usize, turn: usize, act: impl Future<Output = ()> + Send + 'static) {
        self.plan(nth, turn, Moment::Spoken, Box::pin(act));
    }

    /// Does something once the server has answered the client's k-th turn, before the client hears of it.
    pub fn after(&self, nth: usize, turn: usize, act: impl Future<Output = ()> + Send + 'static) {
        self.plan(nth, turn, Moment::Answered, Box::pin(act));
    }

    /// Takes back every rule.
    pub fn heal(&self) {
        let mut state = self.inner.state.lock();
        state.faults.clear();
        state.acts.clear();
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.inner.state.lock().turns.len()
    }

    /// The client's turns on each connection: it spoke, having heard the server or not yet. One turn is one round trip
    /// where the server answers; TLS's are among them.
    pub fn turns(&self) -> Vec<usize> {
        self.inner.state.lock().turns.clone()
    }

    /// Forgets the connections so far; those still open go on uncounted.
    pub fn forget(&self) {
        let mut state = self.inner.state.lock();
        state.turns.clear();
        state.faults.retain(|nth, _| *nth == 0);
        state.acts.clear();
    }

    /// Stops listening: connections are refused, open ones cut.
    pub fn close(&self) {
        self.listener.close();
    }

    /// Listens again, at the same port.
    pub async fn open(&self) -> Result<()> {
        self.listener.open().await
    }

    fn plan(
        &self,
        nth: usize,
        turn: usize,
        moment: Moment,
        work: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) {
        let mut state = self.inner.state.lock();
        let connection = state.turns.len() + nth - 1;
        let at = (connection, turn, moment);
        state.acts.push(Act { at, work });
    }

    async fn to(behind: u16) -> Result<Self> {
        let inner = Arc::new(Inner {
            behind,
            state: Mutex::default(),
        });
        let gate = Arc::clone(&inner);
        let listener = Listener::start(move |client| {
            // Numbered here, in the order of arrival.
            let (number, fault) = gate.arrive();
            serve(Arc::clone(&gate), client, number, fault)
        });
        Ok(Self {
            inner,
            listener: Arc::new(listener.await?),
        })
    }
}

impl Inner {
    /// Counts the client's turns, unless the connection is forgotten, and does what a test wants done at this moment.
    pub(super) async fn reached(&self, connection: usize, turn: usize, moment: Moment) {
        let latency = self.state.lock().latency;
        if moment == Moment::Spoken {
            if let Some(turns) = self.state.lock().turns.get_mut(connection) {
                *turns += 1;
            }
            if !latency.is_zero() {
                pause(latency).await;
            }
        }
        let due = |act: &mut Act| act.at == (connection, turn, moment);
        let due: Vec<_> = self.state.lock().acts.extract_if(.., due).collect();
        for act in due {
            act.work.await;
        }
    }

    fn arrive(&self) -> (usize, Option<DbFault>) {
        let mut state = self.state.lock();
        state.turns.push(0);
        let nth = state.turns.len();
        let named = state.faults.remove(&nth);
        let fault = named.or_else(|| state.faults.get(&0).copied());
        (nth - 1, fault)
    }
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
pub(super) async fn silence(mut stream: TcpStream) {
    // However it ends, it has.
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}
