//! The settings, read once at cold start. A value that can't be used stops the start.

mod audit_policy;

use std::net::IpAddr;

use crate::aws::Authorities;
use crate::password::PasswordPolicy;
use crate::postgres::{PasswordTransport, Roots};
pub(crate) use audit_policy::AuditPolicy;

/// Everything that the environment decides: the settings of AWS's `PostgreSQL` rotation functions, and a few of ours.
#[derive(Debug)]
pub struct Config {
    /// How a new password is made.
    pub(crate) policy: PasswordPolicy,
    /// How the server is told of it.
    pub(crate) transport: PasswordTransport,
    /// Who decides whose password changes.
    pub(crate) strategy: StrategySetting,
    /// Whether a role whose turn it is must have no sessions left.
    pub(crate) refuse_while_in_use: bool,
    /// Where Secrets Manager is, if not where the region has it.
    pub(crate) endpoint: Option<String>,
    /// Whose certificates prove that it is there.
    pub(crate) authorities: Authorities,
    /// The certificate authorities that a database's certificate may come from.
    pub(crate) roots: Roots,
    /// What the audit asks of secrets.
    pub(crate) audit: AuditPolicy,
}

/// Which of a secret's keys decides its strategy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum StrategySetting {
    /// `masterarn`: alternating users where it is there.
    #[default]
    BySecret,
    /// None: a single user, whatever `masterarn` says, as AWS's single-user function has it.
    SingleUser,
}

/// A setting that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {name} cannot be used: {problem}")]
pub struct InvalidSetting {
    name: &'static str,
    problem: String,
}

impl Config {
    /// Reads the settings through `lookup`, which gives a variable's value where it is set:
    ///
    /// | variable | form | default |
    /// |---|---|---|
    /// | `EXCLUDE_CHARACTERS` | text | `:/@"'\` |
    /// | `PASSWORD_LENGTH` | 1–4096 | 32 |
    /// | `EXCLUDE_NUMBERS`, `EXCLUDE_PUNCTUATION`, `EXCLUDE_UPPERCASE`, `EXCLUDE_LOWERCASE` | boolean | false |
    /// | `REQUIRE_EACH_INCLUDED_TYPE` | boolean | true |
    /// | `SECRETS_MANAGER_ENDPOINT` | URL | the region's |
    /// | `PASSWORD_TRANSPORT` | `verifier`, `plaintext` | `verifier` |
    /// | `REFUSE_WHILE_IN_USE` | boolean | false |
    /// | `STRATEGY` | `by-secret`, `single-user` | `by-secret` |
    /// | `PGSSLROOTCERT` | a PEM file | none |
    /// | `SSL_CERT_FILE` | a PEM file: whom calls to AWS trust; `/dev/null`: as if not set, and a quicker start | Amazon's public authorities |
    /// | `AWS_REGION` | the region whose RDS roots are made ready | as Lambda sets it |
    /// | `AUDIT_MAX_AGE_DAYS`, `AUDIT_REQUIRED_TAGS`, `AUDIT_TAG` | 1–3650; `Key,Key`; `Key=Value` | 90, none, none |
    ///
    /// A boolean is one of `true 1 y yes false 0 n no`, in any case.
    ///
    /// # Errors
    /// `InvalidSetting`, one sentence that names the variable.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidSetting> {
        let roots = Roots::new(
            lookup("PGSSLROOTCERT").as_deref(),
            lookup("AWS_REGION").as_deref(),
        )
        .map_err(|problem| InvalidSetting {
            name: "PGSSLROOTCERT",
            problem,
        })?;
        let endpoint = endpoint(&lookup)?;
        Ok(Self {
            audit: audit_policy::audit_policy(&lookup)?,
            policy: policy(&lookup)?,
            transport: transport(&lookup)?,
            strategy: strategy(&lookup)?,
            refuse_while_in_use: boolean(&lookup, "REFUSE_WHILE_IN_USE", false)?,
            authorities: authorities(&lookup, endpoint.as_deref()),
            endpoint,
            roots,
        })
    }
}

