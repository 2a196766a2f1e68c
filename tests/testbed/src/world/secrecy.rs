//! The promise that no secret shows where it may not (C46), kept by looking everywhere.

use std::collections::{BTreeMap, BTreeSet};

use openssl::base64::encode_block;
use serde_json::Value;

use super::World;
use crate::background::{home, spawn};
use crate::error::{Error, Result};
use crate::function::{CREDENTIALS, Function};
use crate::postgres::{Mark, Postgres};
use crate::secrets::percent;

/// What a world remembers for the search.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// The role's verifiers, as seen after each event.
    pub(super) verifiers: BTreeSet<String>,
    /// The `RotationToken` of each version.
    pub(super) rotation_tokens: BTreeMap<String, String>,
    /// The payloads of failures.
    pub(super) payloads: Vec<String>,
    /// What functions wrote while they worked on this world's events.
    pub(super) said: Vec<String>,
    /// Secrets of which the test told us.
    pub(super) told: Vec<String>,
    /// Whether the server may see passwords.
    pub(super) plaintext: bool,
}

impl World {
    /// Counts `text` among what must not show, for secrets that this world didn't make.
    pub fn keep_secret(&self, text: &str) {
        self.kept.lock().told.push(text.to_owned());
    }

    /// Looks for every password, verifier, token and secret value of this world: in all that the function wrote and
    /// answered; passwords also in the server's log since the world began and in `pg_stat_statements`.
    ///
    /// Passwords and values of fewer than eight characters are left out: they would be found by chance.
    pub async fn secrecy(&self) -> Result<()> {
        self.search().run().await
    }

    fn search(&self) -> Search {
        let kept = self.kept.lock().clone();
        let mut passwords: BTreeSet<String> = kept.told.iter().cloned().collect();
        let mut others: BTreeSet<(&'static str, String)> = BTreeSet::new();
        passwords.insert(self.first_password.clone());
        for value in self.secrets.values(&self.secret.arn) {
            let parsed: Value = serde_json::from_str(&value).unwrap_or_default();
            passwords.extend(private_texts(&parsed));
            others.extend((value.len() >= 8).then_some(("a whole value", value)));
        }
        for call in self.api.calls() {
            let random = call.response.get("RandomPassword").and_then(Value::as_str);
            passwords.extend(random.map(str::to_owned));
        }
        others.extend(
            kept.verifiers
                .iter()
                .map(|verifier| ("a verifier", verifier.clone())),
        );
        others.extend(
            kept.rotation_tokens
                .values()
                .map(|token| ("a RotationToken", token.clone())),
        );
        others.extend(
            CREDENTIALS
                .iter()
                .map(|part| ("an AWS credential", (*part).to_owned())),
        );
        passwords.retain(|password| password.chars().count() >= 8);
        Search {
            passwords,
            others,
            function: self.function.clone(),
            payloads: kept.payloads,
            said: kept.said,
            postgres: (!kept.plaintext).then(|| self.postgres.clone()),
            began: self.began,
        }
    }
}

impl Drop for World {
    #[expect(
        clippy::panic,
        reason = "a leak must not pass because a test ended early"
    )]
    fn drop(&mut self) {
        if self.finished || std::thread::panicking() {
            return;
        }
        let search = self.search();
        let (tell, told) = std::sync::mpsc::channel();
        drop(spawn(async move { tell.send(search.run().await) }));
        if let Ok(Err(found)) = told.recv() {
            panic!("{found:?}");
        }
    }
}

/// What is looked for, and where.
struct Search {
    passwords: BTreeSet<String>,
    others: BTreeSet<(&'static str, String)>,
    function: Function,
    payloads: Vec<String>,
    said: Vec<String>,
    postgres: Option<Postgres>,
    began: Mark,
}

impl Search {
    async fn run(self) -> Result<()> {
        let mut found = BTreeSet::new();
        let said = [
            ("the function's output", self.function.output()),
            ("a function's lines", self.said.join("\n")),
            ("an error's payload", self.payloads.join("\n")),
        ];
        for (place, text) in &said {
            found.extend(
                self.passwords
                    .iter()
                    .filter_map(|password| shows(text, password, "a password", place)),
            );
            found.extend(
                self.others
                    .iter()
                    .filter_map(|(kind, secret)| shows(text, secret, kind, place)),
            );
        }
        if let Some(postgres) = &self.postgres {
            let log = postgres.log_since(self.began);
            let statements = seen_statements(postgres).await;
            for (place, text) in [
                ("the server's log", &log),
                ("pg_stat_statements", &statements),
            ] {
                found.extend(
                    self.passwords
                        .iter()
                        .filter_map(|password| shows(text, password, "a password", place)),
                );
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        Err(Error::new(found.into_iter().collect::<Vec<_>>().join("\n")))
    }
}

/// What `pg_stat_statements` has; nothing where it isn't loaded or the server is away for good.
async fn seen_statements(postgres: &Postgres) -> String {
    let postgres = postgres.clone();
    home(async move {
        postgres
            .stat_statements()
            .await
            .unwrap_or_default()
            .join("\n")
    })
    .await
}

/// A sentence, where `secret` shows in `text` in any form that programs give it.
fn shows(text: &str, secret: &str, kind: &str, place: &str) -> Option<String> {
    let json = Value::from(secret).to_string();
    let forms = [
        secret.to_owned(),
        json.trim_matches('"').to_owned(),
        // JSON within JSON, as in a logged body.
        Value::from(json.as_str())
            .to_string()
            .trim_matches(['"', '\\'])
            .to_owned(),
        format!("{secret:?}").trim_matches('"').to_owned(),
        secret.replace('\'', "''"),
        percent(secret),
        encode_block(secret.as_bytes()),
    ];
    // The whole text first: most texts show nothing, and lines are many.
    let shown = forms.iter().find(|form| text.contains(form.as_str()))?;
    let line = text.lines().find(|line| line.contains(shown.as_str()));
    // The complaint is read by others than those who may know the secret.
    let masked = forms
        .iter()
        .fold(line.unwrap_or(text).to_owned(), |line, form| {
            line.replace(form, "•••")
        });
    Some(format!(
        "{kind} shows in {place}: {}",
        masked.chars().take(300).collect::<String>()
    ))
}

/// The texts in a value that are nobody's business: all but those which the log may name.
fn private_texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(private_texts).collect(),
        Value::Object(fields) => {
            let private = fields
                .iter()
                .filter(|(name, _)| !NAMED.contains(&name.as_str()));
            private
                .flat_map(|(_, value)| private_texts(value))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// What a secret says of where and who, which a log line may repeat.
const NAMED: [&str; 15] = [
    "database",
    "dbClusterIdentifier",
    "dbInstanceIdentifier",
    "dbname",
    "engine",
    "host",
    "masterarn",
    "port",
    "proxy",
    "rotation_host",
    "ssl",
    "ssl_mode",
    "sslmode",
    "user",
    "username",
];
