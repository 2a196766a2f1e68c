//! What the testbed runs and doesn't bring: PostgreSQL's servers, moto, the AWS CLI. `fetch.py` finds them on this machine, or
//! fetches them once into a folder under cargo's target folder.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

use crate::background::blocking;
use crate::error::{Context as _, Error, Result};
use crate::output::Output;
use crate::unique::random_hex;
use crate::watchdog;

/// A PostgreSQL server's programs, where the user it runs as can run them.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Server {
    pub(crate) bin: PathBuf,
    /// `15.18`
    pub(crate) version: String,
    pub(crate) major: u16,
    /// A tar of a fresh cluster's data folder.
    pub(crate) cluster: PathBuf,
    /// User and group it runs as: PostgreSQL refuses to be root. None where we aren't root.
    user: Option<(u32, u32)>,
}

/// Hands each line of progress to `tell` instead of the terminal's standard error.
pub fn on_progress(tell: impl Fn(&str) + Send + 'static) {
    *LISTENER.lock() = Some(Box::new(tell));
}

/// Finds or fetches everything ahead of time: PostgreSQL and moto.
pub async fn prepare() -> Result<()> {
    blocking(|| {
        server(None)?;
        moto().map(drop)
    })
    .await
}

/// The server of a version, major (`16`) or exact (`16.4`); without one `TESTBED_POSTGRES`, else the newest installed,
/// else the newest there is.
pub(crate) fn server(version: Option<&str>) -> Result<Server> {
    let set = std::env::var("TESTBED_POSTGRES").ok();
    let mut question = vec!["postgresql", copies()];
    question.extend(version.or(set.as_deref()));
    let server = serde_json::from_value(fetch(&question)?);
    server.context("fetch.py answers something else")
}

/// The folder for servers that lie where only root looks, for as long as we live.
fn copies() -> &'static str {
    static COPIES: OnceLock<String> = OnceLock::new();
    COPIES.get_or_init(|| {
        let folder = format!("/tmp/testbed-{}", random_hex(8));
        watchdog::remove(Path::new(&folder));
        folder
    })
}

impl Server {
    /// Has the server's user run `command`.
    pub(crate) fn run_as_user(&self, command: &mut Command) {
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
    }

    /// Gives a cluster's folder to the server's user. Others may pass, as far as the authority's certificate.
    pub(crate) fn hand_over(&self, folder: &Path) -> Result<()> {
        let own = |(user, group)| format!("chown -R {user}:{group} .");
        let script = format!("{PERMIT}; {}", self.user.map(own).unwrap_or_default());
        run(Command::new("sh").args(["-ec", &script]).arg(folder))
    }
}

/// The command that runs moto's server, without its arguments. Fetched at first use.
pub(crate) fn moto() -> Result<Command> {
    let mut command = Command::new("python3");
    command.arg(MOTO);
    with_packages(command)
}

/// A shell in which `aws` is the AWS CLI, and nothing of this machine's settings is known. Fetched at first use.
pub(crate) fn shell(script: &str) -> Result<Command> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]);
    command.env_clear().env("PATH", format!("{AWS_CLI}:{path}"));
    with_packages(command)
}

fn with_packages(mut command: Command) -> Result<Command> {
    let folder = fetch(&["packages"])?;
    command.env("PYTHONPATH", folder.as_str().unwrap_or_default());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// The answer of `fetch.py`, which says what takes time. Each question is asked once.
fn fetch(question: &[&str]) -> Result<Value> {
    static ANSWERS: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());
    let mut answers = ANSWERS.lock();
    let key = question.join(" ");
    if let Some(answer) = answers.get(&key) {
        return Ok(answer.clone());
    }
    let mut script = Command::new("python3");
    script.arg(FETCH).arg(folder()).args(question);
    let errors = Output::new()?;
    let script = script
        .stdout(Stdio::piped())
        .stderr(errors.writer()?)
        .spawn();
    let mut script =
        script.context("there is no python3; `apt-get install python3-venv` installs it")?;
    let lines = script
        .stdout
        .take()
        .map(|output| BufReader::new(output).lines());
    let mut answer = Value::Null;
    for line in lines.into_iter().flatten().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(read) => answer = read,
            Err(_) => progress(&line),
        }
    }
    let status = script.wait().context("fetch.py can't be waited for")?;
    if status.success() {
        answers.insert(key, answer.clone());
        return Ok(answer);
    }
    let errors = errors.since(0);
    Err(Error::new(format!(
        "fetch.py {question:?}: {status}\n{errors}"
    )))
}

/// Runs `command` to its end; a failure quotes it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .context(format!("could not start {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let failed = || Error::new(format!("{command:?}: {}: {errors}", output.status));
    output.status.success().then_some(()).ok_or_else(failed)
}

/// Says what takes time, once, where a person or `on_progress` sees it.
fn progress(line: &str) {
    match LISTENER.lock().as_deref() {
        Some(tell) => tell(line),
        // Not `eprintln!`, which the test harness would keep to itself.
        _ => drop(writeln!(std::io::stderr(), "testbed: {line}")),
    }
}

/// The folder that keeps what was fetched.
fn folder() -> PathBuf {
    let root = Path::new(ROOT);
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(target).join("testbed")
}

type Listener = Box<dyn Fn(&str) + Send>;

static LISTENER: Mutex<Option<Listener>> = Mutex::new(None);

const PERMIT: &str =
    "cd \"$0\"; chmod 711 .; chmod 644 ca.pem; chmod 700 data; chmod 600 data/server.key";

/// The repository's root.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const FETCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fetch.py");
/// moto's server, corrected.
const MOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/secrets_manager.py");
/// Where `aws` is.
const AWS_CLI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bin");
