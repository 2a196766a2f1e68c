//! What the testbed runs and doesn't bring: PostgreSQL's servers, moto, the AWS CLI. Found on this machine, or fetched once into
//! a folder under cargo's target folder, by the machine's own package clients.

mod command;
mod postgresql;
mod python;
mod user;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

pub(crate) use self::command::{found, run};
pub(crate) use self::postgresql::{Server, server, template, unpack};
pub(crate) use self::python::{moto, shell};
pub(crate) use self::user::server_user;
use crate::error::{Context as _, Result};

/// Hands each line of progress to `tell` instead of the terminal's standard error.
pub fn on_progress(tell: impl Fn(&str) + Send + 'static) {
    *LISTENER.lock() = Some(Box::new(tell));
}

/// Finds or fetches everything ahead of time: the server of each of `versions` (none: the default one) and moto.
pub async fn prepare(versions: &[&str]) -> Result<()> {
    let wanted: Vec<_> = if versions.is_empty() {
        vec![None]
    } else {
        versions.iter().map(|one| Some((*one).to_owned())).collect()
    };
    crate::background::blocking(move || {
        for version in wanted {
            template(&server(version.as_deref())?)?;
        }
        moto().map(drop)
    })
    .await
}

/// Says what takes time, once, where a person or `on_progress` sees it.
pub(crate) fn progress(line: &str) {
    match LISTENER.lock().as_deref() {
        Some(tell) => tell(line),
        // Not `eprintln!`, which the test harness would keep to itself.
        _ => drop(writeln!(std::io::stderr(), "testbed: {line}")),
    }
}

/// The folder that keeps what was fetched.
pub(crate) fn cache() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        |given| {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../..")
                .join(given)
        },
    );
    target.join("testbed")
}

/// Makes `path` unless it is there already: `make` fills a scratch path, which then gets its name in one move.
///
/// Other processes that want the same wait here.
pub(crate) fn once(path: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path
        .parent()
        .context(format!("{} has no parent", path.display()))?;
    let unmade = format!("could not make {}", path.display());
    fs::create_dir_all(folder).context(unmade.clone())?;
    let lock = File::create(path.with_added_extension("lock")).context(unmade.clone())?;
    lock.lock().context(unmade.clone())?;
    if path.exists() {
        return Ok(());
    }
    let scratch = tempfile::tempdir_in(folder).context(unmade.clone())?;
    let fresh = scratch.path().join("fresh");
    make(&fresh)?;
    fs::rename(&fresh, path).context(unmade)
}

type Listener = Box<dyn Fn(&str) + Send>;

static LISTENER: Mutex<Option<Listener>> = Mutex::new(None);
