//! Functions die with us, also where we are killed ourselves and one of them hangs.
//!
//! One little shell for all of them reads a pipe from us; when it closes, whoever is left on its list is killed.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::unistd::Pid;

/// Puts a process on the list.
pub(super) fn watch(pid: Pid) {
    tell("watch", pid);
}

/// Takes it off again, before its number can become somebody else's.
pub(super) fn forget(pid: Pid) {
    tell("forget", pid);
}

fn tell(order: &str, pid: Pid) {
    let mut guard = GUARD.lock().unwrap_or_else(PoisonError::into_inner);
    if guard.is_none() {
        *guard = start();
    }
    if let Some((orders, _)) = guard.as_mut() {
        // Without a guard the function still ends when the Runtime API is gone.
        let _ = writeln!(orders, "{order} {pid}");
    }
}

fn start() -> Option<(ChildStdin, Child)> {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", SHELL, "testbed-guard"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut shell = shell.process_group(0).current_dir("/").spawn().ok()?;
    Some((shell.stdin.take()?, shell))
}

static GUARD: Mutex<Option<(ChildStdin, Child)>> = Mutex::new(None);

const SHELL: &str = r#"
list=" "
while read -r order pid; do
  case $order in
    watch) list="$list$pid " ;;
    forget) list="${list%% $pid *} ${list#* $pid }" ;;
  esac
done
for pid in $list; do kill -s KILL "$pid"; done
"#;
