//! The testbed does what it says.

mod function;
mod gates;
mod killed;
mod postgres;
mod secrets;
mod world;

/// The function that everything is tried with.
const FAKE: &str = env!("CARGO_BIN_EXE_fake-function");
