//! No secret shows anywhere, whatever is answered: C46. Each world's end is the search.

use serde_json::json;
use testbed::{DbFault, Fault, TestResult, World};

use super::server::{Say, Server, usual};
use super::{given, world};

const STEPS: [&str; 4] = testbed::world::STEPS;

async fn traced() -> TestResult<World> {
    Ok(world().env("RUST_LOG", "trace").start().await?)
}

/// Answers of AWS's that hold the password where nobody expects it.
fn hostile(password: &str, value: &str) -> Vec<Fault> {
    let values = [
        password.to_owned(),
        value.to_owned(),
        value[..value.len() - 9].to_owned(),
        json!([password]).to_string(),
        json!({"SecretString": value, "VersionStages": password}).to_string(),
        json!({"SecretString": json!({"password": password})}).to_string(),
        json!({"SecretString": value.replace('}', "")}).to_string(),
        json!({"SecretString": password}).to_string(),
        json!({"SecretString": format!("{{\"host\":\"{password}\"")}).to_string(),
        json!({"SecretString": twice(password)}).to_string(),
        json!({"SecretString": format!("{{\"engine\":\"{password}\"}}")}).to_string(),
        json!({"SecretBinary": password, "SecretString": 7}).to_string(),
        json!({"CreatedDate": password, "SecretString": value}).to_string(),
        json!({"RandomPassword": {"a": password}}).to_string(),
        json!({"RandomPassword": format!("{password}\0")}).to_string(),
        json!({"VersionIdsToStages": password, "Name": value}).to_string(),
        json!({"VersionIdsToStages": {"v": [password]}, "Tags": [{"Key": password}]}).to_string(),
    ];
    let errors = [
        password.to_owned(),
        json!({"__type": password, "message": password}).to_string(),
        json!({"__type": format!("{password}Exception"), "Message": value}).to_string(),
        json!({"__type": "AccessDeniedException", "message": format!("no access to {value}")}).to_string(),
        json!({"__type": "InvalidParameterException", "Message": format!("{password} is malformed")}).to_string(),
        json!({"__type": "ResourceNotFoundException", "message": value}).to_string(),
        json!({"__type": "DecryptionFailure", "message": value}).to_string(),
    ];
    let answered = |status| move |body| Fault::Status(status, body);
    let mut all: Vec<_> = values.into_iter().map(answered(200)).collect();
    all.extend(errors.into_iter().map(answered(400)));
    all.extend([Fault::MalformedBody, Fault::TruncatedBody, Fault::DropAfter]);
    all
}

/// A value with keys that are given twice, one of them a password.
fn twice(password: &str) -> String {
    format!(
        "{{\"host\":\"h\",\"username\":\"u\",\"password\":7,\"{password}\":1,\"{password}\":2}}"
    )
}

