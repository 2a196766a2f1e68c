//! `observe`, run on the testbed: the service's calls are played, `CloudWatch` and `CloudTrail` answer as their references say.

use std::sync::Arc;

use testbed::{Fault, World};
use tokio::sync::Notify;

use crate::belief::Failure;

const OBSERVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/observe");
const LOGGED: &str = r#"{"events": [{"timestamp": 1760000000000, "message": "{\"step\":\"createSecret\",\"outcome\":\"created\"}"}]}"#;
const EVENT: &str = r#"{"Events": [{"EventTime": 1760000000, "EventName": "RotationStarted"}]}"#;

#[tokio::test]
async fn the_observer_s_report_tells_what_happened_and_when() -> Result<(), Failure> {
    let world = World::builder(env!("CARGO_BIN_EXE_db-rotation"))
        .start()
        .await?;
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report.md");
    let json = |body: &str| Fault::Status(200, body.to_owned());
    world.api.answer("FilterLogEvents", 1.., json(LOGGED));
    world.api.answer("LookupEvents", 1, json(EVENT));
    // The observer has seen the version without its value.
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    world.api.after("GetSecretValue", 1, move |_| {
        begins.notify_one();
        std::future::ready(())
    });
    let name = &world.secret.name;
    let command = format!(
        "OBSERVE_SECRET={name} OBSERVE_MINUTES=0 {OBSERVE} none {}",
        report.display()
    );
    let service = async {
        begun.notified().await;
        let version = world
            .version("AWSPENDING")
            .await?
            .ok_or("nothing was staged")?;
        world.step("createSecret", &version).await.success()?;
        Ok::<_, Failure>(version)
    };
    let observer = async { Ok(world.operator(&command).await?) };
    let (_, version) = tokio::try_join!(observer, service)?;
    let report = std::fs::read_to_string(report)?;
    let parts = [
        format!("RotateSecret answers with version {version}"),
        "its value: ".to_owned(),
        "ResourceNotFoundException".to_owned(),
        format!("{version} AWSPENDING"),
        "a second RotateSecret: ".to_owned(),
        "previous rotation isn't complete".to_owned(),
        "AWSPREVIOUS".to_owned(),
        "createSecret".to_owned(),
        "RotationStarted".to_owned(),
    ];
    let mut rest = report.as_str();
    for one in parts {
        let (_, after) = rest
            .split_once(&one)
            .ok_or_else(|| format!("no {one} in its place:\n{report}"))?;
        rest = after;
    }
    world.finish().await?;
    Ok(())
}
