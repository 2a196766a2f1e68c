//! **db-rotation**: the function that AWS Secrets Manager calls to rotate `PostgreSQL` credentials.
//!
//! ```text
//!  Secrets Manager ── JSON ──▶ main                        (lambda_runtime stops here)
//!                                │
//!                                ▼
//!                   Function::handle ──▶ Request           lives with the process
//!                                │
//!                                ├──────────▶ audit        what is wrong with all secrets' metadata
//!                                │  context::admit: labels and values
//!                                ▼
//!                        rotation::Context                 lives for one step
//!                                │  match Step
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
