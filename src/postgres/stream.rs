//! What stands between tokio-postgres and the network: a stream that reads the server's first message along.
//!
//! For three reasons, each of which tokio-postgres leaves to nobody:
//!
//! 1. A server that asks for the password in clear text is not told: it, or somebody who speaks in its place, would have
//!    the password. tokio-postgres answers.
//! 2. A server that asks for nothing (`trust`) lets any password in, and which was right is then not known.
//! 3. Where SCRAM comes to no end, nothing is wrong with the network: tokio-postgres's error does not tell the two apart.
//!
//! The TLS handshake is made before, so that its failures are told apart from what follows.
//!
//! `PostgreSQL`, *Frontend/Backend Protocol*: the server's first message is `R`, its length (4 bytes) and what it asks for
//! (4 bytes).

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready as ready_or_return};

use postgres_native_tls::TlsStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::tls::{ChannelBinding, TlsConnect};

/// A connection to a server, encrypted or not, whose first incoming message is read along.
pub(super) struct Stream {
    wire: Wire,
    head: Vec<u8>,
    seen: Seen,
    answers_clear_text: bool,
}

/// What carries the bytes.
pub(super) enum Wire {
    Clear(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// What was seen of a connection so far.
#[derive(Debug, Clone)]
pub(super) struct Seen(Arc<Noted>);

#[derive(Debug)]
struct Noted {
    asked: AtomicU32,
    broke: AtomicBool,
}

/// Stands where tokio-postgres expects to make the TLS handshake: it was made before.
pub(super) struct Handshaken;

impl Seen {
    fn nothing() -> Self {
        Self(Arc::new(Noted {
            asked: AtomicU32::new(NOTHING_YET),
            broke: AtomicBool::new(false),
        }))
    }

    fn asked(&self) -> u32 {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// The server wants the password as it is.
    pub(super) fn asks_clear_text(&self) -> bool {
        self.asked() == CLEAR_TEXT
    }

    /// The server let the role in unasked: it checks no passwords.
    pub(super) fn asks_nothing(&self) -> bool {
        self.asked() == OK
    }

    /// The server checks an md5 verifier.
    pub(super) fn asks_md5(&self) -> bool {
        self.asked() == MD5
    }

    /// The server asked for a proof of the password, which was on its way or given.
    pub(super) fn asks_proof(&self) -> bool {
        matches!(self.asked(), MD5 | SASL)
    }

    /// The server wants what is neither a password nor a proof of one (Kerberos, GSSAPI, SSPI); or SCRAM was begun, came to no
    /// end, and nothing is wrong with the connection.
    pub(super) fn disagrees(&self) -> bool {
        match self.asked() {
            SASL => !self.0.broke.load(Ordering::Relaxed),
            OK | CLEAR_TEXT | MD5 | NOTHING_YET => false,
            _ => true,
        }
    }
}

impl Stream {
    /// Reads along with `wire`; a request for clear text breaks it off unless that is answered.
    pub(super) fn new(wire: Wire, answers_clear_text: bool) -> Self {
        Self {
            wire,
            head: Vec::new(),
            seen: Seen::nothing(),
            answers_clear_text,
        }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.clone()
    }

    /// Takes note of `arrived`, until the first message's head is complete.
    fn note(&mut self, arrived: &[u8]) -> io::Result<()> {
        if arrived.is_empty() {
            self.seen.0.broke.store(true, Ordering::Relaxed);
        }
        let missing = HEAD.saturating_sub(self.head.len());
        if missing == 0 {
            return Ok(());
        }
        self.head.extend(arrived.iter().take(missing));
        if let [b'R', _, _, _, _, a, b, c, d] = *self.head.as_slice() {
            let asked = u32::from_be_bytes([a, b, c, d]);
            self.seen.0.asked.store(asked, Ordering::Relaxed);
        }
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
        this.seen.0.broke.fetch_or(read.is_err(), Ordering::Relaxed);
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

/// Bytes of the first message that tell what it asks for.
const HEAD: usize = 9;

const OK: u32 = 0;
const CLEAR_TEXT: u32 = 3;
const MD5: u32 = 5;
const SASL: u32 = 10;
/// No message came yet, or one that asks for nothing of the kind.
const NOTHING_YET: u32 = u32::MAX;

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

    #[tokio::test]
    async fn c17_a_server_that_asks_for_nothing_checks_no_passwords() {
        let (result, seen) = seen(&[b"R\0\0\0\x08\0\0\0\0S\0\0"], false).await;
        assert!(result.is_ok() && seen.asks_nothing());
    }

    #[tokio::test]
    async fn c16_a_disagreement_is_no_lost_connection() {
        let scram: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM";
        assert!(seen(&[scram], false).await.1.disagrees());
        assert!(!seen(&[scram, b""], false).await.1.disagrees(), "lost");
        let kerberos: &[u8] = b"R\0\0\0\x08\0\0\0\x07";
        assert!(seen(&[kerberos], false).await.1.disagrees());
        let error: &[u8] = b"E\0\0\0\x17\0\0\0\x03";
        let (result, seen) = seen(&[error], false).await;
        assert!(result.is_ok() && !seen.disagrees() && !seen.asks_clear_text());
    }
}