/// Every step with every hostile answer to one operation; what it says is searched at the end.
async fn never_repeats(operation: &'static str, steps: &[&str]) -> TestResult {
    let world = traced().await?;
    let value = world.text("AWSCURRENT").await?;
    let token = world.created().await?;
    for fault in hostile(&world.first_password, &value) {
        for step in steps {
            world.api.answer(operation, 1.., fault.clone());
            let event = world.event(step, &token);
            let said = world
                .function
                .invoke(&event, std::time::Duration::from_secs(3))
                .await;
            world.api.heal();
            assert!(
                said.died.is_none() && !said.timed_out,
                "{operation} with {fault:?} in {step}: {said:?}"
            );
            let text = format!("{:?} {:?}", said.answer, said.log);
            assert!(!text.contains("panicked"), "{text}");
            assert!(
                !text.contains(&world.first_password),
                "{operation} with {fault:?} in {step}: {text}"
            );
        }
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c46_a_hostile_answer_to_get_secret_value_is_not_repeated() -> TestResult {
    never_repeats("GetSecretValue", &["createSecret", "setSecret"]).await
}

#[tokio::test]
async fn c46_a_hostile_answer_to_describe_secret_is_not_repeated() -> TestResult {
    never_repeats("DescribeSecret", &["createSecret"]).await
}

/// A rotation that has come to this step, createSecret or finishSecret; its password is the current one.
async fn staged(world: &World, step: &str) -> TestResult<String> {
    let token = world.begin().await?;
    if step == "finishSecret" {
        let mut copy = world.current().await?;
        copy["password"] = json!(world.first_password);
        world.put_pending(&token, &copy.to_string()).await?;
    }
    Ok(token)
}

#[tokio::test]
async fn c46_a_hostile_answer_to_a_write_is_not_repeated() -> TestResult {
    let world = traced().await?;
    let value = world.text("AWSCURRENT").await?;
    for (operation, step) in [
        ("GetRandomPassword", "createSecret"),
        ("PutSecretValue", "createSecret"),
        ("UpdateSecretVersionStage", "finishSecret"),
    ] {
        let mut token = staged(&world, step).await?;
        for fault in hostile(&world.first_password, &value) {
            if !matches!(fault, Fault::Status(..)) {
                token = staged(&world, step).await?;
            }
            world.api.answer(operation, 1.., fault.clone());
            let said = world.step(step, &token).await;
            world.api.heal();
            let text = format!("{:?} {:?}", said.answer, said.log);
            assert!(
                !text.contains(&world.first_password),
                "{operation} with {fault:?}: {text}"
            );
            assert!(said.died.is_none() && !text.contains("panicked"), "{text}");
        }
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c46_a_hostile_answer_to_the_search_for_older_versions_is_not_repeated() -> TestResult {
    let world = traced().await?;
    let value = world.text("AWSCURRENT").await?;
    let token = world.created().await?;
    world
        .set_password("changed by hand, to be searched")
        .await?;
    let mut answers = hostile(&world.first_password, &value);
    let page =
        json!({"Versions": [{"VersionId": world.first_password, "CreatedDate": 1.5}]}).to_string();
    answers.push(Fault::Status(200, page));
    for fault in answers {
        world.api.answer("ListSecretVersionIds", 1.., fault.clone());
        let set = world.step("setSecret", &token).await;
        world.api.heal();
        let text = format!("{:?} {:?}", set.answer, set.log);
        assert!(!text.contains(&world.first_password), "{fault:?}: {text}");
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c46_a_whole_rotation_at_trace_and_every_way_for_it_to_fail_show_nothing() -> TestResult {
    let world = traced().await?;
    let token = world.created().await?;
    for fault in [
        DbFault::Reset,
        DbFault::StripTls,
        DbFault::LoseAnswer(3),
        DbFault::LoseAnswer(4),
        DbFault::ResetAfterReceived(1500),
    ] {
        for step in STEPS {
            if step != "finishSecret" {
                world.db.connection(1, fault);
                world.step(step, &token).await;
                world.db.heal();
            }
        }
    }
    world.steps(&token).await?;
    world
        .set_password("changed by hand, to be searched")
        .await?;
    let token = world.created().await?;
    world.step("setSecret", &token).await.failure()?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c46_a_server_that_repeats_what_it_was_given_is_not_repeated() -> TestResult {
    for transport in ["verifier", "plaintext"] {
        for code in [
            "22023", "42501", "42601", "XX000", "25006", "57P01", "55P03", "08006", "DBR01",
            "DBR02", "",
        ] {
            let server = Server::start(move |said, _| {
                if said.contains("ALTER ROLE") {
                    Say::No(code, format!("no: {said}"))
                } else {
                    usual(said)
                }
            })
            .await?;
            let world = world()
                .env("RUST_LOG", "trace")
                .env("PASSWORD_TRANSPORT", transport)
                .secret(server.in_secret());
            let world = world.start().await?;
            let token = world.created().await?;
            let set = world.step("setSecret", &token).await;
            let text = format!("{:?} {:?}", set.failure()?, set.log);
            for sql in server
                .heard()
                .iter()
                .filter(|said| said.contains("ALTER ROLE"))
            {
                let given = given(sql);
                assert!(!text.contains(given), "{transport} {code}: {text}");
            }
            world.finish().await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn c46_a_server_that_repeats_old_passwords_at_the_login_or_in_its_facts_is_not_repeated()
-> TestResult {
    // It may know them: it is the server.
    for at in ["login", "pg_is_in_recovery", "SELECT 1"] {
        for code in ["28000", "3D000", "42501", "57P03", "58000", "XX000"] {
            let password = testbed::unique("a-password-that-the-server-knows");
            let known = password.clone();
            let server = Server::start(move |said, _| {
                if said.contains(at) {
                    Say::No(code, format!("no entry for {known}"))
                } else {
                    usual(said)
                }
            })
            .await?;
            let world = world()
                .env("RUST_LOG", "trace")
                .password(&password)
                .secret(server.in_secret());
            let world = world.start().await?;
            let token = world.created().await?;
            for step in ["setSecret", "testSecret", "finishSecret"] {
                world.step(step, &token).await;
            }
            world.finish().await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn c46_events_and_settings_are_not_repeated_either() -> TestResult {
    let world = world().env("RUST_LOG", "trace").start().await?;
    let token = world.begin().await?;
    let good = world.event("createSecret", &token);
    let rotation_token = good["RotationToken"].as_str().unwrap().to_owned();
    for (field, value) in [
        ("Step", json!(rotation_token)),
        ("Step", json!(7)),
        ("RotationToken", json!([rotation_token])),
    ] {
        let mut event = good.clone();
        event[field] = value;
        world.invoke(&event).await.failure()?;
    }
    world.api.answer(
        "PutSecretValue",
        1..,
        Fault::error("InvalidParameterException"),
    );
    world.invoke(&good).await.failure()?;
    world.finish().await?;
    Ok(())
}
