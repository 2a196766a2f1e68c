//! What to do about each error.

/// Every name, with what to do; the README's table has the same names.
pub(super) const ADVICE: [(&str, &str); 30] = [
    (
        "AccessDenied",
        "Allow the function's role this action, and kms:Decrypt and kms:GenerateDataKey on the secret's key; look for a Deny in the secret's resource policy and in the endpoint's",
    ),
    (
        "AuthenticationUnsupported",
        "Use scram-sha-256 in pg_hba.conf for this role; a server that must see passwords as text needs PASSWORD_TRANSPORT=plaintext, and TLS. A SCRAM verifier of more than 100000 iterations is refused, and a server that cannot prove that it has the verifier",
    ),
    (
        "AwsCallFailed",
        "Secrets Manager repeats a failed rotation by itself; if this stays, look the code up in the API's reference",
    ),
    (
        "CloneNameInvalid",
        "Give the role a shorter name, or rotate it as a single user (without masterarn)",
    ),
    (
        "CloneNotEqual",
        "Rotate again: setSecret makes the clone a member of its original and lets its sessions start as it; look for a warning that this could not be done",
    ),
    (
        "ConnectDenied",
        "As an administrator: GRANT CONNECT ON DATABASE … TO the role",
    ),
    (
        "ConnectionLost",
        "Nothing is lost: the next try finds out whether the change was made, and goes on from there",
    ),
    (
        "ConnectionNotAllowed",
        "Add a line to pg_hba.conf for this role, this database and the function's subnets, with scram-sha-256",
    ),
    (
        "DatabaseFailed",
        "Look the SQLSTATE up in PostgreSQL's manual, appendix A, and in the server's log",
    ),
    (
        "DatabaseNotFound",
        "Put the name of an existing database into the secret's dbname",
    ),
    (
        "DatabaseNotReady",
        "Wait until the server is up; Secrets Manager tries again",
    ),
    (
        "DatabaseReadOnly",
        "Name the writer in the secret's host: a replica takes no new password",
    ),
    (
        "DatabaseUnreachable",
        "Check that the database runs, the secret's host and port, and that the security groups let the function reach it",
    ),
    (
        "DeadlineExceeded",
        "Look at what did not answer: a security group that drops packets, a lock held on the role, an overloaded server. If it is only slow, raise the function's timeout",
    ),
    (
        "ForeignTarget",
        "Nothing was changed. If another host or role is meant, take AWSPENDING off its version and rotate again; a clone made by hand must be a member of its original",
    ),
    ("HostNotFound", "Check the secret's host, and the VPC's DNS"),
    (
        "InvalidEvent",
        "Only Secrets Manager calls this function: start a rotation with `aws secretsmanager rotate-secret`",
    ),
    ("LoginNotAllowed", "As an administrator: ALTER ROLE … LOGIN"),
    (
        "NoWorkingCredential",
        "This step changed nothing. Where AWSCURRENT is among the refused: as an administrator, ALTER ROLE … PASSWORD to what it holds, then rotate again. Where AWSPENDING alone is: a replica may lag, and a retry pass; else take AWSPENDING off its version, and rotate again",
    ),
    (
        "PasswordRefused",
        "Fit PASSWORD_LENGTH and the EXCLUDE_… settings to the server's password policy; a policy that wants to see the text needs PASSWORD_TRANSPORT=plaintext. Then take AWSPENDING off its version and rotate again",
    ),
    (
        "PermissionDenied",
        "Allow the role this change; on RDS, where rds.restrict_password_commands is on, GRANT rds_password TO it",
    ),
    (
        "RotationNotEnabled",
        "Enable rotation for the secret, or leave it alone",
    ),
    (
        "SecretMalformed",
        "Mend that version's value. A pending one beyond repair loses its label with `aws secretsmanager update-secret-version-stage --version-stage AWSPENDING --remove-from-version-id …`, and the next rotation makes another",
    ),
    ("SecretNotFound", "Check the secret's name and region"),
    (
        "SecretPendingDeletion",
        "Restore the secret first: `aws secretsmanager restore-secret`",
    ),
    (
        "SecretsManagerUnreachable",
        "A function in a VPC needs a NAT gateway or an interface endpoint (with private DNS, and port 443 open in both security groups)",
    ),
    (
        "TlsFailed",
        "The password was not sent. No TLS: ssl = on in the server, or \"ssl\": false in the secret where clear text is acceptable. Unknown authority: its PEM file in PGSSLROOTCERT. Wrong host name: the certificate's name in the secret. Expired: a new certificate",
    ),
    (
        "TooManyConnections",
        "Free a connection, or raise max_connections or the role's CONNECTION LIMIT by one",
    ),
    (
        "UnexpectedRole",
        "A pooler or a mapping in pg_ident.conf stands between: give the secret the database's own address",
    ),
    (
        "VersionNotStaged",
        "The rotation was cancelled or replaced: start a new one",
    ),
];
