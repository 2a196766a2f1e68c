//! The secret: its names, the labels on its versions, its value, and the calls that read and write it.

mod call;
mod document;
mod id;
mod instances;
mod keys;
mod sdk;
mod store;
mod versions;

pub(crate) use call::StoreError;
pub(crate) use document::{MalformedSecret, SecretDocument, SuperuserDocument};
pub(crate) use id::{RotationToken, SecretId, StagingLabel, VersionId};
pub(crate) use instances::{Address, Instances};
pub(crate) use sdk::{Authorities, sdk};
pub(crate) use store::{Store, Value};
pub(crate) use versions::{Admission, Inadmissible, SecretVersions};
