//! What is seen of a server until a session begins.
//!
//! `PostgreSQL`, *Frontend/Backend Protocol*: a message is its type (1 byte), its length without that (4 bytes), and what it
//! holds. The server's first is `R` and what it asks for (4 bytes); after the last `R` comes `K` with the number of the process
//! that answers (4 bytes), and `Z` when the session has begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What was seen of a connection so far.
#[derive(Debug, Clone)]
pub(super) struct Seen(Arc<Noted>);

#[derive(Debug)]
struct Noted {
    asked: AtomicU32,
    process: AtomicU32,
    broke: AtomicBool,
}

/// How far the server's messages were read.
#[derive(Debug, Default)]
pub(super) struct Startup {
    /// The beginning of the message that is being read.
    head: Vec<u8>,
    /// How much of the message before it is still to come.
    rest: usize,
    /// Whether the session has begun, or will not.
    is_over: bool,
}

impl Seen {
    pub(super) fn nothing() -> Self {
        Self(Arc::new(Noted {
            asked: AtomicU32::new(NOTHING_YET),
            process: AtomicU32::new(NOTHING_YET),
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

    /// The process that the server says it answers by (`BackendKeyData`).
    pub(super) fn process(&self) -> Option<u32> {
        let process = self.0.process.load(Ordering::Relaxed);
        (process != NOTHING_YET).then_some(process)
    }

    /// Takes note of whether the connection broke.
    pub(super) fn note_broken(&self, is_broken: bool) {
        self.0.broke.fetch_or(is_broken, Ordering::Relaxed);
    }

    /// Takes note of what has `arrived`.
    pub(super) fn note(&self, arrived: &[u8], startup: &mut Startup) {
        self.note_broken(arrived.is_empty());
        for byte in arrived {
            match startup.read(*byte) {
                Some((b'R', asked)) => {
                    let first = (NOTHING_YET, Ordering::Relaxed, Ordering::Relaxed);
                    let _ = self
                        .0
                        .asked
                        .compare_exchange(first.0, asked, first.1, first.2);
                }
                Some((_, process)) => self.0.process.store(process, Ordering::Relaxed),
                None if startup.is_over => return,
                None => {}
            }
        }
    }
}

impl Startup {
    /// Reads one byte more: a message's type and its first number, once they are there.
    fn read(&mut self, byte: u8) -> Option<(u8, u32)> {
        if self.is_over {
            return None;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        self.head.push(byte);
        let (message, number) = match *self.head.as_slice() {
            [b'R' | b'K', _, _, _, _] => return None,
            [message @ (b'R' | b'K'), _, _, _, _, a, b, c, d] => {
                (message, Some(u32::from_be_bytes([a, b, c, d])))
            }
            [message, _, _, _, _] => (message, None),
            _ => return None,
        };
        let length = self
            .head
            .get(1..5)
            .and_then(|length| length.try_into().ok());
        let length = usize::try_from(u32::from_be_bytes(length?)).ok()?;
        self.rest = (length + 1).saturating_sub(self.head.len());
        self.is_over = matches!(message, b'K' | b'Z' | b'E');
        self.head.clear();
        number.map(|number| (message, number))
    }
}

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
    fn seen(chunks: &[&[u8]]) -> Seen {
        let seen = Seen::nothing();
        let mut startup = Startup::default();
        for chunk in chunks {
            seen.note(chunk, &mut startup);
        }
        seen
    }

    #[test]
    fn c17_a_server_that_asks_for_nothing_checks_no_passwords() {
        assert!(seen(&[b"R\0\0\0\x08\0\0\0\0S\0\0"]).asks_nothing());
    }

    #[test]
    fn c16_a_disagreement_is_no_lost_connection() {
        let scram: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM";
        assert!(seen(&[scram]).disagrees());
        assert!(!seen(&[scram, b""]).disagrees(), "lost");
        let kerberos: &[u8] = b"R\0\0\0\x08\0\0\0\x07";
        assert!(seen(&[kerberos]).disagrees());
        let error: &[u8] = b"E\0\0\0\x17\0\0\0\x03";
        let seen = seen(&[error]);
        assert!(!seen.disagrees() && !seen.asks_clear_text());
    }

    #[test]
    fn c63_the_process_that_a_server_names_is_read_however_it_arrives() {
        let said = [
            &b"R\0\0\0\x0e\0\0\0\x0aSCRAM\0"[..],
            b"R\0\0\0\x08\0\0\0\0",
            b"S\0\0\0\x09a\0KR\0",
            b"K\0\0\0\x0c\0\0\x01\x02\0\0\0\x09",
            b"Z\0\0\0\x05I",
            b"K\0\0\0\x0c\0\0\0\0\0\0\0\0",
        ]
        .concat();
        for cut in 1..said.len() {
            let (head, tail) = said.split_at(cut);
            let seen = seen(&[head, tail]);
            assert_eq!(seen.process(), Some(258), "{cut}");
            assert!(seen.asks_proof(), "the first request counts");
        }
        let refused = b"E\0\0\0\x06a\0K\0\0\0\x0c\0\0\x01\x02\0\0\0\x09";
        assert_eq!(seen(&[refused]).process(), None);
    }
}
