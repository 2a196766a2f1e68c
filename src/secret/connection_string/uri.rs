//! `scheme://user:password@host/database?user=…&password=…`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::{Field, Part, decoded};

/// Whose rules tell where the user and the password end, where they hold a reserved character as it is.
#[derive(Clone, Copy)]
pub(super) enum Rules {
    /// `@` and `/` alone end them; `+` means itself. So does libpq.
    Libpq,
    /// RFC 3986, and HTML's forms for the parameters, where `+` is a blank. So do Go, Java, Node.js and Python.
    Web,
}

pub(super) fn read(text: &str, rules: Rules) -> Option<Vec<Field<'_>>> {
    let (user_info, rest) = rules.split(after_scheme(text.trim())?);
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let before_host = [(Part::User, user), (Part::Password, password)]
        .into_iter()
        .filter(|(_, raw)| !raw.is_empty())
        .map(|(part, raw)| (part, raw, false));
    let parameters = rules.parameters(rest).split('&').filter_map(|parameter| {
        let (name, raw) = parameter.split_once('=')?;
        let part = match name.to_ascii_lowercase().as_str() {
            "user" | "username" => Part::User,
            "password" => Part::Password,
            _ => return None,
        };
        Some((part, raw, matches!(rules, Rules::Web)))
    });
    before_host
        .chain(parameters)
        .map(|(part, raw, plus_is_blank)| {
            Some(Field {
                part,
                raw,
                value: value(raw, plus_is_blank)?,
                write: encoded,
            })
        })
        .collect()
}

/// What follows `postgresql://`, `postgresql+asyncpg://`, `jdbc:postgresql://`, or `jdbc:` alone.
fn after_scheme(text: &str) -> Option<&str> {
    match text.split_once("://") {
        Some((schemes, rest)) if schemes.split(':').all(is_scheme) => Some(rest),
        _ => text.strip_prefix("jdbc:"),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

impl Rules {
    /// What stands before the host's `@`, and the rest.
    fn split(self, text: &str) -> (&str, &str) {
        match self {
            Self::Libpq => text
                .split_once('@')
                .filter(|(user_info, _)| !user_info.contains('/')),
            Self::Web => {
                let end = text.find(['/', '?', '#']).unwrap_or(text.len());
                let (authority, _) = text.split_at(end);
                authority
                    .rfind('@')
                    .map(|at| (text.split_at(at).0, text.split_at(at + 1).1))
            }
        }
        .unwrap_or(("", text))
    }

    fn parameters(self, text: &str) -> &str {
        let text = match self {
            Self::Libpq => text,
            Self::Web => text.split_once('#').map_or(text, |(text, _)| text),
        };
        text.split_once('?')
            .map_or("", |(_, parameters)| parameters)
    }
}

fn value(raw: &str, plus_is_blank: bool) -> Option<Zeroizing<String>> {
    if plus_is_blank {
        decoded(&Zeroizing::new(raw.replace('+', " ")))
    } else {
        decoded(raw)
    }
}

/// Whatever could mean something to any reader is encoded: all but RFC 3986's unreserved characters.
fn encoded(value: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(3 * value.len()));
    encoded.extend(utf8_percent_encode(value, RESERVED));
    encoded
}

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
