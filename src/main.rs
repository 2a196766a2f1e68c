//! The Lambda function: a cold start, then one invocation after the other.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use db_rotation::{Config, Error, Rotator};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    log();
    let config = match Config::from_lookup(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "not started");
            return ExitCode::FAILURE;
        }
    };
    let rotator = Rotator::start(config).await;
    let handle = async |event: LambdaEvent<Value>| {
        let time_left = event
            .context
            .deadline()
            .duration_since(SystemTime::now())
            .unwrap_or(Duration::ZERO);
        rotator
            .handle(event.payload, time_left)
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

/// JSON lines, of this program's own alone at any level: what libraries log can hold a request's body.
fn log() {
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
