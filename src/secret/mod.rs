//! The secret: its names, the labels on its versions, and its value. Nothing here makes a call.

mod connection_string;
mod document;
mod host;
mod id;
mod keys;
mod metadata;
mod versions;

pub(crate) use document::{MalformedSecret, SecretDocument, SecretValue, SuperuserDocument};
pub(crate) use id::{SecretId, StagingLabel, VersionId};
pub(crate) use metadata::{Schedule, SecretDescription, SecretMetadata};
pub(crate) use versions::{Admission, Inadmissible, SecretVersions};
