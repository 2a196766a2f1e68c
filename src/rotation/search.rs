//! A single user's login: the search for a password that works.

use super::strategy::Opening;
use super::{Rotation, within};
use crate::error::Error;
use crate::login::Login;
use crate::postgres::{LoginOutcome, Session};
use crate::secret::{SecretDocument, StagingLabel, StoreError, VersionId};

/// The role itself, with the first of its passwords that works: the current one, as in every rotation that goes well;
/// the pending one, if an earlier call came this far; then whatever the secret still remembers. The pending one once more
/// at the end: another call may have found what worked, and replaced it.
pub(super) async fn open(
    rotation: &Rotation<'_>,
    pending: &SecretDocument,
) -> Result<Opening, Error> {
    let mut search = Search {
        rotation,
        tried: Vec::new(),
        foreign: None,
    };
    if let Some(session) = search
        .log_in(StagingLabel::Current.as_str(), &rotation.current.login)
        .await?
    {
        return Opening::unless(rotation.is_over_by_now().await, session).await;
    }
    if search.is_set("AWSPENDING", pending).await? {
        return Ok(Opening::AlreadySet);
    }
    let mut found = search.previous().await?;
    if found.is_none() {
        found = search.history().await?;
    }
    let Some(session) = found else {
        if search.is_set("AWSPENDING again", pending).await? {
            return Ok(Opening::AlreadySet);
        }
        return Err(search.failed());
    };
    Opening::unless(rotation.is_over().await, session).await
}

/// The search for a password that works, and what it found so far.
struct Search<'a> {
    rotation: &'a Rotation<'a>,
    tried: Vec<String>,
    foreign: Option<String>,
}

impl Search<'_> {
    /// `None` where the password is refused. Anything else than a refusal ends the search: a server that is away knows
    /// no password.
    async fn log_in(&mut self, name: &str, login: &Login) -> Result<Option<Session>, Error> {
        match self
            .rotation
            .connector(self.rotation.until)
            .log_in(login)
            .await
        {
            LoginOutcome::In(session) => Ok(Some(session)),
            LoginOutcome::Unknown(error) => Err(error.into()),
            LoginOutcome::Refused => {
                self.tried.push(format!("{name}: password refused"));
                Ok(None)
            }
        }
    }

    /// Whether the change was made.
    async fn is_set(&mut self, name: &str, pending: &SecretDocument) -> Result<bool, Error> {
        let session = self.log_in(name, &pending.login).await?;
        let is_set = session.is_some();
        if let Some(session) = session {
            session.close().await;
        }
        Ok(is_set)
    }

    async fn previous(&mut self) -> Result<Option<Session>, Error> {
        let Rotation {
            store,
            event,
            until,
            ..
        } = self.rotation;
        let value = store.labelled(&event.secret_id, StagingLabel::Previous, None);
        let value = within(*until, "waiting for AWSPREVIOUS (GetSecretValue)", value).await;
        let value = self.unless_denied(value)?.flatten();
        let document = value.map(|value| SecretDocument::parse(StagingLabel::Previous, value));
        let Some(document) = document else {
            return Ok(None);
        };
        self.past(StagingLabel::Previous.as_str(), document.ok())
            .await
    }

    /// A rotation that was cancelled after the change leaves its password in a version without a label.
    async fn history(&mut self) -> Result<Option<Session>, Error> {
        let Rotation {
            store,
            event,
            until,
            versions,
            ..
        } = self.rotation;
        let secret = &event.secret_id;
        let history = within(
            *until,
            "waiting for the older versions (ListSecretVersionIds)",
            store.history(secret),
        )
        .await;
        let Some(history) = self.unless_denied(history)? else {
            return Ok(None);
        };
        let labels = [
            StagingLabel::Current,
            StagingLabel::Pending,
            StagingLabel::Previous,
        ];
        let is_older = |v: &VersionId| {
            v != &event.version && !labels.iter().any(|label| versions.has(v, *label))
        };
        for version in history.iter().filter(|v| is_older(v)).take(OLDER_VERSIONS) {
            let value = within(
                *until,
                "waiting for an older version (GetSecretValue)",
                store.unlabelled(secret, version),
            )
            .await;
            let Some(Some(value)) = self.unless_denied(value)? else {
                continue;
            };
            let document = SecretDocument::parse(StagingLabel::Previous, value).ok();
            if let Some(session) = self.past(&format!("version {version}"), document).await? {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    /// A role made for AWS's functions may not list versions: that ends the search, and is told with what was tried.
    fn unless_denied<T>(&mut self, answer: Result<T, Error>) -> Result<Option<T>, Error> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Store(denied @ StoreError::AccessDenied { .. })) => {
                self.tried.push(denied.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Tries the password of a version that is over, if it belongs to this rotation's role and server; the rest of it
    /// (the database's name, TLS) may have changed since.
    async fn past(
        &mut self,
        name: &str,
        document: Option<SecretDocument>,
    ) -> Result<Option<Session>, Error> {
        let current = &self.rotation.current.login;
        let Some(SecretDocument { login, .. }) = document else {
            self.tried.push(format!("{name}: not readable"));
            return Ok(None);
        };
        if !login.endpoint.is_same_server(&current.endpoint)
            || login.credentials.role != current.credentials.role
        {
            let foreign = format!("{name} names {login}");
            if name == StagingLabel::Previous.as_str() {
                self.foreign = Some(foreign);
            } else {
                self.tried.push(foreign);
            }
            return Ok(None);
        }
        let endpoint = current.endpoint.clone();
        let login = Login { endpoint, ..login };
        let session = self.log_in(name, &login).await?;
        if session.is_some() {
            tracing::warn!(
                found = name,
                "AWSCURRENT and AWSPENDING are refused: logged in with an older version"
            );
        }
        Ok(session)
    }

    fn failed(self) -> Error {
        let (target, tried) = (
            self.rotation.current.login.to_string(),
            self.tried.join(", "),
        );
        match self.foreign {
            Some(foreign) => Error::ForeignTarget(format!(
                "no version logs in to {target} ({tried}), and {foreign}"
            )),
            None => Error::NoWorkingCredential { target, tried },
        }
    }
}

/// How many versions without a label are tried.
const OLDER_VERSIONS: usize = 10;
