//! A server process that can't outlive us, whatever kills us.
//!
//! A little shell starts the server and reads a pipe from us. When the pipe closes (we dropped it, exited or were
//! killed) it ends the server, waits for it, and removes its folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::{Context as _, Result};
use crate::tools::ServerUser;

/// A folder of its own, and at most one server process that works in it.
#[derive(Debug)]
pub(crate) struct Leash {
    folder: PathBuf,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    server: Option<Pid>,
    _shell: Child,
}

impl Leash {
    /// Takes `folder` into custody; `start` will run `command` as `user`, `end` is the signal that ends it for good.
    pub(crate) fn new(
        folder: PathBuf,
        command: &Command,
        user: Option<ServerUser>,
        end: Signal,
    ) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SHELL, "testbed-leash"])
            .arg(&folder)
            .arg(end.as_str().trim_start_matches("SIG"))
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C is for the tests; the leash follows them by its pipe.
            .process_group(0);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(user) = user {
            shell.uid(user.uid).gid(user.gid);
        }
        let mut shell = shell.spawn().context("could not start `sh`")?;
        let orders = shell.stdin.take().context("the leash has no input")?;
        let answers = shell
            .stdout
            .take()
            .map(BufReader::new)
            .context("the leash has no output")?;
        Ok(Self {
            folder,
            orders,
            answers,
            server: None,
            _shell: shell,
        })
    }

    /// Starts the server, which writes into `log` in its folder.
    pub(crate) fn start(&mut self) -> Result<()> {
        let pid = self.order("start")?;
        self.server = Some(Pid::from_raw(pid));
        Ok(())
    }

    /// Sends the server `signal` and waits until it has gone.
    pub(crate) fn end(&mut self, signal: Signal) -> Result<()> {
        if let Some(pid) = self.server.take() {
            // Gone already is as good.
            let _ = kill(pid, signal);
            self.order("reap")?;
        }
        Ok(())
    }

    /// Sends the server `signal`, and no more.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.server.context("the server isn't running")?;
        kill(pid, signal).context(format!("could not send {signal}"))
    }

    /// Whether the server is still there.
    pub(crate) fn is_alive(&self) -> bool {
        self.server.is_some_and(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit(") ")
                .next()
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
        })
    }

    /// What the server has written.
    pub(crate) fn log(&self) -> String {
        let log = std::fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// How many bytes that is.
    pub(crate) fn written(&self) -> usize {
        let length = std::fs::metadata(self.folder.join("log")).map_or(0, |log| log.len());
        usize::try_from(length).unwrap_or_default()
    }

    /// Empties the log, to which the server appends.
    pub(crate) fn forget(&self) {
        // A log that stays is longer, and no less true.
        let _ = std::fs::File::create(self.folder.join("log"));
    }

    fn order(&mut self, order: &str) -> Result<i32> {
        writeln!(self.orders, "{order}").context("the leash is gone")?;
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .context("the leash doesn't answer")?;
        answer.trim().parse().context(format!(
            "the leash could not {order} its server: {}",
            self.log()
        ))
    }
}

/// Folder, last signal, command. A server that a test had stopped must be awake to be ended.
const SHELL: &str = r#"
trap '' PIPE
folder=$1 end=$2; shift 2
server=
while read -r order; do
  case $order in
    start) "$@" </dev/null >>"$folder/log" 2>&1 & server=$!; echo "$server" ;;
    reap) wait "$server"; echo "$?"; server= ;;
  esac
done
if [ -n "$server" ]; then
  kill -s "$end" "$server"; kill -s CONT "$server"; wait "$server"
fi
cd / && rm -rf "$folder"
"#;
