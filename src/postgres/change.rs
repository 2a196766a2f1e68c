//! A password's change: one transaction, which holds a lock from before the look at the labels to the commit.

use super::session::Row;
use super::statement::{self, Bounds, End};
use super::{DatabaseError, Failure, Session, VerifierChoice, VerifierKind};
use crate::login::{Credentials, Pair, RoleName};
use crate::sensitive::{Redaction, Sensitive};

/// How a new password is told to the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum PasswordTransport {
    /// As a SCRAM or md5 verifier: the server never sees the password.
    #[default]
    Verifier,
    /// As text, for a server whose password policy wants to read it; over TLS alone, else as a verifier.
    Plaintext,
}

/// A transaction that holds the advisory lock on a role, or on a pair: until it ends, no other rotation in this database
/// changes a password of theirs.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    session: &'a Session,
    role: &'a RoleName,
    pair: Option<&'a Pair>,
    servers_default: VerifierKind,
    scram: VerifierKind,
}

/// A change that was committed.
#[derive(Debug)]
pub(crate) struct Committed {
    /// Which kind of verifier the server was given.
    pub(crate) kind: VerifierKind,
    /// What became of the pair's clone.
    pub(crate) level: Level,
}

/// What was found while a clone was made level with its original.
#[derive(Debug, Default)]
pub(crate) struct Level {
    /// What could not be made level, by name.
    pub(crate) not_copied: Option<String>,
    /// How many objects the clone owns in this database, where it owns any.
    pub(crate) owned: Option<u64>,
}

impl Session {
    /// Begins to change the password of `role`: its own, or, for a superuser's session, that of one of `pair`. Nothing is
    /// changed yet. The server ends a transaction that waits longer than the call lives.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn begin_change<'a>(
        &'a self,
        role: &'a RoleName,
        pair: Option<&'a Pair>,
    ) -> Result<Change<'a>, DatabaseError> {
        let sql = statement::begin(role, pair, Bounds::within(self.deadline));
        let begun = self.run(&sql).await.map_err(|failure| match failure {
            // A server in recovery has no transaction that may write (0A000).
            Failure::Failed(said) if said.code == "0A000" => Failure::ReadOnly,
            other => other,
        });
        let attempt = || format!("lock role {} {}", role.quoted(), self.place());
        let row = begun.and_then(|row| match row.get(2..4) {
            Some([Some(may), Some(who)]) if may == "f" => Err(Failure::LanguageDenied {
                role: self.presentable(who),
            }),
            _ => Ok(row),
        });
        let row = row.map_err(|failure| self.failed(attempt(), failure))?;
        Ok(Change::of(self, role, pair, &row))
    }
}

impl<'a> Change<'a> {
    fn of(session: &'a Session, role: &'a RoleName, pair: Option<&'a Pair>, row: &Row) -> Self {
        let fact = |i: usize| row.get(i).and_then(Option::as_deref);
        let iterations = fact(1)
            .and_then(|text| text.parse().ok())
            .unwrap_or(DEFAULT_ITERATIONS)
            .min(MOST_ITERATIONS);
        let scram = VerifierKind::Scram { iterations };
        Self {
            session,
            role,
            pair,
            servers_default: match fact(0) {
                Some("md5") => VerifierKind::Md5,
                _ => scram,
            },
            scram,
        }
    }

    /// Sets the password and commits; a pair's clone is made level with its original on the same occasion.
    ///
    /// # Errors
    /// [`DatabaseError`]; after [`Failure::ConnectionLost`] the change may have been made, after any other it was not.
    pub(crate) async fn commit(
        self,
        credentials: &Credentials,
        transport: PasswordTransport,
        choice: VerifierChoice,
    ) -> Result<Committed, DatabaseError> {
        let kind = self.kind(choice);
        let level = self.make(credentials, transport, kind, End::Commit).await?;
        Ok(Committed { kind, level })
    }

    /// The same, without the commit: what a rotation would do, to be rolled back ([`Session::roll_back`]).
    ///
    /// # Errors
    /// [`DatabaseError`], as a rotation would meet it.
    pub(crate) async fn rehearse(
        self,
        credentials: &Credentials,
        transport: PasswordTransport,
    ) -> Result<Level, DatabaseError> {
        let kind = self.kind(VerifierChoice::ServersDefault);
        self.make(credentials, transport, kind, End::Open).await
    }

