//! The commands that the pages have for an operator do what is said of them: taken out of the page, typed into a shell. And
//! ops/rotation, which they use.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Fault, Result, TestResult, World};
use tokio::sync::Notify;

use super::pages::{OPERATE, alone, block, blocks_under};
use super::world;

#[tokio::test]
async fn the_current_value_is_read_as_the_pages_read_it() -> TestResult {
    let world = world().start().await?;
    let read = alone("aws secretsmanager get-secret-value");
    let read = read.replace(
        "cloud-optimizer/dev/database/credentials",
        &world.secret.name,
    );
    let value: Value = serde_json::from_str(&world.operator(&read).await?).unwrap();
    assert!(value == world.current().await?, "another value");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_rotation_that_is_stuck_is_begun_anew_and_finds_the_password_that_no_label_names()
-> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.step("setSecret", &token).await.success()?;
    let again = "aws secretsmanager rotate-secret";
    assert!(OPERATE.contains(&format!("`{again}`")));
    let refused = format!("{again} --secret-id {}", world.secret.name);
    let refused = refusal(&world, &refused).await;
    assert!(
        refused.contains("previous rotation isn't complete"),
        "{refused}"
    );
    typed(&world, "A rotation is stuck", 1).await?;
    let password = world.password("AWSCURRENT").await?;
    assert!(world.logs_in(&password).await?);
    assert!(!world.logs_in(&world.first_password).await?);
    assert_ne!(
        world.version("AWSCURRENT").await?,
        Some(token),
        "the abandoned one"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_leaked_credential_of_two_users_is_refused_after_two_rotations_and_its_sessions_end()
-> TestResult {
    let it = world().alternating().await?;
    let (world, (role, leaked)) = (&it.world, it.current().await?);
    let cluster = &world.postgres;
    let session = cluster.login(&role, &leaked, "postgres").await.unwrap();
    typed(world, "The credential leaked", 1).await?;
    assert!(world.logs_in(&leaked).await?, "the other's turn");
    world.rotate().await?;
    assert!(!world.logs_in(&leaked).await?);

    session.run("SELECT 1").await.unwrap();
    let end = OPERATE
        .split('`')
        .find(|text| text.starts_with("SELECT pg_terminate_backend"));
    let end = end.unwrap().replace("cloudguardian", &role);
    cluster.admin(&end).await.unwrap();
    session.run("SELECT 1").await.unwrap_err();
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn the_value_before_comes_back_and_rotation_goes_on_from_there() -> TestResult {
    let it = world().alternating().await?;
    let before = it.current().await?;
    it.world.rotate().await?;
    let said = typed(&it.world, "The new value does not work", 0).await?;
    let shown: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(
        shown["username"] == before.0 && shown["password"] == before.1,
        "another value is shown"
    );
    assert!(it.current().await? == before, "another value is current");
    assert!(it.world.version_logs_in("AWSCURRENT").await?);
    it.world.rotate().await?;
    assert!(it.world.version_logs_in("AWSCURRENT").await?);
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_secret_about_to_be_deleted_is_restored_and_can_be_rotated() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    world.secrets.delete_secret(&world.secret).await?;
    let set = world.step("setSecret", &token).await;
    set.failed_with("SecretPendingDeletion")?;
    let restore = alone("aws secretsmanager restore-secret");
    let name = &world.secret.name;
    world.operator(&format!("secret={name}; {restore}")).await?;
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_secret_is_looked_at_and_then_rotated() -> Result<()> {
    let world = world().start().await?;
    let before = world.version("AWSCURRENT").await?.unwrap();
    let said = typed(&world, "Trigger a rotation", 1).await?;
    let after = world.version("AWSCURRENT").await?.unwrap();
    assert_ne!(before, after);
    let (looked, rotated) = said.split_once("rotating: ").unwrap();
    assert!(
        looked.starts_with(&world.secret.name) && looked.contains(&before),
        "{said}"
    );
    assert!(
        rotated.contains(&format!("done: version {after} is AWSCURRENT")),
        "{said}"
    );
    world.finish().await
}

/// What a deployer types last, while the service still tests what it was just told to rotate.
#[tokio::test]
async fn a_rotation_right_after_it_was_enabled_waits_for_the_services_own_test() -> TestResult {
    let world = world().start().await?;
    let copy = world.secrets.stage_pending_with_copy(&world.secret).await?;
    // CloudFormation's part: what the stack is asked for is its output.
    let stack = Fault::Status(200, stack(&world.secret.arn));
    world.api.answer("DescribeStacks", 1.., stack);
    let looked = noticed(&world, "DescribeSecret");
    let begun = begun(&world);
    let service = async {
        looked.notified().await;
        world.step("testSecret", &copy).await.success()?;
        world
            .secrets
            .remove_label(&world.secret, "AWSPENDING")
            .await?;
        rotated(&world, &begun).await
    };
    let rotate = alone("ops/rotation rotate --stack");
    let (said, service) = tokio::join!(world.operator(&rotate), service);
    service?;
    let said = said?;
    let [busy, rotating, done] = said.lines().collect::<Vec<_>>()[..] else {
        panic!("{said}");
    };
    assert!(
        busy.contains("still busy") && busy.ends_with("waiting"),
        "{said}"
    );
    assert!(
        rotating.starts_with("rotating: ") && done.starts_with("done: "),
        "{said}"
    );
    assert_ne!(world.version("AWSCURRENT").await?, Some(copy));
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_secret_joins_a_function_and_leaves_it() -> TestResult {
    let world = world().start().await?;
    let [joins, leaves] = &blocks_under("A secret joins, a secret leaves")[..] else {
        panic!("joins, and leaves");
    };
    let check = json!({"Step": "checkSecret", "SecretId": world.secret.arn});
    let ready = world.invoke(&check).await.success()?.to_string();
    let function = "arn:aws:lambda:us-east-1:123456789012:function:db-rotation";
    let function = json!({ "FunctionArn": function }).to_string();
    world.api.answer("?", 1, Fault::Status(200, function));
    world.api.answer("?", 2, Fault::Status(200, ready));
    let begun = begun(&world);
    let named = format!("secret={}\n", world.secret.name);
    let commands = format!("{named}{joins}");
    let service = async {
        begun.notified().await;
        world.cancel().await?;
        rotated(&world, &begun).await
    };
    let (said, service) = tokio::join!(world.operator(&commands), service);
    service?;
    let said = said?;
    assert!(
        said.contains("ready: ") && said.contains("is AWSCURRENT"),
        "{said}"
    );
    world.operator(&format!("{named}{leaves}")).await?;
    let state = json!({"SecretId": world.secret.arn});
    let state = world.secrets.call("DescribeSecret", state).await?;
    assert_ne!(state["RotationEnabled"], json!(true), "{state}");
    assert!(world.version_logs_in("AWSCURRENT").await?);
    world.finish().await?;
    Ok(())
}

/// One secret stands for those of both regions: nothing here tells regions apart, promotes a replica, or makes one anew. The
/// function there is a stack, which the proof of the stack is about.
#[tokio::test]
async fn a_secret_moves_to_another_region_and_back_with_its_password() -> TestResult {
    let world = world().start().await?;
    world.rotate().await?;
    let [there, _, home] = &blocks_under("A region is lost")[..] else {
        panic!("there, the function there, and home");
    };
    let name = &world.secret.name;
    let [there, home] = [there, home]
        .map(|block| block.replace("cloud-optimizer/production/database/credentials", name));
    let before = world.current().await?;
    for call in [
        "StopReplicationToReplica",
        "DeleteSecret",
        "ReplicateSecretToRegions",
    ] {
        let done = Fault::Status(200, json!({ "ARN": name, "Name": name }).to_string());
        world.api.answer(call, 1, done);
    }
    world.operator(&there).await?;
    let moved = world.current().await?;
    assert_eq!(moved["host"], "app.abc123.eu-west-1.rds.amazonaws.com");
    world.api.forget();
    let names = there.lines().next().unwrap();
    world.operator(&format!("{names}\n{home}")).await?;
    assert_eq!(
        world.api.operations(),
        [
            "CancelRotateSecret",
            "GetSecretValue",
            "PutSecretValue",
            "DeleteSecret",
            "ReplicateSecretToRegions"
        ]
    );
    let mut back = world.current().await?;
    assert_eq!(back["host"], "app.abc123.us-east-1.rds.amazonaws.com");
    back["host"] = before["host"].clone();
    assert!(back == before, "more than the host has changed");
    world.finish().await?;
    Ok(())
}

/// As docs/migrate.md has it; the service tests the function with a copy of the current value before it waits for the schedule.
#[tokio::test]
async fn a_secret_is_switched_from_awss_function_and_back() -> TestResult {
    let world = world().start().await?;
    let before = world.version("AWSCURRENT").await?;
    let switch = block("Switch").replace("app/database", &world.secret.name);
    let begun = begun(&world);
    let service = async {
        begun.notified().await;
        let copy = world.version("AWSPENDING").await?.unwrap();
        let value = world.text("AWSCURRENT").await?;
        world.put_pending(&copy, &value).await?;
        world.step("testSecret", &copy).await.success()?;
        world.cancel().await?;
        rotated(&world, &begun).await
    };
    let (said, service) = tokio::join!(world.operator(&switch), service);
    service?;
    assert!(said?.contains("is AWSCURRENT"));
    assert_ne!(world.version("AWSCURRENT").await?, before);
    let names = switch.lines().next().unwrap();
    let back = format!("{names}\n{}", block("And back"));
    world.operator(&back).await?;
    world.cancel().await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_rotation_that_stays_stuck_is_told_with_commands_that_start_over() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let rotate = format!("ops/rotation rotate --wait 0 {}", world.secret.name);
    let output = refusal(&world, &rotate).await;
    assert!(output.starts_with("exit status: 1: "), "{output}");
    assert!(
        output.contains(&format!("AWSPENDING stays on version {token}")),
        "{output}"
    );
    let (_, start_over) = output.split_once("Then:\n").unwrap();
    type_and_serve(&world, start_over, 1).await?;
    assert_ne!(world.version("AWSCURRENT").await?, Some(token));
    assert!(world.version_logs_in("AWSCURRENT").await?);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_rotation_that_does_not_end_is_a_failure_and_shows_when_one_looks() -> TestResult {
    let world = world().start().await?;
    let name = &world.secret.name;
    let look = format!("ops/rotation look {name}");
    let idle = world.operator(&look).await?;
    assert!(
        idle.contains("AWSPENDING    on no version") && !idle.contains("under way"),
        "{idle}"
    );
    let rotate = format!("ops/rotation rotate --wait 0 {name}");
    let output = refusal(&world, &rotate).await;
    assert!(output.starts_with("exit status: 1: "), "{output}");
    assert!(
        output.contains("is not AWSCURRENT after 0 s")
            && output.contains("aws logs tail /aws/lambda/"),
        "{output}"
    );
    let under_way = world.operator(&look).await?;
    let pending = world.version("AWSPENDING").await?.unwrap();
    assert!(
        under_way.contains(&pending) && under_way.contains("a rotation is under way, or stuck"),
        "{under_way}"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_secret_that_is_not_there_and_a_wrong_word_have_exit_statuses_of_their_own() -> TestResult
{
    let world = world().start().await?;
    let output = refusal(&world, "ops/rotation look nobodys/secret").await;
    assert!(
        output.starts_with("exit status: 3: ") && output.contains("ResourceNotFoundException"),
        "{output}"
    );
    let output = refusal(&world, "ops/rotation turn").await;
    assert!(output.starts_with("exit status: 2: "), "{output}");
    world.finish().await?;
    Ok(())
}

/// Types the commands under a heading, and has the function rotate as often as they begin a rotation; what they wrote.
async fn typed(world: &World, heading: &str, rotations: usize) -> Result<String> {
    let commands = format!(
        "{}\nsecret={}\n{}",
        block("Before you type"),
        world.secret.name,
        block(heading)
    );
    type_and_serve(world, &commands, rotations).await
}

async fn type_and_serve(world: &World, commands: &str, rotations: usize) -> Result<String> {
    let begun = begun(world);
    let service = async {
        for _ in 0..rotations {
            rotated(world, &begun).await?;
        }
        Ok(())
    };
    let both = async { tokio::join!(world.operator(commands), service) };
    let (said, served) = tokio::time::timeout(Duration::from_mins(2), both)
        .await
        .expect("no rotation was begun");
    served.and(said)
}

/// The service's part, once a rotation has begun.
async fn rotated(world: &World, begun: &Notify) -> Result<()> {
    begun.notified().await;
    let token = world.version("AWSPENDING").await?;
    world.steps(&token.unwrap()).await.map(drop)
}

fn begun(world: &World) -> Arc<Notify> {
    noticed(world, "RotateSecret")
}

/// Tells of every call of an operation.
fn noticed(world: &World, operation: &str) -> Arc<Notify> {
    let called = Arc::new(Notify::new());
    let tells = Arc::clone(&called);
    world.api.after(operation, 1.., move |_| {
        tells.notify_one();
        std::future::ready(())
    });
    called
}

/// The exit status and the words of commands that fail.
async fn refusal(world: &World, commands: &str) -> String {
    match world.operator(commands).await {
        Ok(said) => panic!("no failure: {said}"),
        Err(failure) => failure.to_string(),
    }
}

/// `CloudFormation`'s answer about a stack with the output that leads to the secret.
fn stack(arn: &str) -> String {
    format!(
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><Outputs><member>\
         <OutputKey>DatabaseCredentialsSecretArn</OutputKey><OutputValue>{arn}</OutputValue>\
         </member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    )
}
