//! The search for a password that the database takes: the current one, or whatever else the secret remembers.

use super::subject::Subject;
use crate::aws::AwsError;
use crate::error::{Error, Kind};
use crate::login::Login;
use crate::postgres::{Connector, DatabaseError, Failure, LoginOutcome, Session};
use crate::secret::{SecretDocument, SecretValue, SecretVersions, StagingLabel, VersionId};

/// The search for a password that works, and what it found so far.
pub(crate) struct Search<'a> {
    subject: &'a Subject<'a>,
    connector: Connector<'a>,
    versions: &'a SecretVersions,
    pending: Option<&'a Login>,
    /// Each version tried, with its outcome.
    tried: Vec<String>,
    /// AWSPREVIOUS, where it names another server or role.
    foreign: Option<String>,
    /// The first login that was not answered.
    unanswered: Option<DatabaseError>,
}

/// How a search ended well.
pub(crate) enum Found {
    /// The current password works, as in every rotation that goes well.
    Current(Session),
    /// The pending one works: the change was made before.
    AlreadySet(Session),
    /// That of an older version, which is named, works.
    Older(Session, String),
}

impl<'a> Search<'a> {
    /// Searches the versions of `subject`, whose labels are `versions`, through `connector`.
    pub(crate) fn new(
        subject: &'a Subject<'a>,
        connector: Connector<'a>,
        versions: &'a SecretVersions,
    ) -> Self {
        Self {
            subject,
            connector,
            versions,
            pending: None,
            tried: Vec::new(),
            foreign: None,
            unanswered: None,
        }
    }

    /// The same, and tries the pending login too.
    pub(crate) fn with_pending(mut self, pending: &'a Login) -> Self {
        self.pending = Some(pending);
        self
    }

    /// The first password that works: the current one; the pending one, if an earlier call came this far; then whatever the
    /// secret still remembers. The pending one once more at the end: another call may have found what worked, and replaced
    /// it.
    ///
    /// # Errors
    /// None works, or it can't be told.
    pub(crate) async fn find(mut self) -> Result<Found, Error> {
        let current = &self.subject.current.login;
        if let Some(session) = self.log_in("AWSCURRENT", current).await? {
            return Ok(Found::Current(session));
        }
        if let Some(session) = self.log_in_as_pending("AWSPENDING").await? {
            return Ok(Found::AlreadySet(session));
        }
        if let Some(found) = self.previous().await? {
            return Ok(found);
        }
        if let Some(found) = self.older().await? {
            return Ok(found);
        }
        if let Some(session) = self.log_in_as_pending("AWSPENDING again").await? {
            return Ok(Found::AlreadySet(session));
        }
        Err(self.failed())
    }

    /// `None` where the password is refused, or not answered while there is time for another: servers with `auth_delay`
    /// refuse so late that it looks like silence. Anything else ends the search: a server that is away knows no password.
    async fn log_in(&mut self, name: &str, login: &Login) -> Result<Option<Session>, Error> {
        match self.connector.log_in(login).await {
            LoginOutcome::In(session) => Ok(Some(session)),
            LoginOutcome::Unknown(error)
                if matches!(error.failure, Failure::PasswordUnanswered { .. })
                    && !self.subject.deadline.left().is_zero() =>
            {
                self.tried.push(format!("{name}: {}", error.failure));
                self.unanswered.get_or_insert(error);
                Ok(None)
            }
            LoginOutcome::Unknown(error) => Err(error.into()),
            LoginOutcome::Refused => {
                self.tried.push(format!("{name}: password refused"));
                Ok(None)
            }
        }
    }

    async fn log_in_as_pending(&mut self, name: &str) -> Result<Option<Session>, Error> {
        match self.pending {
            Some(pending) => self.log_in(name, pending).await,
            None => Ok(None),
        }
    }

    async fn previous(&mut self) -> Result<Option<Found>, Error> {
        let Subject {
            secrets_manager,
            secret_id,
            ..
        } = self.subject;
        let label = StagingLabel::Previous;
        let value = secrets_manager.labelled(secret_id, label).await;
        match self.unless_denied(value)?.flatten() {
            Some(value) => self.try_older(label.as_str(), value).await,
            None => Ok(None),
        }
    }

    /// A rotation that was cancelled after the change leaves its password in a version without a label.
    async fn older(&mut self) -> Result<Option<Found>, Error> {
        let Subject {
            secrets_manager,
            secret_id,
            ..
        } = self.subject;
        let versions = self.versions;
        let history = secrets_manager.history(secret_id).await;
        let history = self.unless_denied(history)?.unwrap_or_default();
        let has_no_label = |version: &&VersionId| !versions.has_label(version);
        for version in history.iter().filter(has_no_label).take(OLDER_VERSIONS) {
            let value = secrets_manager.unlabelled(secret_id, version).await;
            let Some(value) = self.unless_denied(value)?.flatten() else {
                continue;
            };
            let name = format!("version {version}");
            if let Some(found) = self.try_older(&name, value).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// A role made for AWS's functions may not list versions: that ends the search, and is told with what was tried.
    fn unless_denied<T>(&mut self, answer: Result<T, AwsError>) -> Result<Option<T>, Error> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(denied @ AwsError::AccessDenied { .. }) => {
                self.tried.push(denied.to_string());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tries the password of an older version, if it belongs to this rotation's role and server; the rest of it (the
    /// database's name, TLS) may have changed since.
    async fn try_older(&mut self, name: &str, value: SecretValue) -> Result<Option<Found>, Error> {
        let current = &self.subject.current.login;
        let Ok(document) = SecretDocument::parse(StagingLabel::Previous, value) else {
            self.tried.push(format!("{name}: not readable"));
            return Ok(None);
        };
        let login = document.login;
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
        let session = self.log_in(name, &Login { endpoint, ..login }).await?;
        Ok(session.map(|session| Found::Older(session, name.to_owned())))
    }

    fn failed(self) -> Error {
        let login = &self.subject.current.login;
        let tried = self.tried.join(", ");
        if let Some(error) = self.unanswered {
            return error.into();
        }
        match self.foreign {
            Some(foreign) => Error::new(
                Kind::ForeignTarget,
                format!("no version logs in to {login} ({tried}), and {foreign}"),
            ),
            None => Error::no_working_credential(login, &tried),
        }
    }
}

/// How many versions without a label are tried.
const OLDER_VERSIONS: usize = 10;
