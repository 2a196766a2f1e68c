//! What stands between tokio-postgres and the network: a stream that reads along what the server says until a session begins.
//!
//! For four reasons, each of which tokio-postgres leaves to nobody:
//!
//! 1. A server that asks for the password in clear text is not told: it, or somebody who speaks in its place, would have
//!    the password. tokio-postgres answers.
//! 2. A server that asks for nothing (`trust`) lets any password in, and which was right is then not known.
//! 3. Where SCRAM comes to no end, nothing is wrong with the network: tokio-postgres's error does not tell the two apart.
//! 4. A pooler names another process than the one that answers.
//!
//! The TLS handshake is made before, so that its failures are told apart from what follows.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready as ready_or_return};

use postgres_native_tls::TlsStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::tls::{ChannelBinding, TlsConnect};

use super::seen::{Seen, Startup};

/// A connection to a server, encrypted or not, whose first incoming message is read along.
pub(super) struct Stream {
    wire: Wire,
    startup: Startup,
    seen: Seen,
    answers_clear_text: bool,
}

/// What carries the bytes.
pub(super) enum Wire {
    Clear(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// Stands where tokio-postgres expects to make the TLS handshake: it was made before.
pub(super) struct Handshaken;

impl Stream {
    /// Reads along with `wire`; a request for clear text breaks it off unless that is answered.
    pub(super) fn new(wire: Wire, answers_clear_text: bool) -> Self {
        Self {
            wire,
            startup: Startup::default(),
            seen: Seen::nothing(),
            answers_clear_text,
        }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.clone()
    }

    /// Takes note of what has `arrived`.
    fn note(&mut self, arrived: &[u8]) -> io::Result<()> {
        self.seen.note(arrived, &mut self.startup);
        if self.seen.asks_clear_text() && !self.answers_clear_text {
            return Err(io::Error::other("a request for the password in clear text"));
        }
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = match &mut this.wire {
            Wire::Clear(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Encrypted(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        let read = ready_or_return!(read);
        this.seen.note_broken(read.is_err());
        Poll::Ready(read.and_then(|()| this.note(buf.filled().get(before..).unwrap_or_default())))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().wire {
            Wire::Clear(stream) => Pin::new(stream).poll_write(cx, buf),
            Wire::Encrypted(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl tokio_postgres::tls::TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.wire {
            Wire::Clear(_) => ChannelBinding::none(),
            Wire::Encrypted(stream) => stream.channel_binding(),
        }
    }
}

impl TlsConnect<Stream> for Handshaken {
    type Stream = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn connect(self, stream: Stream) -> Self::Future {
        ready(Ok(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is seen of a server that says `chunks`.
    async fn seen(chunks: &[&[u8]], answers_clear_text: bool) -> (io::Result<()>, Seen) {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(server.local_addr().unwrap());
        let mut stream = Stream::new(Wire::Clear(client.await.unwrap()), answers_clear_text);
        let noted = chunks.iter().try_for_each(|chunk| stream.note(chunk));
        (noted, stream.seen())
    }

    #[tokio::test]
    async fn c19_a_request_for_clear_text_breaks_the_connection_off_however_it_arrives() {
        let request = b"R\0\0\0\x08\0\0\0\x03";
        for cut in 1..request.len() {
            let (head, tail) = request.split_at(cut);
            let (result, seen) = seen(&[head, tail], false).await;
            assert!(result.is_err() && seen.asks_clear_text());
        }
        assert!(seen(&[request], true).await.0.is_ok());
    }
}
