//! A port that swallows packets, as a security group does.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::background::home;
use crate::error::{Context as _, Result};

/// A port whose queue of connections is full: who connects hears nothing, not even a refusal.
#[derive(Debug)]
pub struct SilentPort {
    port: u16,
    _queue: (TcpListener, Vec<TcpStream>),
}

impl SilentPort {
    /// On 127.0.0.1, until it is dropped.
    pub async fn open() -> Result<Self> {
        let opened = home(async {
            let socket = TcpSocket::new_v4()?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            let listener = socket.listen(0)?;
            let address = listener.local_addr()?;
            let mut queued = Vec::new();
            while let Ok(stream) = tokio::time::timeout(A_WHILE, TcpStream::connect(address)).await
            {
                queued.push(stream?);
            }
            Ok::<_, std::io::Error>(Self {
                port: address.port(),
                _queue: (listener, queued),
            })
        });
        opened.await.context("could not fill a port's queue")
    }

    /// Its number.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Who has not got through by then waits in vain.
const A_WHILE: Duration = Duration::from_millis(200);
