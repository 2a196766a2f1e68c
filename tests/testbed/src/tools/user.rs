//! Whom the servers run as: PostgreSQL refuses to be root.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Uid, User};

use crate::error::{Context as _, Error, Result};

/// The user that servers run as where we are root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerUser {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// `postgres` or `nobody` where we are root; nobody else but us where we aren't.
pub(crate) fn server_user() -> Result<Option<ServerUser>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name).context("could not look up a user")? {
            return Ok(Some(ServerUser {
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            }));
        }
    }
    Err(Error::new(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it as",
    ))
}

impl ServerUser {
    /// Gives `path` to the user.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).context(format!(
            "could not give {} to the server's user",
            path.display()
        ))
    }

    /// Whether the user can run the program at `path`, which takes every folder above it too.
    pub(crate) fn may_run(self, path: &Path) -> bool {
        let mut look = Command::new("test");
        look.arg("-x")
            .arg(path)
            .uid(self.uid)
            .gid(self.gid)
            .current_dir("/");
        look.status().is_ok_and(|status| status.success())
    }
}
