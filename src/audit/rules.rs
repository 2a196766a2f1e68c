//! What the audit finds wrong with a secret. Nothing here makes a call.

use std::time::{Duration, SystemTime};

use crate::config::AuditPolicy;
use crate::secret::{Schedule, SecretMetadata};

/// What can be wrong with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Rotation is off.
    NotRotated,
    /// A rotation was due more than a day ago.
    Overdue,
    /// A rotation began more than a day ago and has not ended.
    Stuck,
    /// The password is older than it may be.
    TooOld,
    /// A tag that it must have is missing.
    Untagged,
}

/// One thing that is wrong with one secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    /// What is wrong.
    pub rule: Rule,
    /// Whole days: since the last change where it is stuck, else since the last rotation, or what there was in its place.
    pub days: u64,
}

impl Rule {
    pub(super) const ALL: [Self; 5] = [
        Self::NotRotated,
        Self::Overdue,
        Self::Stuck,
        Self::TooOld,
        Self::Untagged,
    ];

    /// As log and answer name it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NotRotated => "not-rotated",
            Self::Overdue => "overdue",
            Self::Stuck => "stuck",
            Self::TooOld => "too-old",
            Self::Untagged => "untagged",
        }
    }
}

impl AuditPolicy {
    /// Whether the secret's owner answers for it here: a service rotates what it owns, and a replica follows its primary.
    pub(super) fn covers(&self, secret: &SecretMetadata) -> bool {
        let is_asked_for = self
            .tag
            .as_ref()
            .is_none_or(|tag| secret.tags.contains(tag));
        is_asked_for && !secret.is_managed && !secret.is_replica
    }

    /// What is wrong with a secret at `now`, in the order of [`Rule::ALL`].
    pub(super) fn findings(
        &self,
        secret: &SecretMetadata,
        now: SystemTime,
    ) -> impl Iterator<Item = Finding> + use<> {
        let since_rotation = days(secret.last_rotated.or(secret.created), now);
        let since_change = days(secret.last_changed, now);
        let age = days(secret.last_rotated.or(secret.last_changed), now);
        let is_stuck =
            secret.is_pending && secret.last_changed.is_some_and(|at| is_long_ago(at, now));
        let lacks_tag = self
            .required_tags
            .iter()
            .any(|required| !secret.tags.iter().any(|(key, _)| key == required));
        let found = Rule::ALL.map(|rule| match rule {
            Rule::NotRotated => (!secret.rotates).then_some(since_rotation),
            Rule::Overdue => due(secret)
                .is_some_and(|due| is_long_ago(due, now))
                .then_some(since_rotation),
            Rule::Stuck => is_stuck.then_some(since_change),
            Rule::TooOld => (age > u64::from(self.max_age_days)).then_some(age),
            Rule::Untagged => lacks_tag.then_some(since_rotation),
        });
        Rule::ALL
            .into_iter()
            .zip(found)
            .filter_map(|(rule, days)| days.map(|days| Finding { rule, days }))
    }
}

/// When the next rotation must be over; `None` where rotation is off, or nothing says when.
fn due(secret: &SecretMetadata) -> Option<SystemTime> {
    match secret.schedule.filter(|_| secret.rotates)? {
        Schedule::Expression => secret.next_rotation,
        Schedule::Days(days) => secret
            .last_rotated
            .or(secret.created)?
            .checked_add(DAY * days),
    }
}

/// Whether `moment` was more than a day ago.
fn is_long_ago(moment: SystemTime, now: SystemTime) -> bool {
    now.duration_since(moment).is_ok_and(|ago| ago > DAY)
}

/// Whole days since `moment`; 0 where it is unknown, or still to come.
fn days(moment: Option<SystemTime>, now: SystemTime) -> u64 {
    let ago = moment.and_then(|moment| now.duration_since(moment).ok());
    ago.unwrap_or_default().as_secs() / DAY.as_secs()
}

