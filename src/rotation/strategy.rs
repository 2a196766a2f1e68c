//! Who changes whose password: the one place where the strategies differ.

use super::{Rotation, superuser, within};
use crate::error::Error;
use crate::event::Step;
use crate::login::{Login, Pair, RoleName};
use crate::postgres::{LoginOutcome, Session};
use crate::secret::{SecretDocument, SecretId, StagingLabel, StoreError, VersionId};

/// How a secret rotates (AWS, *Lambda function rotation strategies*).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Strategy {
    /// The role changes its own password.
    SingleUser,
    /// Two roles take turns, and a superuser changes their passwords.
    AlternatingUsers {
        /// The two.
        pair: Pair,
        /// The superuser's secret (`masterarn`).
        superuser: SecretId,
    },
}

/// What stands between the function and the change.
pub(super) enum Opening {
    /// Nothing: the change was made before.
    AlreadySet,
    /// Nothing but the statement: this session may set the password.
    Session(Session),
}

impl Strategy {
    /// The secret says which: alternating users have a `masterarn`.
    pub(super) fn of(current: &SecretDocument) -> Result<Self, Error> {
        let role = &current.login.credentials.role;
        match current.superuser.clone() {
            None => Ok(Self::SingleUser),
            Some(superuser) => match Pair::of(role) {
                Ok(pair) => Ok(Self::AlternatingUsers { pair, superuser }),
                Err(why) => Err(Error::CloneName {
                    role: role.to_string(),
                    why,
                }),
            },
        }
    }

    /// As the log has it.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::SingleUser => "single user",
            Self::AlternatingUsers { .. } => "alternating users",
        }
    }

    /// The roles that are kept equal, where there are two.
    pub(super) const fn pair(&self) -> Option<&Pair> {
        match self {
            Self::SingleUser => None,
            Self::AlternatingUsers { pair, .. } => Some(pair),
        }
    }

    /// The role that the next version names.
    pub(super) fn next_role<'a>(&'a self, current: &'a RoleName) -> &'a RoleName {
        match self {
            Self::SingleUser => current,
            Self::AlternatingUsers { pair, .. } => pair.other(current),
        }
    }

    /// Whether the pending version may be used in `step` of this rotation: it must name the server of the current one, and
    /// the role whose turn it is. (A copy of the current value, which the service stages to have it tested, names the
    /// current role.)
    pub(super) fn check_target(
        &self,
        step: Step,
        current: &Login,
        pending: &Login,
    ) -> Result<(), Error> {
        let role = self.next_role(&current.credentials.role);
        let found = &pending.credentials.role;
        let is_copy = step == Step::TestSecret && *found == current.credentials.role;
        if pending.endpoint.is_same_server(&current.endpoint) && (found == role || is_copy) {
            return Ok(());
        }
        Err(Error::ForeignTarget(format!(
            "the pending version names {}, and this rotation is for {} as {:?}",
            pending,
            current.endpoint,
            role.as_str()
        )))
    }

    /// Logs in as who may set the password of `pending`.
    pub(super) async fn open(
        &self,
        rotation: &Rotation<'_>,
        pending: &SecretDocument,
    ) -> Result<Opening, Error> {
        match self {
            Self::SingleUser => open_own(rotation, pending).await,
            Self::AlternatingUsers { superuser, .. } => open_superuser(rotation, superuser).await,
        }
    }
}

/// The superuser, once it is sure that the credential in use works: nothing is changed for a secret that is not the
/// application's.
async fn open_superuser(rotation: &Rotation<'_>, superuser: &SecretId) -> Result<Opening, Error> {
    let current = &rotation.current.login;
    let superuser = superuser::find(rotation, superuser).await?;
    let connector = rotation
        .connector(rotation.until)
        .hushing(&superuser.credentials.password);
    let (in_use, above) = tokio::join!(connector.log_in(current), connector.log_in(&superuser));
    let refused = |name: &str, login: &Login| Error::NoWorkingCredential {
        target: login.to_string(),
        tried: format!("{name}: password refused"),
    };
    let in_use = in_use.session(|| refused(StagingLabel::Current.as_str(), current));
    let above = above.session(|| refused("AWSCURRENT of the superuser secret", &superuser));
    match (in_use, above) {
        (Ok(in_use), Ok(above)) => {
            in_use.close().await;
            Ok(Opening::Session(above))
        }
        (Ok(session), Err(error)) | (Err(error), Ok(session)) => {
            session.close().await;
            Err(error)
        }
        (Err(error), Err(_)) => Err(error),
    }
}

/// The role itself, with the first of its passwords that works: the current one, as in every rotation that goes well;
/// the pending one, if an earlier call came this far; then whatever the secret still remembers.
async fn open_own(rotation: &Rotation<'_>, pending: &SecretDocument) -> Result<Opening, Error> {
    let mut search = Search {
        rotation,
        tried: Vec::new(),
        foreign: None,
    };
    if let Some(session) = search
        .log_in(StagingLabel::Current.as_str(), &rotation.current.login)
        .await?
    {
        return Ok(Opening::Session(session));
    }
    if let Some(session) = search
        .log_in(StagingLabel::Pending.as_str(), &pending.login)
        .await?
    {
        session.close().await;
        return Ok(Opening::AlreadySet);
    }
    let mut found = search.previous().await?;
    if found.is_none() {
        found = search.history().await?;
    }
    let Some(session) = found else {
        return Err(search.failed());
    };
    // Others may have worked on the secret meanwhile: a call that comes late must not undo what came after it.
    match rotation.is_over().await {
        Ok(false) => Ok(Opening::Session(session)),
        over => {
            session.close().await;
            over.map(|_| Opening::AlreadySet)
        }
    }
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

    async fn previous(&mut self) -> Result<Option<Session>, Error> {
        let Rotation {
            store,
            event,
            until,
            ..
        } = self.rotation;
        let value = store.labelled(&event.secret_id, StagingLabel::Previous, None);
        let value = within(*until, "waiting for AWSPREVIOUS (GetSecretValue)", value).await?;
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

    /// Tries a version that is over, if it belongs to this rotation's role and server.
    async fn past(
        &mut self,
        name: &str,
        document: Option<SecretDocument>,
    ) -> Result<Option<Session>, Error> {
        let current = &self.rotation.current.login;
        let Some(SecretDocument { login, .. }) = &document else {
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
        let session = self.log_in(name, login).await?;
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
