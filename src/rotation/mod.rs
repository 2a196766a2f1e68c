//! One rotation: from the event to the label's move.
//!
//! | step | reads | writes | a second call |
//! |---|---|---|---|
//! | `createSecret` | labels, current and pending value, a random password | the pending value | keeps the value |
//! | `setSecret` | labels, current and pending value; logs in | the role's password | finds it set |
//! | `testSecret` | labels, current and pending value; logs in | nothing | the same |
//! | `finishSecret` | labels, current and pending value; logs in | `AWSCURRENT` | finds it moved |
//!
//! Contract: AWS, *Lambda rotation functions*.

mod create_secret;
mod finish_secret;
mod late;
mod report;
mod search;
mod set_secret;
mod strategy;
mod superuser;
mod test_secret;

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::config::Config;
use crate::error::Error;
use crate::event::{RotationEvent, Step};
use crate::login::{Login, TlsMode};
use crate::password::Password;
use crate::postgres::Connector;
use crate::secret::{
    self, Admission, Instances, SecretDocument, SecretVersions, StagingLabel, Store, StoreError,
    Value, VersionId,
};
use report::{Outcome, Report};
use strategy::Strategy;

/// The function: what it was configured with and the client that it keeps, for as long as the process lives.
#[derive(Debug)]
pub struct Rotator {
    config: Config,
    store: Store,
    instances: Instances,
}

/// One step, admitted: everything it works on was read.
struct Rotation<'a> {
    config: &'a Config,
    store: &'a Store,
    instances: &'a Instances,
    event: RotationEvent,
    versions: SecretVersions,
    strategy: Strategy,
    current: SecretDocument,
    pending: Option<SecretDocument>,
    /// When the labels were asked for.
    read: Instant,
    until: Instant,
}

impl Rotator {
    /// Sets the function up. No call is made.
    pub async fn start(config: Config) -> Self {
        let sdk = secret::sdk(config.authorities).await;
        Self {
            store: Store::new(&sdk, config.endpoint.as_deref()),
            instances: Instances::new(sdk),
            config,
        }
    }

    /// Carries out one step and logs how it ended, in one line.
    ///
    /// `payload` is the event as JSON; `time_left` is how long Lambda lets the invocation run: what is said about a lack
    /// of time is said before.
    ///
    /// # Errors
    /// [`Error`], for every way in which a step can fail. A step that failed can be called again.
    pub async fn handle(
        &self,
        payload: serde_json::Value,
        time_left: Duration,
    ) -> Result<(), Error> {
        let until = Instant::now() + time_left.saturating_sub(RESERVE.min(time_left / 2));
        let mut report = Report::begin();
        let result = match RotationEvent::try_from(payload) {
            Ok(event) => {
                report.event(&event);
                let span = tracing::info_span!("rotation", step = %event.step, secret_id = %event.secret_id, version = %event.version);
                Box::pin(self.step(event, until, &mut report).instrument(span)).await
            }
            Err(error) => Err(error.into()),
        };
        report.end(&result);
        result.map(|_| ())
    }

    async fn step(
        &self,
        event: RotationEvent,
        until: Instant,
        report: &mut Report,
    ) -> Result<Outcome, Error> {
        let step = event.step;
        let new_password = within(
            until,
            "waiting for a random password (GetRandomPassword)",
            self.new_password(step),
        );
        // A refusal does not wait for a password that it does not need.
        let (rotation, new_password) =
            tokio::try_join!(Rotation::begin(self, event, until), async {
                Ok(new_password.await)
            })?;
        let Some(rotation) = rotation else {
            return Ok(Outcome::AlreadyCurrent);
        };
        report.rotation(&rotation);
        match step {
            Step::CreateSecret => create_secret::create_secret(&rotation, new_password).await,
            Step::SetSecret => Box::pin(set_secret::set_secret(&rotation)).await,
            Step::TestSecret => test_secret::test_secret(&rotation).await,
            Step::FinishSecret => finish_secret::finish_secret(&rotation).await,
        }
    }

