//! What a session is, may and can do: asked, and tried.

use std::collections::{BTreeMap, BTreeSet};

use testbed::{Session, TestResult};

use super::place::Place;
use crate::alternating::quoted;

/// What was asked or tried, and what came of it.
pub(super) type Abilities = BTreeMap<String, String>;

/// All that one may see of a session and do with it, but for what is about `not_given`; nothing is left changed.
pub(super) async fn abilities(
    session: &Session,
    place: &Place,
    not_given: &BTreeSet<String>,
) -> TestResult<Abilities> {
    let mut all = Abilities::new();
    for question in [SETTINGS, PRIVILEGES, ATTRIBUTES] {
        for row in session.run(question).await? {
            if let [name, value] = &row[..] {
                all.insert(name.clone(), value.clone());
            }
        }
    }
    for attempt in attempts(place) {
        let outcome = session.run(&format!("BEGIN; {attempt}; ROLLBACK")).await;
        let outcome = match outcome {
            Ok(rows) => format!("{rows:?}"),
            Err(no) => {
                session.run("ROLLBACK").await?;
                no.to_string()
            }
        };
        all.insert(attempt, outcome);
    }
    for name in not_given {
        let about = [format!("setting {name}"), format!("attribute {name}")];
        all.retain(|asked, _| !about.contains(asked));
    }
    Ok(all)
}

/// What is tried, each by itself.
fn attempts(place: &Place) -> Vec<String> {
    let [one, two, three] = &place.groups;
    let role = quoted(&place.original);
    let mut attempts: Vec<_> = TRIED.iter().map(|attempt| (*attempt).to_owned()).collect();
    for group in &place.groups {
        attempts.push(format!(
            "SET LOCAL ROLE {group}; SELECT current_user; RESET ROLE; SELECT current_user"
        ));
        attempts.push(format!("SELECT pg_has_role('{group}', 'MEMBER'), pg_has_role('{group}', 'USAGE'), pg_has_role('{group}', 'USAGE WITH ADMIN OPTION')"));
    }
    attempts.extend([
        format!("GRANT {one} TO {two}"),
        format!("GRANT {three} TO {two}"),
        format!("GRANT SELECT ON theirs.t TO {three}"),
        format!("GRANT USAGE ON SCHEMA theirs TO {three}"),
        format!("GRANT CREATE ON DATABASE {} TO {three}", place.database),
        format!("ALTER ROLE {role} SET work_mem = '1MB'"),
        format!("ALTER DEFAULT PRIVILEGES IN SCHEMA own GRANT ALL ON TABLES TO {three}"),
        format!("CREATE ROLE {one}_2; DROP ROLE {one}_2"),
        format!("CREATE SCHEMA {one}"),
    ]);
    attempts
}

const TRIED: [&str; 16] = [
    "SELECT current_user, current_schemas(true)::text",
    "SELECT '2020-02-01 12:00+00'::timestamptz::text",
    "SELECT a FROM theirs.t",
    "SELECT b FROM theirs.u",
    "SELECT * FROM theirs.guarded",
    "INSERT INTO theirs.guarded VALUES ('anybody')",
    "INSERT INTO theirs.t VALUES (3, 4)",
    "UPDATE theirs.t SET a = 5",
    "DELETE FROM theirs.t",
    "TRUNCATE theirs.t",
    "SELECT nextval('theirs.q') > 0",
    "SELECT theirs.f()",
    "CREATE TABLE theirs.v (e theirs.e)",
    "CREATE TEMPORARY TABLE v (a int)",
    "ALTER TABLE theirs.t ADD c int",
    "SET LOCAL session_replication_role = replica",
];

/// Those that somebody made up are in no list.
const SETTINGS: &str = "SELECT 'setting ' || name, setting FROM pg_settings WHERE name !~ '^(auto_explain|plpgsql)\\.'
    UNION ALL SELECT 'setting ' || name, current_setting(name, true) FROM unnest(ARRAY['my.App', 'my.app_2']) name";

/// Of whom the session logged in as.
const ATTRIBUTES: &str = "SELECT 'attribute ' || name, value::text FROM pg_roles, LATERAL (VALUES
    ('BYPASSRLS', rolbypassrls::text), ('CREATEDB', rolcreatedb::text), ('CREATEROLE', rolcreaterole::text),
    ('REPLICATION', rolreplication::text), ('CONNECTION LIMIT', rolconnlimit::text),
    ('VALID UNTIL', extract(epoch FROM coalesce(rolvaliduntil, 'infinity'))::text)) a (name, value)
    WHERE rolname = session_user";

const PRIVILEGES: &str = "SELECT 'may ' || concat_ws(' ', p, what, name), answer FROM (
    SELECT p, 'table' AS what, c.oid::regclass::text AS name, has_table_privilege(c.oid, p)::text AS answer
      FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER',
        'SELECT WITH GRANT OPTION', 'INSERT WITH GRANT OPTION']) p
      WHERE relnamespace IN ('own'::regnamespace, 'theirs'::regnamespace) AND relkind IN ('r', 'v')
    UNION ALL SELECT p, 'column', concat_ws('.', c.oid::regclass, attname), has_column_privilege(c.oid, attnum, p)::text
      FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) p
      WHERE relnamespace = 'theirs'::regnamespace AND relkind = 'r'
    UNION ALL SELECT p, 'sequence', c.oid::regclass::text, has_sequence_privilege(c.oid, p)::text
      FROM pg_class c, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE', 'USAGE WITH GRANT OPTION']) p
      WHERE relnamespace = 'theirs'::regnamespace AND relkind = 'S'
    UNION ALL SELECT p, 'function', f.oid::regprocedure::text, has_function_privilege(f.oid, p)::text
      FROM pg_proc f, unnest(ARRAY['EXECUTE', 'EXECUTE WITH GRANT OPTION']) p WHERE pronamespace = 'theirs'::regnamespace
    UNION ALL SELECT p, 'type', typname, has_type_privilege(t.oid, p)::text
      FROM pg_type t, unnest(ARRAY['USAGE', 'USAGE WITH GRANT OPTION']) p
      WHERE typnamespace = 'theirs'::regnamespace AND typtype = 'e'
    UNION ALL SELECT p, 'schema', s, has_schema_privilege(s, p)::text
      FROM unnest(ARRAY['own', 'theirs', 'public']) s, unnest(ARRAY['USAGE', 'CREATE', 'CREATE WITH GRANT OPTION']) p
    UNION ALL SELECT p, 'database', '', has_database_privilege(current_database(), p)::text
      FROM unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY', 'CREATE WITH GRANT OPTION']) p) privilege";
