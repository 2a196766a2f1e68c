//! The kinds of failure: the name that machines match, and the advice that people follow.

/// Declares the kinds once: the variants, the list of all of them, and their names.
macro_rules! kinds {
    ($($kind:ident,)+) => {
        /// Why an invocation failed, as the operator's table (`docs/operate.md`) explains it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Kind {
            $($kind,)+
        }

        impl Kind {
            /// The `errorType` of the answer and the `outcome` of the log line.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => stringify!($kind),)+
                }
            }
        }

        #[cfg(test)]
        impl Kind {
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)+];
        }
    };
}

kinds! {
    AccessDenied,
    AuthenticationUnsupported,
    AwsCallFailed,
    CloneNameInvalid,
    CloneNotEqual,
    ConnectDenied,
    ConnectionLost,
    ConnectionNotAllowed,
    DatabaseFailed,
    DatabaseNotFound,
    DatabaseNotReady,
    DatabaseReadOnly,
    DatabaseUnreachable,
    DeadlineExceeded,
    ForeignTarget,
    HostNotFound,
    InvalidEvent,
    LoginNotAllowed,
    NoWorkingCredential,
    PasswordNotAccepted,
    PasswordRefused,
    PermissionDenied,
    ProxyInTheWay,
    RoleInUse,
    RotationNotEnabled,
    SecretMalformed,
    SecretNotFound,
    SecretPendingDeletion,
    SecretsManagerUnreachable,
    TlsFailed,
    TooManyConnections,
    UnexpectedRole,
    VersionNotStaged,
}

impl Kind {
    /// What to do about it.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::AccessDenied => {
                "Allow the function's role this action, and kms:Decrypt and kms:GenerateDataKey on the secret's key; look for a Deny in the secret's resource policy and in the VPC endpoint's policy"
            }
            Self::AuthenticationUnsupported => {
                "Use scram-sha-256 in pg_hba.conf for this role. A server that must see passwords as text needs PASSWORD_TRANSPORT=plaintext, and TLS. Also refused: SCRAM with more than 100000 iterations, and a server that cannot prove that it has the verifier. On RDS: REVOKE rds_iam FROM the role, and from every role that it is a member of"
            }
            Self::AwsCallFailed => {
                "Secrets Manager retries a failed rotation by itself; if the error stays, look the code up in the API reference"
            }
            Self::CloneNameInvalid => {
                "Give the role a shorter name, or rotate it as a single user (without masterarn)"
            }
            Self::CloneNotEqual => {
                "Rotate again: setSecret makes the clone a member of the original and lets its sessions act as the original; look for a warning that this could not be done"
            }
            Self::ConnectDenied => "As an administrator: GRANT CONNECT ON DATABASE … TO the role",
            Self::ConnectionLost => {
                "Nothing is lost: the next try finds out whether the change was made, and goes on from there"
            }
            Self::ConnectionNotAllowed => {
                "Add a line to pg_hba.conf for this role, this database and the function's subnets, with scram-sha-256. On RDS: REVOKE rds_iam FROM the role, and from every role that it is a member of; and leave TLS on"
            }
            Self::DatabaseFailed => {
                "Look the SQLSTATE up in PostgreSQL's manual, appendix A, and look at the server's log"
            }
            Self::DatabaseNotFound => {
                "Put the name of an existing database into the secret's dbname"
            }
            Self::DatabaseNotReady => "Wait until the server is up; Secrets Manager tries again",
            Self::DatabaseReadOnly => {
                "Name the writer in the secret's host: a replica takes no new password"
            }
            Self::DatabaseUnreachable => {
                "Check that the database runs, that the secret's host and port are right, and that the security groups let the function reach it"
            }
            Self::DeadlineExceeded => {
                "Look at what did not answer: a security group that drops packets, a lock held on the role, an overloaded server. If it is only slow, raise the function's timeout"
            }
            Self::ForeignTarget => {
                "Nothing was changed. If another host or role is meant, remove AWSPENDING from its version and rotate again; a clone made by hand must be a member of its original"
            }
            Self::HostNotFound => "Check the secret's host, and the VPC's DNS",
            Self::InvalidEvent => {
                "Start a rotation with `aws secretsmanager rotate-secret`: Secrets Manager then calls this function"
            }
            Self::LoginNotAllowed => "As an administrator: ALTER ROLE … LOGIN",
            Self::NoWorkingCredential => {
                "This step changed nothing. If AWSCURRENT was refused: as an administrator, set the role's password to the one in AWSCURRENT (with \\password in psql, which does not send it as text), then rotate again. If only AWSPENDING was refused: a replica may lag, and a retry passes; otherwise remove AWSPENDING from its version and rotate again. Even the right password is refused after the role's VALID UNTIL (ALTER ROLE … VALID UNTIL 'infinity'), and by a pooler with passwords of its own (rotation_host)"
            }
            Self::PasswordNotAccepted => {
                "Find out what refuses a password that the server has just been given: a pooler or proxy with a list of its own in between (give the database's own address as rotation_host), pg_hba.conf demanding another kind of verifier, VALID UNTIL in the past, membership in rds_iam. Then rotate again"
            }
            Self::PasswordRefused => {
                "Nothing was changed. If the server's password policy has to read passwords, set PASSWORD_TRANSPORT=plaintext, and use TLS. If it can read them already, adjust PASSWORD_LENGTH and the EXCLUDE_… settings to the policy. Then remove AWSPENDING from its version and rotate again"
            }
            Self::PermissionDenied => {
                "Allow the role this change; on RDS, where rds.restrict_password_commands is on, GRANT rds_password TO it"
            }
            Self::ProxyInTheWay => {
                "Give the secret the database's own address as rotation_host (and rotation_port): applications go on reading host, the function uses the other"
            }
            Self::RoleInUse => {
                "Nothing was changed. Have these applications read the secret again, or end their sessions; then the next try passes. REFUSE_WHILE_IN_USE=false rotates all the same"
            }
            Self::RotationNotEnabled => "Enable rotation for the secret, or leave it alone",
            Self::SecretMalformed => {
                "Correct that version's value. A pending value that cannot be corrected: remove its label with `aws secretsmanager update-secret-version-stage --version-stage AWSPENDING --remove-from-version-id …`; the next rotation makes another"
            }
            Self::SecretNotFound => "Check the secret's name and region",
            Self::SecretPendingDeletion => {
                "Restore the secret first: `aws secretsmanager restore-secret`"
            }
            Self::SecretsManagerUnreachable => {
                "A function in a VPC needs a NAT gateway or an interface endpoint (with private DNS, and port 443 open in both security groups)"
            }
            Self::TlsFailed => {
                "The password was not sent. No TLS: ssl = on in the server, or \"ssl\": false in the secret where clear text is acceptable. Unknown authority: name its PEM file in PGSSLROOTCERT. Wrong host name: put the certificate's name into the secret. Expired: renew the certificate"
            }
            Self::TooManyConnections => {
                "Free a connection, or raise max_connections or the role's CONNECTION LIMIT by one"
            }
            Self::UnexpectedRole => {
                "A pooler or a mapping in pg_ident.conf stands in between: give the secret the database's own address"
            }
            Self::VersionNotStaged => "The rotation was cancelled or replaced: start a new one",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c45_every_kind_has_advice_and_a_row_in_the_operators_table() {
        let table = include_str!("../../docs/operate.md");
        for kind in Kind::ALL {
            assert!(!kind.advice().is_empty(), "{kind:?}");
            let row = format!("| `{}` |", kind.name());
            assert!(table.contains(&row), "{kind:?} has no row");
        }
    }
}
