//! **db-rotation**: the function that AWS Secrets Manager calls to rotate `PostgreSQL` credentials.
//!
//! ```text
//!  Secrets Manager ── JSON ──▶ main ──▶ RotationEvent
//!                                │
//!                                ▼
//!                   Rotator::handle(event)                 lives with the process, immutable
//!                                │  DescribeSecret → SecretVersions::admit
//!                                ▼
//!                        rotation::Rotation                lives for one event
//!                                │  match Step
//!          create_secret │ set_secret │ test_secret │ finish_secret
//!              │                                      │
//!              ▼                                      ▼
//!   secret::{store, document, versions}     postgres::{session, statement, verifier, tls}
//!              └──────────▶  login · password  ◀──────┘
//! ```
//!
//! Follow one rotation from [`Rotator::handle`] down: every arrow goes one way.

mod config;
mod error;
mod event;
mod login;
mod password;
mod postgres;
mod rotation;
mod secret;

pub use config::Config;
pub use error::Error;
pub use event::RotationEvent;
pub use rotation::Rotator;
