//! Alternating users: two roles take turns, and nobody notices.

use serde_json::{Value, json};
use testbed::world::Builder;
use testbed::{Postgres, Secret, SecretsManager, World, unique};

use super::world;

/// A world whose secret has a superuser.
pub(super) struct Alternating {
    pub(super) world: World,
    pub(super) superuser: Secret,
    pub(super) superuser_role: String,
    pub(super) superuser_password: String,
}

impl Alternating {
    /// With a superuser that is no `SUPERUSER` but may create roles, and has ADMIN on the original.
    pub(super) async fn start() -> Self {
        let cluster = Postgres::shared().await.unwrap();
        Self::with(world(), &cluster, "CREATEROLE")
            .await
            .admin_on_original()
            .await
    }

    pub(super) async fn with(builder: Builder, cluster: &Postgres, attributes: &str) -> Self {
        let secrets = SecretsManager::shared().await.unwrap();
        let (superuser_role, superuser_password) = (unique("rotator"), unique("rotator-password"));
        cluster
            .create_role(&superuser_role, &superuser_password)
            .await
            .unwrap();
        cluster
            .admin(&format!("ALTER ROLE {superuser_role} {attributes}"))
            .await
            .unwrap();
        let superuser = secrets
            .create_secret(&unique("superuser"), "{}")
            .await
            .unwrap();
        let arn = superuser.arn.clone();
        let builder = builder
            .postgres(cluster)
            .secret(move |secret| secret["masterarn"] = json!(arn));
        let world = builder.start().await.unwrap();
        world.keep_secret(&superuser_password);
        let this = Self {
            world,
            superuser,
            superuser_role,
            superuser_password,
        };
        this.name_superuser(|_| ()).await;
        this
    }

    pub(super) async fn admin_on_original(self) -> Self {
        if self.world.postgres.major() >= 16 {
            let grant = format!(
                "GRANT \"{}\" TO {} WITH ADMIN OPTION",
                self.world.role, self.superuser_role
            );
            self.world.postgres.admin(&grant).await.unwrap();
        }
        self
    }

    /// Writes the superuser secret, with changes.
    pub(super) async fn name_superuser(&self, edit: impl FnOnce(&mut Value)) {
        let mut value = json!({
            "engine": "postgres", "host": self.world.postgres.host(), "port": self.world.db.port(),
            "username": self.superuser_role, "password": self.superuser_password,
        });
        edit(&mut value);
        let value = value.to_string();
        let put = self
            .world
            .secrets
            .put_value(&self.superuser, None, &["AWSCURRENT"], &value);
        put.await.unwrap();
    }

    pub(super) fn clone_role(&self) -> String {
        format!("{}_clone", self.world.role)
    }

    /// The role and password of `AWSCURRENT`.
    pub(super) async fn current(&self) -> (String, String) {
        let value = self.world.current().await.unwrap().unwrap();
        (text(&value, "username"), text(&value, "password"))
    }

    pub(super) async fn current_logs_in(&self) -> bool {
        let (role, password) = self.current().await;
        self.world
            .postgres
            .logs_in(&role, &password, &self.world.database)
            .await
            .unwrap()
    }

