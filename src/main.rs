//! The Lambda function: a cold start, then one invocation after the other.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use db_rotation::{Config, Error, Function};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if !SET_BY_LAMBDA
        .iter()
        .all(|name| std::env::var_os(name).is_some())
    {
        // Nowhere to tell it if even that fails.
        let _ = writeln!(std::io::stderr(), "{NOT_ON_LAMBDA}");
        return ExitCode::from(2);
    }
    set_up_logging();
    let config = match Config::from_lookup(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "not started");
            return ExitCode::FAILURE;
        }
    };
    let function = Function::start(config).await;
    let handle = async |event: LambdaEvent<Value>| {
        let time_left = event
            .context
            .deadline()
            .duration_since(SystemTime::now())
            .unwrap_or(Duration::ZERO);
        function
            .handle(
                event.payload,
                &event.context.invoked_function_arn,
                time_left,
            )
            .await
            .map_err(|e| diagnostic(&e))
    };
    match lambda_runtime::Runtime::new(service_fn(handle)).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Lambda runtime went away");
            ExitCode::FAILURE
        }
    }
}

fn diagnostic(error: &Error) -> Diagnostic {
    Diagnostic {
        error_type: error.name().to_owned(),
        error_message: error.report(),
    }
}

/// JSON lines, at any level only this program's own: what libraries log can hold a request's body.
fn set_up_logging() {
    let level = ["RUST_LOG", "AWS_LAMBDA_LOG_LEVEL"]
        .into_iter()
        .find_map(|name| {
            std::env::var(name)
                .ok()
                .filter(|level| !level.is_empty())?
                .parse()
                .ok()
        });
    let own = Targets::new().with_target("db_rotation", level.unwrap_or(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false);
    tracing_subscriber::registry().with(lines).with(own).init();
}

/// What Lambda sets, and its runtime can't do without (AWS, *Defined runtime environment variables*).
const SET_BY_LAMBDA: [&str; 4] = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_RUNTIME_API",
];
const NOT_ON_LAMBDA: &str = "db-rotation rotates PostgreSQL credentials as an AWS Lambda function. Lambda starts it, and AWS Secrets Manager calls it: aws secretsmanager rotate-secret";
