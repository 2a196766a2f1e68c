//! The secret's value: JSON, read once; gives a login, makes the next value.
//!
//! The next value is the old text with the new password written over the old one, and nothing else touched: so every
//! other key, number, escape and blank survives to the letter (AWS, *JSON structure of secrets*, for the keys).

use std::ops::Range;

use super::keys::Keys;
use super::{SecretId, StagingLabel, Value};
use crate::login::{Credentials, Login, RoleName, TlsMode};
use crate::password::Password;

/// One version's value.
#[derive(Debug)]
pub(crate) struct SecretDocument {
    /// Where and who.
    pub login: Login,
    /// The superuser's secret (`masterarn`): present with alternating users.
    pub superuser: Option<SecretId>,
    text: Password,
    username: Range<usize>,
    password: Range<usize>,
}

/// The value of the superuser secret: `{username, password}`, and `{host, port, ssl}` unless RDS manages it.
#[derive(Debug)]
pub(crate) struct SuperuserDocument {
    /// Who.
    pub(crate) credentials: Credentials,
    /// Where, if the secret says so.
    pub(crate) host: Option<String>,
    /// The TCP port, by default 5432.
    pub(crate) port: u16,
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

impl SuperuserDocument {
    /// Reads the current value of the superuser secret; `None` is a binary value.
    ///
    /// # Errors
    /// [`MalformedSecret`].
    pub(crate) fn parse(text: Value) -> Result<Self, MalformedSecret> {
        let read = |text: Password| {
            let keys = Keys::read(text.expose())?;
            keys.engine()?;
            let (credentials, host) = (keys.credentials()?, keys.text("host")?);
            Ok(Self {
                credentials,
                host,
                port: keys.port()?,
                tls: keys.tls()?,
            })
        };
        let text = text.ok_or_else(|| BINARY.to_owned());
        text.and_then(read).map_err(|problem| MalformedSecret {
            label: StagingLabel::Current,
            of: " of the superuser secret",
            problem,
        })
    }
}

impl SecretDocument {
    /// Reads the value of the version that has `label`; `None` is a binary value.
    ///
    /// # Errors
    /// [`MalformedSecret`] where a key is missing, given twice, or not of the form that it must have.
    pub(crate) fn parse(label: StagingLabel, text: Value) -> Result<Self, MalformedSecret> {
        let malformed = |problem| MalformedSecret {
            label,
            of: "",
            problem,
        };
        let text = text.ok_or_else(|| malformed(BINARY.to_owned()))?;
        let keys = Keys::read(text.expose()).map_err(malformed)?;
        let login = keys.login().map_err(malformed)?;
        let superuser = keys
            .text("masterarn")
            .map_err(malformed)?
            .map(SecretId::from);
        let (username, password) = (keys.place("username"), keys.place("password"));
        Ok(Self {
            login,
            superuser,
            text,
            username,
            password,
        })
    }

    /// Reads a value that must be there; `None` where the version has none.
    ///
    /// # Errors
    /// [`MalformedSecret`].
    pub(crate) fn read(label: StagingLabel, value: Option<Value>) -> Result<Self, MalformedSecret> {
        Self::parse(label, value.ok_or_else(|| Self::missing(label))?)
    }

    /// What is wrong with a version that has no value, or does not exist.
    pub(crate) fn missing(label: StagingLabel) -> MalformedSecret {
        MalformedSecret {
            label,
            of: "",
            problem: NO_VALUE.to_owned(),
        }
    }

    /// The value of the next version: this one with another password, and with another role where it changes.
    pub(crate) fn next(&self, role: &RoleName, password: &Password) -> Password {
        let mut changes = vec![(self.password.clone(), password.expose())];
        if role != &self.login.credentials.role {
            changes.push((self.username.clone(), role.as_str()));
        }
        changes.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        // The old text may not fit the new: room for both, so that nothing is copied and left behind unwiped.
        let mut text =
            String::with_capacity(self.text.expose().len() + 6 * (password.expose().len() + 64));
        text.push_str(self.text.expose());
        for (place, value) in changes {
            text.replace_range(place, &serde_json::Value::from(value).to_string());
        }
        Password::new(text)
    }
}

const BINARY: &str = "is binary, not a JSON text";
const NO_VALUE: &str = "does not exist: the version has no value";

#[cfg(test)]
mod tests;
