//! The keys of a secret's JSON object, as AWS's functions read them (AWS, *JSON structure of secrets*).

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::host::host_and_port;
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
        let (host, port) = self
            .address()?
            .ok_or_else(|| r#"has no "host", or an empty one"#.to_owned())?;
        let database = match self.text("dbname")? {
            Some(name) => Some(name),
            None => self.text("database")?,
        };
        let endpoint = Endpoint {
            host,
            port,
            database: database.unwrap_or_else(|| "postgres".to_owned()),
            tls: self.tls().0,
        };
        Ok(Login {
            endpoint,
            credentials: self.credentials()?,
        })
    }

    /// Where the function connects: `rotation_host` and `rotation_port`, where they are there, or else what applications
    /// read. `None` without a host.
    pub(super) fn address(&self) -> Result<Option<(String, u16)>, String> {
        for (host_key, port_key) in [("rotation_host", "rotation_port"), ("host", "port")] {
            let Some(text) = self.text(host_key)? else {
                continue;
            };
            let (host, behind) = host_and_port(&text)
                .ok_or_else(|| format!("has a {host_key:?} that is not a host name or address"))?;
            let port = match self.port(port_key)? {
                Some(port) if behind.is_some_and(|behind| behind != port) => {
                    return Err(format!(
                        "has a {host_key:?} with another port than {port_key:?}: {port}"
                    ));
                }
                Some(port) => Some(port),
                None => behind,
            };
            // The address for rotation may leave the port to the other one.
            let port = match port {
                None if host_key == "rotation_host" => self.port("port")?,
                port => port,
            };
            return Ok(Some((host, port.unwrap_or(5432))));
        }
        Ok(None)
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

    /// A whole number, however it is written: `5432`, `"5432"`, `5432.0`, `" 5432"`.
    fn port(&self, key: &str) -> Result<Option<u16>, String> {
        let Some(raw) = self.value(key) else {
            return Ok(None);
        };
        let text = serde_json::from_str::<String>(raw.get()).ok();
        let number = text.as_deref().unwrap_or_else(|| raw.get()).trim();
        let port = match number.split_once('.') {
            Some((whole, zeros)) if zeros.bytes().all(|digit| digit == b'0') => whole,
            _ => number,
        };
        match port.parse::<u16>() {
            _ if text.is_some() && number.is_empty() => Ok(None),
            Ok(port) if port != 0 => Ok(Some(port)),
            _ => Err(format!(
                "has a {key:?} that is not a whole number from 1 to 65535"
            )),
        }
    }

    /// How the connection is encrypted, and the key whose value says nothing that is known. Only an explicit `false` or
    /// `disable` turns TLS off, and only an explicit `verify-ca` the look at the name; all else is verify-full.
    pub(super) fn tls(&self) -> (TlsMode, Option<&'static str>) {
        let keys = ["ssl", "sslmode", "ssl_mode"].into_iter();
        let found = keys.filter_map(|key| Some((key, self.value(key)?.get())));
        let modes = found.map(|(key, raw)| {
            let mode = serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned());
            (key, mode.trim().to_ascii_lowercase())
        });
        let Some((key, mode)) = modes.into_iter().find(|(_, mode)| !mode.is_empty()) else {
            return (TlsMode::VerifyFull, None);
        };
        match mode.as_str() {
            "false" | "disable" => (TlsMode::Disabled, None),
            "verify-ca" => (TlsMode::VerifyCa, None),
            "true" | "allow" | "prefer" | "require" | "verify-full" => (TlsMode::VerifyFull, None),
            _ => (TlsMode::VerifyFull, Some(key)),
        }
    }

    fn required(&self, key: &str) -> Result<String, String> {
        self.text(key)?
            .ok_or_else(|| format!("has no {key:?}, or an empty one"))
    }

    /// The text under `key`; `None` where it is not there, null or empty.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, String> {
        let Some(raw) = self.value(key) else {
            return Ok(None);
        };
        match serde_json::from_str::<String>(raw.get()) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) if text.contains('\0') => Err(format!("has a NUL character in {key:?}")),
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(format!("has a {key:?} that is not text")),
        }
    }

    /// The value under `key`; `None` where it is null, as where it is not there.
    fn value(&self, key: &str) -> Option<&'a RawValue> {
        let mut keys = self.keys.iter();
        let (_, value) = keys.find(|(k, _)| k == key)?;
        (value.get() != "null").then_some(value)
    }

    /// The keys that are not read here, each with its value and where that stands in the text.
    pub(super) fn others(&self) -> impl Iterator<Item = (&str, &'a str, Range<usize>)> {
        let others = self.keys.iter();
        let others = others.filter(|(key, _)| !READ.contains(&key.as_str()));
        others.map(|(key, value)| {
            let value = value.get();
            (key.as_str(), value, self.place_of(value))
        })
    }

    /// Where in the text the value of `key` stands, in bytes.
    pub(super) fn place(&self, key: &str) -> Range<usize> {
        self.place_of(self.value(key).map_or("", RawValue::get))
    }

    fn place_of(&self, value: &str) -> Range<usize> {
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
const READ: [&str; 13] = [
    "database",
    "dbname",
    "engine",
    "host",
    "masterarn",
    "password",
    "port",
    "rotation_host",
    "rotation_port",
    "ssl",
    "ssl_mode",
    "sslmode",
    "username",
];
