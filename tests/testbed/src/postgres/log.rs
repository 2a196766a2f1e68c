//! What the server's log says of those who came.

use super::Postgres;
use crate::error::Result;

/// A place in a log; what comes after it is what a test caused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(u64);

/// A session that was let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    pid: u32,
    /// Who.
    pub role: String,
    /// What the client called itself.
    pub application_name: String,
    /// `TLSv1.3`; none for clear text.
    pub tls: Option<String>,
    /// Whether it has ended.
    pub ended: bool,
}

/// A statement, where `log_statement` lets it be logged (the testbed's default).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Who.
    pub role: String,
    /// The text.
    pub sql: String,
}

impl Postgres {
    /// Where the log ends now.
    pub fn mark(&self) -> Mark {
        Mark(self.cluster.server.lock().output().length())
    }

    /// Empties the log: a long search would drown in it. Marks made before are worthless from now on.
    pub fn forget(&self) {
        self.cluster.server.lock().output().forget();
    }

    /// The log from `mark` on.
    pub fn log_since(&self, mark: Mark) -> String {
        self.cluster.server.lock().output().since(mark.0)
    }

    /// The sessions over TCP since `mark`, the testbed's own left out.
    pub fn visitors(&self, since: Mark) -> Vec<Connection> {
        self.visits(since).0
    }

    /// Those that a role had.
    pub fn connections(&self, role: &str, since: Mark) -> Vec<Connection> {
        let mut all = self.visitors(since);
        all.retain(|connection| connection.role == role);
        all
    }

    /// With which SQLSTATEs a role was turned away since `mark`, the testbed's own attempts left out.
    pub fn refusals(&self, role: &str, since: Mark) -> Vec<String> {
        let refusals = self.visits(since).1.into_iter();
        let of_role = refusals.filter(|(refused, _)| refused == role);
        of_role.map(|(_, code)| code).collect()
    }

    /// The statements that a role sent over TCP since `mark`, in order, the testbed's own left out.
    pub fn statements(&self, role: &str, since: Mark) -> Vec<Statement> {
        let mut all = self.foreign_statements(since);
        all.retain(|statement| statement.role == role);
        all
    }

    /// The same of everybody.
    pub fn foreign_statements(&self, since: Mark) -> Vec<Statement> {
        let log = self.log_since(since);
        foreign(&log).filter_map(Entry::statement).collect()
    }

    /// What `pg_stat_statements` remembers, of everybody.
    pub async fn stat_statements(&self) -> Result<Vec<String>> {
        let rows = self.admin("SELECT query FROM pg_stat_statements").await?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// Who was let in over TCP; and who wasn't, with the SQLSTATE.
    fn visits(&self, since: Mark) -> (Vec<Connection>, Vec<(String, String)>) {
        let log = self.log_since(since);
        let mut inside: Vec<Connection> = Vec::new();
        let mut refusals = Vec::new();
        for entry in foreign(&log) {
            let mut sessions = inside.iter_mut().rev();
            let session = sessions.find(|one| one.pid == entry.pid && !one.ended);
            if let Some(text) = entry.message.strip_prefix("connection authorized: ") {
                inside.push(Connection {
                    pid: entry.pid,
                    role: entry.role.to_owned(),
                    ..session_of(text)
                });
            } else if let Some(session) = session {
                session.ended = entry.message.starts_with("disconnection: ");
            } else if entry.severity == "FATAL" {
                refusals.push((entry.role.to_owned(), entry.code.to_owned()));
            }
        }
        (inside, refusals)
    }
}

/// `user=app database=postgres application_name=x SSL enabled (protocol=TLSv1.3, cipher=…, bits=256)`
fn session_of(text: &str) -> Connection {
    let (text, tls) = match text.split_once(" SSL enabled (protocol=") {
        Some((text, tls)) => (text, tls.split(',').next().map(str::to_owned)),
        None => (text, None),
    };
    let (_, application_name) = text.split_once(" application_name=").unwrap_or_default();
    Connection {
        application_name: application_name.to_owned(),
        tls,
        ..Connection::default()
    }
}

/// One message of the log.
struct Entry<'a> {
    pid: u32,
    code: &'a str,
    host: &'a str,
    role: &'a str,
    severity: &'a str,
    message: String,
}

/// The messages about those who came through a gate.
fn foreign(log: &str) -> impl Iterator<Item = Entry<'_>> {
    entries(log).filter(|entry| entry.host == "127.0.0.1")
}

/// The log's messages, each with its continuation lines, which begin with a tab.
fn entries(log: &str) -> impl Iterator<Item = Entry<'_>> {
    let mut lines = log.lines().peekable();
    std::iter::from_fn(move || {
        loop {
            let Some(mut entry) = Entry::of(lines.next()?) else {
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
    /// `2026-01-01 00:00:00.000 UTC [1] 00000 host=… db=… user=… LOG:  message`, as `log_line_prefix` has it.
    fn of(line: &'a str) -> Option<Self> {
        let (_, rest) = line.split_once(" [")?;
        let (pid, rest) = rest.split_once("] ")?;
        let (code, rest) = rest.split_once(" host=")?;
        let (host, rest) = rest.split_once(" db=")?;
        let (_, rest) = rest.split_once(" user=")?;
        let (head, message) = rest.split_once(":  ")?;
        let (role, severity) = head.rsplit_once(' ')?;
        Some(Self {
            pid: pid.parse().ok()?,
            code,
            host,
            role,
            severity,
            message: message.to_owned(),
        })
    }

    fn statement(self) -> Option<Statement> {
        let (kind, sql) = self.message.split_once(": ")?;
        let said = kind == "statement" || kind.starts_with("execute ");
        said.then(|| Statement {
            role: self.role.to_owned(),
            sql: sql.to_owned(),
        })
    }
}
