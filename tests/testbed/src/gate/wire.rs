//! One connection between a client and PostgreSQL, byte by byte. TLS hides what is said; who speaks shows.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::database::{DbFault, Inner, Moment, reset, silence};

/// Who spoke last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaker {
    Client,
    Server,
}

/// Passes bytes both ways until either side ends or the fault strikes.
pub(super) async fn relay(
    inner: &Inner,
    mut client: TcpStream,
    mut server: TcpStream,
    number: usize,
    fault: Option<DbFault>,
) {
    let _ = server.set_nodelay(true);
    let mut passage = Passage {
        fault,
        last: Speaker::Server,
        turns: 0,
        sent: 0,
        received: 0,
    };
    let mut from_client = vec![0; 16_384];
    let mut from_server = vec![0; 16_384];
    loop {
        let (speaker, length) = tokio::select! {
            read = client.read(&mut from_client) => (Speaker::Client, read),
            read = server.read(&mut from_server) => (Speaker::Server, read),
        };
        let Ok(length @ 1..) = length else {
            // The end is passed on as it came: politely.
            let _ = client.shutdown().await;
            let _ = server.shutdown().await;
            return;
        };
        if let Some(moment) = passage.hear(speaker) {
            inner.reached(number, passage.turns, moment).await;
        }
        let (data, to) = match speaker {
            Speaker::Client => (&from_client, &mut server),
            Speaker::Server => (&from_server, &mut client),
        };
        let data = data.get(..length).unwrap_or_default();
        let written = match passage.judge(speaker, data) {
            Verdict::Pass => to.write_all(data).await,
            Verdict::Answer(text) => client.write_all(text).await,
            Verdict::Cut(kept) => {
                let _ = to.write_all(data.get(..kept).unwrap_or_default()).await;
                return reset(&client);
            }
            Verdict::Stall => return silence(client).await,
        };
        if written.is_err() {
            return;
        }
    }
}

/// What becomes of a piece of data.
enum Verdict {
    Pass,
    /// The client gets this instead of the server getting anything.
    Answer(&'static [u8]),
    /// The first bytes pass, then the client's side is reset and the server's closed.
    Cut(usize),
    Stall,
}

/// How far a connection has got.
struct Passage {
    fault: Option<DbFault>,
    last: Speaker,
    turns: usize,
    sent: usize,
    received: usize,
}

impl Passage {
    /// Notes who speaks; the moment that this is, where it is another speaker than before.
    fn hear(&mut self, speaker: Speaker) -> Option<Moment> {
        if std::mem::replace(&mut self.last, speaker) == speaker {
            return None;
        }
        if speaker == Speaker::Server {
            return Some(Moment::Answered);
        }
        self.turns += 1;
        Some(Moment::Spoken)
    }

    fn judge(&mut self, speaker: Speaker, data: &[u8]) -> Verdict {
        use DbFault::{
            LoseAnswer, LoseTurn, ResetAfterReceived, ResetAfterSent, StallAfter, StripTls,
        };
        use Speaker::{Client, Server};
        let Some(fault) = self.fault else {
            return Verdict::Pass;
        };
        match (fault, speaker) {
            (StripTls, Client) if data.ends_with(&SSL_REQUEST) => {
                self.fault = None;
                // The client speaks again, and it is its turn still.
                self.last = Server;
                Verdict::Answer(b"N")
            }
            (ResetAfterSent(most), Client) => Self::measure(&mut self.sent, most, data.len()),
            (ResetAfterReceived(most), Server) => {
                Self::measure(&mut self.received, most, data.len())
            }
            (LoseTurn(turn), Client) | (LoseAnswer(turn), Server) if self.turns >= turn => {
                Verdict::Cut(0)
            }
            (StallAfter(turn), Server) if self.turns >= turn => Verdict::Stall,
            _ => Verdict::Pass,
        }
    }

    fn measure(count: &mut usize, most: usize, length: usize) -> Verdict {
        let left = most - *count;
        *count += length.min(left);
        if length >= left {
            Verdict::Cut(left)
        } else {
            Verdict::Pass
        }
    }
}

/// The code that asks for TLS, after the message's length.
const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();
