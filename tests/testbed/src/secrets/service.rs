//! What AWS does and moto doesn't: everyone, test or function, comes through here.
//!
//! Sources: the API reference of `PutSecretValue`, `UpdateSecretVersionStage`, `GetSecretValue`, `ListSecretVersionIds`.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::Response;
use serde_json::{Value, json};

use super::SecretsManager;
use super::moto::Answer;
use super::stages::State;
use crate::error::Result;

impl SecretsManager {
    /// Answers one operation as Secrets Manager would.
    pub(crate) async fn answer(&self, operation: &str, body: Value) -> Answer {
        let answer = match operation {
            "CreateSecret" => self.create(&body).await,
            "PutSecretValue" => self.put(body).await,
            "UpdateSecretVersionStage" => self.move_stage(&body).await,
            "GetSecretValue" => self.read(body).await,
            "DescribeSecret" => self.describe(&body).await,
            "ListSecretVersionIds" => self.list_versions(&body).await,
            _ => self.inner.moto.call(operation, &body).await,
        };
        match answer {
            // AWS has 400 for whatever is the caller's fault; so are passwords that can't be.
            Ok(answer) if operation == "GetRandomPassword" && answer.status >= 400 => {
                Answer::error(
                    400,
                    "InvalidParameterException",
                    "Invalid combination of password parameters.",
                )
            }
            Ok(answer) if (400..500).contains(&answer.status) => Answer {
                status: 400,
                ..answer
            },
            Ok(answer) => answer,
            Err(failure) => Answer::error(500, "InternalServiceError", &format!("{failure:?}")),
        }
    }

    /// A request to another service, which goes to moto as it is.
    pub(crate) async fn pass(&self, service: &str, body: Bytes) -> Result<Response<Bytes>> {
        self.inner.moto.pass(service, body).await
    }

    async fn create(&self, body: &Value) -> Result<Answer> {
        let answer = self.inner.moto.call("CreateSecret", body).await?;
        if let (Some(arn), Some(version)) =
            (text(&answer.body, "ARN"), text(&answer.body, "VersionId"))
        {
            self.learn(arn, version, body);
        }
        Ok(answer)
    }

    pub(super) async fn describe(&self, body: &Value) -> Result<Answer> {
        let mut answer = self.inner.moto.call("DescribeSecret", body).await?;
        let told = text(&answer.body, "ARN")
            .and_then(|arn| self.inner.known.lock().rotation_enabled.get(arn).copied());
        if let (Some(told), Some(fields)) = (told, answer.body.as_object_mut()) {
            fields.remove("RotationEnabled");
            fields.extend(told.map(|enabled| ("RotationEnabled".to_owned(), Value::Bool(enabled))));
        }
        Ok(answer)
    }

    async fn read(&self, mut body: Value) -> Result<Answer> {
        let version = text(&body, "VersionId").map(str::to_owned);
        let stage = text(&body, "VersionStage").map(str::to_owned);
        if version.is_none() {
            // moto would take the version that was current when the secret was made.
            set(
                &mut body,
                "VersionStage",
                json!(stage.as_deref().unwrap_or("AWSCURRENT")),
            );
        }
        let mut answer = self.inner.moto.call("GetSecretValue", &body).await?;
        if answer.code() == Some("ResourceNotFoundException") && self.exists(&body).await? {
            let missing = match (&version, &stage) {
                (Some(version), _) => format!("VersionId: {version}"),
                (None, stage) => format!(
                    "staging label: {}",
                    stage.as_deref().unwrap_or("AWSCURRENT")
                ),
            };
            let message =
                format!("Secrets Manager can't find the specified secret value for {missing}");
            return Ok(Answer::error(400, "ResourceNotFoundException", &message));
        }
        if let (Some(arn), Some(version)) =
            (text(&answer.body, "ARN"), text(&answer.body, "VersionId"))
        {
            let created = self.created(arn, version);
            set(&mut answer.body, "CreatedDate", json!(created));
        }
        Ok(answer)
    }

    /// A version's value is written once: the same again is a success, another is refused.
    async fn put(&self, mut body: Value) -> Result<Answer> {
        let _changing = self.inner.changing.lock().await;
        let state = match self.state(&body).await? {
            Ok(state) => state,
            Err(refusal) => return Ok(refusal),
        };
        let version = text(&body, "ClientRequestToken").map_or_else(new_token, str::to_owned);
        if let Some(existing) = self.stored(&state.arn, &version).await? {
            let same = ["SecretString", "SecretBinary"]
                .iter()
                .all(|form| existing.get(form) == body.get(form));
            if same {
                let stages = state.labels.get(&version);
                return Ok(Answer {
                    status: 200,
                    body: json!({
                        "ARN": state.arn, "Name": state.name, "VersionId": version, "VersionStages": stages,
                    }),
                });
            }
            let message = format!(
                "You can't use ClientRequestToken {version} because that value is already in use for a version of secret {}.",
                state.arn
            );
            return Ok(Answer::error(400, "ResourceExistsException", &message));
        }
        set(&mut body, "ClientRequestToken", json!(version));
        let answer = self.put_new(&mut body, &state, &version).await?;
        if answer.status == 200 {
            self.learn(&state.arn, &version, &body);
        }
        Ok(answer)
    }

