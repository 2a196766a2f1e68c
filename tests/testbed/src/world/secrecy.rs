//! The promise that no secret shows where it may not (C46), kept by looking everywhere.

use std::collections::{BTreeMap, BTreeSet};

use openssl::base64::encode_block;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::World;
use crate::background::{home, spawn};
use crate::error::{Error, Result};
use crate::function::{CREDENTIALS, Function};
use crate::postgres::{Mark, Postgres};

/// What a world remembers for the search.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    /// The role's verifiers, as seen after each event.
    pub(super) verifiers: BTreeSet<String>,
    /// The `RotationToken` of each version.
    pub(super) rotation_tokens: BTreeMap<String, String>,
    /// The payloads of failures.
    pub(super) payloads: Vec<String>,
    /// What functions wrote while they worked on this world's events.
    pub(super) lines: Vec<String>,
    /// Secrets that the test has named.
    pub(super) named: Vec<String>,
    /// Whether the server may see passwords.
    pub(super) plaintext: bool,
}

impl World {
    /// Counts `text` among what must not show, for secrets that this world didn't make.
    pub fn keep_secret(&self, text: &str) {
        self.remembered.lock().named.push(text.to_owned());
    }

    /// Counts a verifier among what must not show.
    pub fn keep_verifier(&self, verifier: &str) {
        self.remembered.lock().verifiers.insert(verifier.to_owned());
    }

    /// Looks for every password, verifier, token and secret value of this world: in all that the function wrote and
    /// answered; passwords also in the server's log since the world began and in `pg_stat_statements`.
    ///
    /// What has fewer than eight characters is left out: it would be found by chance.
    pub async fn secrecy(&self) -> Result<()> {
        self.search().run().await
    }

    fn search(&self) -> Search {
        let remembered = self.remembered.lock().clone();
        let values = self.secrets.values(&self.secret.arn);
        let mut passwords = remembered.named;
        passwords.push(self.first_password.clone());
        for value in &values {
            let parsed = serde_json::from_str(value).unwrap_or_default();
            passwords.extend(private_texts(&parsed));
        }
        for call in self.api.calls() {
            let random = call.response.get("RandomPassword").and_then(Value::as_str);
            passwords.extend(random.map(str::to_owned));
        }
        let tokens = remembered.rotation_tokens.into_values().collect();
        let credentials = CREDENTIALS.map(str::to_owned).to_vec();
        let mut secrets = BTreeMap::new();
        for (kind, texts) in [
            (PASSWORD, passwords),
            ("a whole value", values),
            ("a verifier", remembered.verifiers.into_iter().collect()),
            ("a RotationToken", tokens),
            ("an AWS credential", credentials),
        ] {
            for text in texts.into_iter().filter(|text| text.chars().count() >= 8) {
                secrets.entry(text).or_insert(kind);
            }
        }
        Search {
            secrets,
            function: self.function.clone(),
            payloads: remembered.payloads,
            lines: remembered.lines,
            postgres: (!remembered.plaintext).then(|| self.postgres.clone()),
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
    /// What each secret is.
    secrets: BTreeMap<String, &'static str>,
    function: Function,
    payloads: Vec<String>,
    lines: Vec<String>,
    /// The server, unless it may see passwords.
    postgres: Option<Postgres>,
    began: Mark,
}

impl Search {
    async fn run(self) -> Result<()> {
        let mut found = BTreeSet::new();
        for (place, text) in [
            ("the function's output", self.function.output()),
            ("a function's lines", self.lines.join("\n")),
            ("an error's payload", self.payloads.join("\n")),
        ] {
            let secrets = self.secrets.iter();
            found.extend(secrets.filter_map(|(secret, kind)| shows(&text, secret, kind, place)));
        }
        if let Some(postgres) = self.postgres {
            let log = postgres.log_since(self.began);
            // Nothing where it isn't loaded or the server is away for good.
            let statements = home(async move { postgres.stat_statements().await }).await;
            let statements = statements.unwrap_or_default().join("\n");
            for (place, text) in [
                ("the server's log", log),
                ("pg_stat_statements", statements),
            ] {
                let passwords = self.secrets.iter().filter(|(_, kind)| **kind == PASSWORD);
                found.extend(
                    passwords.filter_map(|(secret, kind)| shows(&text, secret, kind, place)),
                );
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        Err(Error::new(found.into_iter().collect::<Vec<_>>().join("\n")))
    }
}

const PASSWORD: &str = "a password";

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
        utf8_percent_encode(secret, UNRESERVED_STAY).to_string(),
        encode_block(secret.as_bytes()),
    ];
    // The whole text first: most texts show nothing, and lines are many.
    let shown = forms.iter().find(|form| text.contains(form.as_str()))?;
    let line = text.lines().find(|line| line.contains(shown.as_str()));
    // The complaint is read by others than those who may know the secret.
    let line = line.unwrap_or(text).to_owned();
    let masked = forms
        .iter()
        .fold(line, |line, form| line.replace(form, "•••"));
    let masked: String = masked.chars().take(300).collect();
    Some(format!("{kind} shows in {place}: {masked}"))
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

const UNRESERVED_STAY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
