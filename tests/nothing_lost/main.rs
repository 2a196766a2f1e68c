//! Nothing lost, whatever dies: a searched space of faults, with invariants.
//!
//! A [`schedule::Schedule`] says what the service, an operator and the world do to the rotations of one secret; a
//! [`service::Service`] plays it against the shipped program and real servers; the [`invariants`] hold after every event, or the
//! schedule is shrunk to the shortest that breaks one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

mod acts;
mod blame;
mod boundaries;
mod call;
mod conditions;
mod defects;
mod events;
mod faults;
mod invariants;
mod model;
mod overtake;
mod report;
mod scene;
mod schedule;
mod search;
mod service;
mod statements;
mod systematic;
mod verdict;

use std::path::Path;

/// The program that ships.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_db-rotation"))
}

#[tokio::test]
async fn every_single_fault_at_every_boundary_loses_nothing() {
    let report = search::systematically(program()).await;
    println!("{report}");
    assert!(report.is_unbroken(), "{report}");
}

#[tokio::test]
async fn random_schedules_lose_nothing() {
    let report = search::randomly(program(), search::seed(), search::schedules()).await;
    println!("{report}");
    assert!(report.is_unbroken(), "{report}");
}
