//! The shipped program under the Lambda Runtime API, as Lambda runs it: one process, one event at a time.

mod invocation;
mod process;
mod runtime_api;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use self::invocation::{Failure, Invocation, StartFailure};
pub(crate) use self::process::{ARN, CREDENTIALS};
use self::process::{Live, Process};
use crate::error::Context as _;
use parking_lot::Mutex;

/// A program to be started as a function.
#[derive(Clone, Debug)]
pub struct Builder {
    program: PathBuf,
    environment: BTreeMap<String, String>,
    patience: Duration,
}

/// A running function. Clones are the same one, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Function {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    builder: Builder,
    /// Nameless, so that it's gone with us. What the process wrote is there even if it was killed right after.
    output: File,
    /// How much of it is forgotten.
    forgotten: AtomicU64,
    /// The process that takes the next event; held while it works on one.
    turn: tokio::sync::Mutex<Option<Process>>,
    live: Mutex<Option<Live>>,
}

/// What something cost a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Time that passed.
    pub wall: Duration,
    /// Time on any core, of all its threads.
    pub cpu: Duration,
    /// The most memory that the process ever held until then, in bytes.
    pub peak_memory: u64,
}

impl Function {
    /// The function made of a program, with the environment that Lambda gives and nothing else.
    pub fn builder(program: impl AsRef<Path>) -> Builder {
        Builder {
            program: program.as_ref().to_path_buf(),
            environment: BTreeMap::new(),
            patience: Duration::from_secs(10),
        }
    }

    /// Hands it an event, and waits for its answer until the deadline; then it is killed, as Lambda does.
    ///
    /// A process that has died since the last event is replaced first. Calls at the same time wait for each other.
    pub async fn invoke(&self, event: &serde_json::Value, deadline: Duration) -> Invocation {
        let from = self.written();
        let mut turn = self.inner.turn.lock().await;
        if turn.as_ref().is_none_or(Process::has_died) {
            match self.replace().await {
                Ok(process) => *turn = Some(process),
                Err(failure) => return Invocation::never_started(&failure),
            }
        }
        let Some(process) = turn.as_mut() else {
            return Invocation::never_started(&StartFailure::default());
        };
        let mut invocation = process.invoke(event, deadline).await;
        invocation.log = self.output_since(from).lines().map(str::to_owned).collect();
        invocation
    }

    /// Another function of the same program, with the same environment, to be started.
    pub fn another(&self) -> Builder {
        self.inner.builder.clone()
    }

    /// Kills the process, whatever it is doing, and waits until it has gone. The next event starts another one.
    pub async fn kill(&self) {
        let live = self.inner.live.lock().clone();
        if let Some(live) = live {
            live.kill().await;
        }
    }

    /// What the current process's start cost, until it asked for its first event.
    pub fn start_cost(&self) -> Option<Cost> {
        self.inner.live.lock().as_ref().map(|live| live.start_cost)
    }

    /// What the current process has cost since its start; none once it has died.
    pub fn cost(&self) -> Option<Cost> {
        self.inner.live.lock().as_ref().and_then(Live::cost)
    }

    /// The current process's number.
    pub fn pid(&self) -> Option<u32> {
        self.inner
            .live
            .lock()
            .as_ref()
            .map(|live| live.pid.as_raw().unsigned_abs())
    }

    /// All that it ever wrote, to standard output and standard error, and was not told to forget.
    pub fn output(&self) -> String {
        self.output_since(self.inner.forgotten.load(Ordering::Relaxed))
    }

    /// Forgets what it wrote so far.
    pub fn forget(&self) {
        self.inner
            .forgotten
            .store(self.written(), Ordering::Relaxed);
    }

    async fn replace(&self) -> Result<Process, StartFailure> {
        let from = self.written();
        let started = Process::start(&self.inner.builder, &self.inner.output).await;
        match started {
            Ok((process, live)) => {
                *self.inner.live.lock() = Some(live);
                Ok(process)
            }
            Err(failure) => Err(StartFailure {
                output: self.output_since(from),
                ..failure
            }),
        }
    }

    fn written(&self) -> u64 {
        self.inner.output.metadata().map_or(0, |file| file.len())
    }

    fn output_since(&self, from: u64) -> String {
        let mut text =
            vec![0; usize::try_from(self.written().saturating_sub(from)).unwrap_or_default()];
        let read = self
            .inner
            .output
            .read_at(&mut text, from)
            .unwrap_or_default();
        text.truncate(read);
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Builder {
    /// Adds a variable to the environment, or replaces one that Lambda sets.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// What the function is told of its memory; nothing enforces it.
    pub fn memory(self, megabytes: u32) -> Self {
        self.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &megabytes.to_string())
    }

    /// How long it may take until its first poll: Lambda's ten seconds unless told otherwise.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts it, and returns when it asks for its first event.
    pub async fn start(self) -> Result<Function, StartFailure> {
        let output = tempfile::tempfile().context("no temporary file for the function's output")?;
        let inner = Inner {
            builder: self,
            output,
            forgotten: AtomicU64::default(),
            turn: tokio::sync::Mutex::default(),
            live: Mutex::default(),
        };
        let function = Function {
            inner: Arc::new(inner),
        };
        let process = function.replace().await?;
        *function.inner.turn.lock().await = Some(process);
        Ok(function)
    }
}
