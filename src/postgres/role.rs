//! What is done to roles, and asked about them.

use std::time::Duration;

use super::statement::Terms;
use super::verifier::Verifier;
use super::{Connector, DatabaseError, Fault, LoginOutcome, Session, statement};
use crate::login::{Credentials, Login, Pair};
use crate::password::{Password, PasswordTransport};

/// What the server is to keep of a password.
#[derive(Clone, Copy)]
enum Encryption {
    Md5,
    Scram { iterations: u32 },
}

/// A password change on its way: whose, and with whom it is to be kept level.
#[derive(Clone, Copy)]
struct Change<'a> {
    credentials: &'a Credentials,
    pair: Option<&'a Pair>,
}

/// Who a session is.
#[derive(Debug)]
pub(crate) struct Identity {
    /// Whom the server takes it for (`session_user`).
    pub(crate) role: String,
    /// Whether it may do what the pair's original may, and makes objects that belong to the original. True without a pair.
    pub(crate) is_equal: bool,
}

impl Connector<'_> {
    /// Gives the role of `login` its password, through a session of its own, or of a superuser who makes the clone of
    /// `pair` equal to its original on the same occasion.
    ///
    /// What the session was challenged with decides: where that was SCRAM, `pg_hba.conf` may demand it. An md5 verifier is
    /// tried by a login while the session can still replace it.
    ///
    /// # Errors
    /// [`DatabaseError`]; after [`Fault::ConnectionLost`] the change may have been made.
    pub(crate) async fn set_password(
        &self,
        session: &Session,
        login: &Login,
        pair: Option<&Pair>,
    ) -> Result<(), DatabaseError> {
        let credentials = &login.credentials;
        let change = Change { credentials, pair };
        let changed = async {
            let (server, scram) = session.encryption().await?;
            let not_copied = session.alter(change, self.transport, server).await?;
            match server {
                Encryption::Md5 if !self.logs_in(login).await => {
                    session.alter(change, self.transport, scram).await
                }
                _ => Ok(not_copied),
            }
        };
        let attempt = || {
            format!(
                "run ALTER ROLE {} PASSWORD … {}",
                credentials.role.quoted(),
                session.place()
            )
        };
        let own = &session.password;
        let not_copied = changed
            .await
            .map_err(|fault| self.failed(own, attempt(), fault))?;
        if let Some(not_copied) = not_copied.filter(|names| !self.is_hushed(own, names)) {
            tracing::warn!(role = %credentials.role, not_copied, "the clone is not in everything its original's equal");
        }
        Ok(())
    }

    async fn logs_in(&self, login: &Login) -> bool {
        match self.log_in(login).await {
            LoginOutcome::In(session) => {
                session.close().await;
                true
            }
            LoginOutcome::Refused | LoginOutcome::Unknown(_) => false,
        }
    }

    /// Who a session is, with `SELECT 1` on the way.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn identity(
        &self,
        session: &Session,
        pair: Option<&Pair>,
    ) -> Result<Identity, DatabaseError> {
        let failed = |fault| {
            let attempt = format!("run SELECT 1 {}", session.place());
            self.failed(&session.password, attempt, fault)
        };
        let sql = pair.map_or_else(
            || statement::IDENTITY.to_owned(),
            |pair| statement::identity_in_pair(&pair.original),
        );
        let mut row = session
            .run(&sql)
            .await
            .map_err(failed)?
            .into_iter()
            .flatten();
        match (row.next().as_deref(), row.next()) {
            (Some("1"), Some(role)) => Ok(Identity {
                role: self.told(&session.password, &role),
                is_equal: pair.is_none() || row.next().as_deref() == Some("t"),
            }),
            _ => Err(failed(Fault::ConnectionLost(
                "the answer to SELECT 1 was not 1".to_owned(),
            ))),
        }
    }
}

impl Session {
    /// What the server makes of passwords, and the SCRAM that works everywhere.
    async fn encryption(&self) -> Result<(Encryption, Encryption), Fault> {
        let mut row = self.run(statement::FACTS).await?.into_iter();
        let mut next = || row.next().flatten().unwrap_or_default();
        if next() == "t" {
            return Err(Fault::ReadOnly("the server is in recovery: a replica"));
        }
        let is_md5 = next() == "md5" && !self.is_scram();
        let iterations = next()
            .parse()
            .unwrap_or(DEFAULT_ITERATIONS)
            .min(MOST_ITERATIONS);
        let scram = Encryption::Scram { iterations };
        Ok((if is_md5 { Encryption::Md5 } else { scram }, scram))
    }

