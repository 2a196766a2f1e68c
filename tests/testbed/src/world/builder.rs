//! What a world is made of.

use std::path::Path;

use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;

use super::World;
use super::secrecy::Kept;
use crate::error::{Context as _, Result};
use crate::function::{self, Function};
use crate::gate::{ApiGate, DbGate};
use crate::postgres::{Postgres, quoted};
use crate::secrets::SecretsManager;
use crate::unique::{random_hex, unique};

/// A world to be started. Unless told otherwise: the shared cluster, the shared Secrets Manager, a new role in the
/// database `postgres`, a secret as AWS writes it.
pub struct Builder {
    function: function::Builder,
    pub(super) postgres: Option<Postgres>,
    pub(super) secrets: Option<SecretsManager>,
    role: Option<String>,
    password: Option<String>,
    database: Option<String>,
    edit: Box<dyn FnOnce(String) -> String + Send>,
    deadline: Duration,
    plaintext: bool,
}

impl Builder {
    pub(super) fn of(binary: &Path) -> Self {
        Self {
            function: Function::builder(binary),
            postgres: None,
            secrets: None,
            role: None,
            password: None,
            database: None,
            edit: Box::new(|value| value),
            deadline: Duration::from_secs(30),
            plaintext: false,
        }
    }

    /// Another cluster than the shared one.
    pub fn postgres(mut self, postgres: &Postgres) -> Self {
        self.postgres = Some(postgres.clone());
        self
    }

    /// Another Secrets Manager than the shared one.
    pub fn secrets_manager(mut self, secrets: &SecretsManager) -> Self {
        self.secrets = Some(secrets.clone());
        self
    }

    /// The role's name, which nobody else in the cluster may have.
    pub fn role(mut self, role: &str) -> Self {
        self.role = Some(role.to_owned());
        self
    }

    /// The role's first password.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Another database than `postgres`, to be made.
    pub fn database(mut self, database: &str) -> Self {
        self.database = Some(database.to_owned());
        self
    }

    /// Changes the secret's first value. Keys come out in alphabetical order.
    pub fn secret(self, edit: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        self.secret_text(move |text| {
            let mut value = serde_json::from_str(&text).unwrap_or_default();
            edit(&mut value);
            value.to_string()
        })
    }

    /// Changes the secret's first value as text, to the letter; what was changed before stays changed.
    pub fn secret_text(mut self, edit: impl FnOnce(String) -> String + Send + 'static) -> Self {
        let before = self.edit;
        self.edit = Box::new(|text| edit(before(text)));
        self
    }

    /// Adds a variable to the function's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.function = self.function.env(name, value);
        self
    }

    /// The function's time-out, 30 s unless told otherwise.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Expects passwords in the server's log and statements, as with `PASSWORD_TRANSPORT=plaintext`.
    pub fn plaintext_at_the_server(mut self) -> Self {
        self.plaintext = true;
        self
    }

    /// Starts it, and returns when the function asks for its first event.
    pub async fn start(self) -> Result<World> {
        let postgres = match self.postgres {
            Some(postgres) => postgres,
            None => Postgres::shared().await?,
        };
        let secrets = match self.secrets {
            Some(secrets) => secrets,
            None => SecretsManager::shared().await?,
        };
        let began = postgres.mark();
        let role = self.role.unwrap_or_else(|| unique("app"));
        let first_password = self
            .password
            .unwrap_or_else(|| format!("first-{}", random_hex(12)));
        postgres
            .create_role(&role, &first_password)
            .await
            .context(format!("no role {role}"))?;
        let database = self.database.unwrap_or_else(|| "postgres".to_owned());
        if database != "postgres" {
            postgres
                .admin(&format!("CREATE DATABASE {}", quoted(&database)))
                .await?;
        }
        let db = DbGate::start(&postgres).await?;
        let written = written_by_aws(
            postgres.host(),
            db.port(),
            &database,
            &role,
            &first_password,
        );
        let secret = secrets
            .create_secret(&unique("secret"), &(self.edit)(written))
            .await?;
        let api = ApiGate::start(&secrets).await?;
        // As the template deploys it.
        let function = self.function.env("SECRETS_MANAGER_ENDPOINT", &api.url());
        let function = function.env("AWS_ENDPOINT_URL_RDS", &api.url());
        let function = function.env("PGSSLROOTCERT", &postgres.ca_pem_path().to_string_lossy());
        let function = function.env("SSL_CERT_FILE", "/dev/null").start().await?;
        let kept = Kept {
            plaintext: self.plaintext,
            ..Kept::default()
        };
        Ok(World {
            postgres,
            db,
            secrets,
            api,
            function,
            secret,
            role,
            database,
            first_password,
            began,
            deadline: self.deadline,
            kept: Mutex::new(kept),
            finished: false,
        })
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}

/// The value in the order of keys that AWS's console writes for RDS.
pub(super) fn written_by_aws(
    host: &str,
    port: u16,
    database: &str,
    role: &str,
    password: &str,
) -> String {
    let text = |value: &str| Value::from(value).to_string();
    format!(
        r#"{{"engine":"postgres","host":{},"username":{},"password":{},"dbname":{},"port":{port}}}"#,
        text(host),
        text(role),
        text(password),
        text(database),
    )
}
