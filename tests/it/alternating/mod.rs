//! Alternating users: two roles take turns, and nobody notices.

mod cost;
mod equality;
mod explained;
mod failing;
mod hardened;
mod in_use;
mod level;
mod managed;
mod minor_versions;
mod overtaken;
mod pair;
mod promotion;
mod replica;
mod secrecy;
mod superuser;
mod there_and_back;
mod twins;

use testbed::unique;

/// A name as an identifier in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name that RDS takes and nobody has.
fn rds_name(prefix: &str) -> String {
    unique(prefix).replace('_', "-")
}
