//! What the function can be asked: one step of one rotation (AWS, *Lambda rotation functions*), a check, or an audit.

use std::fmt;

use serde_json::{Map, Value};

use crate::secret::{SecretId, VersionId};
use crate::sensitive::RotationToken;

/// Everything that the function can be asked.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// `{"Step": "auditSecrets"}`: which secrets are not rotated as they should be.
    AuditSecrets,
    /// `{"Step": "checkSecret", "SecretId"}`: whether a rotation of the secret would succeed now.
    CheckSecret(SecretId),
    /// A step of a rotation, which Secrets Manager asks for.
    Rotation(RotationRequest),
}

/// One call of the four: `{"Step", "SecretId", "ClientRequestToken"}` and, at times, `RotationToken`.
#[derive(Debug, Clone)]
pub(crate) struct RotationRequest {
    /// What to do now.
    pub step: Step,
    /// The secret to rotate.
    pub secret_id: SecretId,
    /// The version to be made; the event calls it `ClientRequestToken`.
    pub version: VersionId,
    /// Proof of whom the service acts for; goes with `PutSecretValue`.
    pub rotation_token: Option<RotationToken>,
}

/// The four steps, in their order.
#[expect(clippy::enum_variant_names, reason = "as AWS names them")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make a new value and store it as pending.
    CreateSecret,
    /// Tell the database.
    SetSecret,
    /// Try the new value.
    TestSecret,
    /// Make it the current one.
    FinishSecret,
}

/// Why a payload is no request. Names the field, never its content.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// The payload is something else altogether.
    #[error("the event is not a JSON object")]
    NotAnObject,
    /// A field is missing, empty, or no text.
    #[error("the event's field {0} is missing, empty, or not text")]
    MissingField(&'static str),
    /// `Step` is nothing that can be asked.
    #[error(
        "the event's field Step is not one of createSecret, setSecret, testSecret, finishSecret, checkSecret, auditSecrets"
    )]
    UnknownStep,
}

impl Step {
    const ALL: [Self; 4] = [
        Self::CreateSecret,
        Self::SetSecret,
        Self::TestSecret,
        Self::FinishSecret,
    ];

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }

    /// As the service spells it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::CreateSecret => "createSecret",
            Self::SetSecret => "setSecret",
            Self::TestSecret => "testSecret",
            Self::FinishSecret => "finishSecret",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<Value> for Request {
    type Error = InvalidRequest;

    fn try_from(payload: Value) -> Result<Self, InvalidRequest> {
        let Value::Object(mut fields) = payload else {
            return Err(InvalidRequest::NotAnObject);
        };
        let step = take(&mut fields, "Step")?;
        if step == AUDIT_SECRETS {
            return Ok(Self::AuditSecrets);
        }
        if step == CHECK_SECRET {
            let secret_id = SecretId::from(take(&mut fields, "SecretId")?);
            return Ok(Self::CheckSecret(secret_id));
        }
        Ok(Self::Rotation(RotationRequest {
            step: Step::of(&step).ok_or(InvalidRequest::UnknownStep)?,
            secret_id: SecretId::from(take(&mut fields, "SecretId")?),
            version: VersionId::from(take(&mut fields, "ClientRequestToken")?),
            rotation_token: match fields.remove("RotationToken") {
                None | Some(Value::Null) => None,
                Some(Value::String(token)) => Some(RotationToken::new(token)),
                Some(_) => return Err(InvalidRequest::MissingField("RotationToken")),
            },
        }))
    }
}

fn take(fields: &mut Map<String, Value>, name: &'static str) -> Result<String, InvalidRequest> {
    match fields.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(InvalidRequest::MissingField(name)),
    }
}

/// The audit, as `Step` names it.
const AUDIT_SECRETS: &str = "auditSecrets";
/// The check, as `Step` names it.
const CHECK_SECRET: &str = "checkSecret";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rotation(event: Value) -> RotationRequest {
        match Request::try_from(event).unwrap() {
            Request::Rotation(request) => request,
            other => panic!("no step of a rotation: {other:?}"),
        }
    }

    #[test]
    fn c2_the_events_of_the_four_steps_are_read_and_unknown_fields_ignored() {
        for step in ["createSecret", "setSecret", "testSecret", "finishSecret"] {
            let event = json!({"Step": step, "SecretId": "s", "ClientRequestToken": "v", "Later": {"a": 1}});
            let event = rotation(event);
            assert_eq!(
                (
                    event.step.as_str(),
                    event.secret_id.as_str(),
                    event.version.as_str()
                ),
                (step, "s", "v")
            );
            assert!(event.rotation_token.is_none());
        }
    }

    #[test]
    fn c2_what_is_no_rotation_event_names_the_field_at_fault() {
        let good = json!({"Step": "setSecret", "SecretId": "s", "ClientRequestToken": "v"});
        for field in ["Step", "SecretId", "ClientRequestToken"] {
            for bad in [None, Some(json!("")), Some(json!(null)), Some(json!(7))] {
                let mut event = good.clone();
                match bad {
                    None => drop(event.as_object_mut().unwrap().remove(field)),
                    Some(value) => event[field] = value,
                }
                let error = Request::try_from(event).unwrap_err();
                assert_eq!(error, InvalidRequest::MissingField(field));
            }
        }
        let mut unknown = good.clone();
        unknown["Step"] = json!("dropSecret");
        assert_eq!(
            Request::try_from(unknown).unwrap_err(),
            InvalidRequest::UnknownStep
        );
        for payload in [json!(null), json!([]), json!("createSecret")] {
            assert_eq!(
                Request::try_from(payload).unwrap_err(),
                InvalidRequest::NotAnObject
            );
        }
    }

    #[test]
    fn c64_an_audit_is_asked_for_by_its_name_alone() {
        let event = json!({"Step": "auditSecrets"});
        assert!(matches!(
            Request::try_from(event),
            Ok(Request::AuditSecrets)
        ));
        let error = InvalidRequest::UnknownStep.to_string();
        let steps = Step::ALL.map(Step::as_str);
        for name in steps.into_iter().chain([AUDIT_SECRETS, CHECK_SECRET]) {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn c63_a_check_is_asked_for_by_its_name_and_its_secret() {
        let event = json!({"Step": "checkSecret", "SecretId": "s"});
        let request = Request::try_from(event).unwrap();
        assert!(matches!(request, Request::CheckSecret(secret) if secret.as_str() == "s"));
        assert_eq!(
            Request::try_from(json!({"Step": "checkSecret"})).unwrap_err(),
            InvalidRequest::MissingField("SecretId")
        );
    }

    #[test]
    fn c46_an_event_prints_without_its_rotation_token() {
        let event = json!({"Step": "setSecret", "SecretId": "s", "ClientRequestToken": "v", "RotationToken": "t0ken"});
        let event = rotation(event);
        assert!(!format!("{event:?}").contains("t0ken"));
        assert_eq!(event.rotation_token.unwrap().expose(), "t0ken");
    }
}
