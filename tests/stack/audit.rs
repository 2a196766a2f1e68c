//! An audit that finds something by each of its rules.

use serde_json::json;
use testbed::{Fault, TestResult, World};

use super::world;

/// A world whose function has audited two secrets.
pub(super) async fn ended() -> TestResult<World> {
    let world = world().env("AUDIT_REQUIRED_TAGS", "Owner").start().await?;
    let listed = [true, false].map(|rotates| {
        json!({
            "ARN": format!("{}-{rotates}", world.secret.arn),
            "RotationEnabled": rotates,
            "RotationRules": {"AutomaticallyAfterDays": 30},
            "CreatedDate": LONG_AGO,
            "LastChangedDate": LONG_AGO,
            "SecretVersionsToStages": {"a": ["AWSCURRENT"], "b": ["AWSPENDING"]},
        })
    });
    let page = json!({"SecretList": listed}).to_string();
    world.api.answer("ListSecrets", 1, Fault::Status(200, page));
    let audit = world.invoke(&json!({"Step": "auditSecrets"})).await;
    assert_eq!(audit.success()?["secrets"], json!(2));
    Ok(world)
}

/// In seconds since 1970.
const LONG_AGO: u64 = 1_600_000_000;
