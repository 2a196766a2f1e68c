//! Secrets Manager: moto's server, which `secrets_manager.py` corrects where it isn't AWS.

mod console;
mod moto;
mod rds;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hyper::Response;
use parking_lot::Mutex;
use serde_json::Value;
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
    known: Mutex<Known>,
}

/// What moto forgets, or never knew.
#[derive(Debug, Default)]
struct Known {
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
                known: Mutex::default(),
            }),
        })
    }

    /// The one for tests that use secrets of different names, one per process.
    pub async fn shared() -> Result<Self> {
        static SHARED: OnceCell<SecretsManager> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await.cloned()
    }

    /// Answers one operation as Secrets Manager would: everyone, test or function, comes through here.
    pub(crate) async fn answer(&self, operation: &str, body: Value) -> Answer {
        let mut answer = match self.inner.moto.call(operation, &body).await {
            Ok(answer) => answer,
            Err(failure) => {
                return Answer::error(500, "InternalServiceError", &format!("{failure:?}"));
            }
        };
        if (400..500).contains(&answer.status) {
            answer.status = 400; // as AWS has it, whatever the caller did wrong
        }
        let mut known = self.inner.known.lock();
        if let Some(fields) = answer.body.as_object_mut()
            && let Some(arn) = fields.get("ARN").and_then(Value::as_str).map(str::to_owned)
        {
            let enabled = known.rotation_enabled.get(&arn);
            if let Some(enabled) = enabled.filter(|_| operation == "DescribeSecret") {
                fields.remove("RotationEnabled");
                fields.extend(enabled.map(|told| ("RotationEnabled".to_owned(), told.into())));
            }
            let given = ["SecretString", "SecretBinary"].map(|form| body.get(form));
            let values = given.into_iter().flatten().filter_map(Value::as_str);
            let values = values.map(|value| (arn.clone(), value.to_owned()));
            known.values.extend(values);
        }
        answer
    }

    /// A request to another service, which goes to moto as it is.
    pub(crate) async fn pass(&self, service: &str, body: Bytes) -> Result<Response<Bytes>> {
        self.inner.moto.pass(service, body).await
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
