//! A single user: the role changes its own password, once a password was found that it logs in with.

use std::time::Duration;

use super::change::{Attempt, Changed, change};
use super::context::Context;
use super::step_ended::Outcome;
use crate::aws::AwsError;
use crate::error::{Error, Kind};
use crate::login::Login;
use crate::postgres::{
    DatabaseError, Failure, LoginOutcome, Reached, Session, VerifierChoice, VerifierKind,
};
use crate::secret::{SecretDocument, SecretValue, StagingLabel, VersionId};

/// Gives the role the pending password, unless an earlier call did; and proves that it logs in, or takes it back.
pub(super) async fn set_password(
    context: &Context<'_>,
    pending: &SecretDocument,
) -> Result<Attempt, Error> {
    let session = match Search::new(context, pending).find().await? {
        Found::AlreadySet => return Ok(Attempt::Ended(Outcome::AlreadySet)),
        Found::Session(session) => session,
    };
    if !session.checks_passwords() {
        let host = &pending.login.endpoint;
        tracing::warn!(%host, "the server lets this role in without a password");
    }
    let outcome = set_and_prove(context, &session, &pending.login).await;
    session.close().await;
    outcome
}

/// Nobody logs in between the change and the label's move: so the connection for the proof is made before.
async fn set_and_prove(
    context: &Context<'_>,
    session: &Session,
    pending: &Login,
) -> Result<Attempt, Error> {
    let credentials = &pending.credentials;
    let reached = context.connector().reach(&pending.endpoint).await;
    let mut choice = VerifierChoice::ServersDefault;
    let mut proof = Proof::new(context, pending, reached);
    loop {
        let kind = match change(context, session, credentials, choice).await? {
            Changed::With(kind) => kind,
            Changed::RotationFinished => return Ok(Attempt::Ended(Outcome::AlreadySet)),
            Changed::Unanswered(error) => return Ok(Attempt::Unanswered(error)),
        };
        if proof.holds().await {
            return Ok(Attempt::Ended(Outcome::Set));
        }
        if kind != VerifierKind::Md5 || choice == VerifierChoice::Scram {
            return Err(take_back(context, session, pending).await);
        }
        // `pg_hba.conf` may demand SCRAM where the server makes md5 verifiers.
        choice = VerifierChoice::Scram;
    }
}

/// The proof of a change: the pending login, tried.
struct Proof<'a> {
    context: &'a Context<'a>,
    pending: &'a Login,
    reached: Option<Reached>,
}

impl<'a> Proof<'a> {
    fn new(context: &'a Context<'a>, pending: &'a Login, reached: Option<Reached>) -> Self {
        Self {
            context,
            pending,
            reached,
        }
    }

    /// Whether nothing speaks against the change: a login that is inconclusive does not. A pooler may be a moment late, so
    /// a refusal is not final for a while.
    async fn holds(&mut self) -> bool {
        let connector = self.context.connector();
        let patience = self.context.deadline.within(PATIENCE);
        let mut pause = FIRST_PAUSE;
        loop {
            let outcome = match self.reached.take() {
                Some(reached) => connector.log_in_to(reached, self.pending).await,
                None => connector.log_in(self.pending).await,
            };
            match outcome {
                LoginOutcome::In(session) => {
                    session.close().await;
                    self.context.note_login();
                    return true;
                }
                LoginOutcome::Unknown(_) => return true,
                LoginOutcome::Refused if patience.pause(pause).await => pause *= 2,
                LoginOutcome::Refused => return false,
            }
        }
    }
}

/// Puts the password back that the session logged in with, unless the rotation is over by now.
async fn take_back(context: &Context<'_>, session: &Session, pending: &Login) -> Error {
    let before = session.credentials();
    let changed = change(context, session, before, VerifierChoice::AsBefore).await;
    let state = match changed {
        Ok(Changed::With(_)) => "the password before it was put back".to_owned(),
        Ok(Changed::RotationFinished) => {
            "it was not put back: the rotation was finished meanwhile".to_owned()
        }
        Ok(Changed::Unanswered(error)) | Err(error) => {
            format!("the password before it could not be put back: {error}")
        }
    };
    let problem = format!(
        "the database took the new password and refuses to log in to {pending} with it; {state}"
    );
    Error::new(Kind::PasswordNotAccepted, problem)
}

