//! Where schedules are played: a cluster of one's own, so that it may be restarted; two secrets in it; warm functions.

use std::path::Path;

use serde_json::{Value, json};
use testbed::{Postgres, Row, Secret, SecretsManager, World, unique};

use super::schedule::Users;

/// One of the places where schedules are played, one after the other.
pub(super) struct Scene {
    /// The secret that everything happens to.
    pub(super) world: World,
    /// Another secret in the same cluster; its function is the other one where a call comes twice.
    pub(super) neighbour: World,
    pub(super) users: Users,
    pub(super) superuser_role: String,
    /// Whether the neighbour's secret was rotated.
    pub(super) is_neighbour_used: bool,
    superuser: Secret,
    superuser_password: String,
}

impl Scene {
    pub(super) async fn start(program: &Path) -> Self {
        let cluster = Postgres::options().start().await.unwrap();
        if cluster.major() >= 16 {
            // Schedules are many, and what guards a verifier that leaks costs each login milliseconds.
            cluster.set("scram_iterations", "1").await.unwrap();
        }
        let secrets = SecretsManager::shared().await.unwrap();
        let (world, neighbour) = tokio::join!(
            start_world(program, &cluster),
            start_world(program, &cluster)
        );
        let superuser_role = unique("rotator");
        let password = unique("rotator-password");
        cluster
            .create_role(&superuser_role, &password)
            .await
            .unwrap();
        cluster
            .admin(&format!("ALTER ROLE {superuser_role} CREATEROLE"))
            .await
            .unwrap();
        let value = json!({
            "engine": "postgres", "host": cluster.host(), "port": world.db.port(),
            "username": superuser_role, "password": password,
        });
        let name = unique("superuser");
        let value = value.to_string();
        let superuser = secrets.create_secret(&name, &value).await.unwrap();
        Self {
            world,
            neighbour,
            users: Users::Single,
            superuser_role,
            is_neighbour_used: false,
            superuser,
            superuser_password: password,
        }
    }

    /// A new secret and new roles; bystanders whom nobody may touch, one with the name that a clone would have.
    pub(super) async fn renew(&mut self, users: Users) {
        let old = std::mem::take(&mut self.world.role);
        self.admin(&format!(
            "DROP ROLE IF EXISTS \"{old}\", \"{old}_clone\", \"{old}_bystander\", \"{old}_bystander_clone\""
        ))
        .await;
        if std::mem::take(&mut self.is_neighbour_used) {
            let old = self.neighbour.role.clone();
            self.neighbour.renew(|_| ()).await.unwrap();
            self.admin(&format!("DROP ROLE \"{old}\"")).await;
        }
        self.neighbour.api.forget();
        let superuser = self.superuser.arn.clone();
        let renewed = self.world.renew(move |secret: &mut Value| {
            if users == Users::Alternating {
                secret["masterarn"] = json!(superuser);
            }
        });
        renewed.await.unwrap();
        self.users = users;
        let role = self.world.role.clone();
        let stranger = match users {
            Users::Single => format!("{role}_clone"),
            Users::Alternating => format!("{role}_bystander_clone"),
        };
        self.admin(&format!(
            "CREATE ROLE \"{role}_bystander\" LOGIN PASSWORD 'nobody''s business'; \
             ALTER ROLE \"{role}_bystander\" SET work_mem = '5MB'; GRANT \"{role}\" TO \"{role}_bystander\"; \
             CREATE ROLE \"{stranger}\" LOGIN CONNECTION LIMIT 7 PASSWORD 'nobody''s either'"
        ))
        .await;
        if users == Users::Alternating && self.world.postgres.major() >= 16 {
            self.admin(&format!(
                "GRANT \"{role}\" TO {} WITH ADMIN OPTION",
                self.superuser_role
            ))
            .await;
        }
        // What was prepared is not part of what is looked at.
        self.world.postgres.forget();
        self.keep_superuser().await;
    }

    /// The superuser's secret is no business of anybody's either; a world that is renewed forgets what it was told.
    async fn keep_superuser(&self) {
        let verifier = self.world.postgres.verifier(&self.superuser_role).await;
        self.world.keep_verifier(&verifier.unwrap().unwrap());
        self.world.keep_secret(&self.superuser_password);
    }

    /// The roles whose passwords the secret is about.
    pub(super) fn own_roles(&self) -> Vec<String> {
        let role = &self.world.role;
        match self.users {
            Users::Single => vec![role.clone()],
            Users::Alternating => vec![role.clone(), format!("{role}_clone")],
        }
    }

    /// Another process goes on, which has seen no login work.
    pub(super) async fn forget_logins(&self) {
        self.world.function.kill().await;
    }

    /// Runs statements as the administrator.
    pub(super) async fn admin(&self, sql: &str) -> Vec<Row> {
        self.world.postgres.admin(sql).await.unwrap()
    }

    /// Ends it; what is left in it was looked at before.
    pub(super) async fn end(self) {
        let _ = self.world.finish().await;
        let _ = self.neighbour.finish().await;
    }
}

async fn start_world(program: &Path, cluster: &Postgres) -> World {
    World::builder(program)
        .postgres(cluster)
        .start()
        .await
        .unwrap()
}
