//! Things that one makes and the other uses, alters and drops: C27.

use testbed::{Row, Session};

/// `maker` makes things, `user` uses, alters and drops them; of each its name, its owner, who else may use it.
pub(super) async fn shares_what_it_makes(
    maker: &Session,
    user: &Session,
) -> testbed::Result<Vec<Row>> {
    maker.run(MAKE).await?;
    let made = user.run(MADE).await?;
    assert_eq!(made.len(), 5, "{made:?}");
    user.run(USE).await?;
    Ok(made)
}

const MAKE: &str = "
    CREATE TABLE own.t (a int PRIMARY KEY); INSERT INTO own.t VALUES (1);
    CREATE SEQUENCE own.q; CREATE VIEW own.v AS SELECT a FROM own.t; CREATE TYPE own.e AS ENUM ('x');
    CREATE FUNCTION own.f() RETURNS int LANGUAGE sql AS 'SELECT 1'";

const MADE: &str = "
    SELECT relname, pg_get_userbyid(relowner), relacl::text FROM pg_class
      WHERE relnamespace = 'own'::regnamespace AND relkind IN ('r', 'S', 'v')
    UNION ALL SELECT proname, pg_get_userbyid(proowner), proacl::text FROM pg_proc WHERE pronamespace = 'own'::regnamespace
    UNION ALL SELECT typname, pg_get_userbyid(typowner), typacl::text FROM pg_type
      WHERE typnamespace = 'own'::regnamespace AND typtype = 'e'
    ORDER BY 1";

const USE: &str = "
    INSERT INTO own.t SELECT nextval('own.q') + 1; UPDATE own.t SET a = a + 10; SELECT own.f(), (SELECT count(*) FROM own.v);
    ALTER TABLE own.t ADD b own.e DEFAULT 'x'; CREATE INDEX ON own.t (b); COMMENT ON TABLE own.t IS 'used';
    GRANT SELECT ON own.t TO PUBLIC; ALTER SEQUENCE own.q INCREMENT 2; ALTER TYPE own.e ADD VALUE 'y';
    CREATE OR REPLACE FUNCTION own.f() RETURNS int LANGUAGE sql AS 'SELECT 2'; ALTER VIEW own.v RENAME TO w;
    DROP VIEW own.w; DROP TABLE own.t; DROP SEQUENCE own.q; DROP TYPE own.e; DROP FUNCTION own.f()";
