//! What a superuser sees of a role: who still uses it, and what keeps it out (`PostgreSQL`, *Database Roles*;
//! `PostgreSQL`, *The Cumulative Statistics System*, `pg_stat_activity`).

use std::fmt;

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

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sessions,
            applications,
            addresses,
            since,
        } = self;
        write!(
            f,
            "sessions: {sessions}; applications: {applications}; addresses: {addresses}; since: {since}"
        )
    }
}

/// What keeps a role from logging in, other than its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// There is no such role.
    Missing,
    /// `NOLOGIN`.
    NoLogin,
    /// `VALID UNTIL` is in the past.
    Expired,
    /// It is a member of `rds_iam`, perhaps through another role: RDS takes tokens of IAM from it, and no password.
    RdsIam,
    /// It may not connect to this database.
    NoConnect,
    /// It has as many sessions as its `CONNECTION LIMIT` allows.
    Full,
}

impl Session {
    /// What keeps `role` from logging in, as far as the catalogue tells.
    pub(crate) async fn obstacle_of(&self, role: &RoleName) -> Option<Obstacle> {
        let row = self.run(&statement::obstacles_of(role)).await.ok()?;
        let is_true = |i: usize| row.get(i).and_then(Option::as_deref) == Some("t");
        let obstacles = [
            (row.is_empty(), Obstacle::Missing),
            (is_true(0), Obstacle::NoLogin),
            (is_true(1), Obstacle::Expired),
            (is_true(2), Obstacle::RdsIam),
            (is_true(3), Obstacle::NoConnect),
            (is_true(4), Obstacle::Full),
        ];
        let mut found = obstacles.into_iter().filter(|(is_there, _)| *is_there);
        found.next().map(|(_, obstacle)| obstacle)
    }

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
