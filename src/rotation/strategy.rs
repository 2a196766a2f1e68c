//! Who changes whose password.

use crate::config::{Config, StrategySetting};
use crate::error::{Error, Kind};
use crate::login::{Login, Pair, RoleName};
use crate::request::Step;
use crate::secret::{SecretDocument, SecretId};

/// How a secret rotates (AWS, *Lambda function rotation strategies*).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Strategy {
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

impl Strategy {
    /// The secret says which, unless the function's settings do: alternating users have a `masterarn`.
    ///
    /// # Errors
    /// Where the role's clone can't be named after it.
    pub(crate) fn of(config: &Config, current: &SecretDocument) -> Result<Self, Error> {
        let superuser = match config.strategy {
            StrategySetting::BySecret => current.superuser.clone(),
            StrategySetting::SingleUser => None,
        };
        let Some(superuser) = superuser else {
            return Ok(Self::SingleUser);
        };
        let role = &current.login.credentials.role;
        let pair = Pair::of(role).map_err(|why| {
            let role = role.as_str();
            let problem = format!("the clone of role {role:?} would have a name that {why}");
            Error::new(Kind::CloneNameInvalid, problem)
        })?;
        Ok(Self::AlternatingUsers { pair, superuser })
    }

    /// As the log has it.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::SingleUser => "single user",
            Self::AlternatingUsers { .. } => "alternating users",
        }
    }

    /// The roles that are kept equal, where there are two.
    pub(crate) const fn pair(&self) -> Option<&Pair> {
        match self {
            Self::SingleUser => None,
            Self::AlternatingUsers { pair, .. } => Some(pair),
        }
    }

    /// The role that the next version names.
    pub(crate) fn next_role<'a>(&'a self, current: &'a RoleName) -> &'a RoleName {
        match self {
            Self::SingleUser => current,
            Self::AlternatingUsers { pair, .. } => pair.other(current),
        }
    }

    /// The roles that `role` must be level with, if it is the next one.
    pub(crate) fn pair_of_next(&self, current: &RoleName, role: &RoleName) -> Option<&Pair> {
        self.pair().filter(|pair| pair.other(current) == role)
    }

    /// Whether the pending version may be used in `step` of this rotation: it must name the server of the current one, and
    /// the role whose turn it is. (A copy of the current value, which the service stages to have it tested, names the
    /// current role.)
    ///
    /// # Errors
    /// `ForeignTarget`, naming both.
    pub(crate) fn check_target(
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
        let problem = format!(
            "the pending version names {pending}, and this rotation is for {} as {:?}",
            current.endpoint,
            role.as_str()
        );
        Err(Error::new(Kind::ForeignTarget, problem))
    }
}
