//! Who still uses a role (`PostgreSQL`, *The Cumulative Statistics System*, `pg_stat_activity`).

use super::{Session, statement};
use crate::login::RoleName;

/// The sessions of a role, but for this function's own.
#[derive(Debug)]
pub(crate) struct Usage {
    /// How many.
    pub(crate) sessions: u64,
    /// What they call themselves (`application_name`).
    pub(crate) applications: String,
    /// Where they come from; empty for who may not see it (`pg_monitor`).
    pub(crate) addresses: String,
    /// When the oldest began; empty for who may not see it.
    pub(crate) since: String,
}

impl Session {
    /// Who uses `role` now; `None` where nobody does, or this session's role may not look.
    pub(crate) async fn usage_of(&self, role: &RoleName) -> Option<Usage> {
        let row = self.run(&statement::usage_of(role)).await.ok()?;
        let mut row = row.into_iter();
        let mut next = || row.next().flatten().unwrap_or_default();
        let sessions = next().parse().ok().filter(|sessions| *sessions > 0)?;
        let mut shown = || self.presentable_list(&next());
        Some(Usage {
            sessions,
            applications: shown(),
            addresses: shown(),
            since: shown(),
        })
    }
}
