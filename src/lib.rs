//! **db-rotation**: the function that AWS Secrets Manager calls to rotate `PostgreSQL` credentials.
//!
//! ```text
//!  Secrets Manager, an operator, a schedule ── JSON ──▶ main     (lambda_runtime stops here)
//!                                                         │
//!                                                         ▼
//!                                            Function::handle ──▶ Request
//!                                                         │
//!                ┌────────────────────────────────────────┼──────────────────────────┐
//!                ▼                                        ▼                          ▼
//!   rotation: one step of four     ◀── check: checkSecret            audit: auditSecrets
//!   context::admit, then match Step     a rotation's parts, and      all secrets' metadata
//!                │                      nothing is changed
//!   create_secret │ set_secret │ test_secret │ finish_secret
//!                      │
//!                      └─ single_user │ alternating_users: who changes whose password
//!                                │
//!   secret: values, pure    aws: the calls, bound    postgres: sessions, changes
//!             └──────────▶  login · sensitive · deadline  ◀──────────┘
//! ```
//!
//! Follow one rotation from [`Function::handle`] down: every arrow goes one way.

mod audit;
mod aws;
mod check;
mod config;
mod deadline;
mod error;
mod function;
mod login;
mod password;
mod postgres;
mod request;
mod rotation;
mod secret;
mod sensitive;

pub use config::Config;
pub use error::Error;
pub use function::Function;
