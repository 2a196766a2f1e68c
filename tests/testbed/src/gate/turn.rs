//! The moments of a connection, and what a test does in them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// What a test does in a turn.
pub(super) struct Deed {
    /// The connection's index.
    pub(super) connection: usize,
    pub(super) turn: usize,
    pub(super) when: When,
    pub(super) work: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// A moment of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// The client has spoken, the server has not heard it.
    Spoken,
    /// The server has answered, the client has not heard it.
    Answered,
}

impl fmt::Debug for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {:?}", self.connection, self.turn, self.when)
    }
}
