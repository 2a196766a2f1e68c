//! The settings of auditSecrets.

use super::{InvalidSetting, number};

/// Which secrets are judged, and what they must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditPolicy {
    /// Days after which a password is too old.
    pub max_age_days: u16,
    /// The keys of tags that every secret must have.
    pub required_tags: Vec<String>,
    /// Key and value of the tag that a secret must have to be judged; `None` for all secrets.
    pub tag: Option<(String, String)>,
}

pub(super) fn audit_policy(
    lookup: &impl Fn(&str) -> Option<String>,
) -> Result<AuditPolicy, InvalidSetting> {
    let required_tags = lookup("AUDIT_REQUIRED_TAGS").unwrap_or_default();
    let required_tags = required_tags.split(',').map(str::trim);
    Ok(AuditPolicy {
        max_age_days: number(lookup, "AUDIT_MAX_AGE_DAYS", 3650, 90)?,
        required_tags: required_tags
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect(),
        tag: tag(lookup)?,
    })
}

fn tag(
    lookup: &impl Fn(&str) -> Option<String>,
) -> Result<Option<(String, String)>, InvalidSetting> {
    let name = "AUDIT_TAG";
    let Some(text) = lookup(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Some((key.to_owned(), value.to_owned()))),
        _ => Err(InvalidSetting {
            name,
            problem: format!("{text:?} is not a tag such as Team=payments"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<AuditPolicy, String> {
        let lookup = |name: &str| {
            let set = settings.iter().find(|(set, _)| *set == name);
            set.map(|(_, value)| (*value).to_owned())
        };
        audit_policy(&lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn c64_unless_told_otherwise_all_secrets_are_judged_by_90_days_and_no_tag() {
        for settings in [&[][..], &[("AUDIT_TAG", ""), ("AUDIT_REQUIRED_TAGS", "")]] {
            let policy = read(settings).unwrap();
            assert_eq!(policy.max_age_days, 90);
            assert!(policy.required_tags.is_empty() && policy.tag.is_none());
        }
    }

    #[test]
    fn c64_tags_are_read_as_the_template_gives_them() {
        let policy = read(&[
            ("AUDIT_REQUIRED_TAGS", "Owner,Cost Center"),
            ("AUDIT_TAG", "Team=a=b"),
            ("AUDIT_MAX_AGE_DAYS", "60"),
        ])
        .unwrap();
        assert_eq!(policy.required_tags, ["Owner", "Cost Center"]);
        assert_eq!(policy.tag, Some(("Team".to_owned(), "a=b".to_owned())));
        assert_eq!(policy.max_age_days, 60);
    }
}