    async fn make(
        &self,
        credentials: &Credentials,
        transport: PasswordTransport,
        kind: VerifierKind,
        end: End,
    ) -> Result<Level, DatabaseError> {
        let made = self.try_to_make(credentials, transport, kind, end).await;
        made.map_err(|failure| {
            let role = self.role.quoted();
            let attempt = format!("run ALTER ROLE {role} PASSWORD … {}", self.session.place());
            self.session.failed(attempt, failure)
        })
    }

    fn kind(&self, choice: VerifierChoice) -> VerifierKind {
        match choice {
            VerifierChoice::ServersDefault => self.servers_default,
            VerifierChoice::AsBefore if self.session.has_md5_verifier() => VerifierKind::Md5,
            VerifierChoice::AsBefore | VerifierChoice::Scram => self.scram,
        }
    }

    async fn try_to_make(
        &self,
        credentials: &Credentials,
        transport: PasswordTransport,
        kind: VerifierKind,
        end: End,
    ) -> Result<Level, Failure> {
        match transport {
            // Only where nobody else listens.
            PasswordTransport::Plaintext if self.session.is_encrypted() => {
                let password = &credentials.password;
                self.set(password.expose(), password, Some(kind), end).await
            }
            PasswordTransport::Plaintext | PasswordTransport::Verifier => {
                let verifier = kind.of(credentials).map_err(Failure::NoVerifier)?;
                self.set(verifier.expose(), &verifier, None, end).await
            }
        }
    }

    /// Ends the transaction without a change.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn roll_back(self) -> Result<(), DatabaseError> {
        self.session.roll_back().await
    }

    async fn set(
        &self,
        text: &str,
        secret: impl Into<Sensitive>,
        kind: Option<VerifierKind>,
        end: End,
    ) -> Result<Level, Failure> {
        let redaction = Redaction::default().and(secret);
        let bounds = Bounds::within(self.session.deadline);
        let sql = match self.pair {
            None => statement::set_own_password(self.role, text, kind, bounds, end),
            Some(pair) => statement::set_password_in_pair(pair, self.role, text, kind, bounds, end),
        };
        let row = self.session.run(sql.expose()).await;
        let row = row.map_err(|failure| refused_by_policy(failure.redacted(&redaction)))?;
        let mut row = row.into_iter();
        let mut next = || row.next().flatten();
        Ok(Level {
            not_copied: next().filter(|names| {
                !names.is_empty()
                    && !redaction.covers(names)
                    && !self.session.redaction.covers(names)
            }),
            owned: next().and_then(|count| count.parse().ok().filter(|count| *count > 0)),
        })
    }
}

impl Session {
    /// Ends whatever transaction is open, so that another can begin.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn roll_back(&self) -> Result<(), DatabaseError> {
        let ended = self.run(statement::ROLLBACK).await;
        ended
            .map(drop)
            .map_err(|failure| self.failed(format!("run ROLLBACK {}", self.place()), failure))
    }
}

/// What the server's password policy says, told apart from other errors. Where password hooks put their refusals:
/// `invalid_parameter_value`, authorization, raised by a function.
fn refused_by_policy(failure: Failure) -> Failure {
    match failure {
        Failure::Failed(said)
            if matches!(said.code.as_str(), "22023" | "28000" | "28P01" | "P0001") =>
        {
            Failure::PasswordRefused(said)
        }
        other => other,
    }
}

/// `PostgreSQL`'s own before version 16, and its default since.
const DEFAULT_ITERATIONS: u32 = 4096;
/// More than this, and drivers refuse to log in with the verifier: pgjdbc and rust-postgres believe that the server means
/// to keep them busy (CVE-2026-42198).
const MOST_ITERATIONS: u32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::error::Complaint;
    use crate::sensitive::Password;

    fn said(code: &str, message: &str) -> Failure {
        let complaint = Complaint {
            code: code.to_owned(),
            message: message.to_owned(),
        };
        let redaction = Redaction::default().and(&Password::new("s3cret".to_owned()));
        refused_by_policy(Failure::Failed(complaint).redacted(&redaction))
    }

    #[test]
    fn c21_a_password_policys_no_is_told_apart_from_other_errors() {
        for (code, message) in [
            ("22023", "password is too short"),
            ("P0001", "password is too old"),
        ] {
            assert!(matches!(said(code, message), Failure::PasswordRefused(_)));
        }
        assert!(matches!(said("53100", "disk full"), Failure::Failed(_)));
    }

    #[test]
    fn c46_a_message_that_repeats_the_secret_is_not_told() {
        let failure = said("22023", "password \"s3cret\" is too easily cracked");
        let text = format!("{failure} {failure:?}");
        assert!(!text.contains("s3cret") && text.contains("22023"), "{text}");
    }
}
