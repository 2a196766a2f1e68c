//! What must hold after every event, found out by logging in.

use std::fmt;

use super::service::Service;
use super::statements;

/// The promise's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invariant {
    /// Alternating users: `AWSCURRENT` logs in.
    I1,
    /// A single user: the database's password is the value of some version, and `AWSCURRENT`'s but between change and move.
    I2,
    /// Once nothing is in the way, the rotation completes.
    I3,
    /// Nobody else's role is changed, nothing else is run.
    I4,
    /// Labels are as AWS's guide has them; nothing unusable is promoted.
    I5,
    /// Nothing secret shows; no failure is silent, or blames another cause.
    I6,
    /// None of them: the testbed itself failed, which proves nothing.
    Testbed,
}

/// An invariant that did not hold.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) invariant: Invariant,
    pub(super) what: String,
    trace: Vec<String>,
}

impl Broken {
    pub(super) fn new(invariant: Invariant, what: impl Into<String>) -> Self {
        let what = what.into();
        let trace = Vec::new();
        Self {
            invariant,
            what,
            trace,
        }
    }

    pub(super) fn with(self, trace: Vec<String>) -> Self {
        Self { trace, ..self }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} does not hold: {}", self.invariant, self.what)?;
        self.trace
            .iter()
            .try_for_each(|line| write!(f, "\n    {line}"))
    }
}

pub(super) fn holds(
    truth: bool,
    invariant: Invariant,
    what: impl FnOnce() -> String,
) -> Result<(), Broken> {
    if truth {
        Ok(())
    } else {
        Err(Broken::new(invariant, what()))
    }
}

