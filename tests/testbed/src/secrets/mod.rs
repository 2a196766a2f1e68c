//! Secrets Manager: moto's server, corrected where it isn't AWS.

mod console;
mod listing;
mod moto;
mod rds;
mod rotation;
mod service;
mod stages;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

pub use self::console::{Labels, Secret};
pub(crate) use self::moto::Answer;
use self::moto::Moto;
pub(crate) use self::rds::percent;
use crate::error::Result;

/// A Secrets Manager of one's own (and RDS's API beside it). Clones are the same one.
#[derive(Clone, Debug)]
pub struct SecretsManager {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    moto: Moto,
    /// Held while a version or a label changes, as AWS does each in one piece.
    changing: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

/// What moto forgets, or never knew.
#[derive(Debug, Default)]
struct Known {
    /// When each version came to be, in seconds since 1970, by ARN and version.
    created: BTreeMap<(String, String), f64>,
    /// What `RotationEnabled` is told to be, where a test has said so.
    rotation_enabled: BTreeMap<String, Option<bool>>,
    /// Every value that any version ever had, by ARN.
    values: Vec<(String, String)>,
}

impl SecretsManager {
    /// Starts one and returns when it answers.
    pub async fn start() -> Result<Self> {
        let moto = Moto::start().await?;
        Ok(Self {
            inner: Arc::new(Inner {
                moto,
                changing: tokio::sync::Mutex::default(),
                known: Mutex::default(),
            }),
        })
    }

    /// The one for tests that use secrets of different names, one per process.
    pub async fn shared() -> Result<Self> {
        static SHARED: OnceCell<SecretsManager> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await.cloned()
    }

    /// Every value that a secret has had in any version.
    pub(crate) fn values(&self, arn: &str) -> Vec<String> {
        self.inner
            .known
            .lock()
            .values
            .iter()
            .filter(|(of, _)| of == arn)
            .map(|(_, value)| value.clone())
            .collect()
    }
}
