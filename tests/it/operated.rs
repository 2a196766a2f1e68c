//! The commands that the pages have for an operator do what is said of them: taken out of the page, typed into a shell.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use testbed::{Fault, World};
use tokio::sync::Notify;

use super::alternating::Alternating;
use super::pages::{OPERATE, alone, block};
use super::{created, failed, version_logs_in, world};

#[tokio::test]
async fn the_current_value_is_read_as_the_pages_read_it() {
    let world = world().start().await.unwrap();
    let read = alone("aws secretsmanager get-secret-value");
    let read = read.replace(
        "cloud-optimizer/dev/database/credentials",
        &world.secret.name,
    );
    let value: Value = serde_json::from_str(&world.operator(&read).await.unwrap()).unwrap();
    assert!(
        Some(&value) == world.current().await.unwrap().as_ref(),
        "another value"
    );
    world.finish().await.unwrap();
}

#[tokio::test]
async fn a_rotation_that_is_stuck_is_begun_anew_and_finds_the_password_that_no_label_names() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    world.step("setSecret", &token).await.success().unwrap();
    let again = "aws secretsmanager rotate-secret";
    assert!(OPERATE.contains(&format!("`{again}`")));
    let refused = world
        .operator(&format!("{again} --secret-id {}", world.secret.name))
        .await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("previous rotation isn't complete"),
        "{refused}"
    );
    typed(&world, "A rotation is stuck", 1).await;
    let password = world.password("AWSCURRENT").await.unwrap();
    assert!(world.logs_in(&password).await.unwrap());
    assert!(!world.logs_in(&world.first_password).await.unwrap());
    assert_ne!(
        world.version("AWSCURRENT").await.unwrap(),
        Some(token),
        "the abandoned one"
    );
    world.finish().await.unwrap();
}

#[tokio::test]
async fn a_leaked_credential_of_two_users_is_refused_after_two_rotations_and_its_sessions_end() {
    let it = Alternating::start().await;
    let (world, (role, leaked)) = (&it.world, it.current().await);
    let cluster = &world.postgres;
    let session = cluster.login(&role, &leaked, "postgres").await.unwrap();
    typed(world, "The credential leaked", 1).await;
    assert!(world.logs_in(&leaked).await.unwrap(), "the other's turn");
    world.rotate().await.unwrap();
    assert!(!world.logs_in(&leaked).await.unwrap());

    session.run("SELECT 1").await.unwrap();
    let end = OPERATE
        .split('`')
        .find(|text| text.starts_with("SELECT pg_terminate_backend"));
    cluster
        .admin(&end.unwrap().replace("cloudguardian", &role))
        .await
        .unwrap();
    session.run("SELECT 1").await.unwrap_err();
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn the_value_before_comes_back_and_rotation_goes_on_from_there() {
    let it = Alternating::start().await;
    let before = it.current().await;
    it.world.rotate().await.unwrap();
    let said = typed(&it.world, "The new value does not work", 0).await;
    let shown: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert!(
        shown["username"] == before.0 && shown["password"] == before.1,
        "another value is shown"
    );
    assert!(it.current().await == before, "another value is current");
    assert!(version_logs_in(&it.world, "AWSCURRENT").await);
    it.world.rotate().await.unwrap();
    assert!(version_logs_in(&it.world, "AWSCURRENT").await);
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn a_secret_about_to_be_deleted_is_restored_and_can_be_rotated() {
    let world = world().start().await.unwrap();
    let token = created(&world).await;
    world.secrets.delete_secret(&world.secret).await.unwrap();
    let set = world.step("setSecret", &token).await;
    failed(&set, "SecretPendingDeletion");
    let restore = alone("aws secretsmanager restore-secret");
    let name = &world.secret.name;
    world
        .operator(&format!("secret={name}; {restore}"))
        .await
        .unwrap();
    world.steps(&token).await.unwrap();
    world.finish().await.unwrap();
}

/// Types the commands under a heading, and has the function rotate when they begin a rotation; what they wrote.
async fn typed(world: &World, heading: &str, rotations: usize) -> String {
    let commands = format!(
        "{}\nsecret={}\n{}",
        block("Before you type"),
        world.secret.name,
        block(heading)
    );
    // CloudFormation's part: what the stack is asked for is its output.
    let stack = Fault::Status(200, stack(&world.secret.arn));
    world.api.answer("DescribeStacks", 1.., stack);
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    world.api.after("RotateSecret", 1.., move |_| {
        begins.notify_one();
        std::future::ready(())
    });
    let operator = async { world.operator(&commands).await.unwrap() };
    // The service's part.
    let service = async {
        for _ in 0..rotations {
            begun.notified().await;
            let token = world.version("AWSPENDING").await.unwrap();
            world.steps(&token.unwrap()).await.unwrap();
        }
    };
    let both = async { tokio::join!(operator, service).0 };
    tokio::time::timeout(Duration::from_mins(2), both)
        .await
        .expect("no rotation was begun")
}

/// `CloudFormation`'s answer about a stack with the output that leads to the secret.
fn stack(arn: &str) -> String {
    format!(
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><Outputs><member>\
         <OutputKey>DatabaseCredentialsSecretArn</OutputKey><OutputValue>{arn}</OutputValue>\
         </member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    )
}
