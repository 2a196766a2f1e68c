//! What may be so while a call is under way, made so and unmade.

use testbed::{Session, TestResult, Verifier, eventually};

use super::invariants::{Broken, Invariant};
use super::scene::Scene;
use super::schedule::{Condition, Users};

impl Scene {
    /// Makes it so.
    pub(super) async fn begin(&self, condition: Condition) -> Undo {
        match condition {
            Condition::ApiRefused => self.world.api.close(),
            Condition::DatabaseRefused => self.world.db.close(),
            Condition::Estranged => return self.estrange().await,
            Condition::Stranger => return self.estrange_clone().await,
            Condition::Locked => {
                let session = self.world.postgres.admin_session("postgres").await.unwrap();
                session.run("BEGIN").await.unwrap();
                let existing = self.existing_roles().await;
                for role in existing {
                    let lock = format!("ALTER ROLE \"{role}\" CONNECTION LIMIT -1");
                    session.run(&lock).await.unwrap();
                }
                return Undo::Unlock(session);
            }
            Condition::NoSlots => drop(
                self.admin("ALTER DATABASE postgres CONNECTION LIMIT 0")
                    .await,
            ),
            Condition::NotReady => self.follow_nobody(false).await.unwrap(),
            Condition::Recovering => self.follow_nobody(true).await.unwrap(),
            Condition::ReadOnly => drop(
                self.admin("ALTER DATABASE postgres SET default_transaction_read_only = on")
                    .await,
            ),
        }
        Undo::Nothing
    }

    /// Ends it.
    ///
    /// # Errors
    /// Somebody was touched who may not be.
    pub(super) async fn cease(&self, condition: Condition, undo: Undo) -> Result<(), Broken> {
        match condition {
            Condition::ApiRefused => self.world.api.open().await.unwrap(),
            Condition::DatabaseRefused => self.world.db.open().await.unwrap(),
            Condition::NoSlots => drop(
                self.admin("ALTER DATABASE postgres CONNECTION LIMIT -1")
                    .await,
            ),
            Condition::NotReady | Condition::Recovering => {
                self.lead().await.unwrap();
            }
            Condition::ReadOnly => drop(
                self.admin("ALTER DATABASE postgres RESET default_transaction_read_only")
                    .await,
            ),
            Condition::Estranged | Condition::Locked | Condition::Stranger => {}
        }
        if let Undo::Remove { stranger, state } = &undo {
            let now = self.state_of(stranger).await;
            self.admin(&format!("DROP ROLE \"{stranger}\"")).await;
            if now != *state {
                let what = "a stranger's role was changed for its name";
                return Err(Broken::new(Invariant::I4, what));
            }
        }
        if let Undo::Reconcile { role, mine, own } = undo
            && self.world.postgres.verifier(&role).await.unwrap() == Some(mine)
        {
            self.world.postgres.set_verifier(&role, &own).await.unwrap();
        }
        Ok(())
    }

    /// Restarts the server as a replica that follows nobody: read-only, or, unless `hot`, turning everybody away as
    /// during a start (57P03).
    async fn follow_nobody(&self, hot: bool) -> TestResult {
        let postgres = &self.world.postgres;
        let hot_standby = if hot { "on" } else { "off" };
        postgres.set("hot_standby", hot_standby).await?;
        postgres.stop().await?;
        std::fs::write(postgres.folder().join(SIGNAL), "")?;
        if hot {
            return Ok(postgres.start_again().await?);
        }
        postgres.start_unready().await?;
        eventually("the server to say no", async || {
            let login = postgres.login("postgres", "", "postgres").await.err();
            Ok(login.filter(|no| no.code.as_deref() == Some("57P03")))
        })
        .await?;
        Ok(())
    }

    /// Ends that: the server takes writes again.
    async fn lead(&self) -> TestResult {
        let postgres = &self.world.postgres;
        postgres.stop().await?;
        std::fs::remove_file(postgres.folder().join(SIGNAL))?;
        Ok(postgres.start_again().await?)
    }

    /// A role with the clone's name, unless there is one.
    async fn estrange_clone(&self) -> Undo {
        let stranger = format!("{}_clone", self.world.role);
        if self.state_of(&stranger).await.is_some() {
            return Undo::Nothing;
        }
        let make = format!("CREATE ROLE \"{stranger}\" LOGIN PASSWORD 'a stranger''s'");
        self.admin(&make).await;
        let state = self.state_of(&stranger).await;
        Undo::Remove { stranger, state }
    }

    /// All that a role is, in short; none where there is no such role.
    async fn state_of(&self, role: &str) -> Option<String> {
        let state = format!(
            "SELECT md5(a::text || (SELECT count(*) FROM pg_auth_members WHERE a.oid IN (member, roleid)) \
             || (SELECT count(*) FROM pg_db_role_setting WHERE setrole = a.oid)) FROM pg_authid a WHERE rolname = '{role}'"
        );
        let rows = self.admin(&state).await;
        rows.first().map(|row| row.concat())
    }

    async fn estrange(&self) -> Undo {
        let current = self.world.current().await.unwrap();
        let role = current["username"].as_str().unwrap().to_owned();
        let postgres = &self.world.postgres;
        let own = postgres.verifier(&role).await.unwrap().unwrap();
        let mine = Verifier::Scram.of(&role, &testbed::unique("somebody-elses"));
        postgres.set_verifier(&role, &mine).await.unwrap();
        Undo::Reconcile { role, mine, own }
    }

    async fn existing_roles(&self) -> Vec<String> {
        let mut roles = self.own_roles();
        if self.users == Users::Alternating {
            let clone = roles[1].clone();
            let found = self
                .admin(&format!("SELECT FROM pg_roles WHERE rolname = '{clone}'"))
                .await;
            roles.truncate(1 + found.len());
        }
        roles
    }
}

/// Makes a server a replica.
const SIGNAL: &str = "data/standby.signal";

/// How a condition ends.
pub(super) enum Undo {
    Nothing,
    Unlock(#[expect(dead_code, reason = "dropped, it lets go of its locks")] Session),
    Remove {
        stranger: String,
        state: Option<String>,
    },
    Reconcile {
        role: String,
        mine: String,
        own: String,
    },
}
