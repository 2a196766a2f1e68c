//! What a step works on: its subject, the labels that were read, and the pending value.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::Rotator;
use super::step_ended::Target;
use super::subject::Subject;
use crate::aws::{AwsError, SecretsManager};
use crate::deadline::Deadline;
use crate::error::{Error, Kind};
use crate::login::Login;
use crate::postgres::Connector;
use crate::request::{RotationRequest, Step};
use crate::secret::{
    Admission, SecretDocument, SecretId, SecretValue, SecretVersions, StagingLabel, VersionId,
};

/// One step that may go on, and all that it works on.
pub(super) struct Context<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) request: &'a RotationRequest,
    pub(super) versions: SecretVersions,
    /// The pending value; [`Context::pending`] gives one that must be there and belong to this rotation.
    pub(super) unchecked_pending: Option<SecretDocument>,
    last_login: &'a LastLogin,
}

/// What labels and values together let a step do.
pub(super) enum Admitted<'a> {
    /// The version is `AWSCURRENT`: the rotation is over.
    AlreadyCurrent,
    /// The version is pending.
    Step(Box<Context<'a>>),
}

/// The version that this process has last seen log in.
#[derive(Debug, Default)]
pub(crate) struct LastLogin(Mutex<Option<(SecretId, VersionId, Instant)>>);

/// Reads labels and values, all at once, and says whether the step may go on.
///
/// Secrets Manager's reads lag behind its writes now and then: what contradicts itself, or is not there where it must be, is
/// read again for a while before it is an error.
///
/// # Errors
/// [`Error`]; nothing was touched.
pub(super) async fn admit<'a>(
    rotator: Rotator<'a>,
    request: &'a RotationRequest,
    deadline: Deadline,
) -> Result<Admitted<'a>, Error> {
    let secrets_manager = rotator.aws.secrets_manager(deadline);
    let patience = deadline.within(STALE);
    let (versions, current, pending) = loop {
        match Look::at(&secrets_manager, request).await.judge(request)? {
            Finding::AlreadyCurrent => return Ok(Admitted::AlreadyCurrent),
            Finding::Staged(versions, current, pending) => break (versions, current, pending),
            Finding::Doubtful(error) if !patience.pause(PAUSE).await => return Err(error),
            Finding::Doubtful(_) => {}
        }
    };
    let current = SecretDocument::parse(StagingLabel::Current, current)?;
    if let Some(key) = current.unknown_tls {
        tracing::warn!(key, "not a known TLS mode: verify-full is used");
    }
    let pending = pending.map(|value| SecretDocument::parse(StagingLabel::Pending, value));
    Ok(Admitted::Step(Box::new(Context {
        subject: Subject::new(rotator, &request.secret_id, current, deadline)?,
        request,
        versions,
        unchecked_pending: pending.transpose()?,
        last_login: rotator.last_login,
    })))
}

impl<'a> Context<'a> {
    /// The pending value, which must be there and belong to this rotation (the confused deputy: whoever can write a
    /// secret could turn the function against another database).
    pub(super) fn pending(&self) -> Result<&SecretDocument, Error> {
        let Some(pending) = &self.unchecked_pending else {
            return Err(SecretDocument::missing(StagingLabel::Pending).into());
        };
        let Subject {
            strategy, current, ..
        } = &self.subject;
        strategy.check_target(self.request.step, &current.login, &pending.login)?;
        Ok(pending)
    }

