//! An operator at a terminal.

use super::World;
use crate::background::blocking;
use crate::error::{Context as _, Error, Result};
use crate::tools;

impl World {
    /// Runs shell commands at the repository's root, with an AWS CLI that speaks to this world; what they wrote.
    ///
    /// Whoever has them begin a rotation calls the function for it, as the service would.
    pub async fn operator(&self, commands: &str) -> Result<String> {
        let commands = commands.to_owned();
        let endpoint = self.api.url();
        blocking(move || {
            let shell = tools::shell(&commands)?
                .current_dir(tools::ROOT)
                .env("AWS_ACCESS_KEY_ID", "operator")
                .env("AWS_SECRET_ACCESS_KEY", "operator")
                .env("AWS_DEFAULT_REGION", "us-east-1")
                .env("AWS_ENDPOINT_URL", endpoint)
                .output()
                .context("could not start bash")?;
            if shell.status.success() {
                return Ok(String::from_utf8_lossy(&shell.stdout).into_owned());
            }
            let errors = String::from_utf8_lossy(&shell.stderr);
            Err(Error::new(format!("{}: {errors}", shell.status)))
        })
        .await
    }
}
