//! The shipped program under the Lambda Runtime API, as Lambda runs it: one process, one event at a time.

mod invocation;
mod process;
mod runtime_api;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

pub use self::invocation::{Failure, Invocation, StartFailure};
use self::process::Process;
pub(crate) use self::process::{ARN, CREDENTIALS};
use crate::output::Output;

/// A program to be started as a function.
#[derive(Clone, Debug)]
pub struct Builder {
    program: PathBuf,
    environment: BTreeMap<String, String>,
}

/// A running function. Clones are the same one, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Function {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    builder: Builder,
    output: Output,
    /// Held while the process works on an event.
    turn: tokio::sync::Mutex<()>,
    /// The one that takes the next event.
    process: Mutex<Option<Arc<Process>>>,
}

impl Function {
    /// The function made of a program, with the environment that Lambda gives and nothing else.
    pub fn builder(program: impl AsRef<Path>) -> Builder {
        Builder {
            program: program.as_ref().to_path_buf(),
            environment: BTreeMap::new(),
        }
    }

    /// Hands it an event, and waits for its answer until the deadline; then it is killed, as Lambda does.
    ///
    /// A process that has died since the last event is replaced first. Calls at the same time wait for each other.
    pub async fn invoke(&self, event: &serde_json::Value, deadline: Duration) -> Invocation {
        let from = self.inner.output.length();
        let _turn = self.inner.turn.lock().await;
        let alive = self.process().filter(|process| !process.has_died());
        let process = match alive {
            Some(process) => process,
            None => match self.replace().await {
                Ok(process) => process,
                Err(failure) => return Invocation::never_started(&failure),
            },
        };
        let mut invocation = process.invoke(event, deadline).await;
        invocation.log = self
            .inner
            .output
            .since(from)
            .lines()
            .map(str::to_owned)
            .collect();
        invocation
    }

    /// Another function of the same program, with the same environment, to be started.
    pub fn another(&self) -> Builder {
        self.inner.builder.clone()
    }

    /// Kills the process, whatever it is doing, and waits until it has gone. The next event starts another one.
    pub async fn kill(&self) {
        if let Some(process) = self.process() {
            process.kill().await;
        }
    }

    /// Starts the next process now rather than with the next event; how long it takes until it asks for one.
    pub async fn start_again(&self) -> Result<Duration, StartFailure> {
        let _turn = self.inner.turn.lock().await;
        let process = self.replace().await?;
        Ok(process.start_took)
    }

    /// The current process's number.
    pub fn pid(&self) -> Option<i32> {
        self.process().map(|process| process.pid.as_raw())
    }

    /// The most memory that the current process ever held, in bytes; none once it has died.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// All that it ever wrote, to standard output and standard error, and was not told to forget.
    pub fn output(&self) -> String {
        self.inner.output.since(0)
    }

    /// Forgets what it wrote so far.
    pub fn forget(&self) {
        self.inner.output.forget();
    }

    async fn replace(&self) -> Result<Arc<Process>, StartFailure> {
        let from = self.inner.output.length();
        match Process::start(&self.inner.builder, &self.inner.output).await {
            Ok(process) => {
                let process = Arc::new(process);
                *self.inner.process.lock() = Some(Arc::clone(&process));
                Ok(process)
            }
            Err(failure) => Err(StartFailure {
                output: failure.output + &self.inner.output.since(from),
                ..failure
            }),
        }
    }

    fn process(&self) -> Option<Arc<Process>> {
        self.inner.process.lock().clone()
    }
}

impl Builder {
    /// Adds a variable to the environment, or replaces one that Lambda sets.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Where it finds AWS's services.
    pub(crate) fn aws(self, url: &str) -> Self {
        self.env("SECRETS_MANAGER_ENDPOINT", url)
            .env("AWS_ENDPOINT_URL_RDS", url)
    }

    /// Starts it, and returns when it asks for its first event.
    pub async fn start(self) -> Result<Function, StartFailure> {
        let inner = Inner {
            builder: self,
            output: Output::new()?,
            turn: tokio::sync::Mutex::default(),
            process: Mutex::default(),
        };
        let function = Function {
            inner: Arc::new(inner),
        };
        function.replace().await?;
        Ok(function)
    }
}
