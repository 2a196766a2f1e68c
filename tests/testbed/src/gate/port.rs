//! A port of one's own, also while nobody listens there: whoever asks for any free port gets another.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use crate::background::home;
use crate::error::{Context as _, Result};

/// A port on 127.0.0.1. Connections are refused unless somebody listens.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    /// Bound, and never listening.
    _held: TcpSocket,
}

impl Port {
    /// Any that is free.
    pub(crate) fn any() -> Result<Self> {
        let held = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = held.local_addr().context("the socket has no address")?;
        Ok(Self {
            address,
            _held: held,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens from now on, until the listener is dropped. Of two listeners either would get the connections.
    pub(crate) async fn listen(&self) -> Result<TcpListener> {
        let address = self.address;
        home(async move {
            let socket = bound(address)?;
            socket
                .listen(BACKLOG)
                .context(format!("could not listen on {address}"))
        })
        .await
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

/// As the standard library has it.
const BACKLOG: u32 = 128;