fn policy(lookup: &impl Fn(&str) -> Option<String>) -> Result<PasswordPolicy, InvalidSetting> {
    let default = PasswordPolicy::default();
    let policy = PasswordPolicy {
        length: number(lookup, "PASSWORD_LENGTH", 4096, default.length)?,
        exclude_characters: lookup("EXCLUDE_CHARACTERS").unwrap_or(default.exclude_characters),
        exclude_numbers: boolean(lookup, "EXCLUDE_NUMBERS", false)?,
        exclude_punctuation: boolean(lookup, "EXCLUDE_PUNCTUATION", false)?,
        exclude_uppercase: boolean(lookup, "EXCLUDE_UPPERCASE", false)?,
        exclude_lowercase: boolean(lookup, "EXCLUDE_LOWERCASE", false)?,
        require_each_included_type: boolean(lookup, "REQUIRE_EACH_INCLUDED_TYPE", true)?,
    };
    match policy.impossible() {
        Some((name, problem)) => Err(InvalidSetting { name, problem }),
        None => Ok(policy),
    }
}

fn number(
    lookup: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    most: u16,
    default: u16,
) -> Result<u16, InvalidSetting> {
    let Some(text) = lookup(name) else {
        return Ok(default);
    };
    let number = text.trim().parse().ok().filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| InvalidSetting {
        name,
        problem: format!("{text:?} is not a number from 1 to {most}"),
    })
}

fn boolean(
    lookup: &impl Fn(&str) -> Option<String>,
    name: &'static str,
    default: bool,
) -> Result<bool, InvalidSetting> {
    let Some(text) = lookup(name) else {
        return Ok(default);
    };
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "y" | "yes" => Ok(true),
        "false" | "0" | "n" | "no" => Ok(false),
        _ => Err(InvalidSetting {
            name,
            problem: format!("{text:?} is neither true, 1, y, yes nor false, 0, n, no"),
        }),
    }
}

fn transport(
    lookup: &impl Fn(&str) -> Option<String>,
) -> Result<PasswordTransport, InvalidSetting> {
    let name = "PASSWORD_TRANSPORT";
    match lookup(name).as_deref() {
        None | Some("verifier") => Ok(PasswordTransport::Verifier),
        Some("plaintext") => Ok(PasswordTransport::Plaintext),
        Some(text) => Err(InvalidSetting {
            name,
            problem: format!("{text:?} is neither verifier nor plaintext"),
        }),
    }
}

fn strategy(lookup: &impl Fn(&str) -> Option<String>) -> Result<StrategySetting, InvalidSetting> {
    let name = "STRATEGY";
    match lookup(name).as_deref() {
        None | Some("" | "by-secret") => Ok(StrategySetting::BySecret),
        Some("single-user") => Ok(StrategySetting::SingleUser),
        Some(text) => Err(InvalidSetting {
            name,
            problem: format!("{text:?} is neither by-secret nor single-user"),
        }),
    }
}

fn endpoint(lookup: &impl Fn(&str) -> Option<String>) -> Result<Option<String>, InvalidSetting> {
    let name = "SECRETS_MANAGER_ENDPOINT";
    let Some(url) = lookup(name).filter(|url| !url.is_empty()) else {
        return Ok(None);
    };
    let host = |scheme| {
        let rest = url.strip_prefix(scheme)?;
        rest.split('/').next().filter(|host| !host.is_empty())
    };
    if host("https://").is_some() || host("http://").is_some_and(is_loopback) {
        return Ok(Some(url));
    }
    let problem = if host("http://").is_some() {
        format!("{url:?} is not encrypted, and leads away from this machine")
    } else {
        format!("{url:?} is not a URL such as https://secretsmanager.eu-west-1.amazonaws.com")
    };
    Err(InvalidSetting { name, problem })
}

/// Whether an authority, `host` or `host:port`, is this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, _)) => host,
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address = host.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The system's where Amazon's public ones would not do, or where somebody has said whom to trust.
fn authorities(lookup: &impl Fn(&str) -> Option<String>, endpoint: Option<&str>) -> Authorities {
    let region = lookup("AWS_REGION").unwrap_or_default();
    let is_elsewhere = ["cn-", "eu-iso", "eusc-", "us-iso"]
        .iter()
        .any(|partition| region.starts_with(partition));
    let is_somebody_elses = endpoint.is_some_and(|url| {
        let host = url
            .strip_prefix("https://")
            .and_then(|rest| rest.split(['/', ':']).next());
        host.is_some_and(|host| !host.ends_with(".amazonaws.com") && !host.ends_with(".api.aws"))
    });
    let is_told =
        lookup("SSL_CERT_FILE").is_some_and(|file| !["", NO_FILE].contains(&file.as_str()));
    if is_elsewhere || is_somebody_elses || is_told {
        Authorities::System
    } else {
        Authorities::Amazon
    }
}

/// What `SSL_CERT_FILE` is set to in order that OpenSSL doesn't parse the system's whole bundle, which no connection of
/// ours would trust.
const NO_FILE: &str = "/dev/null";

#[cfg(test)]
mod tests;