    /// Runs the change; tries again where somebody else's change came between. What of a clone could not be made level
    /// comes back.
    async fn alter(
        &self,
        change: Change<'_>,
        transport: PasswordTransport,
        encryption: Encryption,
    ) -> Result<Option<String>, Fault> {
        let role = &change.credentials.role;
        let secret = secret(change.credentials, transport, encryption)?;
        let mut pause = FIRST_PAUSE;
        loop {
            let (lock, statement) = self.bounds();
            let terms = Terms {
                lock,
                statement,
                encryption: (transport == PasswordTransport::Plaintext).then(|| encryption.name()),
            };
            let sql = Password::new(match change.pair {
                None => statement::set_own_password(role, secret.expose(), terms),
                Some(pair) => statement::set_password_in_pair(pair, role, secret.expose(), terms),
            });
            match self.run(sql.expose()).await {
                Err(Fault::Conflict(_)) if pause <= LAST_PAUSE => {
                    self.run(statement::ROLLBACK).await?;
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(fault) => return Err(refusal(fault.without(&secret))),
                Ok(row) => {
                    let mut names = row.into_iter().flatten();
                    return Ok(names
                        .next()
                        .filter(|names| !names.is_empty() && !secret.is_in(names)));
                }
            }
        }
    }
}

impl Encryption {
    /// As `password_encryption` has it.
    const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Scram { .. } => "scram-sha-256",
        }
    }
}

/// What the server is told.
fn secret(
    credentials: &Credentials,
    transport: PasswordTransport,
    encryption: Encryption,
) -> Result<Password, Fault> {
    match (transport, encryption) {
        (PasswordTransport::Plaintext, _) => {
            Ok(Password::new(credentials.password.expose().to_owned()))
        }
        (PasswordTransport::Verifier, Encryption::Md5) => Ok(Verifier::md5(credentials).told()),
        (PasswordTransport::Verifier, Encryption::Scram { iterations }) => {
            Verifier::scram(credentials, iterations)
                .map(Verifier::told)
                .map_err(|e| Fault::ConnectionLost(format!("OpenSSL made no verifier: {e}")))
        }
    }
}

/// What the server's password policy says, told apart from other errors. Where password hooks put their refusals:
/// `invalid_parameter_value`, authorization, raised by a function.
fn refusal(fault: Fault) -> Fault {
    match fault {
        Fault::Failed(said)
            if matches!(said.code.as_str(), "22023" | "28000" | "28P01" | "P0001") =>
        {
            Fault::PasswordRefused(said)
        }
        other => other,
    }
}

/// `PostgreSQL`'s own before version 16, and its default since.
const DEFAULT_ITERATIONS: u32 = 4096;
/// More than this, and drivers refuse to log in with the verifier: pgjdbc and rust-postgres believe that the server means
/// to keep them busy (CVE-2026-42198).
const MOST_ITERATIONS: u32 = 100_000;
/// Between two tries at a change that met another.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(320);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::error::Complaint;

    fn said(code: &str, message: &str) -> Fault {
        let (code, message) = (code.to_owned(), message.to_owned());
        let secret = Password::new("s3cret".to_owned());
        refusal(Fault::Failed(Complaint { code, message }).without(&secret))
    }

    #[test]
    fn c21_a_password_policys_no_is_told_apart_from_other_errors() {
        assert!(matches!(
            said("22023", "password is too short"),
            Fault::PasswordRefused(_)
        ));
        assert!(matches!(
            said("P0001", "password is too old"),
            Fault::PasswordRefused(_)
        ));
        assert!(matches!(said("53100", "disk full"), Fault::Failed(_)));
    }

    #[test]
    fn c46_a_message_that_repeats_the_secret_is_not_told() {
        let told = format!(
            "{0} {0:?}",
            said("22023", "password \"s3cret\" is too easily cracked")
        );
        assert!(!told.contains("s3cret") && told.contains("22023"), "{told}");
    }
}
