//! What is told of a secret without its value.

use std::time::SystemTime;

use super::{SecretId, SecretVersions};

/// A secret as `ListSecrets` tells of it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what the service tells, each by itself"
)]
#[derive(Debug, Clone)]
pub(crate) struct SecretMetadata {
    /// Its ARN.
    pub id: SecretId,
    /// When it came to be.
    pub created: Option<SystemTime>,
    /// When anything about it last changed, labels included.
    pub last_changed: Option<SystemTime>,
    /// When its last rotation was finished.
    pub last_rotated: Option<SystemTime>,
    /// By when the service means to rotate it next; in the past where rotations fail.
    pub next_rotation: Option<SystemTime>,
    /// Whether rotation is on.
    pub rotates: bool,
    /// How often it rotates.
    pub schedule: Option<Schedule>,
    /// Whether `AWSPENDING` is on a version that isn't current: a rotation is under way, or stuck.
    pub is_pending: bool,
    /// Its tags, each with its key and value.
    pub tags: Vec<(String, String)>,
    /// Whether a service owns it, and with it its rotation (`OwningService`).
    pub is_managed: bool,
    /// Whether it is a copy of a secret in another region.
    pub is_replica: bool,
}

/// How often a secret rotates (`RotationRules`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// So many days after the last rotation.
    Days(u32),
    /// As an expression says, which the service has made a date of.
    Expression,
}

/// A secret as `DescribeSecret` tells of it.
#[derive(Debug)]
pub(crate) struct SecretDescription {
    pub(crate) versions: SecretVersions,
    /// The ARN of the function that rotates it.
    pub(crate) rotated_by: Option<String>,
    /// How often, in words.
    pub(crate) schedule: Option<String>,
    /// The service that owns it, and rotates it.
    pub(crate) owner: Option<String>,
    /// Whether it is a copy of a secret in another region.
    pub(crate) is_replica: bool,
}