impl Service<'_> {
    /// After every event.
    pub(super) async fn check(&mut self) -> Result<(), Broken> {
        let current = self.check_labels().await?;
        self.check_bystanders().await?;
        self.check_logins(&current).await?;
        if self.former.insert(current) {
            // Of what was to become current before, nobody may tell the database any more.
            let under_way = self.rotation.as_ref().map(|(token, _)| token);
            self.maybe_set.retain(|version| Some(version) == under_way);
        }
        Ok(())
    }

    /// At the end of a schedule.
    pub(super) async fn check_all(&mut self) -> Result<(), Broken> {
        let scene = &self.scene;
        let role = &scene.world.role;
        let superuser = &scene.superuser_role;
        for statement in scene.world.postgres.foreign_statements(scene.world.began) {
            let neighbours = statement.role == scene.neighbour.role;
            let allowed = neighbours || statements::is_allowed(&statement, role, superuser);
            holds(allowed, Invariant::I4, || {
                format!(
                    "{} ran {}",
                    statement.role,
                    statements::shape(&statement.sql, role)
                )
            })?;
        }
        let mut sessions = scene.world.postgres.visitors(scene.world.began);
        sessions.retain(|session| session.application_name == "db-rotation");
        let over_tls = sessions.iter().filter(|session| session.tls.is_some());
        let over_tls = over_tls.count();
        let all = sessions.len();
        // The last rotation had some.
        holds(all > 0 && over_tls == all, Invariant::I6, || {
            format!("{over_tls} of {all} sessions were over TLS")
        })?;
        let neighbour = scene.is_neighbour_used.then_some(&scene.neighbour);
        for world in [Some(&scene.world), neighbour].into_iter().flatten() {
            let found = world.secrecy().await;
            holds(found.is_ok(), Invariant::I6, || places(&found))?;
        }
        Ok(())
    }

    /// The version that a rotation was to make is there, and nothing is left of the rotation.
    pub(super) async fn check_rotated(&mut self) -> Result<(), Broken> {
        let current = self.check_labels().await?;
        holds(current == self.newest(), Invariant::I3, || {
            "AWSCURRENT is not the new version".to_owned()
        })?;
        let labels = self.scene.world.labels().await.unwrap();
        let pending = labels.values().any(|labels| labels.contains("AWSPENDING"));
        holds(!pending, Invariant::I3, || {
            "AWSPENDING is left over".to_owned()
        })?;
        let works = self.unseen.contains(&current) || self.logs_in(&current).await;
        holds(works, Invariant::I3, || {
            "the new AWSCURRENT does not log in".to_owned()
        })
    }

    /// Each label on one version at most, `AWSCURRENT` on one that has a value; that one.
    async fn check_labels(&mut self) -> Result<String, Broken> {
        let labels = self.scene.world.labels().await.unwrap();
        let with = |label: &str| {
            let holders = labels.iter().filter(|(_, all)| all.contains(label));
            holders
                .map(|(version, _)| version.clone())
                .collect::<Vec<_>>()
        };
        let current = with("AWSCURRENT");
        let previous = with("AWSPREVIOUS");
        let sound = current.len() == 1
            && previous.len() <= 1
            && with("AWSPENDING").len() <= 1
            && current != previous;
        holds(sound, Invariant::I5, || {
            format!("the labels are {labels:?}")
        })?;
        for version in labels.keys() {
            if !self.versions.contains(version) {
                // Before those of this rotation, which are noted when they are staged.
                self.versions.insert(0, version.clone());
            }
        }
        let valued = self.value(&current[0]).await.is_some();
        holds(valued, Invariant::I5, || {
            "AWSCURRENT has no value".to_owned()
        })?;
        Ok(current[0].clone())
    }

    async fn check_bystanders(&mut self) -> Result<(), Broken> {
        let own = self.scene.own_roles();
        let quoted: Vec<_> = own.iter().map(|role| format!("'{role}'")).collect();
        let neighbour = self.scene.neighbour.role.clone();
        let look = LOOK
            .replace("$own", &quoted.join(", "))
            .replace("$clone", quoted.last().unwrap())
            .replace("$superuser", &format!("'{}'", self.scene.superuser_role))
            .replace("$neighbour", &format!("'{neighbour}'"));
        let mut bystanders = Vec::new();
        for row in self.scene.admin(&look).await {
            let [kind, name, state] = &row[..] else {
                continue;
            };
            if kind == "own" {
                self.scene.world.keep_verifier(state);
            } else {
                bystanders.push(format!("{kind} {name} {state}"));
            }
        }
        let before = self.bystanders.get_or_insert_with(|| bystanders.clone());
        let changed = before.iter().chain(&bystanders);
        let changed: Vec<_> = changed
            .filter(|one| !(before.contains(one) && bystanders.contains(one)))
            .cloned()
            .collect();
        holds(changed.is_empty(), Invariant::I4, || {
            format!("changed: {changed:?}")
        })
    }

    async fn check_logins(&mut self, current: &str) -> Result<(), Broken> {
        if self.logs_in(current).await {
            return Ok(());
        }
        holds(self.is_single(), Invariant::I1, || {
            "AWSCURRENT does not log in".to_owned()
        })?;
        for version in self.versions.clone().iter().rev() {
            if self.logs_in(version).await {
                let between = self.maybe_set.contains(version) && !self.former.contains(version)
                    || self.unseen.contains(current);
                return holds(between, Invariant::I2, || {
                    "AWSCURRENT does not log in, and no change is under way".to_owned()
                });
            }
        }
        Err(Broken::new(
            Invariant::I2,
            "the password is lost: no version of the secret logs in",
        ))
    }

    /// Logs in as a version says, for real; again only where the role has changed since.
    pub(super) async fn logs_in(&mut self, version: &str) -> bool {
        let Some((role, password)) = self.value(version).await else {
            return false;
        };
        let state = format!("SELECT md5(a::text) FROM pg_authid a WHERE rolname = '{role}'");
        let state = self.scene.admin(&state).await;
        let state = state.first().map(|row| row.concat());
        let question = (role.clone(), password.clone(), state);
        if let Some(answer) = self.logins.get(&question) {
            return *answer;
        }
        let postgres = &self.scene.world.postgres;
        let login = postgres.login(&role, &password, "postgres").await;
        if let Err(refused) = &login {
            assert!(refused.code.is_some(), "nobody can log in: {refused}");
        }
        self.logins.insert(question, login.is_ok());
        login.is_ok()
    }

    pub(super) async fn holder(&self, label: &str) -> Option<String> {
        self.scene.world.version(label).await.unwrap()
    }

    pub(super) async fn value(&mut self, version: &str) -> Option<(String, String)> {
        if !self.values.contains_key(version) {
            let world = &self.scene.world;
            let text = world.secrets.value(&world.secret, version).await.unwrap()?;
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            let of = |key: &str| value[key].as_str().unwrap().to_owned();
            self.values
                .insert(version.to_owned(), (of("username"), of("password")));
        }
        self.values.get(version).cloned()
    }
}

/// What shows where, without the line in which it does.
fn places(found: &testbed::Result<()>) -> String {
    let found = found.as_ref().err().map(ToString::to_string);
    let lines = found.iter().flat_map(|found| found.lines());
    let places = lines.filter_map(|line| line.split_once(": ").map(|(place, _)| place));
    places
        .filter(|place| place.contains(" shows in "))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Every role, membership and setting; the secret's own roles apart, their changes being what a rotation is. Who makes the
/// clone becomes a member of it by that (`PostgreSQL` 16).
const LOOK: &str = "SELECT 'own', rolname, rolpassword FROM pg_authid WHERE rolname IN ($own) \
    UNION ALL SELECT 'role', rolname, md5(a::text) FROM pg_authid a WHERE rolname NOT IN ($own, $neighbour) \
    UNION ALL SELECT 'member', g.rolname || ' ' || r.rolname, md5(m::text) FROM pg_auth_members m \
      JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member \
      WHERE NOT (g.rolname IN ($own) AND r.rolname IN ($own)) AND NOT (g.rolname = $clone AND r.rolname = $superuser) \
    UNION ALL SELECT 'setting', setrole::text, md5(s::text) FROM pg_db_role_setting s \
      WHERE setrole NOT IN (SELECT oid FROM pg_roles WHERE rolname IN ($own, $neighbour)) ORDER BY 1, 2";
