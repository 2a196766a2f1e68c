//! One connection between a client and PostgreSQL, byte by byte. TLS hides what is said; who speaks shows.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::database::{DbFault, Inner, reset, silence};
use super::turn::When;

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
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut passage = Passage {
        number,
        fault,
        last: Speaker::Server,
        turns: 0,
        sent: 0,
        received: 0,
    };
    let (mut from_client, mut from_server) = (vec![0; 16_384], vec![0; 16_384]);
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
        let data = match speaker {
            Speaker::Client => from_client.get(..length),
            Speaker::Server => from_server.get(..length),
        }
        .unwrap_or_default();
        if let Some(when) = passage.hear(inner, speaker) {
            inner.reached(number, passage.turns, when).await;
        }
        match passage.judge(speaker, data) {
            Verdict::Pass => {
                let to = if speaker == Speaker::Client {
                    &mut server
                } else {
                    &mut client
                };
                if to.write_all(data).await.is_err() {
                    return;
                }
            }
            Verdict::Answer(text) => {
                if client.write_all(text).await.is_err() {
                    return;
                }
            }
            Verdict::Cut(kept) => {
                let to = if speaker == Speaker::Client {
                    &mut server
                } else {
                    &mut client
                };
                let _ = to.write_all(data.get(..kept).unwrap_or_default()).await;
                reset(&client);
                return;
            }
            Verdict::Stall => return silence(client).await,
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
    number: usize,
    fault: Option<DbFault>,
    last: Speaker,
    turns: usize,
    sent: usize,
    received: usize,
}

impl Passage {
    /// Notes who speaks; the moment that this is, where it is another speaker than before.
    fn hear(&mut self, inner: &Inner, speaker: Speaker) -> Option<When> {
        let other = self.last != speaker;
        self.last = speaker;
        match speaker {
            Speaker::Client if other => {
                inner.turn(self.number);
                self.turns += 1;
                Some(When::Spoken)
            }
            Speaker::Server if other => Some(When::Answered),
            _ => None,
        }
    }

    fn judge(&mut self, speaker: Speaker, data: &[u8]) -> Verdict {
        match (self.fault, speaker) {
            (Some(DbFault::StripTls), Speaker::Client) if data.ends_with(&SSL_REQUEST) => {
                self.fault = None;
                // The client speaks again, and it is its turn still.
                self.last = Speaker::Server;
                Verdict::Answer(b"N")
            }
            (Some(DbFault::ResetAfterSent(most)), Speaker::Client) => {
                Self::measure(&mut self.sent, most, data.len())
            }
            (Some(DbFault::ResetAfterReceived(most)), Speaker::Server) => {
                Self::measure(&mut self.received, most, data.len())
            }
            (Some(DbFault::LoseTurn(turn)), Speaker::Client) if self.turns >= turn => {
                Verdict::Cut(0)
            }
            (Some(DbFault::LoseAnswer(turn)), Speaker::Server) if self.turns >= turn => {
                Verdict::Cut(0)
            }
            (Some(DbFault::StallAfter(turn)), Speaker::Server) if self.turns >= turn => {
                Verdict::Stall
            }
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
