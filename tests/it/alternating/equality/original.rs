//! What an administrator may have made of a role at one moment.

use std::collections::BTreeSet;
use testbed::Superuser;

use super::place::Place;
use crate::alternating::quoted;

/// One moment of the original's life. Applied to a role of which anything may have been made before.
#[derive(Clone, Debug)]
pub(super) struct Original {
    pub(super) attributes: Vec<&'static str>,
    pub(super) connection_limit: i32,
    pub(super) valid_until: &'static str,
    pub(super) settings: Vec<((Scope, &'static str), Value)>,
    /// Of each group.
    pub(super) memberships: Vec<Option<Membership>>,
    pub(super) grants: Vec<Grant>,
    pub(super) default_privileges: Vec<&'static str>,
}

/// Where a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Everywhere,
    InDatabase,
    InAnother,
    /// For whoever comes to the database: a role's own setting comes first.
    OfDatabase,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    /// The group of this number.
    Group(usize),
}

/// The options since version 16; before, only the first.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub(super) admin: bool,
    pub(super) inherit: bool,
    pub(super) set: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) privilege: &'static str,
    /// To the original, or to the group of this number.
    pub(super) to: Option<usize>,
    pub(super) grantable: bool,
}

impl Original {
    /// What makes the original so, as an administrator in the database of `place`.
    pub(super) fn sql(&self, place: &Place) -> String {
        let mut sql = place.blank();
        let role = quoted(&place.original);
        let attributes = ATTRIBUTES.map(|one| {
            let no = if self.attributes.contains(&one) {
                ""
            } else {
                "NO"
            };
            format!("{no}{one}")
        });
        sql.push(format!(
            "ALTER ROLE {role} {} CONNECTION LIMIT {} VALID UNTIL '{}'",
            attributes.join(" "),
            self.connection_limit,
            self.valid_until
        ));
        for ((scope, name), value) in &self.settings {
            let whose = match scope {
                Scope::Everywhere => format!("ROLE {role}"),
                Scope::InDatabase => format!("ROLE {role} IN DATABASE {}", place.database),
                Scope::InAnother => format!("ROLE {role} IN DATABASE postgres"),
                Scope::OfDatabase => format!("DATABASE {}", place.database),
            };
            sql.push(format!(
                "ALTER {whose} SET \"{name}\" = {}",
                value.sql(place)
            ));
        }
        let options = |one: &Membership| match (place.major >= 16, one.admin) {
            (true, _) => format!(
                " WITH ADMIN {}, INHERIT {}, SET {}",
                one.admin, one.inherit, one.set
            ),
            (false, true) => " WITH ADMIN OPTION".to_owned(),
            (false, false) => String::new(),
        };
        for (group, membership) in place.groups.iter().zip(&self.memberships) {
            sql.extend(
                membership
                    .iter()
                    .map(|one| format!("GRANT {group} TO {role}{}", options(one))),
            );
        }
        for grant in &self.grants {
            let to = grant.to.map_or(&role, |group| &place.groups[group]);
            let option = if grant.grantable {
                " WITH GRANT OPTION"
            } else {
                ""
            };
            sql.push(format!(
                "GRANT {} TO {to}{option}",
                grant.privilege.replace("DB", &place.database)
            ));
        }
        for privilege in &self.default_privileges {
            sql.push(format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA own GRANT {privilege} ON TABLES TO {}",
                place.groups[0]
            ));
        }
        sql.join(";\n")
    }

    /// What such a superuser can't give a clone of this original.
    pub(super) fn not_given(&self, kind: Superuser, major: u16) -> BTreeSet<String> {
        if kind == Superuser::Full {
            return BTreeSet::new();
        }
        let mut names: BTreeSet<_> = self.attributes.iter().copied().collect();
        // It has itself only CREATEROLE. Before version 16 that includes CREATEDB, and one is a member with INHERIT or not at all.
        names.remove("CREATEROLE");
        names.remove("INHERIT");
        if major < 16 {
            names.remove("CREATEDB");
        }
        let own = self
            .settings
            .iter()
            .filter(|((scope, _), _)| *scope != Scope::OfDatabase);
        names.extend(
            own.map(|((_, name), _)| *name)
                .filter(|name| RESTRICTED.contains(name)),
        );
        names.into_iter().map(str::to_owned).collect()
    }

    /// Whether its sessions may act as another role from their start.
    pub(super) fn starts_as_another(&self) -> bool {
        self.settings.iter().any(|((_, name), _)| *name == "role")
    }

    /// The same, where a role like it may be changed by a mere CREATEROLE: before version 16 that excludes REPLICATION.
    pub(super) fn within_reach(mut self, kind: Superuser, major: u16) -> Self {
        if kind != Superuser::Full && major < 16 {
            self.attributes.retain(|one| *one != "REPLICATION");
        }
        self
    }
}

impl Value {
    fn sql(&self, place: &Place) -> String {
        let literal = |text: &String| format!("'{}'", text.replace('\'', "''"));
        match self {
            Self::Text(text) => literal(text),
            Self::List(items) => items.iter().map(literal).collect::<Vec<_>>().join(", "),
            Self::Group(group) => literal(&place.groups[*group]),
        }
    }
}

pub(super) const ATTRIBUTES: [&str; 5] = [
    "BYPASSRLS",
    "CREATEDB",
    "CREATEROLE",
    "INHERIT",
    "REPLICATION",
];

/// Settings that a superuser alone may give.
const RESTRICTED: [&str; 4] = [
    "log_statement",
    "my.App",
    "my.app_2",
    "session_preload_libraries",
];
