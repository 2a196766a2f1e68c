//! What a server asks for before it believes a login: seen on the wire, since tokio-postgres answers anything.
//!
//! `PostgreSQL`, *Frontend/Backend Protocol*: the first message of the server's is `R`, its length (4 bytes) and what it
//! asks for (4 bytes). A server that asks for clear text is not told: it, or somebody who speaks in its place, would have
//! the password.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// What the server asked for, once it has.
#[derive(Debug, Clone)]
pub(super) struct Challenge(Arc<AtomicU32>);

impl Challenge {
    fn asked(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// The server wants the password as it is.
    pub(super) fn is_clear_text(&self) -> bool {
        self.asked() == CLEAR_TEXT
    }

    /// The server let the role in unasked: it checks no passwords.
    pub(super) fn is_none(&self) -> bool {
        self.asked() == OK
    }

    /// The server wants a proof by SCRAM: `pg_hba.conf` may demand it, and an md5 verifier would lock the role out.
    pub(super) fn is_scram(&self) -> bool {
        self.asked() == SASL
    }

    /// The server wants what is neither a password nor a proof of one (Kerberos, GSSAPI, SSPI).
    pub(super) fn is_unknown(&self) -> bool {
        !matches!(self.asked(), OK | CLEAR_TEXT | MD5 | SASL | UNSEEN)
    }
}

/// A connection whose first incoming message is read along.
pub(super) struct Watched<S> {
    stream: S,
    head: Vec<u8>,
    challenge: Challenge,
    may_ask_clear_text: bool,
}

impl<S> Watched<S> {
    /// Watches `stream`; a request for clear text breaks it off unless it is expected.
    pub(super) fn new(stream: S, may_ask_clear_text: bool) -> (Self, Challenge) {
        let challenge = Challenge(Arc::new(AtomicU32::new(UNSEEN)));
        (
            Self {
                stream,
                head: Vec::new(),
                challenge: challenge.clone(),
                may_ask_clear_text,
            },
            challenge,
        )
    }

    /// Takes note of `arrived`, until the first message's head is complete.
    fn note(&mut self, arrived: &[u8]) -> io::Result<()> {
        let missing = HEAD.saturating_sub(self.head.len());
        if missing == 0 || arrived.is_empty() {
            return Ok(());
        }
        self.head.extend(arrived.iter().take(missing));
        if let [b'R', _, _, _, _, a, b, c, d] = *self.head.as_slice() {
            self.challenge
                .0
                .store(u32::from_be_bytes([a, b, c, d]), Ordering::Relaxed);
        }
        if self.challenge.is_clear_text() && !self.may_ask_clear_text {
            return Err(io::Error::other("a request for the password in clear text"));
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                Poll::Ready(this.note(buf.filled().get(before..).unwrap_or_default()))
            }
            other => other,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Watched<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

/// Stands where tokio-postgres expects to make the TLS handshake: it was made before, and told apart from what follows.
pub(super) struct Handshaken;

impl<S: TlsStream + Unpin> TlsConnect<Watched<S>> for Handshaken {
    type Stream = Watched<S>;
    type Error = Infallible;
    type Future = Ready<Result<Watched<S>, Infallible>>;

    fn connect(self, stream: Watched<S>) -> Self::Future {
        ready(Ok(stream))
    }
}

/// Bytes of the first message that tell what it asks for.
const HEAD: usize = 9;

const OK: u32 = 0;
const CLEAR_TEXT: u32 = 3;
const MD5: u32 = 5;
const SASL: u32 = 10;
/// Nothing came yet, or no request.
const UNSEEN: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn after(chunks: &[&[u8]], may_ask_clear_text: bool) -> (io::Result<()>, Challenge) {
        let (mut watched, challenge) = Watched::new((), may_ask_clear_text);
        (
            chunks.iter().try_for_each(|chunk| watched.note(chunk)),
            challenge,
        )
    }

    #[test]
    fn c19_a_request_for_clear_text_breaks_the_connection_off_however_it_arrives() {
        let request = b"R\0\0\0\x08\0\0\0\x03";
        for cut in 1..request.len() {
            let (head, tail) = request.split_at(cut);
            let (result, challenge) = after(&[head, tail], false);
            assert!(result.is_err() && challenge.is_clear_text());
        }
        assert!(after(&[request], true).0.is_ok());
    }

    #[test]
    fn c17_a_server_that_asks_for_nothing_checks_no_passwords() {
        let (result, challenge) = after(&[b"R\0\0\0\x08\0\0\0\0S\0\0"], false);
        assert!(result.is_ok() && challenge.is_none());
    }

    #[test]
    fn scram_and_an_error_are_let_through() {
        let (scram, challenge) = after(&[b"R\0\0\0\x17\0\0\0\x0aSCRAM"], false);
        assert!(scram.is_ok() && !challenge.is_none() && !challenge.is_unknown());
        let (error, challenge) = after(&[b"E\0\0\0\x17\0\0\0\x03"], false);
        assert!(error.is_ok() && !challenge.is_clear_text());
        assert!(after(&[b"R\0\0\0\x08\0\0\0\x07"], false).1.is_unknown());
    }
}
