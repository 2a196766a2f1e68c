//! What is done to roles, and asked about them.

use std::time::Duration;

use super::verifier::Verifier;
use super::{Connector, DatabaseError, Fault, LoginOutcome, Session, statement};
use crate::login::{Credentials, Login, Pair};
use crate::password::{Password, PasswordTransport};

/// What a password change depends on.
struct Facts {
    wants_md5: bool,
    iterations: u32,
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
    /// An md5 verifier is tried by a login while the session can still replace it: where `pg_hba.conf` demands SCRAM, it
    /// would lock the role out.
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
            let facts = session.facts().await?;
            match self.transport {
                PasswordTransport::Plaintext => {
                    session.alter(change, credentials.password.expose()).await
                }
                PasswordTransport::Verifier if facts.wants_md5 => {
                    session
                        .alter(change, Verifier::md5(credentials).expose())
                        .await?;
                    match self.log_in(login).await {
                        LoginOutcome::In(proof) => {
                            proof.close().await;
                            Ok(())
                        }
                        _ => session.alter_scram(change, facts.iterations).await,
                    }
                }
                PasswordTransport::Verifier => session.alter_scram(change, facts.iterations).await,
            }
        };
        changed.await.map_err(|fault| DatabaseError {
            attempt: format!(
                "run ALTER ROLE {} PASSWORD … {}",
                credentials.role.quoted(),
                session.place()
            ),
            fault,
        })
    }
}

impl Session {
    /// Who this is, with `SELECT 1` on the way.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn identity(&self, pair: Option<&Pair>) -> Result<Identity, DatabaseError> {
        let failed = |fault| DatabaseError {
            attempt: format!("run SELECT 1 {}", self.place()),
            fault,
        };
        let sql = pair.map_or_else(
            || statement::IDENTITY.to_owned(),
            |pair| statement::identity_in_pair(&pair.original),
        );
        let mut row = self.run(&sql).await.map_err(failed)?.into_iter().flatten();
        match (row.next().as_deref(), row.next()) {
            (Some("1"), Some(role)) => Ok(Identity {
                role,
                is_equal: pair.is_none() || row.next().as_deref() == Some("t"),
            }),
            _ => Err(failed(Fault::ConnectionLost(
                "the answer to SELECT 1 was not 1".to_owned(),
            ))),
        }
    }

    async fn facts(&self) -> Result<Facts, Fault> {
        let mut row = self.run(statement::FACTS).await?.into_iter();
        let mut next = || row.next().flatten().unwrap_or_default();
        if next() == "t" {
            return Err(Fault::ReadOnly("the server is in recovery: a replica"));
        }
        let wants_md5 = next() == "md5";
        let iterations = next()
            .parse()
            .unwrap_or(DEFAULT_ITERATIONS)
            .min(MOST_ITERATIONS);
        Ok(Facts {
            wants_md5,
            iterations,
        })
    }

    async fn alter_scram(&self, change: Change<'_>, iterations: u32) -> Result<(), Fault> {
        let verifier = Verifier::scram(change.credentials, iterations);
        let verifier = verifier
            .map_err(|e| Fault::ConnectionLost(format!("OpenSSL made no verifier: {e}")))?;
        self.alter(change, verifier.expose()).await
    }

    /// Runs the change; tries again where somebody else's change came between.
    async fn alter(&self, change: Change<'_>, secret: &str) -> Result<(), Fault> {
        let role = &change.credentials.role;
        let mut pause = FIRST_PAUSE;
        loop {
            let sql = Password::new(match change.pair {
                None => statement::set_own_password(role, secret, self.bounds()),
                Some(pair) => statement::set_password_in_pair(pair, role, secret, self.bounds()),
            });
            match self.run(sql.expose()).await {
                Err(Fault::Conflict(_)) if pause <= LAST_PAUSE => {
                    self.run(statement::ROLLBACK).await?;
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(fault) => return Err(refusal(fault.without(secret))),
                Ok(row) => {
                    if let Some(not_copied) = row
                        .into_iter()
                        .flatten()
                        .next()
                        .filter(|names| !names.is_empty())
                    {
                        tracing::warn!(%role, not_copied, "the clone is not in everything its original's equal");
                    }
                    return Ok(());
                }
            }
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

/// PostgreSQL's own before version 16, and its default since.
const DEFAULT_ITERATIONS: u32 = 4096;
/// A role may ask for so many rounds that a verifier takes longer than the invocation has. This many take about a second.
const MOST_ITERATIONS: u32 = 1_000_000;
/// Between two tries at a change that met another.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(320);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::error::Complaint;

    fn said(code: &str, message: &str) -> Fault {
        let (code, message) = (code.to_owned(), message.to_owned());
        refusal(Fault::Failed(Complaint { code, message }).without("s3cret"))
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
