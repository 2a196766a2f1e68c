//! What a world is made of.

use std::path::Path;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;

use super::World;
use super::secrecy::Remembered;
use crate::error::{Context as _, Result};
use crate::function::{self, Function};
use crate::gate::{ApiGate, DbGate};
use crate::postgres::{HOST, Postgres, quoted};
use crate::secrets::SecretsManager;
use crate::unique::{random_hex, unique};

/// A world to be started. Unless told otherwise: the shared cluster, the shared Secrets Manager, a new role in the
/// database `postgres`, a secret as AWS writes it.
#[expect(missing_debug_implementations, reason = "it holds a closure")]
pub struct Builder {
    function: function::Builder,
    postgres: Option<Postgres>,
    secrets: Option<SecretsManager>,
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

    /// The servers that it was given, else the shared ones.
    pub(super) async fn servers(&mut self) -> Result<(Postgres, SecretsManager)> {
        let postgres = match self.postgres.take() {
            Some(postgres) => postgres,
            None => Postgres::shared().await?,
        };
        let secrets = match self.secrets.take() {
            Some(secrets) => secrets,
            None => SecretsManager::shared().await?,
        };
        Ok((postgres, secrets))
    }

    /// Starts it, and returns when the function asks for its first event.
    pub async fn start(mut self) -> Result<World> {
        let (postgres, secrets) = self.servers().await?;
        let began = postgres.mark();
        let role = self.role.unwrap_or_else(|| unique("app"));
        let first_password = self.password.unwrap_or_else(first_password);
        let created = postgres.create_role(&role, &first_password).await;
        created.context(format!("no role {role}"))?;
        let database = self.database.unwrap_or_else(|| "postgres".to_owned());
        if database != "postgres" {
            let create = format!("CREATE DATABASE {}", quoted(&database));
            postgres.admin(&create).await?;
        }
        let db = DbGate::start(&postgres).await?;
        let value = (self.edit)(written_by_aws(db.port(), &database, &role, &first_password));
        let secret = secrets.create_secret(&unique("secret"), &value).await?;
        let api = ApiGate::start(&secrets).await?;
        // As the template deploys it.
        let function = self
            .function
            .aws(&api.url())
            .env("SSL_CERT_FILE", "/dev/null");
        let authority = postgres.ca_pem_path();
        let function = function
            .env("PGSSLROOTCERT", &authority.to_string_lossy())
            .start()
            .await?;
        let remembered = Remembered {
            plaintext: self.plaintext,
            ..Remembered::default()
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
            remembered: Mutex::new(remembered),
            finished: false,
        })
    }
}

pub(super) fn first_password() -> String {
    format!("first-{}", random_hex(12))
}

/// The value in the order of keys that AWS's console writes for RDS.
pub(super) fn written_by_aws(port: u16, database: &str, role: &str, password: &str) -> String {
    let [host, role, password, database] =
        [HOST, role, password, database].map(|text| Value::from(text).to_string());
    format!(
        r#"{{"engine":"postgres","host":{host},"username":{role},"password":{password},"dbname":{database},"port":{port}}}"#
    )
}
