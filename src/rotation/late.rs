//! A call that comes late: its rotation may be over, and another have come and gone.

use std::time::Duration;

use super::{Rotation, within};
use crate::error::Error;
use crate::secret::{Admission, StagingLabel, StoreError};

impl Rotation<'_> {
    /// Reads the labels again, and which version is current, since one of the two answers may be what was true a moment ago:
    /// whether the rotation was finished meanwhile.
    ///
    /// # Errors
    /// It was cancelled or replaced meanwhile, or another version became current.
    pub(super) async fn is_over(&self) -> Result<bool, Error> {
        let secret = &self.event.secret_id;
        let phase = "reading the labels again (DescribeSecret, GetSecretValue)";
        let both = Box::pin(async {
            tokio::try_join!(self.store.versions(secret), self.store.current(secret))
        });
        let (versions, current) = within(self.until, phase, both).await?;
        if versions.admit(self.version())? == Admission::AlreadyCurrent {
            return Ok(true);
        }
        let current = current.map(|(version, _)| version);
        if current.as_ref() != self.versions.version_with(StagingLabel::Current) {
            return Err(StoreError::Stale(secret.clone()).into());
        }
        Ok(false)
    }

    /// The same, where the labels were not read so shortly before that no other rotation, which takes four calls, can have
    /// come and gone.
    pub(super) async fn is_over_by_now(&self) -> Result<bool, Error> {
        if self.read.elapsed() < FRESH {
            return Ok(false);
        }
        self.is_over().await
    }
}

/// How long labels are believed.
const FRESH: Duration = Duration::from_secs(1);
