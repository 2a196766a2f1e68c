//! The statements that the case table allows, and no other.

use testbed::Statement;

/// Whether a function may run this: the role or its clone about itself, the superuser about the two.
pub(super) fn is_allowed(statement: &Statement, role: &str, superuser: &str) -> bool {
    let shape = shape(&statement.sql, role);
    let shapes = if statement.role == superuser {
        SUPERUSERS
    } else {
        ROLES
    };
    shapes.contains(&shape.as_str())
}

/// A statement with names, numbers and verifiers masked, and without what levels the clone, which `level_clone.sql` explains.
pub(super) fn shape(sql: &str, role: &str) -> String {
    let mut shape = String::new();
    let mut rest = sql;
    while let Some((before, body)) = rest.split_once("DO $level$") {
        shape += before;
        shape += "<level>";
        rest = body.split_once("$level$").map_or("", |(_, after)| after);
    }
    shape += rest;
    let lines = shape
        .lines()
        .map(|line| line.split_once("--").map_or(line, |(text, _)| text));
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('\'') {
        let is_secret = parts
            .last()
            .is_some_and(|before| before.ends_with("PASSWORD "));
        parts.push(match is_secret {
            true if part.starts_with("SCRAM-SHA-256$") => "<verifier>",
            true => "<text>",
            false => part,
        });
    }
    let masked = parts
        .join("'")
        .replace(&format!("{role}_clone"), "<clone>")
        .replace(role, "<role>");
    let mut words = Vec::new();
    for word in masked.split_whitespace() {
        let number = word.trim_end_matches(';');
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_bound = words.last() == Some(&"=".to_owned());
        words.push(if is_number && is_bound {
            word.replace(number, "<ms>")
        } else {
            word.to_owned()
        });
    }
    words
        .join(" ")
        .replace("\"<clone>\" PASSWORD", "\"<role>\" PASSWORD")
        .replace(
            "OPERATOR(pg_catalog.=) '<clone>'",
            "OPERATOR(pg_catalog.=) '<role>'",
        )
}

/// What the role runs, or its clone.
const ROLES: &[&str] = &[BEGIN_OWN, IDENTITY, SET_OWN, ROLLBACK];
/// What the superuser runs.
const SUPERUSERS: &[&str] = &[OBSTACLES, USAGE, BEGIN_IN_PAIR, SET_IN_PAIR, ROLLBACK];

const BEGIN_OWN: &str = "BEGIN READ WRITE; SET LOCAL lock_timeout = <ms>; SET LOCAL statement_timeout = <ms>; \
    SET LOCAL idle_in_transaction_session_timeout = <ms>; SET LOCAL ROLE NONE; SET LOCAL search_path = pg_catalog, pg_temp; \
    SELECT pg_advisory_xact_lock(hashtextextended('db-rotation', hashtext('<role>'))); \
    SELECT current_setting('password_encryption'), current_setting('scram_iterations', true)";
const BEGIN_IN_PAIR: &str = "BEGIN READ WRITE; SET LOCAL lock_timeout = <ms>; SET LOCAL statement_timeout = <ms>; \
    SET LOCAL idle_in_transaction_session_timeout = <ms>; SET LOCAL search_path = pg_catalog, pg_temp; \
    SELECT pg_advisory_xact_lock(hashtextextended('db-rotation', hashtext('<role>'))); \
    SELECT current_setting('password_encryption'), current_setting('scram_iterations', true), \
    has_language_privilege('plpgsql', 'USAGE'), current_user";
const IDENTITY: &str = "SELECT 1, session_user, current_user";
const SET_OWN: &str = "SET LOCAL lock_timeout = <ms>; SET LOCAL statement_timeout = <ms>; \
    SET LOCAL idle_in_transaction_session_timeout = <ms>; ALTER ROLE \"<role>\" PASSWORD '<verifier>'; COMMIT";
const SET_IN_PAIR: &str = "SET LOCAL lock_timeout = <ms>; SET LOCAL statement_timeout = <ms>; \
    SET LOCAL idle_in_transaction_session_timeout = <ms>; SET LOCAL datestyle = ISO; \
    SELECT set_config('db_rotation.original', '<role>', true), set_config('db_rotation.clone', '<clone>', true); \
    <level>; ALTER ROLE \"<role>\" PASSWORD '<verifier>'; SELECT current_setting('db_rotation.not_copied'), \
    current_setting('db_rotation.owned'); COMMIT";
const USAGE: &str = "SELECT pg_catalog.count(*), pg_catalog.string_agg(DISTINCT application_name, ', '), \
    pg_catalog.string_agg(DISTINCT pg_catalog.host(client_addr), ', '), pg_catalog.min(backend_start)::text \
    FROM pg_catalog.pg_stat_activity WHERE usename OPERATOR(pg_catalog.=) '<role>' \
    AND application_name OPERATOR(pg_catalog.<>) 'db-rotation'";
const OBSTACLES: &str = "WITH RECURSIVE held (role) AS ( \
    SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) '<role>' \
    UNION SELECT roleid FROM pg_catalog.pg_auth_members JOIN held ON member OPERATOR(pg_catalog.=) role) \
    SELECT NOT rolcanlogin, coalesce(rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now(), false), \
    EXISTS (SELECT FROM held JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) held.role \
    WHERE r.rolname OPERATOR(pg_catalog.=) 'rds_iam'), \
    NOT pg_catalog.has_database_privilege(oid, pg_catalog.current_database(), 'CONNECT'), \
    NOT rolsuper AND rolconnlimit OPERATOR(pg_catalog.>=) 0 AND rolconnlimit OPERATOR(pg_catalog.<=) \
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE usename OPERATOR(pg_catalog.=) '<role>') \
    FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) '<role>'";
const ROLLBACK: &str = "ROLLBACK";