    /// What opens sessions, which tell neither of the rotation's passwords.
    pub(super) fn connector(&self) -> Connector<'a> {
        let connector = self.subject.connector();
        match &self.unchecked_pending {
            Some(pending) => connector.redacting(&pending.login.credentials.password),
            None => connector,
        }
    }

    /// Whether the rotation was finished meanwhile. Reads the labels once more, and which version is current; where the two
    /// disagree one of them is out of date, and both are read again for a while.
    ///
    /// # Errors
    /// It was cancelled or replaced meanwhile, or another version became current.
    pub(super) async fn is_finished(&self) -> Result<bool, Error> {
        let Subject {
            secret_id: secret,
            secrets_manager,
            deadline,
            ..
        } = &self.subject;
        let patience = deadline.within(STALE);
        loop {
            let (versions, current) = tokio::try_join!(
                secrets_manager.versions(secret),
                secrets_manager.current(secret)
            )?;
            if versions.admit(&self.request.version)? == Admission::AlreadyCurrent {
                return Ok(true);
            }
            let current = current.map(|(version, _)| version);
            if current.as_ref() == self.versions.version_with(StagingLabel::Current) {
                return Ok(false);
            }
            if !patience.pause(PAUSE).await {
                return Err(contradictory(secret));
            }
        }
    }

    /// Says that a login is about to go over the network with less than verified TLS.
    pub(super) fn warn_of_weak_tls(login: &Login) {
        let host = &login.endpoint;
        if let Some(weakness) = host.tls.weakness() {
            tracing::warn!(%host, "{weakness}");
        }
    }

    /// Remembers that this version's login was seen to work.
    pub(super) fn note_login(&self) {
        let RotationRequest {
            secret_id, version, ..
        } = self.request;
        if let Ok(mut last) = self.last_login.0.lock() {
            *last = Some((secret_id.clone(), version.clone(), Instant::now()));
        }
    }

    /// Whether this process has itself seen this version log in a moment ago.
    pub(super) fn has_logged_in(&self) -> bool {
        let is_this = |(secret, version, when): &(SecretId, VersionId, Instant)| {
            *secret == self.request.secret_id
                && *version == self.request.version
                && when.elapsed() < RECENT
        };
        let last = self.last_login.0.lock();
        last.is_ok_and(|last| last.as_ref().is_some_and(is_this))
    }

    /// Whom and what the step is about, for the log.
    pub(super) fn target(&self) -> Target {
        let subject = &self.subject;
        let pending = self.unchecked_pending.as_ref();
        let pending = pending.unwrap_or(&subject.current);
        let Login {
            endpoint,
            credentials,
        } = &pending.login;
        Target {
            strategy: subject.strategy.as_str(),
            role: credentials.role.to_string(),
            host: endpoint.host.clone(),
        }
    }
}

/// What Secrets Manager says of a secret, at one time.
struct Look {
    versions: Result<SecretVersions, AwsError>,
    current: Result<Option<(VersionId, SecretValue)>, AwsError>,
    pending: Result<Option<SecretValue>, AwsError>,
}

/// What follows from a look.
enum Finding {
    /// The rotation is over.
    AlreadyCurrent,
    /// The labels, the current value, and the pending one if there is one.
    Staged(SecretVersions, SecretValue, Option<SecretValue>),
    /// Another look may find otherwise.
    Doubtful(Error),
}

impl Look {
    async fn at(secrets_manager: &SecretsManager, request: &RotationRequest) -> Self {
        let RotationRequest {
            secret_id, version, ..
        } = request;
        let (versions, current, pending) = tokio::join!(
            secrets_manager.versions(secret_id),
            secrets_manager.current(secret_id),
            secrets_manager.staged(secret_id, StagingLabel::Pending, version),
        );
        Self {
            versions,
            current,
            pending,
        }
    }

    fn judge(self, request: &RotationRequest) -> Result<Finding, Error> {
        let versions = self.versions?;
        match versions.admit(&request.version) {
            Ok(Admission::AlreadyCurrent) => return Ok(Finding::AlreadyCurrent),
            Ok(Admission::Proceed) => {}
            Err(error) if error.may_pass() => return Ok(Finding::Doubtful(error.into())),
            Err(error) => return Err(error.into()),
        }
        let Some((current, value)) = self.current? else {
            let missing = SecretDocument::missing(StagingLabel::Current);
            return Ok(Finding::Doubtful(missing.into()));
        };
        if current == request.version {
            // Another call has finished it since the labels were read.
            return Ok(Finding::AlreadyCurrent);
        }
        // What was current a moment ago names, with alternating users, the role that is in use by now.
        if Some(&current) != versions.version_with(StagingLabel::Current) {
            return Ok(Finding::Doubtful(contradictory(&request.secret_id)));
        }
        let pending = self.pending?;
        if pending.is_none() && request.step != Step::CreateSecret {
            let missing = SecretDocument::missing(StagingLabel::Pending);
            return Ok(Finding::Doubtful(missing.into()));
        }
        Ok(Finding::Staged(versions, value, pending))
    }
}

/// Says that two answers contradict each other.
pub(crate) fn contradictory(secret: &SecretId) -> Error {
    let problem = format!(
        "DescribeSecret and GetSecretValue disagree which version of {secret} is AWSCURRENT"
    );
    Error::new(Kind::AwsCallFailed, problem)
}

/// How long reads may lag behind writes before it is an error.
pub(crate) const STALE: Duration = Duration::from_secs(2);
/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);
/// How long a login that worked is taken for granted: from one step of a rotation to the next.
const RECENT: Duration = Duration::from_mins(5);
