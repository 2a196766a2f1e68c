//! The daily audit: C64.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::try_join_all;
use serde_json::{Value, json};
use testbed::{Fault, Invocation, SecretsManager, TestResult, World};

use super::pages::alone;
use super::world;

/// Rule, secret and days.
type Finding = (String, String, u64);

#[tokio::test]
async fn c64_what_is_wrong_with_hundreds_of_secrets_is_found_without_reading_a_value() -> TestResult
{
    let secrets = SecretsManager::start().await?;
    let world = world().secrets_manager(&secrets);
    let world = world.env("AUDIT_TAG", "Team=payments");
    let world = world.env("AUDIT_REQUIRED_TAGS", "Owner,Cost Center");
    let world = world.start().await?;
    try_join_all((0..250).map(|n| {
        let tags =
            ["Owner", "Cost Center", "Team"].map(|key| json!({"Key": key, "Value": "payments"}));
        let secret = json!({"Name": format!("audited/{n:03}"), "SecretString": "{}", "Tags": tags});
        secrets.call("CreateSecret", secret)
    }))
    .await?;
    let mut expected = BTreeSet::new();
    let mut pages = listed(&secrets).await?;
    assert_eq!(pages.len(), 3, "the secrets come in pages");
    for entry in pages.iter_mut().flat_map(entries) {
        let name = text(entry, "Name").to_owned();
        let Some(n) = name.strip_prefix("audited/") else {
            continue;
        };
        let found = spoil(entry, n.parse()?);
        expected.extend(
            found
                .iter()
                .map(|(rule, days)| ((*rule).to_owned(), text(entry, "ARN").to_owned(), *days)),
        );
    }
    serve(&world, &pages);
    world.api.forget();
    let audit = audited(&world).await;
    let answer = audit.success()?;
    let counts =
        json!({"not-rotated": 25, "overdue": 50, "stuck": 25, "too-old": 25, "untagged": 25});
    assert_eq!(answer["counts"], counts);
    assert_eq!(
        answer["secrets"],
        json!(175),
        "not those of services, of other regions, of other teams"
    );
    let answered = answer["findings"].as_array().unwrap();
    assert_eq!(answered.len(), expected.len());
    assert_eq!(
        answered.iter().map(finding).collect::<BTreeSet<_>>(),
        expected
    );
    let lines = lines(&audit);
    let (end, found) = lines.split_last().unwrap();
    assert!(
        found
            .iter()
            .all(|line| line["message"] == "finding" && line["level"] == "WARN")
    );
    assert_eq!(
        found.iter().map(finding).collect::<Vec<_>>(),
        answered.iter().map(finding).collect::<Vec<_>>()
    );
    assert_eq!(
        (&end["message"], &end["level"], &end["secrets"]),
        (&json!("audit ended"), &json!("INFO"), &json!(175))
    );
    for (rule, count) in counts.as_object().unwrap() {
        assert_eq!(&end[format!("counts.{rule}")], count, "{end}");
    }
    assert_eq!(world.api.operations(), ["ListSecrets"; 3]);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c64_a_secret_is_found_as_the_service_lists_it_until_it_rotates_and_has_its_tags()
-> TestResult {
    let secrets = SecretsManager::start().await?;
    let world = world().secrets_manager(&secrets);
    let world = world.env("AUDIT_REQUIRED_TAGS", "Owner").start().await?;
    let before = audited(&world).await;
    let found = before.success()?["findings"].as_array().unwrap();
    let wanted =
        ["not-rotated", "untagged"].map(|rule| (rule.to_owned(), world.secret.arn.clone(), 0));
    assert_eq!(found.iter().map(finding).collect::<Vec<_>>(), wanted);
    secrets.tag(&world.secret, "Owner", "us").await?;
    world.rotate().await?;
    let after = audited(&world).await;
    assert_eq!(after.success()?["findings"], json!([]));
    assert_eq!(after.success()?["secrets"], json!(1));
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c64_a_page_that_is_throttled_is_asked_for_again_and_one_that_fails_is_named() -> TestResult
{
    let world = world().start().await?;
    let pages = unrotated(3, 100);
    world.api.answer("ListSecrets", 1, page(&pages, 0));
    world
        .api
        .answer("ListSecrets", 2, Fault::error("ThrottlingException"));
    world.api.answer("ListSecrets", 3, page(&pages, 1));
    world.api.answer("ListSecrets", 4, page(&pages, 2));
    let audit = audited(&world).await;
    assert_eq!(audit.success()?["secrets"], json!(300));
    for (fault, name, says) in [
        (
            Fault::error("ThrottlingException"),
            "AwsCallFailed",
            "ThrottlingException",
        ),
        (
            Fault::error("AccessDeniedException"),
            "AccessDenied",
            "secretsmanager:ListSecrets on * is denied",
        ),
        (
            Fault::Status(200, "{\"SecretList\": [".to_owned()),
            "AwsCallFailed",
            "cannot be read",
        ),
        (
            Fault::DropBefore,
            "SecretsManagerUnreachable",
            "secretsmanager:ListSecrets",
        ),
    ] {
        world.api.heal();
        world.api.answer("ListSecrets", 1, page(&pages, 0));
        world.api.answer("ListSecrets", 2.., fault);
        let audit = audited(&world).await;
        let message = audit.failed_with(name)?;
        assert!(message.contains(says), "{message}");
        let lines = lines(&audit);
        let (end, found) = lines.split_last().unwrap();
        assert_eq!(found.len(), 100, "what the first page showed stays found");
        assert_eq!(
            (&end["message"], &end["level"]),
            (&json!("audit ended"), &json!("ERROR"))
        );
        assert_eq!(
            (&end["outcome"], &end["error"]),
            (&json!(name), &json!(message))
        );
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c64_an_audit_that_runs_out_of_time_says_how_many_secrets_it_has_seen() -> TestResult {
    let world = world().start().await?;
    let pages = unrotated(3, 100);
    for seconds in [1, 3] {
        world.api.heal();
        world.api.answer("ListSecrets", 1, page(&pages, 0));
        world.api.answer("ListSecrets", 2, page(&pages, 1));
        world.api.answer("ListSecrets", 3.., Fault::Stall);
        let deadline = Duration::from_secs(seconds);
        let audit = world.invoke_on(&world.function, &event(), deadline).await;
        let message = audit.failed_with("DeadlineExceeded")?;
        assert!(audit.took < deadline, "{:?}", audit.took);
        assert!(
            message.contains("secrets seen until then: 200"),
            "{message}"
        );
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c64_ten_thousand_secrets_are_judged_within_the_timeout_and_64_mib() -> TestResult {
    let world = world().env("AUDIT_REQUIRED_TAGS", "Owner").start().await?;
    serve(&world, &unrotated(100, 100));
    let audit = audited(&world).await;
    let answer = audit.success()?;
    assert_eq!(answer["secrets"], json!(10_000));
    assert_eq!(answer["counts"]["untagged"], json!(10_000));
    assert_eq!(
        answer["findings"].as_array().unwrap().len(),
        1000,
        "the answer is bounded"
    );
    assert_eq!(audit.log.len(), 20_001, "the log is not");
    let peak = world.function.peak_memory().unwrap();
    assert!(peak < 64 << 20, "{peak} bytes");
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c64_an_operator_sees_the_findings_as_a_table_and_the_exit_status_tells_of_them()
-> TestResult {
    let world = world().start().await?;
    serve(&world, &unrotated(2, 1));
    let found = audited(&world).await.success()?.to_string();
    // The parts of CloudFormation and of Lambda, whose operations have no name in the request.
    world
        .api
        .answer("DescribeStacks", 1.., Fault::Status(200, stack()));
    world.api.answer("?", 1, Fault::Status(200, found));
    let audit = alone("ops/rotation audit --stack");
    let output = world
        .operator(&format!("{audit} || echo status $?"))
        .await?;
    let table = "rule          days  secret\n\
                 not-rotated     40  unrotated/0/0\n\
                 not-rotated     40  unrotated/1/0\n\
                 2 findings on 2 secrets\nstatus 1\n";
    assert_eq!(output, table);
    let invoked = world
        .api
        .calls()
        .into_iter()
        .find(|call| call.operation == "?");
    assert_eq!(invoked.unwrap().sent_text("Step"), Some("auditSecrets"));

    let none = json!({"secrets": 2, "counts": {"overdue": 0}, "findings": []}).to_string();
    world.api.answer("?", 1, Fault::Status(200, none));
    let output = world.operator("ops/rotation audit rotates").await?;
    assert!(output.ends_with("0 findings on 2 secrets\n"), "{output}");
    let failure = json!({"errorType": "AccessDenied", "errorMessage": "denied"}).to_string();
    world.api.answer("?", 1, Fault::Status(200, failure));
    let output = world
        .operator("ops/rotation audit rotates")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        output.contains("exit status: 1") && output.contains("AccessDenied: denied"),
        "{output}"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c64_what_cannot_be_asked_is_answered_with_all_that_can() -> TestResult {
    let world = world().start().await?;
    let unknown = world.invoke(&json!({"Step": "auditEverything"})).await;
    let message = unknown.failed_with("InvalidEvent")?;
    assert!(
        message.contains("finishSecret, checkSecret, auditSecrets"),
        "{message}"
    );
    world.finish().await?;
    Ok(())
}

fn event() -> Value {
    json!({"Step": "auditSecrets"})
}

async fn audited(world: &World) -> Invocation {
    world.invoke(&event()).await
}

/// The pages of all secrets, as the service lists them.
async fn listed(secrets: &SecretsManager) -> testbed::Result<Vec<Value>> {
    let mut pages: Vec<Value> = Vec::new();
    loop {
        let mut request = json!({"MaxResults": 100});
        if let Some(last) = pages.last() {
            match last.get("NextToken").filter(|token| !token.is_null()) {
                Some(token) => request["NextToken"] = token.clone(),
                None => return Ok(pages),
            }
        }
        pages.push(secrets.call("ListSecrets", request).await?);
    }
}

/// Pages of secrets whose rotation is off since the last, 40 days ago.
fn unrotated(pages: usize, each: usize) -> Vec<Value> {
    let entry = |page: usize, n: usize| {
        let name = format!("unrotated/{page}/{n}");
        json!({
            "ARN": format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}-abcdef"),
            "Name": name,
            "RotationEnabled": false,
            "LastRotatedDate": ago(40),
            "LastChangedDate": ago(40),
            "CreatedDate": ago(400),
            "SecretVersionsToStages": {"a": ["AWSPREVIOUS"], "b": ["AWSCURRENT", "AWSPENDING"]},
            "Tags": [{"Key": "Team", "Value": "payments"}],
        })
    };
    let page = |page: usize| {
        let entries: Vec<_> = (0..each).map(|n| entry(page, n)).collect();
        let next = (page + 1 < pages).then(|| page.to_string());
        json!({"SecretList": entries, "NextToken": next})
    };
    (0..pages).map(page).collect()
}

/// Makes a listed secret one of ten kinds; what is to be found.
fn spoil(entry: &mut Value, n: usize) -> &'static [(&'static str, u64)] {
    let sound = json!({
        "RotationEnabled": true,
        "RotationRules": {"AutomaticallyAfterDays": 30},
        "CreatedDate": ago(500),
        "LastChangedDate": ago(10),
        "LastRotatedDate": ago(10),
    });
    edit(entry, &sound);
    let (fields, found): (Value, &[_]) = match n % 10 {
        0 => (json!({}), &[]),
        1 => (
            json!({"RotationEnabled": false, "LastRotatedDate": ago(80)}),
            &[("not-rotated", 80)],
        ),
        2 => (json!({"LastRotatedDate": ago(33)}), &[("overdue", 33)]),
        3 => {
            let rules =
                json!({"ScheduleExpression": "rate(60 days)", "AutomaticallyAfterDays": 60});
            let late = json!({"RotationRules": rules, "LastRotatedDate": ago(62), "NextRotationDate": ago(2)});
            (late, &[("overdue", 62)])
        }
        4 => {
            let rules = json!({"AutomaticallyAfterDays": 365});
            (
                json!({"RotationRules": rules, "LastRotatedDate": ago(91)}),
                &[("too-old", 91)],
            )
        }
        5 => {
            let labels = json!({"a": ["AWSCURRENT"], "b": ["AWSPENDING"]});
            (
                json!({"SecretVersionsToStages": labels, "LastChangedDate": ago(2)}),
                &[("stuck", 2)],
            )
        }
        6 => {
            let tags =
                json!([{"Key": "Team", "Value": "payments"}, {"Key": "Owner", "Value": "us"}]);
            (json!({"Tags": tags}), &[("untagged", 10)])
        }
        7 => (
            json!({"RotationEnabled": false, "OwningService": "rds"}),
            &[],
        ),
        8 => (
            json!({"RotationEnabled": false, "PrimaryRegion": "eu-west-1"}),
            &[],
        ),
        _ => (
            json!({"RotationEnabled": false, "Tags": [{"Key": "Team", "Value": "others"}]}),
            &[],
        ),
    };
    edit(entry, &fields);
    found
}

fn edit(entry: &mut Value, fields: &Value) {
    let fields = fields.as_object().cloned().unwrap_or_default();
    entry.as_object_mut().unwrap().extend(fields);
}

/// A moment so many days ago, and an hour, in seconds since 1970.
fn ago(days: u64) -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    now - days * 86_400 - 3600
}

/// Has the gate answer these pages, one after the other.
fn serve(world: &World, pages: &[Value]) {
    for n in 0..pages.len() {
        world.api.answer("ListSecrets", n + 1, page(pages, n));
    }
}

fn page(pages: &[Value], n: usize) -> Fault {
    Fault::Status(200, pages[n].to_string())
}

fn entries(page: &mut Value) -> impl Iterator<Item = &mut Value> {
    page["SecretList"].as_array_mut().unwrap().iter_mut()
}

fn text<'a>(entry: &'a Value, field: &str) -> &'a str {
    entry[field].as_str().unwrap()
}

fn finding(found: &Value) -> Finding {
    let days = found["days"].as_u64().unwrap();
    (
        text(found, "rule").to_owned(),
        text(found, "secret_id").to_owned(),
        days,
    )
}

fn lines(invocation: &Invocation) -> Vec<Value> {
    let lines = invocation.log.iter();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// `CloudFormation`'s answer about a stack with the output that leads to the function.
fn stack() -> String {
    "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><Outputs><member>\
     <OutputKey>RotationLambdaArn</OutputKey><OutputValue>rotates</OutputValue>\
     </member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
        .to_owned()
}