const DAY: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretId;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * 20_000
    }

    fn ago(days: u32) -> Option<SystemTime> {
        now().checked_sub(DAY * days)
    }

    /// A secret that was rotated ten days ago, and is every 30.
    fn sound() -> SecretMetadata {
        SecretMetadata {
            id: SecretId::from("s".to_owned()),
            created: ago(300),
            last_changed: ago(10),
            last_rotated: ago(10),
            next_rotation: None,
            rotates: true,
            schedule: Some(Schedule::Days(30)),
            is_pending: false,
            tags: vec![("Owner".to_owned(), "us".to_owned())],
            is_managed: false,
            is_replica: false,
        }
    }

    fn policy() -> AuditPolicy {
        AuditPolicy {
            max_age_days: 90,
            required_tags: vec!["Owner".to_owned()],
            tag: None,
        }
    }

    #[track_caller]
    fn finds(secret: &SecretMetadata, expected: &[(Rule, u64)]) {
        let found = policy().findings(secret, now());
        let found: Vec<_> = found.map(|finding| (finding.rule, finding.days)).collect();
        assert_eq!(found, expected, "{secret:?}");
    }

    #[test]
    fn c64_a_secret_that_rotates_in_time_has_no_finding() {
        finds(&sound(), &[]);
    }

    #[test]
    fn c64_a_secret_whose_rotation_is_off_is_not_rotated_and_never_overdue() {
        let mut secret = sound();
        secret.rotates = false;
        secret.last_rotated = ago(80);
        finds(&secret, &[(Rule::NotRotated, 80)]);
        secret.last_rotated = None;
        finds(&secret, &[(Rule::NotRotated, 300)]);
    }

    #[test]
    fn c64_a_rotation_is_overdue_more_than_a_day_after_its_days_have_passed() {
        let mut secret = sound();
        secret.last_rotated = ago(31);
        finds(&secret, &[]);
        secret.last_rotated = ago(31).map(|at| at - Duration::from_secs(1));
        finds(&secret, &[(Rule::Overdue, 31)]);
        secret.last_rotated = None;
        secret.created = ago(31);
        finds(&secret, &[]);
        secret.created = ago(32);
        finds(&secret, &[(Rule::Overdue, 32)]);
    }

    #[test]
    fn c64_with_an_expression_the_services_own_date_counts() {
        let mut secret = sound();
        secret.schedule = Some(Schedule::Expression);
        secret.last_rotated = ago(60);
        finds(&secret, &[]);
        secret.next_rotation = ago(1);
        finds(&secret, &[]);
        secret.next_rotation = ago(2);
        finds(&secret, &[(Rule::Overdue, 60)]);
    }

    #[test]
    fn c64_a_password_is_too_old_after_more_days_than_allowed_whatever_its_schedule() {
        let mut secret = sound();
        secret.schedule = Some(Schedule::Days(400));
        secret.last_rotated = ago(90);
        finds(&secret, &[]);
        secret.last_rotated = ago(91);
        finds(&secret, &[(Rule::TooOld, 91)]);
        secret.last_rotated = None;
        secret.last_changed = ago(90);
        finds(&secret, &[]);
        secret.last_changed = ago(120);
        finds(&secret, &[(Rule::TooOld, 120)]);
    }

    #[test]
    fn c64_a_rotation_is_stuck_once_its_secret_has_not_changed_for_more_than_a_day() {
        let mut secret = sound();
        secret.is_pending = true;
        secret.last_changed = ago(1);
        finds(&secret, &[]);
        secret.last_changed = ago(2);
        finds(&secret, &[(Rule::Stuck, 2)]);
        secret.is_pending = false;
        finds(&secret, &[]);
    }

    #[test]
    fn c64_a_secret_without_a_required_tag_is_untagged_whatever_the_others() {
        let mut secret = sound();
        secret.tags = vec![("owner".to_owned(), String::new())];
        finds(&secret, &[(Rule::Untagged, 10)]);
        secret.tags.push(("Owner".to_owned(), String::new()));
        finds(&secret, &[]);
    }

    #[test]
    fn c64_a_secret_of_a_service_a_replica_and_one_without_the_tag_asked_for_are_left_out() {
        let mut policy = policy();
        assert!(policy.covers(&sound()));
        let managed = SecretMetadata {
            is_managed: true,
            ..sound()
        };
        let replica = SecretMetadata {
            is_replica: true,
            ..sound()
        };
        assert!(!policy.covers(&managed) && !policy.covers(&replica));
        policy.tag = Some(("Owner".to_owned(), "us".to_owned()));
        assert!(policy.covers(&sound()));
        policy.tag = Some(("Owner".to_owned(), "them".to_owned()));
        assert!(!policy.covers(&sound()));
    }
}
