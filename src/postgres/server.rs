//! What a server is, as whoever logs in may ask.

use super::{DatabaseError, Failure, Session, statement};

/// A server, as a session sees it.
#[derive(Debug)]
pub(crate) struct Server {
    /// `server_version`.
    pub(crate) version: String,
    /// Whether it is in recovery, and takes no changes.
    pub(crate) is_replica: bool,
    /// `password_encryption`.
    pub(crate) password_encryption: String,
    /// Whether the process that answers is another than the server named when the session began: then a pooler or a proxy
    /// stands in between.
    pub(crate) is_behind_pooler: bool,
}

impl Session {
    /// Asks what the server is.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub(crate) async fn server(&self) -> Result<Server, DatabaseError> {
        let failed =
            |failure| self.failed(format!("ask for the version {}", self.place()), failure);
        let row = self.run(statement::SERVER).await.map_err(failed)?;
        let [
            Some(version),
            Some(replica),
            Some(encryption),
            Some(process),
        ] = row.as_slice()
        else {
            return Err(failed(Failure::AnswerUnreadable));
        };
        let process = process.parse().ok();
        Ok(Server {
            version: self.presentable(version),
            is_replica: replica == "t",
            password_encryption: self.presentable(encryption),
            is_behind_pooler: process.is_some() && process != self.process(),
        })
    }
}
