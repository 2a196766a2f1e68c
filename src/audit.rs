//! auditSecrets: which secrets of the account are not rotated as they should be. Reads metadata alone, never a value.

mod rules;

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::aws::{AwsError, SecretsManager};
use crate::config::AuditPolicy;
use crate::error::{Error, Kind};
use crate::secret::{SecretId, SecretMetadata};
use rules::{Finding, Rule};

/// Judges every secret of the account in this region, and logs each finding and the end in a line each.
///
/// The answer is `{"secrets": 12, "counts": {"overdue": 1, …}, "findings": [{"rule", "secret_id", "days"}, …]}`, the findings
/// in the service's order and cut at 1000: the log has them all.
///
/// # Errors
/// [`Error`], once it is logged; what was found until then stays in the log.
pub(crate) async fn audit_secrets(
    secrets_manager: &SecretsManager,
    policy: &AuditPolicy,
) -> Result<Value, Error> {
    let now = SystemTime::now();
    let mut audit = Audit::default();
    let listed = secrets_manager
        .list(|secret| audit.judge(policy, &secret, now))
        .await;
    let result = listed.map_err(|error| audit.interrupted(error));
    audit.log(&result);
    result.map(|()| audit.answer())
}

/// What was found so far.
#[derive(Default)]
struct Audit {
    /// How many secrets were listed.
    seen: usize,
    /// How many of them were judged.
    secrets: usize,
    counts: [u64; Rule::ALL.len()],
    /// The first findings, as they are answered.
    findings: Vec<Value>,
}

impl Audit {
    fn judge(&mut self, policy: &AuditPolicy, secret: &SecretMetadata, now: SystemTime) {
        self.seen += 1;
        if !policy.covers(secret) {
            return;
        }
        self.secrets += 1;
        for finding in policy.findings(secret, now) {
            self.note(&secret.id, finding);
        }
    }

    fn note(&mut self, secret_id: &SecretId, Finding { rule, days }: Finding) {
        let rule_name = rule.as_str();
        tracing::warn!(rule = rule_name, %secret_id, days, "finding");
        for (count, counted) in self.counts.iter_mut().zip(Rule::ALL) {
            *count += u64::from(counted == rule);
        }
        if self.findings.len() < ANSWERED {
            let id = secret_id.as_str();
            let finding = json!({ "rule": rule_name, "secret_id": id, "days": days });
            self.findings.push(finding);
        }
    }

    fn interrupted(&self, error: AwsError) -> Error {
        let AwsError::TimedOut { .. } = error else {
            return error.into();
        };
        let problem = format!("{error}; secrets seen until then: {}", self.seen);
        Error::new(Kind::DeadlineExceeded, problem)
    }

    /// The counts are fields of their own, `counts.overdue`: a log line's fields have no structure.
    fn log(&self, result: &Result<(), Error>) {
        let secrets = self.secrets;
        let [not_rotated, overdue, stuck, too_old, untagged] = self.counts;
        match result {
            Ok(()) => tracing::info!(
                secrets,
                "counts.not-rotated" = not_rotated,
                "counts.overdue" = overdue,
                "counts.stuck" = stuck,
                "counts.too-old" = too_old,
                "counts.untagged" = untagged,
                "audit ended"
            ),
            Err(error) => tracing::error!(
                secrets,
                outcome = error.name(),
                error = error.report(),
                "audit ended"
            ),
        }
    }

    fn answer(self) -> Value {
        let names = Rule::ALL.map(|rule| rule.as_str().to_owned());
        let counts = names.into_iter().zip(self.counts.map(Value::from));
        json!({
            "secrets": self.secrets,
            "counts": counts.collect::<serde_json::Map<_, _>>(),
            "findings": self.findings,
        })
    }
}

/// The most findings in an answer, whose size Lambda bounds.
const ANSWERED: usize = 1000;
