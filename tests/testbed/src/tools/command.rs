//! Other people's programs: found, run, and quoted when they fail.

use std::path::PathBuf;
use std::process::Command;

use crate::error::{Context as _, Error, Result};

/// Where `program` is on the path.
pub(crate) fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Runs `command` to its end and gives back what it wrote; a failure quotes it.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command
        .output()
        .context(format!("could not start `{line}`"))?;
    let written = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(written);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!(
        "`{line}` failed with {}:\n{written}{errors}",
        output.status
    )))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
