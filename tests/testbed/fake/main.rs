//! A function that rotates as simply as can be, and misbehaves as `FAKE` says. The testbed is tested with it.

#![expect(
    clippy::indexing_slicing,
    reason = "a key that a JSON value lacks reads as null, and the fake may die of one that it writes"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use testbed::Verifier;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    let fake = std::env::var("FAKE").unwrap_or_default();
    if fake.contains("no-start") {
        say("FAKE can't be used")?;
        std::process::exit(1);
    }
    if fake.contains("init-error") {
        http(
            "POST",
            &api,
            "/2018-06-01/runtime/init/error",
            "",
            r#"{"errorType":"FakeInit","errorMessage":"no"}"#,
        )?;
        std::process::exit(1);
    }
    loop {
        let (head, event) = http("GET", &api, "/2018-06-01/runtime/invocation/next", "", "")?;
        let id = head
            .lines()
            .find_map(|line| line.strip_prefix("lambda-runtime-aws-request-id: "))
            .unwrap_or_default();
        let event: Value = serde_json::from_str(&event)?;
        say(&format!("step {}", event["Step"]))?;
        if fake.contains("hang") {
            std::thread::park();
        }
        if fake.contains("die") {
            std::process::exit(3);
        }
        let (kind, body) = match step(&event, &fake) {
            Ok(()) => ("response", json!(null)),
            Err(failure) => (
                "error",
                json!({ "errorType": "FakeError", "errorMessage": chain(&*failure) }),
            ),
        };
        http(
            "POST",
            &api,
            &format!("/2018-06-01/runtime/invocation/{id}/{kind}"),
            "",
            &body.to_string(),
        )?;
    }
}

fn step(event: &Value, fake: &str) -> Result<(), Failure> {
    let (secret, token) = (&event["SecretId"], &event["ClientRequestToken"]);
    let value = |by: &str, which: &Value| -> Result<Value, Failure> {
        let answer = aws("GetSecretValue", &json!({ "SecretId": secret, by: which }))?;
        Ok(serde_json::from_str(
            answer["SecretString"].as_str().unwrap_or_default(),
        )?)
    };
    match event["Step"].as_str() {
        Some("createSecret") => {
            let mut next = value("VersionStage", &json!("AWSCURRENT"))?;
            let random = aws(
                "GetRandomPassword",
                &json!({ "ExcludeCharacters": ":/@\"'\\" }),
            )?;
            next["password"] = random["RandomPassword"].clone();
            if fake.contains("leak") {
                say(&format!("the next password is {}", next["password"]))?;
            }
            let request = json!({
                "SecretId": secret, "ClientRequestToken": token, "SecretString": next.to_string(),
                "VersionStages": ["AWSPENDING"], "RotationToken": event["RotationToken"],
            });
            aws("PutSecretValue", &request).map(drop)
        }
        Some("setSecret") => {
            let next = value("VersionId", token)?;
            let (role, password) = (text(&next["username"]), text(&next["password"]));
            let form = if fake.contains("text") {
                password.to_owned()
            } else {
                Verifier::Scram.of(role, password)
            };
            sql(
                &value("VersionStage", &json!("AWSCURRENT"))?,
                &format!("ALTER ROLE \"{role}\" PASSWORD '{form}'"),
            )
        }
        Some("testSecret") => sql(&value("VersionId", token)?, "SELECT 1"),
        Some("finishSecret") => {
            let labels = aws("DescribeSecret", &json!({ "SecretId": secret }))?;
            let versions = labels["VersionIdsToStages"]
                .as_object()
                .ok_or("no versions")?;
            let current = versions
                .iter()
                .find(|(_, labels)| labels.to_string().contains("AWSCURRENT"))
                .map(|(id, _)| id);
            let request = json!({
                "SecretId": secret, "VersionStage": "AWSCURRENT", "MoveToVersionId": token, "RemoveFromVersionId": current,
            });
            aws("UpdateSecretVersionStage", &request).map(drop)
        }
        step => Err(format!("unknown step {step:?}").into()),
    }
}

/// One statement, over verified TLS.
fn sql(login: &Value, statement: &str) -> Result<(), Failure> {
    let roots = std::fs::read(std::env::var("PGSSLROOTCERT")?)?;
    let connector = native_tls::TlsConnector::builder()
        .disable_built_in_roots(true)
        .add_root_certificate(native_tls::Certificate::from_pem(&roots)?)
        .build()?;
    let connector = postgres_native_tls::TlsConnector::new(connector, text(&login["host"]));
    let mut config = tokio_postgres::Config::new();
    config
        .user(text(&login["username"]))
        .password(text(&login["password"]))
        .dbname(text(&login["dbname"]));
    config
        .ssl_mode(tokio_postgres::config::SslMode::Require)
        .application_name("fake");
    let port = u16::try_from(login["port"].as_u64().unwrap_or_default())?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let stream = tokio::net::TcpStream::connect((text(&login["host"]), port)).await?;
            let (client, connection) = config.connect_raw(stream, connector).await?;
            let session = tokio::spawn(connection);
            client.simple_query(statement).await?;
            drop(client);
            Ok(session.await??)
        })
}

fn aws(operation: &str, request: &Value) -> Result<Value, Failure> {
    let endpoint = std::env::var("SECRETS_MANAGER_ENDPOINT")?;
    let target = format!("x-amz-target: secretsmanager.{operation}\r\n");
    let (head, body) = http(
        "POST",
        endpoint.trim_start_matches("http://"),
        "/",
        &target,
        &request.to_string(),
    )?;
    if head.starts_with("HTTP/1.1 200") {
        Ok(serde_json::from_str(&body)?)
    } else {
        Err(format!("{operation}: {body}").into())
    }
}

/// One exchange; the answer's head and body.
fn http(
    method: &str,
    address: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Result<(String, String), Failure> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all((head + body).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    Ok((head.to_owned(), body.to_owned()))
}

fn chain(failure: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(failure), |cause| cause.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
