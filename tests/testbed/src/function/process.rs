//! The function's process: its environment and its life.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::watch;

use super::Builder;
use super::invocation::{Failure, Invocation, StartFailure};
use super::runtime_api::{Progress, RuntimeApi};
use crate::background::{home, pause, spawn};
use crate::error::{Context as _, Result};
use crate::output::Output;
use crate::watchdog;

/// A process that takes events.
#[derive(Debug)]
pub(super) struct Process {
    api: RuntimeApi,
    pub(super) pid: Pid,
    /// From its start to its first poll.
    pub(super) start_took: Duration,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts the program and waits for its first poll.
    pub(super) async fn start(builder: &Builder, output: &Output) -> Result<Self, StartFailure> {
        let api = RuntimeApi::start().await?;
        let command = command(builder, &api, output)?;
        let started = Instant::now();
        let mut process = home(async move { Self::spawn(command, api) }).await?;
        match process
            .reaches(PATIENCE, |progress| progress.first_poll)
            .await
        {
            Ok(poll) => {
                process.start_took = poll.duration_since(started);
                Ok(process)
            }
            Err(exit) => {
                process.kill().await;
                let output = process.api.progress().init_error;
                Err(StartFailure { exit, output })
            }
        }
    }

    fn spawn(mut command: Command, api: RuntimeApi) -> Result<Self> {
        let child = command.kill_on_drop(true).spawn();
        let mut child = child.context("could not start the function")?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = Pid::from_raw(pid.context("it has no number")?);
        watchdog::watch(pid, Signal::SIGKILL);
        let (tell, exit) = watch::channel(None);
        spawn(async move {
            // Nobody left to be told, nobody left to need it.
            let ended = tokio::select! {
                ended = child.wait() => ended,
                () = tell.closed() => {
                    let _ = child.start_kill();
                    child.wait().await
                }
            };
            watchdog::forget(pid);
            let _ = tell.send(ended.ok());
        });
        let start_took = Duration::ZERO;
        Ok(Self {
            api,
            pid,
            start_took,
            exit,
        })
    }

    /// Hands over an event and waits for what comes first: the answer, the end, the deadline.
    pub(super) async fn invoke(&self, event: &Value, deadline: Duration) -> Invocation {
        let polls = self.api.progress().polls;
        let started = Instant::now();
        let id = self.api.hand(event, deadline);
        let ours = |progress: &Progress| progress.answer.clone().filter(|answer| answer.id == id);
        let answered = self.reaches(deadline, ours).await;
        let timed_out = matches!(answered, Err(None));
        let mut took = started.elapsed();
        let answer = match answered {
            Ok(answer) => {
                // Lambda's invocation ends with the next poll, and so does what is written.
                let polled = |progress: &Progress| (progress.polls > polls).then_some(());
                let _ = self.reaches(A_MOMENT, polled).await;
                took = answer.at.duration_since(started);
                answer.outcome
            }
            Err(Some(exit)) => {
                let text = format!("RequestId: {id} Error: Runtime exited with error: {exit}");
                Err(Failure::named("Runtime.ExitError", &text))
            }
            Err(None) => {
                self.kill().await;
                let text = format!(
                    "{id} Task timed out after {:.2} seconds",
                    deadline.as_secs_f64()
                );
                Err(Failure::named("Sandbox.Timedout", &text))
            }
        };
        Invocation {
            answer,
            took,
            log: Vec::new(),
            timed_out,
            died: *self.exit.borrow(),
        }
    }

    pub(super) fn has_died(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Kills it, and waits until it has gone.
    pub(super) async fn kill(&self) {
        if !self.has_died() {
            let _ = kill(self.pid, Signal::SIGKILL);
            self.ended().await;
        }
    }

    /// What shows once it has got far enough; or that it ended before, or (none) took too long.
    async fn reaches<T>(
        &self,
        span: Duration,
        look: impl Fn(&Progress) -> Option<T>,
    ) -> Result<T, Option<ExitStatus>> {
        tokio::select! {
            biased;
            seen = self.api.until(look) => Ok(seen),
            exit = self.ended() => Err(Some(exit)),
            () = pause(span) => Err(None),
        }
    }

    async fn ended(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        ended.map_or_else(|_| ExitStatus::default(), |exit| exit.unwrap_or_default())
    }
}

/// The program with Lambda's environment.
fn command(builder: &Builder, api: &RuntimeApi, output: &Output) -> Result<Command> {
    let program = builder.program.canonicalize();
    let program = program.context(format!(
        "there is no function at {}",
        builder.program.display()
    ))?;
    let folder = program.parent().context("the function lies nowhere")?;
    let mut command = Command::new(&program);
    command
        .current_dir(folder)
        .env_clear()
        .envs(LAMBDA)
        .env("AWS_LAMBDA_RUNTIME_API", api.address())
        .env("LAMBDA_TASK_ROOT", folder)
        .envs(&builder.environment)
        .stdin(Stdio::null())
        .stdout(output.writer()?)
        .stderr(output.writer()?);
    Ok(command)
}

/// As long as Lambda waits for the first poll.
const PATIENCE: Duration = Duration::from_secs(10);

/// From an answer to the next poll, where that comes at all.
const A_MOMENT: Duration = Duration::from_secs(1);

/// The function's own name.
pub(crate) const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:db-rotation";

/// The credentials' secret parts, which no output may show either.
pub(crate) const CREDENTIALS: [&str; 2] = [
    "testbedSecretAccessKey/0123456789abcdefgh",
    "testbedSessionToken//0123456789abcdefghijklmnop",
];

/// What Lambda sets, beyond what depends on the function.
const LAMBDA: [(&str, &str); 17] = [
    ("AWS_ACCESS_KEY_ID", "ASIATESTBEDTESTBED00"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ("AWS_LAMBDA_FUNCTION_NAME", "db-rotation"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/db-rotation"),
    (
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "2026/01/01/[$LATEST]0123456789abcdef",
    ),
    ("AWS_REGION", "us-east-1"),
    ("AWS_SECRET_ACCESS_KEY", CREDENTIALS[0]),
    ("AWS_SESSION_TOKEN", CREDENTIALS[1]),
    ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
    ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
    ("LANG", "en_US.UTF-8"),
    ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
    ("TZ", ":UTC"),
    ("_HANDLER", "bootstrap"),
];