    /// moto moves `AWSCURRENT` to a new value wrongly after the first rotation: it goes by a detour.
    async fn put_new(&self, body: &mut Value, state: &State, version: &str) -> Result<Answer> {
        let stages = body
            .get("VersionStages")
            .cloned()
            .unwrap_or_else(|| json!(["AWSCURRENT"]));
        let stages: Vec<String> = serde_json::from_value(stages).unwrap_or_default();
        let Some(current) = state
            .holder("AWSCURRENT")
            .filter(|_| stages.iter().any(|one| one == "AWSCURRENT"))
        else {
            return self.inner.moto.call("PutSecretValue", body).await;
        };
        let others: Vec<_> = stages.iter().filter(|one| *one != "AWSCURRENT").collect();
        set(
            body,
            "VersionStages",
            if others.is_empty() {
                json!([DETOUR])
            } else {
                json!(others)
            },
        );
        let answer = self.inner.moto.call("PutSecretValue", body).await?;
        if answer.status == 200 {
            let moved = json!({
                "SecretId": state.arn, "VersionStage": "AWSCURRENT",
                "RemoveFromVersionId": current, "MoveToVersionId": version,
            });
            self.inner
                .moto
                .call("UpdateSecretVersionStage", &moved)
                .await?;
            let left = json!({ "SecretId": state.arn, "VersionStage": DETOUR, "RemoveFromVersionId": version });
            self.inner
                .moto
                .call("UpdateSecretVersionStage", &left)
                .await?;
        }
        Ok(answer)
    }

    /// The secret's labels now; or the refusal, where there is no such secret or it is about to be deleted.
    pub(super) async fn state(&self, body: &Value) -> Result<Result<State, Answer>> {
        let id = json!({ "SecretId": body.get("SecretId") });
        let answer = self.inner.moto.call("DescribeSecret", &id).await?;
        if answer.status != 200 {
            return Ok(Err(answer));
        }
        if answer
            .body
            .get("DeletedDate")
            .is_some_and(|date| !date.is_null())
        {
            let message = "You can't perform this operation on the secret because it was marked for deletion.";
            return Ok(Err(Answer::error(400, "InvalidRequestException", message)));
        }
        Ok(Ok(State::of(&answer.body)))
    }

    async fn exists(&self, body: &Value) -> Result<bool> {
        let id = json!({ "SecretId": body.get("SecretId") });
        Ok(self.inner.moto.call("DescribeSecret", &id).await?.status == 200)
    }

    /// A version's value, if it has one.
    pub(super) async fn stored(&self, arn: &str, version: &str) -> Result<Option<Value>> {
        let answer = self
            .inner
            .moto
            .call(
                "GetSecretValue",
                &json!({ "SecretId": arn, "VersionId": version }),
            )
            .await?;
        Ok((answer.status == 200).then_some(answer.body))
    }

    fn learn(&self, arn: &str, version: &str, body: &Value) {
        let mut known = self.inner.known.lock();
        known
            .created
            .entry((arn.to_owned(), version.to_owned()))
            .or_insert_with(now);
        let values = ["SecretString", "SecretBinary"]
            .iter()
            .filter_map(|form| text(body, form));
        let values: Vec<_> = values
            .map(|value| (arn.to_owned(), value.to_owned()))
            .collect();
        known.values.extend(values);
    }

    /// Notes when a version came to be that the service has made.
    pub(super) fn note_version(&self, arn: &str, version: &str) {
        self.inner
            .known
            .lock()
            .created
            .insert((arn.to_owned(), version.to_owned()), now());
    }

    /// When a version came to be.
    pub(super) fn created(&self, arn: &str, version: &str) -> Option<f64> {
        self.inner
            .known
            .lock()
            .created
            .get(&(arn.to_owned(), version.to_owned()))
            .copied()
    }
}

/// A new version's name, as the service makes them: 36 characters.
pub(super) fn new_token() -> String {
    let digits = crate::unique::random_hex(16);
    let part = |from, to| digits.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

/// A field, where it is text.
pub(super) fn text<'a>(body: &'a Value, field: &str) -> Option<&'a str> {
    body.get(field)?.as_str()
}

/// Sets a field.
pub(super) fn set(body: &mut Value, field: &str, value: Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

const DETOUR: &str = "TESTBEDDETOUR";
