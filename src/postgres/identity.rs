//! Who a session is, and whether that is the equal of a pair's original: asked of the session itself first, of the catalogue
//! only where that leaves it open.

use super::session::Row;
use super::{DatabaseError, Failure, Session, statement};
use crate::login::Pair;

/// Who a session is.
#[derive(Debug)]
pub(crate) struct Identity {
    /// Whom the server takes it for (`session_user`).
    pub(crate) role: String,
    /// Whose rights it has, and to whom belongs what it makes (`current_user`).
    acts_as: Option<String>,
}

/// Whether a session of a pair's may do what the original may, and makes objects that belong to the original.
#[derive(Debug)]
pub(crate) enum Equality {
    /// It is, or acts as, the original; or as whom the original's own sessions act.
    Equal,
    /// It is told to act as the original, and this version of the server does not heed that.
    Ignored {
        /// `server_version`.
        version: String,
    },
    /// The role may not look where the answer stands.
    Hidden(DatabaseError),
    /// Neither.
    NotEqual,
}

impl Session {
    /// Who it is, with `SELECT 1` on the way.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn identity(&self) -> Result<Identity, DatabaseError> {
        let row = self.ask(statement::IDENTITY).await?;
        let mut row = row.into_iter();
        let mut next = || row.next().flatten();
        let one = next();
        let Some(role) = next().filter(|_| one.as_deref() == Some("1")) else {
            return Err(self.failed(self.attempt(), Failure::AnswerUnreadable));
        };
        Ok(Identity {
            role: self.presentable(&role),
            acts_as: next(),
        })
    }

    /// Whether `identity`, who it is, is the equal of the pair's original.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn equality(
        &self,
        identity: &Identity,
        pair: &Pair,
    ) -> Result<Equality, DatabaseError> {
        let original = Some(pair.original.as_str());
        if identity.role == pair.original.as_str() || identity.acts_as.as_deref() == original {
            return Ok(Equality::Equal);
        }
        match self.told_to_act(identity, pair).await {
            Err(error) if error.failure.is_denied() => Ok(Equality::Hidden(error)),
            answer => answer,
        }
    }

    /// What the server has been told, where the session acts as somebody else than the original.
    async fn told_to_act(
        &self,
        identity: &Identity,
        pair: &Pair,
    ) -> Result<Equality, DatabaseError> {
        let membership = self.ask(&statement::membership(&pair.original)).await?;
        let mut membership = membership.into_iter().map(Option::unwrap_or_default);
        let mut next = || membership.next().unwrap_or_default();
        let is_member = next() == "t";
        let number = next().parse().unwrap_or_default();
        let version = self.presentable(&next());
        let acts_as_itself = identity.acts_as.as_deref() == Some(identity.role.as_str());
        if !is_member || acts_as_itself && heeds_role(number) {
            return Ok(Equality::NotEqual);
        }
        let settings = self.ask(&statement::role_settings(&pair.original)).await?;
        let of_clone = is_true(&settings, 0);
        let of_original_or_all = is_true(&settings, 1);
        Ok(match acts_as_itself {
            true if of_clone => Equality::Ignored { version },
            false if of_original_or_all => Equality::Equal,
            _ => Equality::NotEqual,
        })
    }

    async fn ask(&self, sql: &str) -> Result<Row, DatabaseError> {
        let row = self.run(sql).await;
        row.map_err(|failure| self.failed(self.attempt(), failure))
    }

    fn attempt(&self) -> String {
        format!("run SELECT 1 {}", self.place())
    }
}

fn is_true(row: &Row, column: usize) -> bool {
    row.get(column).and_then(Option::as_deref) == Some("t")
}

/// Whether a server of this version (`server_version_num`) starts sessions as their `role` setting says, and comes back to
/// it at `DISCARD ALL`.
fn heeds_role(version: u32) -> bool {
    !HEEDS_ROLE_SINCE
        .iter()
        .any(|since| (since / 10_000 * 10_000..*since).contains(&version))
}

/// The release notes of these: a session's `role` setting is restored. The release before each ignored it (the mending of
/// CVE-2024-10978), and those before forgot it at `DISCARD ALL`.
const HEEDS_ROLE_SINCE: [u32; 5] = [130_018, 140_015, 150_010, 160_006, 170_002];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c54_the_versions_that_do_not_heed_a_role_setting_are_known() {
        for version in [130_017, 140_014, 150_009, 160_005, 170_001, 160_004] {
            assert!(!heeds_role(version), "{version}");
        }
        for version in [
            130_018, 140_023, 150_010, 160_006, 170_002, 180_000, 190_001,
        ] {
            assert!(heeds_role(version), "{version}");
        }
    }
}
