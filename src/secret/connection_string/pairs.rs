//! `Host=…;Username=…;Password="…"`, as .NET's `DbConnectionStringBuilder` has it, and ODBC's `Driver={…};Uid=…;Pwd={…}`.

use zeroize::Zeroizing;

use super::{Field, Part, Write};

pub(super) fn read(text: &str) -> Option<Vec<Field<'_>>> {
    let odbc = is_odbc(text);
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ';' || c.is_whitespace());
        if rest.is_empty() {
            return Some(fields);
        }
        let (key, after) = rest.split_once('=')?;
        // `==` would be an equals sign in the key.
        if key.contains(';') || after.starts_with('=') {
            return None;
        }
        let after = after.trim_start();
        let (value, length, write) = value(after, odbc)?;
        let (raw, after) = after.split_at_checked(length)?;
        rest = after.trim_start();
        if !rest.is_empty() && !rest.starts_with(';') {
            return None;
        }
        fields.extend(part(key).map(|part| Field {
            part,
            raw,
            value,
            write,
        }));
    }
}

/// The keys of Npgsql and psqlODBC, with their synonyms.
fn part(key: &str) -> Option<Part> {
    let key: String = key.split_whitespace().collect();
    match key.to_ascii_lowercase().as_str() {
        "uid" | "user" | "userid" | "username" => Some(Part::User),
        "password" | "psw" | "pwd" => Some(Part::Password),
        _ => None,
    }
}

fn is_odbc(text: &str) -> bool {
    let keys = text.split(';').filter_map(|pair| pair.split_once('='));
    keys.map(|(key, _)| key.trim())
        .any(|key| key.eq_ignore_ascii_case("driver") || key.eq_ignore_ascii_case("dsn"))
}

/// The value at the beginning, how many bytes it takes there, and how another is written in its place.
fn value(text: &str, odbc: bool) -> Option<(Zeroizing<String>, usize, Write)> {
    let (quote, write): (char, Write) = match text.chars().next() {
        Some('{') if odbc => ('}', in_braces),
        Some('"') if !odbc => ('"', in_double_quotes),
        Some('\'') if !odbc => ('\'', in_single_quotes),
        _ => return plain(text, odbc),
    };
    let (value, length) = quoted(text, quote)?;
    Some((value, length, write))
}

fn plain(text: &str, odbc: bool) -> Option<(Zeroizing<String>, usize, Write)> {
    let value = text.split(';').next()?.trim_end();
    let malformed = value.contains(char::is_control) || value.ends_with(['"', '\'']);
    let write = if odbc { as_odbc_has_it } else { as_net_has_it };
    (odbc || !malformed).then(|| (Zeroizing::new(value.to_owned()), value.len(), write))
}

/// A value up to its closing quote, which stands twice where it is meant; `None` where it is not closed.
fn quoted(text: &str, quote: char) -> Option<(Zeroizing<String>, usize)> {
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote && characters.next_if(|&(_, next)| next == quote).is_none() {
            return Some((value, at + 1));
        }
        value.push(character);
    }
    None
}

/// In quotes where `DbConnectionStringBuilder` would write them, and around braces, which other readers take for quotes.
fn as_net_has_it(value: &str) -> Zeroizing<String> {
    let needs_quotes = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '=' | ';' | '{' | '}')
    };
    match () {
        () if !value.contains(needs_quotes) => Zeroizing::new(value.to_owned()),
        () if value.contains('"') && !value.contains('\'') => in_single_quotes(value),
        () => in_double_quotes(value),
    }
}

/// In braces unless plain: psqlODBC takes `%` and `+` outside of them for an encoding.
fn as_odbc_has_it(value: &str) -> Zeroizing<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    if value.chars().all(is_plain) {
        Zeroizing::new(value.to_owned())
    } else {
        in_braces(value)
    }
}

fn in_single_quotes(value: &str) -> Zeroizing<String> {
    between(value, '\'', '\'')
}

fn in_double_quotes(value: &str) -> Zeroizing<String> {
    between(value, '"', '"')
}

fn in_braces(value: &str) -> Zeroizing<String> {
    between(value, '{', '}')
}

fn between(value: &str, open: char, close: char) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::with_capacity(2 * value.len() + 2));
    quoted.push(open);
    for character in value.chars() {
        if character == close {
            quoted.push(close);
        }
        quoted.push(character);
    }
    quoted.push(close);
    quoted
}
