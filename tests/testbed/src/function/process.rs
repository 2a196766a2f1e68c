//! The function's process: its environment, its life, its cost.

use std::fs::File;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::watch;

use super::invocation::{Failure, Invocation, StartFailure};
use super::runtime_api::{RuntimeApi, Told};
use super::{Builder, Cost};
use crate::background::{home, spawn};
use crate::error::{Context as _, Error, Result};
use crate::watchdog;

/// A process that takes events.
#[derive(Debug)]
pub(super) struct Process {
    api: RuntimeApi,
    live: Live,
}

/// What may be known of it and done to it while it works.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) pid: Pid,
    pub(super) start_cost: Cost,
    started: Instant,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts the program and waits for its first poll.
    pub(super) async fn start(
        builder: &Builder,
        output: &File,
    ) -> Result<(Self, Live), StartFailure> {
        let api = RuntimeApi::start().await?;
        let command = command(builder, &api, output)?;
        let mut live = home(async move { Live::start(command) }).await?;
        let polled = async { api.until(|told| told.polls > 0).await };
        let told = home_timeout(builder.patience, first(polled, live.ended())).await;
        let told = match told {
            Some(Ok(told)) => told,
            unpolled => {
                live.kill().await;
                let exit = unpolled.and_then(Result::err);
                return Err(StartFailure {
                    exit,
                    output: String::new(),
                    reported: api.told().init_error,
                });
            }
        };
        live.start_cost = live.cost().unwrap_or_default();
        live.start_cost.wall = told
            .first_poll
            .map_or(Duration::ZERO, |poll| poll.duration_since(live.started));
        Ok((
            Self {
                api,
                live: live.clone(),
            },
            live,
        ))
    }

    pub(super) fn has_died(&self) -> bool {
        self.live.exit.borrow().is_some()
    }

    /// Hands over an event and waits for what comes first: the answer, the end, the deadline.
    pub(super) async fn invoke(&mut self, event: &Value, deadline: Duration) -> Invocation {
        let before = self.live.cost().unwrap_or_default();
        let polls = self.api.told().polls;
        let started = Instant::now();
        let id = self.api.hand(event, deadline);
        let answered = self.api.until(|told| told.answer_to(&id).is_some());
        let outcome = home_timeout(deadline, first(answered, self.live.ended())).await;
        let mut invocation = Invocation {
            answer: Err(Failure::default()),
            took: started.elapsed(),
            cpu: Duration::ZERO,
            peak_memory: 0,
            log: Vec::new(),
            timed_out: false,
            died: None,
        };
        match outcome {
            Some(Ok(told)) => {
                if let Some((answered, answer)) = told.answer_to(&id) {
                    invocation.took = answered.duration_since(started);
                    invocation.answer = answer;
                }
                // Lambda's invocation ends with the next poll, and so does what is written.
                let next = self.api.until(|told| told.polls > polls);
                let _ = home_timeout(Duration::from_secs(1), first(next, self.live.ended())).await;
            }
            Some(Err(exit)) => {
                let text = format!("RequestId: {id} Error: Runtime exited with error: {exit}");
                invocation.answer = Err(Failure::named("Runtime.ExitError", &text));
            }
            None => {
                self.live.kill().await;
                invocation.timed_out = true;
                let text = format!(
                    "{id} Task timed out after {:.2} seconds",
                    deadline.as_secs_f64()
                );
                invocation.answer = Err(Failure::named("Sandbox.Timedout", &text));
            }
        }
        invocation.died = *self.live.exit.borrow();
        let after = self.live.cost().unwrap_or(before);
        invocation.cpu = after.cpu.saturating_sub(before.cpu);
        invocation.peak_memory = after.peak_memory;
        invocation
    }
}

impl Told {
    fn answer_to(&self, id: &str) -> Option<(Instant, Result<Value, Failure>)> {
        self.answer
            .as_ref()
            .filter(|(of, ..)| of == id)
            .map(|(_, at, answer)| (*at, answer.clone()))
    }
}

impl Live {
    fn start(mut command: Command) -> Result<Self> {
        let started = Instant::now();
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .context("could not start the function")?;
        let pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .map(Pid::from_raw)
            .context("it has no number")?;
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
        Ok(Self {
            pid,
            start_cost: Cost::default(),
            started,
            exit,
        })
    }

    /// Kills it, and waits until it has gone.
    pub(super) async fn kill(&self) {
        if self.exit.borrow().is_none() {
            let _ = kill(self.pid, Signal::SIGKILL);
            self.ended().await;
        }
    }

    /// What it has cost since its start; none once it has gone.
    pub(super) fn cost(&self) -> Option<Cost> {
        let clock = clock_getcpuclockid(self.pid).ok()?;
        let cpu = Duration::from(clock.now().ok()?);
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().ok()?;
        Some(Cost {
            wall: self.started.elapsed(),
            cpu,
            peak_memory: kilobytes * 1024,
        })
    }

    async fn ended(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(ended) => ended.unwrap_or_default(),
            Err(_) => ExitStatus::default(),
        }
    }
}

/// The first of two to be done.
async fn first<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> Result<A, B> {
    tokio::select! {
        biased;
        done = one => Ok(done),
        done = other => Err(done),
    }
}

/// `work` if it is done in time; measured by the testbed's clock, as a test's runtime may have none.
async fn home_timeout<T>(span: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = crate::background::pause(span) => None,
    }
}

/// The program with Lambda's environment.
fn command(builder: &Builder, api: &RuntimeApi, output: &File) -> Result<Command> {
    let program = builder.program.canonicalize();
    let program = program.context(format!(
        "there is no function at {}",
        builder.program.display()
    ))?;
    let folder = program
        .parent()
        .ok_or_else(|| Error::new("the function lies nowhere"))?;
    let handle = || {
        output
            .try_clone()
            .map(Stdio::from)
            .context("no output for the function")
    };
    let mut command = Command::new(&program);
    command
        .current_dir(folder)
        .env_clear()
        .envs(LAMBDA)
        .env("AWS_LAMBDA_RUNTIME_API", api.address())
        .env("LAMBDA_TASK_ROOT", folder)
        .envs(&builder.environment)
        .stdin(Stdio::null())
        .stdout(handle()?)
        .stderr(handle()?);
    Ok(command)
}

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
