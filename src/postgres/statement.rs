//! SQL text, and nothing that sends it.

use std::time::Duration;

use super::VerifierKind;
use crate::deadline::Deadline;
use crate::login::{Pair, RoleName};
use crate::sensitive::SensitiveSql;

/// Asks who is logged in, and as whom it acts: what no right is needed for.
pub(super) const IDENTITY: &str = "SELECT 1, session_user, current_user";

/// Asks what the server is, and which of its processes answers.
pub(super) const SERVER: &str = "SELECT pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(), \
     pg_catalog.current_setting('password_encryption'), pg_catalog.pg_backend_pid()";

/// Asks whether who is logged in may act as `original`, and the server's version, as a number and as text.
pub(super) fn membership(original: &RoleName) -> String {
    let original = quoted_literal(original.as_str());
    format!(
        "SELECT pg_catalog.pg_has_role(session_user, {original}, \
         CASE WHEN version OPERATOR(pg_catalog.<) 160000 THEN 'MEMBER' ELSE 'SET' END), \
         version, pg_catalog.current_setting('server_version') \
         FROM CAST(pg_catalog.current_setting('server_version_num') AS int) version"
    )
}

/// Asks whether sessions of who is logged in are to start as another role, and whether those of `original`, or
/// everybody's, are.
pub(super) fn role_settings(original: &RoleName) -> String {
    let original = quoted_literal(original.as_str());
    let role = |name: &str| format!("pg_catalog.to_regrole(pg_catalog.quote_ident({name}))");
    format!(
        "SELECT coalesce(pg_catalog.bool_or(setrole OPERATOR(pg_catalog.=) {}), false), \
         coalesce(pg_catalog.bool_or(setrole OPERATOR(pg_catalog.=) 0 OR setrole OPERATOR(pg_catalog.=) {}), false) \
         FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) item \
         WHERE pg_catalog.starts_with(item, 'role=')",
        role("session_user"),
        role(&original)
    )
}

/// Ends a failed transaction.
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// How long a change's transaction may take, by the server's own clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Waiting for a lock.
    lock: Duration,
    /// Running a statement.
    statement: Duration,
    /// Waiting for this side.
    idle: Duration,
}

impl Bounds {
    /// The server gives up before this side does, so that nothing goes on behind a call that has ended.
    pub(super) fn within(deadline: Deadline) -> Self {
        let left = deadline.left();
        Self {
            lock: LOCK.min(left),
            statement: MOST_TIME.min(left),
            idle: left,
        }
    }

    fn sql(self) -> String {
        // 0 would be no bound at all.
        let [lock, statement, idle] =
            [self.lock, self.statement, self.idle].map(|bound| bound.as_millis().max(1));
        format!(
            "SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement}; \
             SET LOCAL idle_in_transaction_session_timeout = {idle}"
        )
    }
}

/// What becomes of a change once it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It stays.
    Commit,
    /// It waits in its transaction, to be rolled back.
    Open,
}

impl End {
    const fn sql(self) -> &'static str {
        match self {
            Self::Commit => "; COMMIT",
            Self::Open => "",
        }
    }
}

/// Asks who uses `role`, but for this function itself.
pub(super) fn usage_of(role: &RoleName) -> String {
    let role = quoted_literal(role.as_str());
    format!(
        "SELECT pg_catalog.count(*), pg_catalog.string_agg(DISTINCT application_name, ', '), \
         pg_catalog.string_agg(DISTINCT pg_catalog.host(client_addr), ', '), pg_catalog.min(backend_start)::text \
         FROM pg_catalog.pg_stat_activity WHERE usename OPERATOR(pg_catalog.=) {role} \
         AND application_name OPERATOR(pg_catalog.<>) 'db-rotation'"
    )
}

/// Asks what keeps `role` from logging in: no row where there is none.
pub(super) fn obstacles_of(role: &RoleName) -> String {
    let role = quoted_literal(role.as_str());
    format!(
        "WITH RECURSIVE held (role) AS ( \
           SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) {role} \
           UNION SELECT roleid FROM pg_catalog.pg_auth_members JOIN held ON member OPERATOR(pg_catalog.=) role) \
         SELECT NOT rolcanlogin, coalesce(rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now(), false), \
           EXISTS (SELECT FROM held JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) held.role \
             WHERE r.rolname OPERATOR(pg_catalog.=) 'rds_iam'), \
           NOT pg_catalog.has_database_privilege(oid, pg_catalog.current_database(), 'CONNECT'), \
           NOT rolsuper AND rolconnlimit OPERATOR(pg_catalog.>=) 0 AND rolconnlimit OPERATOR(pg_catalog.<=) \
             (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE usename OPERATOR(pg_catalog.=) {role}) \
         FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) {role}"
    )
}

