//! What an operator reads: C44, C45.

use serde_json::{Value, json};
use testbed::{DbFault, Fault, Function, Invocation, TestResult};

use super::world;

/// The lines that a step wrote, each of which must be JSON.
fn lines(invocation: &Invocation) -> Vec<Value> {
    let parse =
        |line: &String| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    invocation.log.iter().map(parse).collect()
}

#[tokio::test]
async fn c44_a_step_that_goes_well_writes_one_line_with_every_field() -> TestResult {
    let world = world().start().await?;
    let rotation = world.rotate().await?;
    let outcomes = ["created", "set", "tested", "promoted"];
    for ((step, invocation), outcome) in rotation.steps.iter().zip(outcomes) {
        let lines = lines(invocation);
        assert_eq!(lines.len(), 1, "{:?}", invocation.log);
        for (field, value) in [
            ("level", json!("INFO")),
            ("message", json!("step ended")),
            ("step", json!(step)),
            ("secret_id", json!(world.secret.arn)),
            ("version", json!(rotation.token)),
            ("strategy", json!("single user")),
            ("role", json!(world.role)),
            ("host", json!("localhost")),
            ("outcome", json!(outcome)),
        ] {
            assert_eq!(lines[0][field], value, "{field} of {:?}", invocation.log);
        }
        let reported = lines[0]["duration_ms"].as_u64().unwrap();
        assert!(
            u128::from(reported) <= invocation.took.as_millis(),
            "{reported} ms of {:?}",
            invocation.took
        );
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c44_what_was_done_before_is_said_to_be_so() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.step("setSecret", &token).await.success()?;
    for (step, outcome) in [
        ("createSecret", "kept"),
        ("setSecret", "already set"),
        ("finishSecret", "promoted"),
        ("finishSecret", "already current"),
    ] {
        let again = world.step(step, &token).await;
        assert_eq!(
            lines(&again)[0]["outcome"],
            json!(outcome),
            "{:?}",
            again.log
        );
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c44_a_failure_is_logged_once_with_its_name_and_what_it_answers() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.set_password("changed by hand").await?;
    let set = world.step("setSecret", &token).await;
    let message = set.failed_with("NoWorkingCredential")?;
    let lines = lines(&set);
    assert_eq!(lines.len(), 1, "{:?}", set.log);
    assert_eq!(
        (&lines[0]["level"], &lines[0]["outcome"]),
        (&json!("ERROR"), &json!("NoWorkingCredential"))
    );
    assert_eq!(lines[0]["error"], json!(message));
    for (field, value) in [
        ("step", "setSecret"),
        ("role", &world.role),
        ("version", &token),
        ("host", "localhost"),
    ] {
        assert_eq!(lines[0][field], json!(value), "{:?}", set.log);
    }
    let no_event = world.invoke(&json!({"Step": 1})).await;
    no_event.failed_with("InvalidEvent")?;
    assert_eq!(no_event.log.len(), 1, "{:?}", no_event.log);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c44_nothing_is_written_before_the_first_event_nor_between_steps() -> TestResult {
    let world = world().start().await?;
    assert_eq!(world.function.output(), "");
    let rotation = world.rotate().await?;
    let in_steps: usize = rotation
        .steps
        .iter()
        .map(|(_, invocation)| invocation.log.len())
        .sum();
    assert_eq!(world.function.output().lines().count(), in_steps);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c44_a_role_or_secret_with_a_line_end_in_its_name_writes_no_second_line() -> TestResult {
    let role = format!("two\nlines\u{1b}[31m{}", testbed::unique(""));
    let world = world().role(&role).start().await?;
    let token = world.created().await?;
    world.db.close();
    let set = world.step("setSecret", &token).await;
    set.failed_with("DatabaseUnreachable")?;
    assert_eq!(lines(&set)[0]["role"], json!(role));
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c45_a_failure_tells_what_was_tried_on_what_why_it_failed_and_what_to_do() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let place = format!("localhost:{}", world.db.port());
    world.db.close();
    let message = world
        .step("setSecret", &token)
        .await
        .failed_with("DatabaseUnreachable")?;
    for part in [
        "log in to",
        &place,
        &world.role,
        "onnection refused",
        "security groups",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    world.db.open().await?;
    world.db.connection(1, DbFault::StripTls);
    let message = world
        .step("setSecret", &token)
        .await
        .failed_with("TlsFailed")?;
    assert!(
        message.contains(&place) && message.contains("ssl"),
        "{message}"
    );

    world.api.answer(
        "DescribeSecret",
        1,
        Fault::error("InvalidParameterException"),
    );
    let message = world
        .step("setSecret", &token)
        .await
        .failed_with("AwsCallFailed")?;
    for part in [
        "secretsmanager:DescribeSecret",
        &world.secret.arn,
        "InvalidParameterException",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c45_the_payload_is_what_lambda_documents_and_no_more() -> TestResult {
    let world = world().start().await?;
    let payload = world.invoke(&json!({})).await.failure()?.raw.clone();
    let payload: Value = serde_json::from_str(&payload)?;
    let fields: Vec<_> = payload
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert!(
        fields
            .iter()
            .all(|field| ["errorType", "errorMessage", "stackTrace"].contains(field)),
        "{fields:?}"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c45_every_setting_at_fault_is_told_in_one_line_of_json() {
    let started = Function::builder(env!("CARGO_BIN_EXE_db-rotation"))
        .env("PASSWORD_LENGTH", "4097")
        .start()
        .await;
    let output = started.unwrap_err().output;
    let line: Value =
        serde_json::from_str(output.trim()).unwrap_or_else(|e| panic!("{e}: {output}"));
    assert!(
        line.to_string().contains("PASSWORD_LENGTH") && line.to_string().contains("4096"),
        "{line}"
    );
}

#[tokio::test]
async fn c44_a_log_level_that_says_nothing_is_none() -> TestResult {
    for level in ["", "db_rotation=debug,aws_config=trace", "loud"] {
        let world = world().env("RUST_LOG", level).start().await?;
        let rotation = world.rotate().await?;
        for (step, invocation) in &rotation.steps {
            assert_eq!(
                invocation.log.len(),
                1,
                "{level:?} {step}: {:?}",
                invocation.log
            );
        }
        world.finish().await?;
    }
    Ok(())
}