    /// The labels, the current and the pending value, all at once.
    async fn read(
        &self,
        event: &RotationEvent,
        until: Instant,
    ) -> (
        Result<SecretVersions, Error>,
        Result<Option<(VersionId, Value)>, Error>,
        Result<Option<Value>, Error>,
    ) {
        let (secret, pending) = (&event.secret_id, StagingLabel::Pending);
        tokio::join!(
            within(
                until,
                "waiting for the labels (DescribeSecret)",
                self.store.versions(secret)
            ),
            within(
                until,
                "waiting for AWSCURRENT (GetSecretValue)",
                self.store.current(secret)
            ),
            within(
                until,
                "waiting for AWSPENDING (GetSecretValue)",
                self.store.labelled(secret, pending, Some(&event.version))
            ),
        )
    }

    /// Asked for before it is known to be needed: it takes no longer than what it waits with.
    async fn new_password(&self, step: Step) -> Result<Option<Password>, StoreError> {
        match step {
            Step::CreateSecret => self
                .store
                .random_password(&self.config.policy)
                .await
                .map(Some),
            Step::SetSecret | Step::TestSecret | Step::FinishSecret => Ok(None),
        }
    }
}

impl<'a> Rotation<'a> {
    /// Reads what the step works on; `None` where the rotation is over already.
    async fn begin(
        rotator: &'a Rotator,
        event: RotationEvent,
        until: Instant,
    ) -> Result<Option<Self>, Error> {
        let read = Instant::now();
        let (versions, current, pending) = Box::pin(rotator.read(&event, until)).await;
        let versions = versions?;
        if versions.admit(&event.version)? == Admission::AlreadyCurrent {
            return Ok(None);
        }
        let (current_version, current) = current?.unzip();
        if current_version.as_ref() == Some(&event.version) {
            // Another call has finished it since the labels were read.
            return Ok(None);
        }
        // What was current a moment ago names, with alternating users, the role that is in use by now.
        if current_version.is_some()
            && current_version.as_ref() != versions.version_with(StagingLabel::Current)
        {
            return Err(StoreError::Stale(event.secret_id).into());
        }
        let current = SecretDocument::read(StagingLabel::Current, current)?;
        let pending = pending?
            .map(|value| SecretDocument::parse(StagingLabel::Pending, value))
            .transpose()?;
        let strategy = Strategy::of(&current)?;
        Ok(Some(Self {
            config: &rotator.config,
            store: &rotator.store,
            instances: &rotator.instances,
            event,
            versions,
            strategy,
            current,
            pending,
            read,
            until,
        }))
    }

    /// The pending value, which must be there and belong to this rotation (the confused deputy: whoever can write a
    /// secret could turn the function against another database).
    fn pending(&self) -> Result<&SecretDocument, Error> {
        let Some(pending) = &self.pending else {
            return Err(SecretDocument::missing(StagingLabel::Pending).into());
        };
        self.strategy
            .check_target(self.event.step, &self.current.login, &pending.login)?;
        Ok(pending)
    }

    /// What opens sessions, until `until` at the latest.
    fn connector(&self, until: Instant) -> Connector<'_> {
        let hushed = [Some(&self.current), self.pending.as_ref(), None];
        Connector {
            roots: &self.config.roots,
            transport: self.config.transport,
            hushed: hushed.map(|document| document.map(|d| &d.login.credentials.password)),
            until: until.min(self.until),
        }
    }

    fn version(&self) -> &VersionId {
        &self.event.version
    }
}

/// A login whose password the database does not take, by the name of the version that it is from.
fn refused(version: &str, login: &Login) -> Error {
    Error::NoWorkingCredential {
        target: login.to_string(),
        tried: format!("{version}: password refused"),
    }
}

/// Says that a login is about to go over the network in clear text.
fn warn_of_clear_text(login: &Login) {
    if login.endpoint.tls == TlsMode::Disabled {
        tracing::warn!(host = %login.endpoint, "the secret turns TLS off: this session is not encrypted");
    }
}

/// Waits for a call to AWS until `until`.
async fn within<T>(
    until: Instant,
    phase: &'static str,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Error> {
    let begun = Instant::now();
    let late = |_| StoreError::Late {
        phase,
        after: begun.elapsed(),
    };
    Ok(timeout_at(until, call).await.map_err(late).flatten()?)
}

/// What is kept of an invocation's time to close sessions and answer: Lambda's own "Task timed out" says nothing.
const RESERVE: Duration = Duration::from_millis(500);
