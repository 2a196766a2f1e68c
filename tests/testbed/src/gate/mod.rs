//! What stands between the function and its servers: it records what passes, and breaks it where a test says so.

mod addresses;
mod api;
mod call;
mod database;
mod fault;
mod silent;
mod traffic;
mod wire;

pub use self::api::ApiGate;
pub use self::call::{Call, depth};
pub use self::database::{DbFault, DbGate};
pub use self::fault::{Fault, Nth};
pub use self::silent::SilentPort;
