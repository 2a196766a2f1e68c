//! What the database says: the login, the server, and the change itself, rolled back.

mod pair;

use std::time::Duration;

use super::given::Given;
use super::network;
use super::report::{Check, Report};
use crate::error::{Error, Kind};
use crate::login::{Login, Pair};
use crate::postgres::{DatabaseError, Failure, Level, Server, Session};
use crate::rotation::{Found, Search, Strategy, Subject, expect_role};

/// Goes the way that setSecret goes.
pub(super) async fn check(report: &mut Report, given: &Given<'_>) {
    let subject = &given.subject;
    let endpoint = &subject.current.login.endpoint;
    let is_reached = network::check(report, &subject.connector(), endpoint).await;
    match &subject.strategy {
        Strategy::SingleUser if is_reached => single_user(report, given).await,
        Strategy::SingleUser => {}
        Strategy::AlternatingUsers { pair, superuser } => {
            pair::check(report, given, pair, superuser, is_reached).await;
        }
    }
}

async fn single_user(report: &mut Report, given: &Given<'_>) {
    let Some(session) = search(report, given).await else {
        return;
    };
    let server = check_server(report, &session, false).await;
    let is_replica = server.is_some_and(|server| server.is_replica);
    if let Some(next) = given.next.as_ref().filter(|_| !is_replica) {
        let level = rehearse(&given.subject, &session, next, None).await;
        if report.pass(Check::Change, level).is_some() {
            report.ok(Check::Change, MADE);
        }
        session.roll_back().await.ok();
    }
    session.close().await;
}

/// The session that a rotation would change the password through.
async fn search(report: &mut Report, given: &Given<'_>) -> Option<Session> {
    let Given {
        subject,
        versions,
        stuck,
        ..
    } = given;
    let mut search = Search::new(subject, subject.connector(), versions);
    if let Some(stuck) = stuck {
        search = search.with_pending(stuck);
    }
    let (session, name) = match report.pass(Check::Login, search.find().await)? {
        Found::Current(session) => (session, None),
        Found::AlreadySet(session) => (session, Some("AWSPENDING".to_owned())),
        Found::Older(session, name) => (session, Some(name)),
    };
    let advice = "A rotation mends this; until then no application can log in";
    if let Some(name) = name {
        let refused = format!("AWSCURRENT is refused; {name} logs in");
        report.warning(Check::Login, refused, advice);
        return Some(session);
    }
    check_login(report, &subject.current.login, &session).await;
    Some(session)
}

/// Who logged in: testSecret would ask.
async fn check_login(report: &mut Report, login: &Login, session: &Session) {
    let identity = session.identity().await.map_err(Error::from);
    let identity = identity.and_then(|identity| expect_role(&identity, login));
    if report.pass(Check::Login, identity).is_none() {
        return;
    }
    if session.checks_passwords() {
        report.ok(Check::Login, format!("logged in to {login}"));
        return;
    }
    let found = format!("logged in to {login}, and was not asked for a password");
    let advice = "Use scram-sha-256 in place of trust in pg_hba.conf: anybody can log in";
    report.warning(Check::Login, found, advice);
}

/// What the server is; that it can't be asked keeps no rotation from succeeding.
async fn check_server(
    report: &mut Report,
    session: &Session,
    may_be_replica: bool,
) -> Option<Server> {
    let server = match session.server().await {
        Ok(server) => server,
        Err(error) => {
            let found = Error::from(error).explanation();
            let advice = "Nothing: a rotation does not ask";
            report.warning(Check::Server, found, advice);
            report.not_tried(
                Check::Pooler,
                "the server does not say which process answers",
            );
            return None;
        }
    };
    let Server {
        version,
        is_replica,
        password_encryption,
        is_behind_pooler,
    } = &server;
    let role = if *is_replica {
        "a replica"
    } else {
        "the writer"
    };
    let found =
        format!("PostgreSQL {version}, {role}; password_encryption is {password_encryption}");
    if *is_replica && !may_be_replica {
        let error = Error::new(Kind::DatabaseReadOnly, found);
        report.failure(Check::Server, &error);
    } else {
        report.ok(Check::Server, found);
    }
    if *is_behind_pooler {
        let found = "the server process that answers is not the one that accepted the login: a pooler or proxy stands in between";
        let advice = "If it has a list of passwords of its own, give the secret the database's own address as rotation_host (and rotation_port)";
        report.warning(Check::Pooler, found, advice);
    } else {
        report.ok(Check::Pooler, "no sign of a pooler");
    }
    Some(server)
}

/// Makes the change as setSecret would; to be rolled back.
async fn rehearse(
    subject: &Subject<'_>,
    session: &Session,
    next: &Login,
    pair: Option<&Pair>,
) -> Result<Level, DatabaseError> {
    let credentials = &next.credentials;
    let transport = subject.config().transport;
    loop {
        let change = session.begin_change(&credentials.role, pair).await?;
        match change.rehearse(credentials, transport).await {
            Err(DatabaseError {
                failure: Failure::Conflict(_),
                ..
            }) if subject.deadline.pause(PAUSE).await => session.roll_back().await?,
            made => return made,
        }
    }
}

const MADE: &str = "the server takes it; rolled back";
/// Between two tries at a change that met another.
const PAUSE: Duration = Duration::from_millis(200);
