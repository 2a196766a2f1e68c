//! AWS's services, as this function calls them: Secrets Manager, and RDS where the secrets don't say who the writer is.
//!
//! No `SdkError` leaves this folder: printed, it can show the body of an answer, and with it the secret.

mod error;
mod rds;
mod sdk;
mod secrets_manager;

pub(crate) use error::AwsError;
pub(crate) use rds::{Address, Rds};
pub(crate) use sdk::{Authorities, Aws};
pub(crate) use secrets_manager::SecretsManager;
