//! What a process writes, to be read while it lives and after it was killed.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::process::Stdio;

use crate::error::{Context as _, Result};

/// A file without a name, so that it's gone with us.
#[derive(Debug)]
pub(crate) struct Output(File);

impl Output {
    pub(crate) fn new() -> Result<Self> {
        // Whoever writes appends, also once it has been emptied.
        let file = tempfile::Builder::new().append(true).tempfile();
        let file = file.context("no temporary file for a process's output")?;
        Ok(Self(file.into_file()))
    }

    /// What a process is given to write to.
    pub(crate) fn writer(&self) -> Result<Stdio> {
        let file = self.0.try_clone().context("no output for a process")?;
        Ok(file.into())
    }

    /// How many bytes there are.
    pub(crate) fn length(&self) -> u64 {
        self.0.metadata().map_or(0, |file| file.len())
    }

    /// What there is from so many bytes on.
    pub(crate) fn since(&self, start: u64) -> String {
        let length = self.length().saturating_sub(start);
        let mut text = vec![0; usize::try_from(length).unwrap_or_default()];
        let read = self.0.read_at(&mut text, start);
        text.truncate(read.unwrap_or_default());
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Forgets what there is.
    pub(crate) fn forget(&self) {
        // What stays is longer, and no less true.
        let _ = self.0.set_len(0);
    }
}
