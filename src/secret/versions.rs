//! The labels on a secret's versions, and whether a step may go on with one of them.

use std::collections::BTreeMap;

use super::{SecretId, StagingLabel, VersionId};

/// What `DescribeSecret` tells of a secret.
#[derive(Debug)]
pub(crate) struct SecretVersions {
    /// The secret that was described.
    pub secret: SecretId,
    /// Whether rotation is configured; the service leaves it out for a secret that never rotated.
    pub rotation_enabled: Option<bool>,
    /// Whether the secret is scheduled for deletion.
    pub deleted: bool,
    /// The labels on each version that has one (`VersionIdsToStages`).
    pub labels: BTreeMap<VersionId, Vec<String>>,
}

/// What the labels let a step do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The version is pending: go on.
    Proceed,
    /// The version is `AWSCURRENT` already: the rotation is over.
    AlreadyCurrent,
}

/// Why a step may not go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inadmissible {
    /// `DeletedDate` is set.
    #[error("secret {0} is scheduled for deletion and cannot be rotated")]
    SecretPendingDeletion(SecretId),
    /// `RotationEnabled` is false.
    #[error("secret {0} does not have rotation enabled")]
    RotationNotEnabled(SecretId),
    /// The version is unknown, or has other labels.
    #[error("version {version} of secret {secret} is not staged as AWSPENDING: it {found}")]
    VersionNotStaged {
        /// The secret.
        secret: SecretId,
        /// The version that the event names.
        version: VersionId,
        /// What it is instead.
        found: &'static str,
    },
}

impl Inadmissible {
    /// Whether it may be what was true a moment ago, and another look finds the version staged.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::VersionNotStaged { .. })
    }
}

impl SecretVersions {
    /// Those of a secret that can't be described.
    pub(crate) fn unlabelled(secret: SecretId) -> Self {
        Self {
            secret,
            rotation_enabled: None,
            deleted: false,
            labels: BTreeMap::new(),
        }
    }

    /// Whether a step for `version` may go on.
    ///
    /// # Errors
    /// [`Inadmissible`], before anything was touched.
    pub(crate) fn admit(&self, version: &VersionId) -> Result<Admission, Inadmissible> {
        if self.deleted {
            return Err(Inadmissible::SecretPendingDeletion(self.secret.clone()));
        }
        if self.has(version, StagingLabel::Current) {
            return Ok(Admission::AlreadyCurrent);
        }
        if self.rotation_enabled == Some(false) {
            return Err(Inadmissible::RotationNotEnabled(self.secret.clone()));
        }
        if self.has(version, StagingLabel::Pending) {
            return Ok(Admission::Proceed);
        }
        let found = match self.labels.get(version) {
            None => "is unknown, or has no label",
            Some(_) if self.has(version, StagingLabel::Previous) => "is AWSPREVIOUS",
            Some(_) => "has other labels",
        };
        Err(Inadmissible::VersionNotStaged {
            secret: self.secret.clone(),
            version: version.clone(),
            found,
        })
    }

    /// The version that has `label`, if any has.
    pub(crate) fn version_with(&self, label: StagingLabel) -> Option<&VersionId> {
        self.labels
            .iter()
            .find(|(_, labels)| labels.iter().any(|l| l == label.as_str()))
            .map(|(version, _)| version)
    }

    /// Whether `version` has a label that the service itself moves.
    pub(crate) fn has_label(&self, version: &VersionId) -> bool {
        [
            StagingLabel::Current,
            StagingLabel::Pending,
            StagingLabel::Previous,
        ]
        .into_iter()
        .any(|label| self.has(version, label))
    }

    /// Whether `version` has `label`.
    pub(crate) fn has(&self, version: &VersionId, label: StagingLabel) -> bool {
        self.labels
            .get(version)
            .is_some_and(|labels| labels.iter().any(|l| l == label.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(name: &str) -> VersionId {
        VersionId::from(name.to_owned())
    }

    fn secret(labels: &[(&str, &[&str])]) -> SecretVersions {
        let own = |labels: &[&str]| labels.iter().map(|&l| l.to_owned()).collect();
        SecretVersions {
            secret: SecretId::from("app/db".to_owned()),
            rotation_enabled: Some(true),
            deleted: false,
            labels: labels
                .iter()
                .map(|(v, labels)| (version(v), own(labels)))
                .collect(),
        }
    }

    #[test]
    fn c1_a_pending_version_may_go_on() {
        let secret = secret(&[("old", &["AWSCURRENT"]), ("new", &["AWSPENDING"])]);
        assert_eq!(secret.admit(&version("new")), Ok(Admission::Proceed));
    }

    #[test]
    fn c1_a_current_version_is_done_even_while_its_pending_label_stays() {
        let secret = secret(&[
            ("new", &["AWSPENDING", "AWSCURRENT"]),
            ("old", &["AWSPREVIOUS"]),
        ]);
        assert_eq!(secret.admit(&version("new")), Ok(Admission::AlreadyCurrent));
    }

    #[test]
    fn c1_an_unknown_version_and_one_with_other_labels_are_not_staged() {
        let secret = secret(&[
            ("old", &["AWSCURRENT"]),
            ("older", &["AWSPREVIOUS", "mine"]),
        ]);
        let unknown = secret.admit(&version("new")).unwrap_err().to_string();
        assert!(unknown.contains("unknown"), "{unknown}");
        let previous = secret.admit(&version("older")).unwrap_err().to_string();
        assert!(previous.contains("AWSPREVIOUS"), "{previous}");
    }

    #[test]
    fn c1_rotation_must_not_be_disabled_but_may_be_unsaid() {
        let mut secret = secret(&[("new", &["AWSPENDING"])]);
        secret.rotation_enabled = Some(false);
        assert!(matches!(
            secret.admit(&version("new")),
            Err(Inadmissible::RotationNotEnabled(_))
        ));
        secret.rotation_enabled = None;
        assert_eq!(secret.admit(&version("new")), Ok(Admission::Proceed));
    }

    #[test]
    fn c1_a_secret_scheduled_for_deletion_says_so() {
        let mut secret = secret(&[("new", &["AWSPENDING"])]);
        secret.deleted = true;
        assert!(matches!(
            secret.admit(&version("new")),
            Err(Inadmissible::SecretPendingDeletion(_))
        ));
    }
}
