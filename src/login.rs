//! Where a database is and who logs in to it: plain values, shared by secrets and sessions.

use std::fmt;

use crate::sensitive::Password;

/// What it takes to log in: one version of a secret, read.
#[derive(Debug)]
pub(crate) struct Login {
    /// Where.
    pub endpoint: Endpoint,
    /// Who.
    pub credentials: Credentials,
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint,
            credentials,
        } = self;
        write!(
            f,
            "{endpoint}/{} as {:?}",
            endpoint.database,
            credentials.role.as_str()
        )
    }
}

/// A `PostgreSQL` database on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Host name or address; never a socket's path, never a connection string.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The database's name, taken to the letter.
    pub database: String,
    /// Whether the connection is encrypted.
    pub tls: TlsMode,
}

impl Endpoint {
    /// Whether its name is one of RDS Proxy's: `name.proxy-id.region.rds.amazonaws.com`.
    pub(crate) fn is_rds_proxy(&self) -> bool {
        is_rds_proxy(&self.host)
    }

    /// Whether both are the same server, whatever the database.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(&other.host) && self.port == other.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// How a connection is encrypted, the weakest first: what the secret says, and nothing to fall back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TlsMode {
    /// In clear text, because the secret says so.
    Disabled,
    /// libpq's `verify-ca`: a trusted chain, whatever the host's name, because the secret says so.
    VerifyCa,
    /// libpq's `verify-full`: a trusted chain and the right host name.
    VerifyFull,
}

impl TlsMode {
    /// What is weaker about it than verified TLS, and why it is used all the same.
    pub(crate) const fn weakness(self) -> Option<&'static str> {
        match self {
            Self::Disabled => Some("not encrypted: the secret turns TLS off"),
            Self::VerifyCa => Some(
                "the name in the server's certificate is not checked: the secret says verify-ca",
            ),
            Self::VerifyFull => None,
        }
    }
}

/// A role and its password.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    /// The role.
    pub role: RoleName,
    /// Its password.
    pub password: Password,
}

/// A `PostgreSQL` role's name: 1–63 bytes without NUL (`NAMEDATALEN` less one; `PostgreSQL`, *Identifiers and Key Words*).
///
/// The server cuts a longer name down with no more than a notice, and would change another role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RoleName(String);

/// Why a text is no role's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRoleName {
    /// No text at all.
    #[error("is empty")]
    Empty,
    /// More than a name can hold.
    #[error("is {0} bytes long and a role's name holds at most 63")]
    TooLong(usize),
    /// A NUL would end it early.
    #[error("holds a NUL character")]
    Nul,
}

impl RoleName {
    /// As text, unquoted: for the wire's own fields and for messages.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As an SQL identifier, always in quotes.
    pub(crate) fn quoted(&self) -> String {
        quoted_identifier(&self.0)
    }
}

/// The two roles of alternating users: the original, and its clone, named after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The role that the secret began with.
    pub(crate) original: RoleName,
    /// Its equal: the original's name with `_clone` behind it.
    pub(crate) clone: RoleName,
}

impl Pair {
    /// The pair that `role` names, being either of the two. The name proves nothing: the database must confirm it.
    ///
    /// # Errors
    /// Where the clone's name would be too long.
    pub(crate) fn of(role: &RoleName) -> Result<Self, InvalidRoleName> {
        match role
            .as_str()
            .strip_suffix(CLONE)
            .filter(|original| !original.is_empty())
        {
            Some(original) => Ok(Self {
                original: RoleName(original.to_owned()),
                clone: role.clone(),
            }),
            None => Ok(Self {
                original: role.clone(),
                clone: RoleName::try_from(format!("{role}{CLONE}"))?,
            }),
        }
    }

    /// The one whose turn it is when `role` is in use.
    pub(crate) fn other(&self, role: &RoleName) -> &RoleName {
        if *role == self.original {
            &self.clone
        } else {
            &self.original
        }
    }
}

