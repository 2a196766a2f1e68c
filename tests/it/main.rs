//! The function from outside: the program that ships, real servers, real protocols. A module per promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

mod admission;
mod alternating;
mod audit;
mod bounds;
mod checked;
mod contract_cited;
mod creation;
mod document;
mod foreign;
mod interrupted;
mod lost_and_found;
mod md5;
mod operated;
mod orphaned;
mod out_of_reach;
mod pages;
mod promotion;
mod proven;
mod refused;
mod said;
mod secrecy;
mod server;
mod sessions;
mod single_user;
mod taken_over;
mod tested;
mod tls;
mod tolerant;
mod unnoticed;
mod unreachable;
mod verifier;

use testbed::World;
use testbed::world::Builder;

/// A world for the program that ships.
fn world() -> Builder {
    World::builder(env!("CARGO_BIN_EXE_db-rotation"))
}

/// What a change told the server in the password's place.
fn given(sql: &str) -> &str {
    let literal = sql.split("PASSWORD ").nth(1).unwrap();
    literal.split('\'').nth(1).unwrap()
}
