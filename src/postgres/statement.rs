//! SQL text, and nothing that sends it.

use std::time::Duration;

use crate::login::{Pair, RoleName};

/// Asks what a password change depends on: is this a replica, which verifiers does the server make, with how many
/// rounds (a setting since `PostgreSQL` 16).
pub(super) const FACTS: &str = "SELECT pg_catalog.pg_is_in_recovery(), \
     pg_catalog.current_setting('password_encryption'), pg_catalog.current_setting('scram_iterations', true)";

/// Asks who is logged in.
pub(super) const IDENTITY: &str = "SELECT 1, session_user";

/// Asks who is logged in, and whether that is the equal of `original`: itself, or a member of it whose sessions act as it
/// (or as whom a `role` setting makes its own sessions act).
pub(super) fn identity_in_pair(original: &RoleName) -> String {
    let original = quoted_literal(original.as_str());
    format!(
        "SELECT 1, session_user, session_user OPERATOR(pg_catalog.=) {original} \
         OR pg_catalog.pg_has_role(session_user, {original}, 'MEMBER') AND ( \
         current_user OPERATOR(pg_catalog.=) {original} \
         OR current_user OPERATOR(pg_catalog.<>) session_user AND EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s \
         LEFT JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) s.setrole, pg_catalog.unnest(s.setconfig) item \
         WHERE coalesce(r.rolname, {original}) OPERATOR(pg_catalog.=) {original} AND pg_catalog.starts_with(item, 'role=')))"
    )
}

/// Ends a failed transaction.
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// What holds within a change's transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// How long a lock may take, by the server's own clock.
    pub(super) lock: Duration,
    /// How long a statement may take.
    pub(super) statement: Duration,
    /// What the server is to make of a password that it is told as text: `scram-sha-256` or `md5`.
    pub(super) encryption: Option<&'static str>,
}

impl Terms {
    fn sql(self) -> String {
        let (lock, statement) = (
            self.lock.as_millis().max(1),
            self.statement.as_millis().max(1),
        );
        let bounds =
            format!("SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement}");
        match self.encryption {
            None => bounds,
            Some(encryption) => format!("{bounds}; SET LOCAL password_encryption = '{encryption}'"),
        }
    }
}

/// Changes the password of `role`, who is logged in, to `secret`, a verifier or a password, in one transaction.
///
/// `READ WRITE` and `ROLE NONE` undo what the role's own settings (`default_transaction_read_only`, `role`) would do to
/// the statement: a role may change its own password only as itself.
pub(super) fn set_own_password(role: &RoleName, secret: &str, terms: Terms) -> String {
    let (terms, alter) = (terms.sql(), alter_password(role, secret));
    format!("BEGIN READ WRITE; {terms}; SET LOCAL ROLE NONE; {alter}; COMMIT")
}

/// Changes the password of `role`, one of `pair`, to `secret`, and makes the clone the original's equal: one transaction,
/// under a lock that two rotations of one pair can't both have. Its last row names what could not be made equal.
pub(super) fn set_password_in_pair(
    pair: &Pair,
    role: &RoleName,
    secret: &str,
    terms: Terms,
) -> String {
    let (original, clone) = (
        quoted_literal(pair.original.as_str()),
        quoted_literal(pair.clone.as_str()),
    );
    let (terms, alter) = (terms.sql(), alter_password(role, secret));
    format!(
        "BEGIN READ WRITE; {terms}; SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL datestyle = ISO; \
         SELECT pg_advisory_xact_lock(hashtextextended('db-rotation', hashtext({original}))); \
         SELECT set_config('db_rotation.original', {original}, true), set_config('db_rotation.clone', {clone}, true); \
         {LEVEL}; {alter}; SELECT current_setting('db_rotation.not_copied'); COMMIT"
    )
}

fn alter_password(role: &RoleName, secret: &str) -> String {
    format!(
        "ALTER ROLE {} PASSWORD {}",
        role.quoted(),
        quoted_literal(secret)
    )
}

/// Levels a clone with its original; the two are named in settings of the transaction, so that the text is constant.
const LEVEL: &str = include_str!("level.sql").trim_ascii_end();

/// `text` as an SQL string, whatever `standard_conforming_strings` is (`PostgreSQL`, *String Constants*).
fn quoted_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terms(lock: u64, statement: u64) -> Terms {
        let [lock, statement] = [lock, statement].map(Duration::from_millis);
        Terms {
            lock,
            statement,
            encryption: None,
        }
    }

    fn sql(role: &str, secret: &str) -> String {
        let role = RoleName::try_from(role.to_owned()).unwrap();
        set_own_password(&role, secret, terms(5000, 10_000))
    }

    #[test]
    fn the_change_is_one_bounded_transaction_as_the_role_itself() {
        assert_eq!(
            sql("app", "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"),
            "BEGIN READ WRITE; SET LOCAL lock_timeout = 5000; SET LOCAL statement_timeout = 10000; \
             SET LOCAL ROLE NONE; ALTER ROLE \"app\" PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy'; COMMIT"
        );
    }

    #[test]
    fn a_bound_of_less_than_a_millisecond_is_not_no_bound() {
        let role = RoleName::try_from("app".to_owned()).unwrap();
        let sql = set_own_password(&role, "x", terms(0, 0));
        assert!(
            sql.contains("lock_timeout = 1;") && sql.contains("statement_timeout = 1;"),
            "{sql}"
        );
    }

    #[test]
    fn c7_quotes_and_backslashes_stay_inside_what_they_are_part_of() {
        assert!(
            sql(r#"a"; DROP ROLE b; --"#, "x")
                .contains(r#"ALTER ROLE "a""; DROP ROLE b; --" PASSWORD"#)
        );
        assert!(sql("app", r"it's").contains("PASSWORD 'it''s';"));
        assert!(sql("app", r"\'").contains(r"PASSWORD E'\\''';"));
    }

    proptest! {
        #[test]
        fn a_literal_reads_back_as_its_text(text in "[\\PC'\\\\]{0,20}") {
            let literal = quoted_literal(&text);
            let escapes = literal.starts_with('E');
            let inner = literal.trim_start_matches('E').strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
            let mut read = String::new();
            let mut rest = inner.chars();
            while let Some(c) = rest.next() {
                read.push(c);
                if c == '\'' || (escapes && c == '\\') {
                    prop_assert_eq!(rest.next(), Some(c), "{}", literal);
                }
            }
            prop_assert_eq!(read, text);
        }
    }
}
