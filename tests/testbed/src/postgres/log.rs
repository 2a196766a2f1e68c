//! What the server's log says of those who came.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::Postgres;
use crate::error::Result;

/// A place in a log; what comes after it is what a test caused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(usize);

/// A session that was let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The server's process.
    pub pid: u32,
    /// Who.
    pub role: String,
    /// Where to.
    pub database: String,
    /// What the client called itself.
    pub application_name: String,
    /// `TLSv1.3`; none for clear text.
    pub tls: Option<String>,
    /// Whether it has ended.
    pub ended: bool,
}

/// A session that wasn't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who.
    pub role: String,
    /// SQLSTATE: `28P01` for a wrong password.
    pub code: String,
    /// What the server wrote.
    pub message: String,
}

/// A statement, where `log_statement` lets it be logged (the testbed's default).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The server's process.
    pub pid: u32,
    /// Who.
    pub role: String,
    /// The text.
    pub sql: String,
}

impl Postgres {
    /// Where the log ends now.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark(self.log().len())
    }

    /// Empties the log: a long search would drown in it. Marks made before are worthless from now on.
    pub fn forget(&self) {
        self.leash().forget();
        self.cluster
            .own_logins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// How long the log is, in bytes.
    pub(super) fn written(&self) -> usize {
        self.leash().written()
    }

    /// The whole log.
    #[must_use]
    pub fn log(&self) -> String {
        self.leash().log()
    }

    /// The log from `mark` on.
    #[must_use]
    pub fn log_since(&self, mark: Mark) -> String {
        let mut log = self.log();
        log.split_off(mark.0.min(log.len()))
    }

    /// The sessions over TCP since `mark`, the testbed's own left out.
    #[must_use]
    pub fn visitors(&self, since: Mark) -> Vec<Connection> {
        self.visits(since).0
    }

    /// Those that a role had.
    #[must_use]
    pub fn connections(&self, role: &str, since: Mark) -> Vec<Connection> {
        let mut all = self.visitors(since);
        all.retain(|connection| connection.role == role);
        all
    }

    /// How often a role was turned away since `mark`, the testbed's own attempts left out.
    #[must_use]
    pub fn refusals(&self, role: &str, since: Mark) -> Vec<Refusal> {
        let mut all = self.visits(since).1;
        all.retain(|refusal| refusal.role == role);
        all
    }

    /// The statements that a role sent over TCP since `mark`, in order, the testbed's own left out.
    #[must_use]
    pub fn statements(&self, role: &str, since: Mark) -> Vec<Statement> {
        let visitors: BTreeSet<u32> = self
            .connections(role, since)
            .iter()
            .map(|one| one.pid)
            .collect();
        let log = self.log_since(since);
        entries(&log)
            .filter(|entry| visitors.contains(&entry.pid))
            .filter_map(Entry::statement)
            .collect()
    }

    /// The statements of all sessions since `mark` that don't call themselves the testbed's, in order.
    #[must_use]
    pub fn foreign_statements(&self, since: Mark) -> Vec<Statement> {
        let log = self.log_since(since);
        entries(&log)
            .filter(|entry| entry.application != super::client::APPLICATION)
            .filter_map(Entry::statement)
            .collect()
    }

    /// What `pg_stat_statements` remembers, of everybody.
    ///
    /// # Errors
    /// It isn't loaded.
    pub async fn stat_statements(&self) -> Result<Vec<String>> {
        let rows = self.admin("SELECT query FROM pg_stat_statements").await?;
        Ok(rows
            .iter()
            .map(|row| row.text("query").unwrap_or_default().to_owned())
            .collect())
    }

    /// Who was let in and who wasn't, over TCP, by the pid that received them.
    fn visits(&self, since: Mark) -> (Vec<Connection>, Vec<Refusal>) {
        let own: Vec<_> = self
            .cluster
            .own_logins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|(_, login)| login.end > since.0)
            .cloned()
            .collect();
        let log = self.log_since(since);
        let mut visitors: Vec<Connection> = Vec::new();
        let (mut inside, mut refusals) = (Vec::new(), Vec::new());
        for entry in entries(&log) {
            if let Some(from) = entry.message.strip_prefix("connection received: host=") {
                let port = from
                    .rsplit("port=")
                    .next()
                    .and_then(|port| port.parse().ok());
                let at = since.0 + entry.at;
                let is_own = own
                    .iter()
                    .any(|(of, login)| port == Some(*of) && login.contains(&at));
                if port.is_some() && !is_own {
                    visitors.push(Connection {
                        pid: entry.pid,
                        ..Connection::default()
                    });
                }
                continue;
            }
            let Some(at) = visitors.iter().rposition(|one| one.pid == entry.pid) else {
                note_end(&mut inside, &entry);
                continue;
            };
            if let Some(session) = entry.message.strip_prefix("connection authorized: ") {
                let pid = visitors.remove(at).pid;
                inside.push(Connection {
                    pid,
                    role: entry.role.to_owned(),
                    ..session_of(session)
                });
            } else if entry.severity == "FATAL" {
                visitors.remove(at);
                let (code, message) = (entry.code.to_owned(), entry.message);
                refusals.push(Refusal {
                    role: entry.role.to_owned(),
                    code,
                    message,
                });
            }
        }
        (inside, refusals)
    }
}

