//! checkSecret: whether a rotation would succeed now. Meets what a rotation meets, in its order and through its own parts, and
//! changes nothing: neither a label, nor a value, nor a role (the change itself is rolled back).

mod database;
mod given;
mod network;
mod report;

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::config::Config;
use crate::deadline::Deadline;
use crate::rotation::{Rotator, Subject};
use crate::secret::SecretId;
use report::{Check, Report};

/// Checks a secret, logs in one line how that ended, and answers.
///
/// The answer is `{"secret_id", "ready", "checks": [{"check", "outcome", "found", "advice"}, …]}`, in the order in which a
/// rotation meets them; `outcome` is `ok`, `warning`, `failed` or `not tried`, and `advice` null where there is nothing to do.
/// `ready` is false if and only if a check failed. `function_arn` is this function, as it was called.
pub(crate) async fn check_secret(
    rotator: Rotator<'_>,
    secret_id: &SecretId,
    function_arn: &str,
    deadline: Deadline,
) -> Value {
    let begun = Instant::now();
    let mut report = Report::default();
    report.ok(Check::Settings, settings(rotator.config));
    let given = given::read(&mut report, rotator, secret_id, function_arn, deadline).await;
    if let Some(given) = &given {
        database::check(&mut report, given).await;
    }
    let subject = given.as_ref().map(|given| &given.subject);
    let strategy = subject.map(|subject| &subject.strategy);
    report.complete(strategy.is_some_and(|strategy| strategy.pair().is_some()));
    log(&report, secret_id, subject, begun.elapsed());
    report.answer(secret_id)
}

fn settings(config: &Config) -> String {
    let length = config.policy.length;
    let characters = &config.policy.exclude_characters;
    format!("new passwords have {length} characters, without {characters}")
}

fn log(report: &Report, secret_id: &SecretId, subject: Option<&Subject<'_>>, took: Duration) {
    let step = "checkSecret";
    let strategy = subject.map(|subject| subject.strategy.as_str());
    let login = subject.map(|subject| &subject.current.login);
    let role = login.map(|login| login.credentials.role.as_str());
    let host = login.map(|login| login.endpoint.host.as_str());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let failed = report.failed();
    if failed.is_empty() {
        let outcome = "ready";
        tracing::info!(
            step, %secret_id, strategy, role, host, outcome, duration_ms, "check ended"
        );
    } else {
        let outcome = "not ready";
        tracing::warn!(
            step, %secret_id, strategy, role, host, outcome, duration_ms, failed, "check ended"
        );
    }
}