/// The search for a password that works, and what it found so far.
struct Search<'a> {
    context: &'a Context<'a>,
    pending: &'a SecretDocument,
    /// Each version tried, with its outcome.
    tried: Vec<String>,
    /// AWSPREVIOUS, where it names another server or role.
    foreign: Option<String>,
    /// The first login that was not answered.
    unanswered: Option<DatabaseError>,
}

/// How a search ended well.
enum Found {
    /// The pending password works: the change was made before.
    AlreadySet,
    /// Another one works.
    Session(Session),
}

impl<'a> Search<'a> {
    fn new(context: &'a Context<'a>, pending: &'a SecretDocument) -> Self {
        Self {
            context,
            pending,
            tried: Vec::new(),
            foreign: None,
            unanswered: None,
        }
    }

    /// The first password that works: the current one, as in every rotation that goes well; the pending one, if an earlier
    /// call came this far; then whatever the secret still remembers. The pending one once more at the end: another call may
    /// have found what worked, and replaced it.
    async fn find(mut self) -> Result<Found, Error> {
        let current = &self.context.current.login;
        if let Some(session) = self.log_in("AWSCURRENT", current).await? {
            return Ok(Found::Session(session));
        }
        if self.is_set("AWSPENDING").await? {
            return Ok(Found::AlreadySet);
        }
        if let Some(session) = self.previous().await? {
            return Ok(Found::Session(session));
        }
        if let Some(session) = self.older().await? {
            return Ok(Found::Session(session));
        }
        if self.is_set("AWSPENDING again").await? {
            return Ok(Found::AlreadySet);
        }
        Err(self.failed())
    }

    /// `None` where the password is refused, or not answered while there is time for another: servers with `auth_delay`
    /// refuse so late that it looks like silence. Anything else ends the search: a server that is away knows no password.
    async fn log_in(&mut self, name: &str, login: &Login) -> Result<Option<Session>, Error> {
        match self.context.connector().log_in(login).await {
            LoginOutcome::In(session) => Ok(Some(session)),
            LoginOutcome::Unknown(error)
                if matches!(error.failure, Failure::PasswordUnanswered { .. })
                    && !self.context.deadline.left().is_zero() =>
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

    /// Whether the change was made.
    async fn is_set(&mut self, name: &str) -> Result<bool, Error> {
        let Some(session) = self.log_in(name, &self.pending.login).await? else {
            return Ok(false);
        };
        session.close().await;
        self.context.note_login();
        Ok(true)
    }

    async fn previous(&mut self) -> Result<Option<Session>, Error> {
        let Context {
            secrets_manager,
            request,
            ..
        } = self.context;
        let label = StagingLabel::Previous;
        let value = secrets_manager.labelled(&request.secret_id, label).await;
        match self.unless_denied(value)?.flatten() {
            Some(value) => self.try_older(label.as_str(), value).await,
            None => Ok(None),
        }
    }

    /// A rotation that was cancelled after the change leaves its password in a version without a label.
    async fn older(&mut self) -> Result<Option<Session>, Error> {
        let Context {
            secrets_manager,
            request,
            versions,
            ..
        } = self.context;
        let secret = &request.secret_id;
        let history = secrets_manager.history(secret).await;
        let history = self.unless_denied(history)?.unwrap_or_default();
        let is_older =
            |version: &&VersionId| **version != request.version && !versions.has_label(version);
        for version in history.iter().filter(is_older).take(OLDER_VERSIONS) {
            let value = secrets_manager.unlabelled(secret, version).await;
            let Some(value) = self.unless_denied(value)?.flatten() else {
                continue;
            };
            let name = format!("version {version}");
            if let Some(session) = self.try_older(&name, value).await? {
                return Ok(Some(session));
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
    async fn try_older(
        &mut self,
        name: &str,
        value: SecretValue,
    ) -> Result<Option<Session>, Error> {
        let current = &self.context.current.login;
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
        if session.is_some() {
            let found = name;
            tracing::warn!(
                found,
                "AWSCURRENT and AWSPENDING are refused: logged in with an older version"
            );
        }
        Ok(session)
    }

    fn failed(self) -> Error {
        let login = &self.context.current.login;
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
/// How long a refusal right after the change may turn out to be a pooler's delay.
const PATIENCE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
