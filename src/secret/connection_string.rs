//! Connection strings in a secret's value: found by what they hold, and written anew with the next user and password.
//!
//! | form | read by |
//! |---|---|
//! | `scheme://user:password@…`, `…?user=…&password=…` | libpq, JDBC, R2DBC, `SQLAlchemy`, Go, Node.js, Prisma, sqlx |
//! | `host=… user=… password='…'` | libpq, Go, and what is built on them |
//! | `Host=…;Username=…;Password="…"`, `Driver={…};Uid=…;Pwd={…}` | Npgsql, OLE DB, ODBC |
//!
//! What a string holds decides, not the key that it stands under; which host and database it names is not looked at. Only
//! the user and the password change: the rest keeps every byte. Forms: `PostgreSQL`'s manual, *Connection Strings*; RFC 3986;
//! .NET's `DbConnectionStringBuilder`; psqlODBC.

mod keywords;
mod pairs;
mod uri;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// What became of a text.
pub(super) enum Followed {
    /// It held the current user and password as a connection string: the same one with the next.
    Rewritten(Zeroizing<String>),
    /// It holds the current password, and is no connection string that can be written anew: to be left alone, with a warning.
    UnknownForm,
    /// It does not hold the current password: to be left alone.
    Unrelated,
}

/// Who logs in, and with what.
pub(super) struct Credential<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
}

/// What becomes of `text` when `current` gives way to `next`.
pub(super) fn follow(text: &str, current: &Credential<'_>, next: &Credential<'_>) -> Followed {
    let rewritten = FORMS.iter().find_map(|read| {
        let fields = read(text).filter(|fields| current.is_in(fields))?;
        let rewritten = with(text, &fields, next)?;
        // Never stored unless it says what it should.
        let says_so = next.is_in(&read(&rewritten)?);
        says_so.then_some(rewritten)
    });
    match rewritten {
        Some(rewritten) => Followed::Rewritten(rewritten),
        None if holds(text, current.password) => Followed::UnknownForm,
        None => Followed::Unrelated,
    }
}

/// Whether `text` holds `password`: as it is, percent-encoded, or with backslashes.
///
/// A password of fewer than eight characters is not looked for: it would be found by chance.
pub(super) fn holds(text: &str, password: &str) -> bool {
    let decoded = decoded(text);
    let unescaped = Zeroizing::new(text.replace('\\', ""));
    password.chars().count() >= 8
        && (text.contains(password)
            || decoded.is_some_and(|text| text.contains(password))
            || unescaped.contains(password))
}

/// A user name or a password in a text.
struct Field<'a> {
    part: Part,
    /// As it stands in the text.
    raw: &'a str,
    /// What it says.
    value: Zeroizing<String>,
    /// How another value is written in its place.
    write: Write,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    User,
    Password,
}

/// The user names and passwords in a text, in their order; `None` where it is not of the form.
type Read = fn(&str) -> Option<Vec<Field<'_>>>;

type Write = fn(&str) -> Zeroizing<String>;

/// Drivers differ on where a password with a reserved character ends, and on `+`: what the string holds decides who reads it.
const FORMS: [Read; 4] = [
    |text| uri::read(text, uri::Rules::Libpq),
    |text| uri::read(text, uri::Rules::Web),
    keywords::read,
    pairs::read,
];

impl Credential<'_> {
    fn is_in(&self, fields: &[Field<'_>]) -> bool {
        let has = |part| fields.iter().any(|field| field.part == part);
        has(Part::User)
            && has(Part::Password)
            && fields
                .iter()
                .all(|field| field.value.as_str() == self.part(field.part))
    }

    fn part(&self, part: Part) -> &str {
        match part {
            Part::User => self.user,
            Part::Password => self.password,
        }
    }
}

/// The text with `next` in its fields.
fn with(text: &str, fields: &[Field<'_>], next: &Credential<'_>) -> Option<Zeroizing<String>> {
    let changes: Vec<_> = fields
        .iter()
        .filter(|field| field.value.as_str() != next.part(field.part))
        .map(|field| (field.raw, (field.write)(next.part(field.part))))
        .collect();
    // Room for all of it at once, so that nothing is copied and left behind unwiped.
    let room: usize = changes.iter().map(|(_, value)| value.len()).sum();
    let mut rewritten = Zeroizing::new(String::with_capacity(text.len() + room));
    let mut copied = 0;
    for (raw, value) in &changes {
        let start = raw.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        rewritten.push_str(text.get(copied..start)?);
        rewritten.push_str(value);
        copied = start + raw.len();
    }
    rewritten.push_str(text.get(copied..)?);
    Some(rewritten)
}

/// `text` without its percent-encoding; `None` where that is no text.
fn decoded(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    bytes.extend(percent_decode_str(text));
    let text = std::str::from_utf8(&bytes).ok()?;
    Some(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests;
