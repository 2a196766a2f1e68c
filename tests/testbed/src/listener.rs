//! A port of one's own, also while nobody listens there: whoever asks for any free port gets another.

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::background::{home, runtime};
use crate::error::{Context as _, Result};

/// A port on 127.0.0.1, and who serves its connections. While it is closed they are refused.
pub(crate) struct Listener {
    address: SocketAddr,
    serve: Serve,
    /// Ends, with every connection, when this is dropped.
    accepting: Mutex<JoinSet<()>>,
    /// Bound, and never listening.
    _held: TcpSocket,
}

type Serve = Arc<dyn Fn(TcpStream) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

impl Listener {
    /// Serves every connection to a free port, until this is dropped.
    pub(crate) async fn start<F>(
        serve: impl Fn(TcpStream) -> F + Send + Sync + 'static,
    ) -> Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let held = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let this = Self {
            address: held.local_addr().context("the socket has no address")?,
            serve: Arc::new(move |stream| Box::pin(serve(stream))),
            accepting: Mutex::default(),
            _held: held,
        };
        this.open().await?;
        Ok(this)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening: connections are refused, open ones cut.
    pub(crate) fn close(&self) {
        self.accepting.lock().abort_all();
    }

    /// Listens again. Of two listeners either would get the connections.
    pub(crate) async fn open(&self) -> Result<()> {
        let mut former = std::mem::take(&mut *self.accepting.lock());
        former.shutdown().await;
        let address = self.address;
        let listening =
            home(async move { bound(address)?.listen(BACKLOG).context("could not listen") });
        let accept = accept(listening.await?, Arc::clone(&self.serve));
        self.accepting.lock().spawn_on(accept, runtime().handle());
        Ok(())
    }
}

/// Dropping this ends every connection.
async fn accept(listener: TcpListener, serve: Serve) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // An answer goes out at once, as from a real server.
        let _ = stream.set_nodelay(true);
        connections.spawn(serve(stream));
        while connections.try_join_next().is_some() {}
    }
}

/// Shares its port with those alone who ask to share it, which are ours.
fn bound(address: SocketAddr) -> Result<TcpSocket> {
    let bind = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        Ok::<_, std::io::Error>(socket)
    };
    bind().context(format!("could not bind {address}"))
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.address).finish()
    }
}

/// As the standard library has it.
const BACKLOG: u32 = 128;
