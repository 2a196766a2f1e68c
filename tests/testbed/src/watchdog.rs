//! What we start can't outlive us, whatever ends us.
//!
//! One little shell for all reads a pipe from us. When the pipe closes, it ends the processes that are left on its list and
//! removes their folders.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;

use crate::error::{Context as _, Result};
use crate::output::Output;

/// Puts a process on the list, with the signal that ends it.
pub(crate) fn watch(pid: Pid, end: Signal) {
    let signal = end.as_str().trim_start_matches("SIG");
    tell(&format!("end {pid} {signal}"));
}

/// Takes it off again, before its number can become somebody else's.
pub(crate) fn forget(pid: Pid) {
    tell(&format!("forget {pid}"));
}

/// Removes a folder once all of them have ended.
pub(crate) fn remove(folder: &Path) {
    tell(&format!("remove {}", folder.display()));
}

fn tell(order: &str) {
    let mut shell = SHELL.lock();
    if shell.is_none() {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "testbed-watchdog"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        // Ctrl-C is for the tests; the watchdog follows them by its pipe.
        *shell = command.process_group(0).current_dir("/").spawn().ok();
    }
    if let Some(orders) = shell.as_mut().and_then(|shell| shell.stdin.as_mut()) {
        // Without a watchdog a run that is killed leaves something behind, and proves as much.
        let _ = writeln!(orders, "{order}");
    }
}

static SHELL: Mutex<Option<Child>> = Mutex::new(None);

/// A process that a test has stopped must be awake to be ended.
const SCRIPT: &str = r#"
exec 2>/dev/null
awk '$1 == "end" { of[$2] = $3 } $1 == "forget" { delete of[$2] } $1 == "remove" { sub(/^remove /, ""); folder[$0] }
  END { for (pid in of) print "end", pid, of[pid]; for (path in folder) print "remove", path }' |
while read -r order what signal; do
  case $order in
    end) kill -s "$signal" "$what"; kill -s CONT "$what"
      for i in 1 2 3 4 5 6 7 8 9 10; do kill -s 0 "$what" && sleep 0.2; done ;;
    remove) rm -rf "$what${signal:+ $signal}" ;;
  esac
done
"#;

/// A server, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    command: Command,
    end: Signal,
    output: Output,
    running: Option<Child>,
}

impl Server {
    /// A server that `command` will start, and `end` end.
    pub(crate) fn new(mut command: Command, end: Signal) -> Result<Self> {
        let output = Output::new()?;
        command
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::null());
        command.stdout(output.writer()?).stderr(output.writer()?);
        Ok(Self {
            command,
            end,
            output,
            running: None,
        })
    }

    /// Starts it.
    pub(crate) fn start(&mut self) -> Result<()> {
        let server = self.command.spawn().context("could not start the server")?;
        watch(pid_of(&server), self.end);
        self.running = Some(server);
        Ok(())
    }

    /// Sends it `signal` and waits until it has gone.
    pub(crate) fn end(&mut self, signal: Signal) -> Result<()> {
        let Some(mut server) = self.running.take() else {
            return Ok(());
        };
        // Gone already is as good.
        let _ = kill(pid_of(&server), signal);
        server.wait().context("the server doesn't end")?;
        forget(pid_of(&server));
        Ok(())
    }

    /// Whether it is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        let server = self.running.as_mut();
        server.is_some_and(|server| matches!(server.try_wait(), Ok(None)))
    }

    /// What it writes.
    pub(crate) fn output(&self) -> &Output {
        &self.output
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What can't be ended now is the watchdog's.
        let _ = self.end(self.end);
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or_default())
}
