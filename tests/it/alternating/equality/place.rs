//! Where a case happens: a database with things that the original may be given, and room for its own.

use testbed::{Alternating, TestResult, unique};

use crate::alternating::quoted;

/// The names of one case.
pub(super) struct Place {
    pub(super) original: String,
    pub(super) database: String,
    pub(super) groups: [String; Self::GROUPS],
    pub(super) major: u16,
}

impl Place {
    pub(super) const GROUPS: usize = 3;

    /// Furnishes the world's database: nobody may come or see who isn't told to.
    pub(super) async fn furnish(it: &Alternating) -> TestResult<Self> {
        let place = Self {
            original: it.world.role.clone(),
            database: it.world.database.clone(),
            groups: [(); Self::GROUPS].map(|()| unique("group")),
            major: it.world.postgres.major(),
        };
        let session = it.world.postgres.admin_session(&place.database).await?;
        let role = quoted(&place.original);
        let database = &place.database;
        let [one, two, three] = &place.groups;
        let names = format!(
            "CREATE ROLE {one}; CREATE ROLE {two}; CREATE ROLE {three};
             REVOKE ALL ON DATABASE {database} FROM PUBLIC; GRANT CONNECT ON DATABASE {database} TO {role}, {};
             CREATE SCHEMA own AUTHORIZATION {role}; GRANT ALL ON SCHEMA own TO {one}, {two}, {three}",
            it.superuser_role
        );
        session.run(&names).await?;
        session.run(THEIRS).await?;
        let policy = format!(
            "CREATE POLICY own ON theirs.guarded TO {role} USING (owner = current_user) WITH CHECK (true);
             CREATE POLICY group_s ON theirs.guarded TO {one} USING (owner = 'somebody');
             INSERT INTO theirs.guarded VALUES ('{}'), ('somebody')",
            place.original
        );
        session.run(&policy).await?;
        Ok(place)
    }

    /// What takes everything from the original that a moment before may have given it.
    pub(super) fn blank(&self) -> Vec<String> {
        let role = quoted(&self.original);
        let database = &self.database;
        let groups = self.groups.join(", ");
        let mut sql: Vec<_> = [
            String::new(),
            format!("IN DATABASE {database}"),
            "IN DATABASE postgres".to_owned(),
        ]
        .iter()
        .map(|scope| format!("ALTER ROLE {role} {scope} RESET ALL"))
        .collect();
        sql.push(format!("ALTER DATABASE {database} RESET ALL"));
        sql.push(format!("REVOKE {groups} FROM {role} CASCADE"));
        for things in [
            "ALL TABLES IN SCHEMA theirs",
            "ALL SEQUENCES IN SCHEMA theirs",
            "ALL FUNCTIONS IN SCHEMA theirs",
            "TYPE theirs.e",
            "SCHEMA theirs",
        ] {
            sql.push(format!(
                "REVOKE ALL ON {things} FROM {role}, {groups} CASCADE"
            ));
        }
        sql.push(format!(
            "REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM {role}, {groups} CASCADE"
        ));
        sql.push(format!(
            "ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA own REVOKE ALL ON TABLES FROM {groups}"
        ));
        sql
    }
}

const THEIRS: &str = "
    CREATE SCHEMA theirs;
    CREATE TABLE theirs.t (a int, b int); INSERT INTO theirs.t VALUES (1, 2);
    CREATE TABLE theirs.u (a int, b int); INSERT INTO theirs.u VALUES (1, 2);
    CREATE TABLE theirs.guarded (owner text); ALTER TABLE theirs.guarded ENABLE ROW LEVEL SECURITY;
    CREATE SEQUENCE theirs.q; CREATE TYPE theirs.e AS ENUM ('x');
    CREATE FUNCTION theirs.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
    REVOKE ALL ON FUNCTION theirs.f() FROM PUBLIC; REVOKE ALL ON TYPE theirs.e FROM PUBLIC";
