//! The names that Secrets Manager gives: a secret, a version of it, a label on a version.

use std::fmt;

/// A secret's ARN or name, as the event spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretId(String);

/// A version of a secret: the `ClientRequestToken` under which it was put.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionId(String);

/// Implements what a name of Secrets Manager's can do: be made of a text, be read, be shown.
macro_rules! name {
    ($type:ident) => {
        impl $type {
            /// As the service spells it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $type {
            fn from(name: String) -> Self {
                Self(name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(SecretId);
name!(VersionId);

/// A staging label that the service itself moves (AWS, *Secret versions*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StagingLabel {
    /// What applications read.
    Current,
    /// What the rotation under way is making.
    Pending,
    /// What `AWSCURRENT` was before.
    Previous,
}

impl StagingLabel {
    /// As the service spells it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Pending => "AWSPENDING",
            Self::Previous => "AWSPREVIOUS",
        }
    }
}

impl fmt::Display for StagingLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
