//! The secret's value: JSON, read once; gives a login, makes the next value.
//!
//! The next value is the old text with the new password written over the old one, in connection strings too, and nothing else
//! touched: so every other key, number, escape and blank survives to the letter (AWS, *JSON structure of secrets*, for the keys).

use std::ops::Range;

use zeroize::Zeroizing;

use super::connection_string::{Credential, Followed, follow, holds};
use super::keys::Keys;
use super::{SecretId, StagingLabel};
use crate::login::{Credentials, Login, RoleName, TlsMode};
use crate::sensitive::{Password, SecretText};

/// A version's value as Secrets Manager keeps it.
#[derive(Debug)]
pub(crate) enum SecretValue {
    /// `SecretString`.
    Text(SecretText),
    /// `SecretBinary`.
    Binary,
}

/// A version's value, read.
#[derive(Debug)]
pub(crate) struct SecretDocument {
    /// Where and who.
    pub login: Login,
    /// The superuser's secret (`masterarn`): present with alternating users.
    pub superuser: Option<SecretId>,
    /// The key whose value is no mode of TLS that is known.
    pub unknown_tls: Option<&'static str>,
    text: SecretText,
    username: Range<usize>,
    password: Range<usize>,
}

/// The value of a version that is to be stored.
#[derive(Debug)]
pub(crate) struct NextValue {
    pub(crate) text: SecretText,
    /// The keys whose connection strings were written anew.
    pub(crate) followed: Vec<String>,
    /// The keys whose values hold the current password in a form that is not known: they go on holding it.
    pub(crate) not_followed: Vec<String>,
}

/// The value of the superuser secret: `{username, password}`, and `{host, port, ssl}` unless RDS manages it.
#[derive(Debug)]
pub(crate) struct SuperuserDocument {
    /// Who.
    pub(crate) credentials: Credentials,
    /// Host and TCP port, if the secret says so.
    pub(crate) address: Option<(String, u16)>,
    /// Whether it may go unencrypted.
    pub(crate) tls: TlsMode,
}

/// Why a value is no database secret. Names the version and the key, never the value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value labelled {label}{of} {problem}")]
pub struct MalformedSecret {
    label: StagingLabel,
    of: &'static str,
    problem: String,
}

impl SecretValue {
    fn text(self) -> Result<SecretText, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary => Err("is binary, not JSON text".to_owned()),
        }
    }
}

impl SuperuserDocument {
    /// Reads the current value of the superuser secret.
    ///
    /// # Errors
    /// [`MalformedSecret`].
    pub(crate) fn parse(value: SecretValue) -> Result<Self, MalformedSecret> {
        let read = |text: SecretText| {
            let keys = Keys::read(text.expose())?;
            keys.engine()?;
            Ok(Self {
                credentials: keys.credentials()?,
                address: keys.address()?,
                tls: keys.tls().0,
            })
        };
        value
            .text()
            .and_then(read)
            .map_err(|problem| MalformedSecret {
                label: StagingLabel::Current,
                of: " of the superuser secret",
                problem,
            })
    }
}

impl SecretDocument {
    /// Reads the value of the version that has `label`.
    ///
    /// # Errors
    /// [`MalformedSecret`] where a key is missing, given twice, or not of the form that it must have.
    pub(crate) fn parse(label: StagingLabel, value: SecretValue) -> Result<Self, MalformedSecret> {
        let malformed = |problem| MalformedSecret {
            label,
            of: "",
            problem,
        };
        let text = value.text().map_err(malformed)?;
        let keys = Keys::read(text.expose()).map_err(malformed)?;
        let login = keys.login().map_err(malformed)?;
        let superuser = keys
            .text("masterarn")
            .map_err(malformed)?
            .map(SecretId::from);
        let unknown_tls = keys.tls().1;
        let username = keys.place("username");
        let password = keys.place("password");
        Ok(Self {
            login,
            superuser,
            unknown_tls,
            text,
            username,
            password,
        })
    }

    /// What is wrong where no version has `label`, or that version has no value.
    pub(crate) fn missing(label: StagingLabel) -> MalformedSecret {
        MalformedSecret {
            label,
            of: "",
            problem: NO_VALUE.to_owned(),
        }
    }

    /// The value of the next version: this one with another password, and with another role where it changes; and so in the
    /// connection strings among its other keys.
    pub(crate) fn next(&self, role: &RoleName, password: &Password) -> NextValue {
        let followed = self.follow(role, password);
        let mut changes = followed.changes;
        changes.push((self.password.clone(), json(password.expose())));
        if role != &self.login.credentials.role {
            changes.push((self.username.clone(), json(role.as_str())));
        }
        changes.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        // The old text may not fit the new: room for all of it, so that nothing is copied and left behind unwiped.
        let room: usize = changes.iter().map(|(_, value)| value.len()).sum();
        let mut text = String::with_capacity(self.text.expose().len() + room);
        text.push_str(self.text.expose());
        for (place, value) in changes {
            text.replace_range(place, &value);
        }
        NextValue {
            text: SecretText::new(text),
            followed: followed.keys,
            not_followed: followed.not_followed,
        }
    }

    /// What becomes of the keys that the function doesn't read.
    fn follow(&self, role: &RoleName, password: &Password) -> FollowedKeys {
        let Credentials {
            role: current_role,
            password: current_password,
        } = &self.login.credentials;
        let current = Credential {
            user: current_role.as_str(),
            password: current_password.expose(),
        };
        let next = Credential {
            user: role.as_str(),
            password: password.expose(),
        };
        let mut followed = FollowedKeys::default();
        let Ok(keys) = Keys::read(self.text.expose()) else {
            return followed;
        };
        for (key, value, place) in keys.others() {
            let text = serde_json::from_str::<String>(value).map(Zeroizing::new);
            let outcome = match &text {
                Ok(text) => follow(text, &current, &next),
                Err(_) if holds(value, current.password) => Followed::UnknownForm,
                Err(_) => Followed::Unrelated,
            };
            match outcome {
                Followed::Rewritten(text) => {
                    followed.changes.push((place, json(&text)));
                    followed.keys.push(key.to_owned());
                }
                Followed::UnknownForm => followed.not_followed.push(key.to_owned()),
                Followed::Unrelated => {}
            }
        }
        followed
    }
}

/// What the keys that the function doesn't read become.
#[derive(Default)]
struct FollowedKeys {
    changes: Vec<(Range<usize>, Zeroizing<String>)>,
    keys: Vec<String>,
    not_followed: Vec<String>,
}

fn json(text: &str) -> Zeroizing<String> {
    Zeroizing::new(serde_json::Value::from(text).to_string())
}

const NO_VALUE: &str = "is missing: no version has the label, or the version has no value yet";

#[cfg(test)]
mod tests;
