//! libpq's `host=… user=… password='…'` (`PostgreSQL`'s manual, *Keyword/Value Connection Strings*).

use zeroize::Zeroizing;

use super::{Field, Part, Write};

pub(super) fn read(text: &str) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() {
        let (keyword, after) = rest.split_once('=')?;
        let keyword = keyword.trim_ascii_end();
        if keyword.is_empty() || keyword.contains(char::is_whitespace) {
            return None;
        }
        let after = after.trim_ascii_start();
        let (value, length) = value(after)?;
        let (raw, after) = after.split_at_checked(length)?;
        let part = match keyword {
            "user" => Some(Part::User),
            "password" => Some(Part::Password),
            _ => None,
        };
        let quoting: Write = if raw.starts_with('\'') { quoted } else { plain };
        fields.extend(part.map(|part| Field {
            part,
            raw,
            value,
            write: quoting,
        }));
        rest = after.trim_ascii_start();
    }
    Some(fields)
}

/// The value at the beginning, and how many bytes it takes there; `None` where its quote is not closed.
fn value(text: &str) -> Option<(Zeroizing<String>, usize)> {
    let in_quotes = text.starts_with('\'');
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    let mut characters = text.char_indices().skip(usize::from(in_quotes));
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' if in_quotes => return Some((value, at + 1)),
            _ if !in_quotes && character.is_ascii_whitespace() => return Some((value, at)),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    (!in_quotes).then_some((value, text.len()))
}

fn plain(value: &str) -> Zeroizing<String> {
    let needs_quotes = |c: char| c.is_whitespace() || matches!(c, '\'' | '\\');
    if value.is_empty() || value.contains(needs_quotes) {
        quoted(value)
    } else {
        Zeroizing::new(value.to_owned())
    }
}

fn quoted(value: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::with_capacity(2 * value.len() + 2));
    quoted.push('\'');
    for character in value.chars() {
        if matches!(character, '\'' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('\'');
    quoted
}
