//! Alternating users: the superuser, and the role whose turn it is.

use super::super::given::Given;
use super::super::report::{Check, Report};
use super::{MADE, check_login, check_server, rehearse};
use crate::error::{Error, Kind};
use crate::login::{Endpoint, Login, Pair};
use crate::postgres::{Connector, DatabaseError, Failure, Level, LoginOutcome, Session};
use crate::rotation::{Subject, superuser};
use crate::secret::{SecretDocument, SecretId, StagingLabel};

/// Goes the way that setSecret goes for `pair`; `is_reached` is whether the secret's own host was.
pub(in crate::check) async fn check(
    report: &mut Report,
    given: &Given<'_>,
    pair: &Pair,
    superuser_secret: &SecretId,
    is_reached: bool,
) {
    let subject = &given.subject;
    let own = &subject.current.login.endpoint;
    let superuser = superuser::read_login(subject, pair, superuser_secret).await;
    let superuser = report.pass(Check::SuperuserSecret, superuser);
    let is_elsewhere = superuser
        .as_ref()
        .is_some_and(|superuser| !superuser.endpoint.is_same_server(own));
    let mut connector = subject.connector();
    if let Some(superuser) = &superuser {
        report.ok(Check::SuperuserSecret, superuser.to_string());
        connector = connector.redacting(&superuser.credentials.password);
    }
    let session = match &superuser {
        Some(superuser) if is_reached || is_elsewhere => {
            let session = superuser::log_in(&connector, superuser).await;
            report.pass(Check::SuperuserLogin, session)
        }
        _ => None,
    };
    if is_reached {
        check_current(report, subject, &connector, session.as_ref(), is_elsewhere).await;
        check_next_login(report, given, &connector).await;
    }
    if let (Some(session), Some(superuser)) = (session, superuser) {
        report.ok(Check::SuperuserLogin, format!("logged in to {superuser}"));
        check_sessions(report, subject, pair, &session).await;
        if let Some(next) = &given.next {
            check_change(report, subject, pair, &session, next).await;
        }
        session.close().await;
    }
}

/// The credential in use: nothing is changed unless it logs in.
async fn check_current(
    report: &mut Report,
    subject: &Subject<'_>,
    connector: &Connector<'_>,
    superuser: Option<&Session>,
    may_be_replica: bool,
) {
    let in_use = match (
        superuser::log_in_current(subject, connector).await,
        superuser,
    ) {
        (Err(error), Some(superuser)) => Err(superuser::explain(subject, superuser, error).await),
        (in_use, _) => in_use,
    };
    let Some(session) = report.pass(Check::Login, in_use) else {
        return;
    };
    check_login(report, &subject.current.login, &session).await;
    check_server(report, &session, may_be_replica).await;
    session.close().await;
}

/// Sessions of the role whose turn it is: they can't log in again after the rotation.
async fn check_sessions(
    report: &mut Report,
    subject: &Subject<'_>,
    pair: &Pair,
    superuser: &Session,
) {
    let role = pair.other(&subject.current.login.credentials.role);
    let Some(usage) = superuser.usage_of(role).await else {
        report.ok(
            Check::Sessions,
            format!("{role} has no sessions that the superuser can see"),
        );
        return;
    };
    let error = superuser::in_use(role, &usage);
    if subject.config().refuse_while_in_use {
        report.failure(Check::Sessions, &error);
    } else {
        report.warning(Check::Sessions, error.explanation(), "Have these applications read the secret again, or end their sessions: after the rotation they cannot log in again");
    }
}

/// Whether the role whose turn it is gets as far as its password. Tried with the password that it had when it was last in
/// use, if that is known; else with one that is wrong.
async fn check_next_login(report: &mut Report, given: &Given<'_>, connector: &Connector<'_>) {
    let Some(next) = &given.next else {
        return;
    };
    let previous = previous(&given.subject, next).await;
    let login = previous.as_ref().unwrap_or(next);
    let connector = connector.clone().redacting(&login.credentials.password);
    match connector.log_in(login).await {
        LoginOutcome::In(session) => {
            session.close().await;
            report.ok(Check::NextLogin, format!("logged in to {login}"));
        }
        LoginOutcome::Unknown(DatabaseError { failure, .. }) if is_levelled(&failure) => {
            report.ok(
                Check::NextLogin,
                format!("{failure}; the password change repairs that"),
            );
        }
        LoginOutcome::Refused => report.ok(Check::NextLogin, "the server asks for its password"),
        LoginOutcome::Unknown(error) => report.failure(Check::NextLogin, &error.into()),
    }
}

/// Whether setSecret mends it, by making the clone level, or it is no more than a slow refusal.
const fn is_levelled(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::LoginNotAllowed(_)
            | Failure::ConnectDenied(_)
            | Failure::PasswordUnanswered { .. }
    )
}

/// The login of the value before, where it is the next role's.
async fn previous(subject: &Subject<'_>, next: &Login) -> Option<Login> {
    let label = StagingLabel::Previous;
    let value = subject
        .secrets_manager
        .labelled(subject.secret_id, label)
        .await;
    let login = SecretDocument::parse(label, value.ok()??).ok()?.login;
    let is_next = login.credentials.role == next.credentials.role;
    let Endpoint { database, tls, .. } = &next.endpoint;
    let endpoint = Endpoint {
        database: database.clone(),
        tls: *tls,
        ..login.endpoint.clone()
    };
    (is_next && login.endpoint.is_same_server(&next.endpoint))
        .then_some(Login { endpoint, ..login })
}

async fn check_change(
    report: &mut Report,
    subject: &Subject<'_>,
    pair: &Pair,
    superuser: &Session,
    next: &Login,
) {
    let level = rehearse(subject, superuser, next, Some(pair)).await;
    let role = &next.credentials.role;
    let obstacle = match &level {
        Ok(_) => superuser.obstacle_of(role).await,
        Err(_) => None,
    };
    superuser.roll_back().await.ok();
    let Some(Level { not_copied, owned }) = report.pass(Check::Change, level) else {
        return;
    };
    match obstacle {
        None => report.ok(Check::Change, MADE),
        Some(obstacle) => {
            let problem = format!("{next} could not log in after the change");
            let error = Error::new(Kind::NoWorkingCredential, problem);
            report.failure(
                Check::Change,
                &error.advising(superuser::advice(role, obstacle)),
            );
        }
    }
    let clone = pair.clone.quoted();
    let original = pair.original.quoted();
    match (not_copied, owned) {
        (None, None) => report.ok(Check::Clone, format!("{clone} will be as {original}")),
        (Some(names), _) => report.warning(
            Check::Clone,
            format!("the superuser may not copy from {original} to {clone}: {names}"),
            format!(
                "As an administrator, give {clone} the same attributes and settings as {original}"
            ),
        ),
        (None, Some(objects)) => report.warning(
            Check::Clone,
            format!(
                "{clone} owns {objects} objects in this database, which {original} cannot alter"
            ),
            format!(
                "As an administrator, in this database: REASSIGN OWNED BY {clone} TO {original}"
            ),
        ),
    }
}
