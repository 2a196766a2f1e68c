//! Who changes whose password: the one place where the strategies differ.

use super::{Rotation, search, superuser};
use crate::error::Error;
use crate::event::Step;
use crate::login::{Login, Pair, RoleName};
use crate::postgres::Session;
use crate::secret::{SecretDocument, SecretId};

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

impl Opening {
    /// `session`, unless the rotation is `over`: others may have worked on the secret meanwhile, and a call that comes late
    /// must not undo what came after it.
    pub(super) async fn unless(over: Result<bool, Error>, session: Session) -> Result<Self, Error> {
        if let Ok(false) = over {
            return Ok(Self::Session(session));
        }
        session.close().await;
        over.map(|_| Self::AlreadySet)
    }
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

    /// The roles that `role` must be level with, if it is the next one.
    pub(super) fn pair_of_next(&self, current: &RoleName, role: &RoleName) -> Option<&Pair> {
        self.pair().filter(|pair| pair.other(current) == role)
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
            Self::SingleUser => search::open(rotation, pending).await,
            Self::AlternatingUsers { pair, superuser } => {
                Box::pin(superuser::open(rotation, pair, superuser)).await
            }
        }
    }
}