    pub(super) async fn value(&self, sql: &str) -> Option<String> {
        self.world.postgres.value(sql).await.unwrap()
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn c23_two_roles_take_turns_and_the_credential_before_stays_good() {
    let it = Alternating::start().await;
    let (original, clone) = (it.world.role.clone(), it.clone_role());
    for expected in [&clone, &original, &clone] {
        let before = it.current().await;
        it.world.rotate().await.unwrap();
        let (role, password) = it.current().await;
        assert_eq!(&role, expected);
        assert_ne!(password, before.1);
        assert!(it.current_logs_in().await);
        assert!(
            it.world
                .postgres
                .logs_in(&before.0, &before.1, "postgres")
                .await
                .unwrap(),
            "the one before still works"
        );
    }
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c23_a_role_that_is_merely_called_a_clone_resets_nobody() {
    let it = Alternating::start().await;
    let victim = unique("victim");
    let (stranger, cluster) = (format!("{victim}_clone"), &it.world.postgres);
    cluster
        .create_role(&victim, "the victim's own")
        .await
        .unwrap();
    cluster
        .create_role(&stranger, "the stranger's own")
        .await
        .unwrap();
    cluster
        .admin(&format!(
            "GRANT {victim}, {stranger} TO {} WITH ADMIN OPTION",
            it.superuser_role
        ))
        .await
        .unwrap();
    let before = cluster.verifier(&victim).await.unwrap();
    let mut value = it.world.current().await.unwrap().unwrap();
    (value["username"], value["password"]) = (json!(stranger), json!("the stranger's own"));
    it.world
        .secrets
        .put_value(&it.world.secret, None, &["AWSCURRENT"], &value.to_string())
        .await
        .unwrap();

    let token = it.world.begin().await.unwrap();
    it.world
        .step("createSecret", &token)
        .await
        .success()
        .unwrap();
    let failed = it.world.step("setSecret", &token).await;
    let failure = failed.failure().unwrap();
    assert_eq!(failure.error_type, "ForeignTarget");
    assert_eq!(cluster.verifier(&victim).await.unwrap(), before);

    let grant = format!("GRANT {victim} TO {stranger}");
    assert!(
        failure.error_message.contains(&grant),
        "{}",
        failure.error_message
    );
    cluster.admin(&grant).await.unwrap();
    it.world.steps(&token).await.unwrap();
    assert_eq!(it.current().await.0, victim);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c23_a_strangers_role_with_the_clones_name_is_left_alone() {
    let it = Alternating::start().await;
    it.world
        .postgres
        .create_role(&it.clone_role(), "a stranger's own")
        .await
        .unwrap();
    let before = it.world.postgres.verifier(&it.clone_role()).await.unwrap();
    let token = it.world.begin().await.unwrap();
    it.world
        .step("createSecret", &token)
        .await
        .success()
        .unwrap();
    assert_eq!(
        it.world.step("setSecret", &token).await.error_type(),
        Some("ForeignTarget")
    );
    assert_eq!(
        it.world.postgres.verifier(&it.clone_role()).await.unwrap(),
        before
    );
    assert!(it.current_logs_in().await);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c23_a_name_too_long_for_a_clone_is_refused_by_create_secret() {
    let cluster = Postgres::shared().await.unwrap();
    let long = format!("{:r<60}", unique("long"));
    let it = Alternating::with(world().role(&long), &cluster, "SUPERUSER").await;
    let token = it.world.begin().await.unwrap();
    let failed = it.world.step("createSecret", &token).await;
    assert_eq!(failed.error_type(), Some("CloneNameInvalid"));
    assert_eq!(it.world.pending().await.unwrap(), None);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c24_nothing_is_changed_unless_the_current_credential_logs_in() {
    let it = Alternating::start().await;
    it.world
        .postgres
        .set_password(&it.world.role, "changed by hand")
        .await
        .unwrap();
    let token = it.world.begin().await.unwrap();
    it.world
        .step("createSecret", &token)
        .await
        .success()
        .unwrap();
    assert_eq!(
        it.world.step("setSecret", &token).await.error_type(),
        Some("NoWorkingCredential")
    );
    let clone = it
        .value(&format!(
            "SELECT 1 FROM pg_roles WHERE rolname = '{}'",
            it.clone_role()
        ))
        .await;
    assert_eq!(clone, None);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c24_a_superuser_who_is_refused_changes_nothing_and_is_named() {
    let it = Alternating::start().await;
    it.name_superuser(|value| value["password"] = json!("not the password"))
        .await;
    let token = it.world.begin().await.unwrap();
    it.world
        .step("createSecret", &token)
        .await
        .success()
        .unwrap();
    let failed = it.world.step("setSecret", &token).await;
    let failure = failed.failure().unwrap();
    assert_eq!(failure.error_type, "NoWorkingCredential");
    assert!(
        failure.error_message.contains("superuser"),
        "{}",
        failure.error_message
    );
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c25_set_secret_done_twice_and_by_two_at_once_is_the_same() {
    let it = Alternating::start().await;
    let token = it.world.begin().await.unwrap();
    it.world
        .step("createSecret", &token)
        .await
        .success()
        .unwrap();
    for _ in 0..3 {
        it.world.step("setSecret", &token).await.success().unwrap();
    }
    let second = testbed::Function::builder(env!("CARGO_BIN_EXE_db-rotation"))
        .env("SECRETS_MANAGER_ENDPOINT", &it.world.api.url())
        .env(
            "PGSSLROOTCERT",
            &it.world.postgres.ca_pem_path().to_string_lossy(),
        );
    let second = second.start().await.unwrap();
    let event = it.world.event("setSecret", &token);
    let (one, two) = tokio::join!(
        it.world.step("setSecret", &token),
        second.invoke(&event, std::time::Duration::from_secs(30))
    );
    one.success().unwrap();
    two.success().unwrap();
    it.world.step("testSecret", &token).await.success().unwrap();
    it.world
        .step("finishSecret", &token)
        .await
        .success()
        .unwrap();
    assert!(it.current_logs_in().await);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c26_the_clone_is_brought_level_at_every_rotation() {
    let it = Alternating::start().await;
    let (original, clone, cluster) = (it.world.role.clone(), it.clone_role(), &it.world.postgres);
    let state = |role: &str| {
        format!(
            "SELECT concat_ws(' ', rolcanlogin, rolconnlimit, rolvaliduntil, rolinherit, rolcreaterole, \
             (SELECT string_agg(setdatabase || item, ',' ORDER BY setdatabase, item) FROM pg_db_role_setting s, \
             unnest(setconfig) item WHERE setrole = r.oid AND item NOT LIKE 'role=%')) FROM pg_roles r WHERE rolname = '{role}'"
        )
    };
    it.world.rotate().await.unwrap();
    let changes = [
        format!("ALTER ROLE {original} CONNECTION LIMIT 7 VALID UNTIL '2099-01-01' CREATEROLE"),
        format!("ALTER ROLE {original} SET search_path = \"$user\", 'odd, name', public"),
        format!("ALTER ROLE {original} SET datestyle = 'ISO, DMY'"),
        format!("ALTER ROLE {original} IN DATABASE postgres SET statement_timeout = '5min'"),
        format!("ALTER ROLE {clone} SET work_mem = '1MB'"),
        format!("ALTER ROLE {clone} NOLOGIN"),
    ];
    for change in &changes[..5] {
        cluster.admin(change).await.unwrap();
    }
    it.world.rotate().await.unwrap();
    assert_eq!(
        it.value(&state(&clone)).await,
        it.value(&state(&original)).await
    );
    assert!(
        it.value(&state(&original))
            .await
            .unwrap()
            .contains("odd, name")
    );

    cluster.admin(&changes[5]).await.unwrap();
    cluster
        .admin(&format!(
            "ALTER ROLE {original} RESET ALL; ALTER ROLE {original} CONNECTION LIMIT -1"
        ))
        .await
        .unwrap();
    it.world.rotate().await.unwrap();
    assert_eq!(
        it.value(&state(&clone)).await,
        it.value(&state(&original)).await
    );
    assert!(it.current_logs_in().await);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c26_what_cannot_be_copied_is_named_in_one_warning() {
    let it = Alternating::start().await;
    it.world
        .postgres
        .admin(&format!(
            "ALTER ROLE {} SET log_statement = 'none'",
            it.world.role
        ))
        .await
        .unwrap();
    it.world
        .postgres
        .admin(&format!("ALTER ROLE {} BYPASSRLS", it.world.role))
        .await
        .unwrap();
    let rotation = it.world.rotate().await.unwrap();
    let lines: Vec<_> = rotation.steps[1]
        .1
        .log
        .iter()
        .filter(|line| line.contains("WARN"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("log_statement") && lines[0].contains("BYPASSRLS"),
        "{lines:?}"
    );
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c27_what_either_makes_belongs_to_the_original_and_both_may_alter_and_drop_it() {
    let it = Alternating::start().await;
    let table = unique("made");
    let session = async || {
        let (role, password) = it.current().await;
        it.world
            .postgres
            .login(&role, &password, "postgres")
            .await
            .unwrap()
    };
    it.world
        .postgres
        .admin(&format!(
            "CREATE SCHEMA {table} AUTHORIZATION {}",
            it.world.role
        ))
        .await
        .unwrap();
    it.world.rotate().await.unwrap();
    session()
        .await
        .run(&format!(
            "CREATE TABLE {table}.t (a int); INSERT INTO {table}.t VALUES (1)"
        ))
        .await
        .unwrap();
    let owner = format!("SELECT tableowner FROM pg_tables WHERE schemaname = '{table}'");
    assert_eq!(it.value(&owner).await, Some(it.world.role.clone()));
    it.world.rotate().await.unwrap();
    session()
        .await
        .run(&format!(
            "ALTER TABLE {table}.t ADD b int; CREATE TABLE {table}.u ()"
        ))
        .await
        .unwrap();
    it.world.rotate().await.unwrap();
    session()
        .await
        .run(&format!("DROP TABLE {table}.t; DROP TABLE {table}.u"))
        .await
        .unwrap();
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c28_a_lack_of_admin_prints_the_grant_that_mends_it() {
    let cluster = Postgres::options().version(16).start().await.unwrap();
    let it = Alternating::with(world(), &cluster, "CREATEROLE").await;
    let token = it.world.begin().await.unwrap();
    it.world
        .step("createSecret", &token)
        .await
        .success()
        .unwrap();
    let failed = it.world.step("setSecret", &token).await;
    let failure = failed.failure().unwrap();
    assert_eq!(failure.error_type, "PermissionDenied");
    let grant = failure
        .error_message
        .split("as an administrator: ")
        .nth(1)
        .unwrap();
    let grant = grant.split(" (SQLSTATE").next().unwrap();
    assert!(
        grant.starts_with("GRANT ") && grant.ends_with(" WITH ADMIN OPTION"),
        "{grant}"
    );
    cluster.admin(grant).await.unwrap();
    it.world.steps(&token).await.unwrap();
    for _ in 0..2 {
        it.world.rotate().await.unwrap();
    }
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c30_the_superusers_password_goes_to_no_other_host() {
    let it = Alternating::start().await;
    let decoy = testbed::DbGate::decoy().await.unwrap();
    it.world.rotate().await.unwrap();
    for edit in [
        json!({"host": "127.0.0.1"}),
        json!({"port": decoy.port()}),
        json!({"host": "localhost.", "port": decoy.port()}),
    ] {
        it.name_superuser(|value| {
            value["port"] = json!(decoy.port());
            for (key, other) in edit.as_object().unwrap() {
                value[key] = other.clone();
            }
        })
        .await;
        let token = it.world.begin().await.unwrap();
        it.world
            .step("createSecret", &token)
            .await
            .success()
            .unwrap();
        let failed = it.world.step("setSecret", &token).await;
        assert_ne!(failed.error_type(), None);
        assert!(
            ["ForeignTarget", "AwsCallFailed"].contains(&failed.error_type().unwrap()),
            "{failed:?}"
        );
        it.world
            .secrets
            .remove_label(&it.world.secret, "AWSPENDING")
            .await
            .unwrap();
    }
    assert_eq!(decoy.connections(), 0);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c35_a_pending_role_whose_sessions_do_not_act_as_the_original_is_refused() {
    let it = Alternating::start().await;
    let token = it.world.begin().await.unwrap();
    it.world
        .step("createSecret", &token)
        .await
        .success()
        .unwrap();
    it.world.step("setSecret", &token).await.success().unwrap();
    it.world
        .postgres
        .admin(&format!("ALTER ROLE {} RESET role", it.clone_role()))
        .await
        .unwrap();
    assert_eq!(
        it.world.step("testSecret", &token).await.error_type(),
        Some("CloneNotEqual")
    );
    it.world.steps(&token).await.unwrap();
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c11_connections_two_one_one_and_none_refused() {
    let it = Alternating::start().await;
    it.world.rotate().await.unwrap();
    let token = it.world.begin().await.unwrap();
    for (step, connections) in [
        ("createSecret", 0),
        ("setSecret", 2),
        ("testSecret", 1),
        ("finishSecret", 1),
    ] {
        let before = it.world.db.connections();
        it.world.api.forget();
        it.world.step(step, &token).await.success().unwrap();
        assert_eq!(it.world.db.connections() - before, connections, "{step}");
        assert!(it.world.api.depth() <= 2, "{step}");
    }
    for role in [&it.world.role, &it.clone_role(), &it.superuser_role] {
        assert!(it.world.postgres.refusals(role, it.world.began).is_empty());
    }
    it.world.finish().await.unwrap();
}
