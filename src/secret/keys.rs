//! The keys of a secret's JSON object, as AWS's functions read them (AWS, *JSON structure of secrets*).

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::login::{Credentials, Endpoint, Login, RoleName, TlsMode};
use crate::sensitive::Password;

/// A JSON object's keys in their order, each with its value as it stands in the text.
pub(super) struct Keys<'a> {
    text: &'a str,
    keys: Vec<(String, &'a RawValue)>,
}

impl<'a> Keys<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        let mut json = serde_json::Deserializer::from_str(text);
        let keys = json
            .deserialize_map(InOrder)
            .and_then(|keys| json.end().map(|()| keys));
        // serde's words can repeat the value: only where it stopped is told.
        let keys = keys.map_err(|e| {
            format!(
                "is not a JSON object (line {}, column {})",
                e.line(),
                e.column()
            )
        })?;
        let twice = keys
            .iter()
            .enumerate()
            .find(|(i, (key, _))| keys.iter().take(*i).any(|(k, _)| k == key));
        match twice {
            // Any other key may be anybody's words.
            Some((_, (key, _))) if READ.contains(&key.as_str()) => {
                Err(format!("has {key:?} twice"))
            }
            Some(_) => Err("has a key twice".to_owned()),
            None => Ok(Self { text, keys }),
        }
    }

    pub(super) fn login(&self) -> Result<Login, String> {
        self.engine()?;
        let database = match self.text("dbname")? {
            Some(name) => name,
            None => self
                .text("database")?
                .unwrap_or_else(|| "postgres".to_owned()),
        };
        let (host, port, tls) = (self.required("host")?, self.port()?, self.tls()?);
        let endpoint = Endpoint {
            host,
            port,
            database,
            tls,
        };
        Ok(Login {
            endpoint,
            credentials: self.credentials()?,
        })
    }

    pub(super) fn engine(&self) -> Result<(), String> {
        match self.text("engine")?.as_deref() {
            None | Some("postgres" | "aurora-postgresql") => Ok(()),
            Some(_) => {
                Err(r#"has an "engine" that is not postgres or aurora-postgresql"#.to_owned())
            }
        }
    }

    pub(super) fn credentials(&self) -> Result<Credentials, String> {
        let role = RoleName::try_from(self.required("username")?);
        let role = role.map_err(|e| format!(r#"has a "username" that {e}"#))?;
        Ok(Credentials {
            role,
            password: Password::new(self.required("password")?),
        })
    }

    pub(super) fn port(&self) -> Result<u16, String> {
        let Some(raw) = self.value("port") else {
            return Ok(5432);
        };
        let text = serde_json::from_str::<String>(raw.get()).ok();
        let digits = text.as_deref().unwrap_or_else(|| raw.get());
        let port = digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())
            .flatten();
        port.filter(|&p| p != 0)
            .ok_or_else(|| r#"has a "port" that is not a number from 1 to 65535"#.to_owned())
    }

    /// Only an explicit `false` or `disable` turns TLS off; every other mode of libpq's is raised to verify-full.
    pub(super) fn tls(&self) -> Result<TlsMode, String> {
        let Some(key) = ["ssl", "sslmode", "ssl_mode"]
            .into_iter()
            .find(|key| self.value(key).is_some())
        else {
            return Ok(TlsMode::VerifyFull);
        };
        let raw = self.value(key).map_or("", RawValue::get);
        let mode = serde_json::from_str(raw)
            .unwrap_or_else(|_| raw.to_owned())
            .to_ascii_lowercase();
        match mode.as_str() {
            "false" | "disable" => Ok(TlsMode::Disabled),
            "true" | "allow" | "prefer" | "require" | "verify-ca" | "verify-full" => {
                Ok(TlsMode::VerifyFull)
            }
            _ => Err(format!(
                "has a {key:?} that is not true, false or a libpq mode such as verify-full"
            )),
        }
    }

    fn required(&self, key: &str) -> Result<String, String> {
        self.text(key)?.ok_or_else(|| format!("has no {key:?}"))
    }

    /// The non-empty text under `key`, if it is there.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, String> {
        let Some(raw) = self.value(key) else {
            return Ok(None);
        };
        match serde_json::from_str::<String>(raw.get()) {
            Ok(text) if text.is_empty() => Err(format!("has an empty {key:?}")),
            Ok(text) if text.contains('\0') => Err(format!("has a NUL character in {key:?}")),
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(format!("has a {key:?} that is not text")),
        }
    }

    fn value(&self, key: &str) -> Option<&'a RawValue> {
        self.keys
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| *value)
    }

    /// Where in the text the value of `key` stands, in bytes.
    pub(super) fn place(&self, key: &str) -> Range<usize> {
        let value = self.value(key).map_or("", RawValue::get);
        let start = value
            .as_ptr()
            .addr()
            .saturating_sub(self.text.as_ptr().addr());
        start..start + value.len()
    }
}

/// Reads an object without losing the order of its keys, a key given twice, or the form of a value.
struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while let Some(entry) = object.next_entry()? {
            keys.push(entry);
        }
        Ok(keys)
    }
}

/// The keys that are read.
const READ: [&str; 11] = [
    "database",
    "dbname",
    "engine",
    "host",
    "masterarn",
    "password",
    "port",
    "ssl",
    "ssl_mode",
    "sslmode",
    "username",
];