impl TryFrom<String> for RoleName {
    type Error = InvalidRoleName;

    fn try_from(name: String) -> Result<Self, InvalidRoleName> {
        match name.len() {
            0 => Err(InvalidRoleName::Empty),
            1..=63 if name.contains('\0') => Err(InvalidRoleName::Nul),
            1..=63 => Ok(Self(name)),
            length => Err(InvalidRoleName::TooLong(length)),
        }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `name` as an SQL identifier in quotes; its own quotes are doubled (`PostgreSQL`, *Identifiers and Key Words*).
pub(crate) fn quoted_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether a host's name is one of RDS Proxy's. The first label is a name that an owner chose.
pub(crate) fn is_rds_proxy(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let is_rds = [".rds.amazonaws.com", ".rds.amazonaws.com.cn"]
        .iter()
        .any(|end| host.ends_with(end));
    let mut labels = host.split('.').skip(1);
    is_rds && labels.any(|label| label.starts_with("proxy-"))
}

/// What a clone's name ends in, as AWS's functions have it.
const CLONE: &str = "_clone";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn c7_a_name_of_1_to_63_bytes_without_nul_is_kept_and_any_other_refused(name in "\\PC{0,70}|[\\x00a]{1,4}") {
            match RoleName::try_from(name.clone()) {
                Ok(role) => {
                    prop_assert!((1..=63).contains(&name.len()) && !name.contains('\0'));
                    prop_assert_eq!(role.as_str(), name);
                }
                Err(InvalidRoleName::Empty) => prop_assert!(name.is_empty()),
                Err(InvalidRoleName::Nul) => prop_assert!(name.contains('\0')),
                Err(InvalidRoleName::TooLong(bytes)) => prop_assert!(bytes == name.len() && bytes > 63),
            }
        }

        #[test]
        fn c7_a_quoted_name_reads_back_as_itself_and_ends_nowhere_else(name in "[\\PC\"\\\\. ]{1,15}") {
            let quoted = RoleName::try_from(name.clone()).unwrap().quoted();
            let inner = quoted.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            prop_assert!(!inner.replace("\"\"", "").contains('"'));
            prop_assert_eq!(inner.replace("\"\"", "\""), name);
        }
    }

    #[test]
    fn c23_two_roles_take_turns() {
        let role = |name: &str| RoleName::try_from(name.to_owned()).unwrap();
        let pair = Pair::of(&role("app")).unwrap();
        assert_eq!(pair, Pair::of(&role("app_clone")).unwrap());
        assert_eq!(pair.other(&role("app")), &role("app_clone"));
        assert_eq!(pair.other(&role("app_clone")), &role("app"));
        assert_eq!(Pair::of(&role("100%")).unwrap().clone, role("100%_clone"));
        assert_eq!(
            Pair::of(&role("_clone")).unwrap().clone,
            role("_clone_clone")
        );
    }

    #[test]
    fn c23_a_clone_whose_name_would_be_cut_is_refused() {
        let long = RoleName::try_from("r".repeat(58)).unwrap();
        assert_eq!(Pair::of(&long), Err(InvalidRoleName::TooLong(64)));
        assert!(Pair::of(&RoleName::try_from("r".repeat(57)).unwrap()).is_ok());
    }

    #[test]
    fn c18_a_host_is_the_same_in_any_case_and_another_port_is_another_server() {
        let endpoint = |host: &str, port| Endpoint {
            host: host.to_owned(),
            port,
            database: "app".to_owned(),
            tls: TlsMode::VerifyFull,
        };
        assert!(endpoint("db.example", 5432).is_same_server(&endpoint("DB.Example", 5432)));
        assert!(!endpoint("db.example", 5432).is_same_server(&endpoint("db.example", 5433)));
        assert!(!endpoint("db.example", 5432).is_same_server(&endpoint("db.example.evil", 5432)));
    }
}