fn note_end(inside: &mut [Connection], entry: &Entry<'_>) {
    let connection = inside.iter_mut().rev().find(|one| one.pid == entry.pid);
    if let Some(connection) = connection.filter(|_| entry.message.starts_with("disconnection: ")) {
        connection.ended = true;
    }
}

/// `user=app database=postgres application_name=x SSL enabled (protocol=TLSv1.3, cipher=…, bits=256)`
fn session_of(text: &str) -> Connection {
    let (text, tls) = match text.split_once(" SSL enabled (protocol=") {
        Some((text, tls)) => (text, tls.split(',').next().map(str::to_owned)),
        None => (text, None),
    };
    let (text, application_name) = text.split_once(" application_name=").unwrap_or((text, ""));
    let database = text
        .rsplit_once(" database=")
        .map_or("", |(_, database)| database);
    Connection {
        database: database.to_owned(),
        application_name: application_name.to_owned(),
        tls,
        ..Connection::default()
    }
}

/// One message of the log.
struct Entry<'a> {
    /// Where in the log it begins.
    at: usize,
    pid: u32,
    code: &'a str,
    application: &'a str,
    role: &'a str,
    severity: &'a str,
    message: String,
}

/// The log's messages, each with its continuation lines, which begin with a tab.
fn entries(log: &str) -> impl Iterator<Item = Entry<'_>> {
    let mut lines = log.lines().peekable();
    std::iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            let at = line.as_ptr().addr() - log.as_ptr().addr();
            let Some(mut entry) = Entry::of(at, line) else {
                continue;
            };
            while let Some(more) = lines.next_if(|line| line.starts_with('\t')) {
                entry.message.push('\n');
                entry.message.push_str(more.trim_start_matches('\t'));
            }
            return Some(entry);
        }
    })
}

impl<'a> Entry<'a> {
    /// `2026-01-01 00:00:00.000 UTC [1] 00000 app=… db=… user=… LOG:  message`, as `log_line_prefix` has it.
    fn of(at: usize, line: &'a str) -> Option<Self> {
        let (_, rest) = line.split_once(" [")?;
        let (pid, rest) = rest.split_once("] ")?;
        let (code, rest) = rest.split_once(" app=")?;
        let (application, rest) = rest.split_once(" db=")?;
        let (_, rest) = rest.split_once(" user=")?;
        let (head, message) = rest.split_once(":  ")?;
        let (role, severity) = head.rsplit_once(' ')?;
        Some(Self {
            at,
            pid: pid.parse().ok()?,
            code,
            application,
            role,
            severity,
            message: message.to_owned(),
        })
    }

    fn statement(self) -> Option<Statement> {
        let (kind, sql) = self.message.split_once(": ")?;
        let said = kind == "statement" || kind.starts_with("execute ");
        said.then(|| Statement {
            pid: self.pid,
            role: self.role.to_owned(),
            sql: sql.to_owned(),
        })
    }
}