/// Begins a change of `role`'s password: takes the advisory lock on it, or on `pair`, and asks for the kind of verifier that
/// the server makes, and with how many rounds (a setting since `PostgreSQL` 16); for a pair, also whether the session may use
/// the language in which the clone is made level, and who that is.
///
/// `READ WRITE` and `ROLE NONE` undo what the role's own settings (`default_transaction_read_only`, `role`) would do to
/// the change: a role may change its own password only as itself.
pub(super) fn begin(role: &RoleName, pair: Option<&Pair>, bounds: Bounds) -> String {
    let locked = pair.map_or(role, |pair| &pair.original);
    let locked = quoted_literal(locked.as_str());
    let (itself, language) = match pair {
        None => (" SET LOCAL ROLE NONE;", ""),
        Some(_) => (
            "",
            ", has_language_privilege('plpgsql', 'USAGE'), current_user",
        ),
    };
    let bounds = bounds.sql();
    format!(
        "BEGIN READ WRITE; {bounds};{itself} SET LOCAL search_path = pg_catalog, pg_temp; \
         SELECT pg_advisory_xact_lock(hashtextextended('db-rotation', hashtext({locked}))); \
         SELECT current_setting('password_encryption'), current_setting('scram_iterations', true){language}"
    )
}

/// Changes the password of `role`, who is logged in, to `secret`, a verifier or a password.
pub(super) fn set_own_password(
    role: &RoleName,
    secret: &str,
    kind: Option<VerifierKind>,
    bounds: Bounds,
    end: End,
) -> SensitiveSql {
    let bounds = bounds.sql();
    let alter = alter_password(role, secret, kind);
    SensitiveSql::new(format!("{bounds}; {alter}{}", end.sql()))
}

/// Changes the password of `role`, one of `pair`, to `secret`, makes the clone the original's equal. Its last row
/// names what could not be made equal, and how many objects the clone owns.
pub(super) fn set_password_in_pair(
    pair: &Pair,
    role: &RoleName,
    secret: &str,
    kind: Option<VerifierKind>,
    bounds: Bounds,
    end: End,
) -> SensitiveSql {
    let [original, clone] = [&pair.original, &pair.clone].map(|r| quoted_literal(r.as_str()));
    let bounds = bounds.sql();
    let alter = alter_password(role, secret, kind);
    SensitiveSql::new(format!(
        "{bounds}; SET LOCAL datestyle = ISO; \
         SELECT set_config('db_rotation.original', {original}, true), set_config('db_rotation.clone', {clone}, true); \
         {LEVEL_CLONE}; {alter}; SELECT current_setting('db_rotation.not_copied'), current_setting('db_rotation.owned'){}",
        end.sql()
    ))
}

/// `kind` is what the server is to make of a secret that is a password.
fn alter_password(role: &RoleName, secret: &str, kind: Option<VerifierKind>) -> String {
    let role = role.quoted();
    let secret = quoted_literal(secret);
    let alter = format!("ALTER ROLE {role} PASSWORD {secret}");
    match kind {
        None => alter,
        Some(kind) => format!("SET LOCAL password_encryption = '{}'; {alter}", kind.name()),
    }
}

/// Levels a clone with its original; the two are named in settings of the transaction, so that the text is constant.
const LEVEL_CLONE: &str = include_str!("level_clone.sql").trim_ascii_end();

/// How long a statement may wait for a lock.
const LOCK: Duration = Duration::from_secs(5);
/// How long a statement may run.
pub(super) const MOST_TIME: Duration = Duration::from_secs(10);

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

    fn bounds(left: Duration) -> Bounds {
        Bounds {
            lock: left,
            statement: left,
            idle: left,
        }
    }

    fn sql(role: &str, secret: &str) -> String {
        let role = RoleName::try_from(role.to_owned()).unwrap();
        let bounds = bounds(Duration::from_secs(5));
        let sql = set_own_password(&role, secret, None, bounds, End::Commit);
        sql.expose().to_owned()
    }

    #[test]
    fn c60_the_lock_is_taken_in_a_bounded_transaction_as_the_role_itself() {
        let role = RoleName::try_from("app".to_owned()).unwrap();
        assert_eq!(
            begin(&role, None, bounds(Duration::from_secs(5))),
            "BEGIN READ WRITE; SET LOCAL lock_timeout = 5000; SET LOCAL statement_timeout = 5000; \
             SET LOCAL idle_in_transaction_session_timeout = 5000; SET LOCAL ROLE NONE; \
             SET LOCAL search_path = pg_catalog, pg_temp; \
             SELECT pg_advisory_xact_lock(hashtextextended('db-rotation', hashtext('app'))); \
             SELECT current_setting('password_encryption'), current_setting('scram_iterations', true)"
        );
    }

    #[test]
    fn c60_the_change_ends_the_transaction_that_holds_the_lock() {
        assert_eq!(
            sql("app", "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"),
            "SET LOCAL lock_timeout = 5000; SET LOCAL statement_timeout = 5000; \
             SET LOCAL idle_in_transaction_session_timeout = 5000; \
             ALTER ROLE \"app\" PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy'; COMMIT"
        );
    }

    #[test]
    fn c42_a_bound_of_less_than_a_millisecond_is_not_no_bound() {
        let sql = bounds(Duration::ZERO).sql();
        assert_eq!(sql.matches("_timeout = 1").count(), 3, "{sql}");
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
