//! Originals, made at random.

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::{select, subsequence};

use super::original::{ATTRIBUTES, Grant, Membership, Original, Scope, Value};
use super::place::Place;

pub(super) fn original() -> impl Strategy<Value = Original> {
    (
        subsequence(&ATTRIBUTES[..], 0..=ATTRIBUTES.len()),
        prop_oneof![Just(-1), 20..99],
        select(&["infinity", "2099-12-31 23:59:59.5+05:45", "2032-02-29"][..]),
        btree_set((select(&SCOPES[..]), select(&NAMES[..])), 0..7).prop_flat_map(|keys| {
            let settings = keys.into_iter().map(|key| (Just(key), value(key.1)));
            settings.collect::<Vec<_>>()
        }),
        vec(option::of(membership()), Place::GROUPS),
        vec(grant(), 0..8),
        subsequence(vec!["SELECT", "INSERT", "UPDATE"], 0..3),
    )
        .prop_map(
            |(
                attributes,
                connection_limit,
                valid_until,
                settings,
                memberships,
                grants,
                default,
            )| {
                Original {
                    attributes,
                    connection_limit,
                    valid_until,
                    settings,
                    memberships,
                    grants,
                    default_privileges: default,
                }
            },
        )
}

/// A value that `name` may have.
fn value(name: &'static str) -> BoxedStrategy<Value> {
    let text = |texts: &'static [&str]| select(texts).prop_map(|text| Value::Text(text.to_owned()));
    let list = |item: BoxedStrategy<String>| vec(item, 1..4).prop_map(Value::List);
    match name {
        "DateStyle" => text(&["ISO, DMY", "SQL, MDY", "German", "Postgres, YMD"]).boxed(),
        "TimeZone" => text(&["Asia/Kathmandu", "<+05>-05", "UTC"]).boxed(),
        "log_statement" => text(&["all", "ddl"]).boxed(),
        "role" => prop_oneof![
            2 => (0..Place::GROUPS).prop_map(Value::Group),
            1 => text(&["none", "a role that is gone"]),
        ]
        .boxed(),
        "search_path" => list("[a-z$A-Z0-9 ,.'\"\\\\é名]{0,9}".boxed()).boxed(),
        "session_preload_libraries" => list(
            select(vec!["auto_explain", "plpgsql"])
                .prop_map(str::to_owned)
                .boxed(),
        )
        .boxed(),
        "temp_tablespaces" => list(
            select(vec!["", "pg_default"])
                .prop_map(str::to_owned)
                .boxed(),
        )
        .boxed(),
        "work_mem" => (64..9999)
            .prop_map(|kb| Value::Text(format!("{kb}kB")))
            .boxed(),
        _ => "[\\PC'\"\\\\,=%$\n\t ]{0,12}".prop_map(Value::Text).boxed(),
    }
}

fn membership() -> impl Strategy<Value = Membership> {
    any::<[bool; 3]>().prop_map(|[admin, inherit, set]| Membership {
        admin,
        inherit,
        set,
    })
}

fn grant() -> impl Strategy<Value = Grant> {
    let to = option::of(0..Place::GROUPS);
    (select(&PRIVILEGES[..]), to, any::<bool>()).prop_map(|(privilege, to, grantable)| Grant {
        privilege,
        to,
        // Groups can't be given the right to give.
        grantable: grantable && to.is_none(),
    })
}

const SCOPES: [Scope; 4] = [
    Scope::Everywhere,
    Scope::InDatabase,
    Scope::InAnother,
    Scope::OfDatabase,
];

const NAMES: [&str; 10] = [
    "DateStyle",
    "TimeZone",
    "log_statement",
    "my.App",
    "my.app_2",
    "role",
    "search_path",
    "session_preload_libraries",
    "temp_tablespaces",
    "work_mem",
];

const PRIVILEGES: [&str; 14] = [
    "SELECT ON theirs.t",
    "INSERT ON theirs.t",
    "UPDATE (a) ON theirs.t",
    "DELETE ON theirs.t",
    "TRUNCATE ON theirs.t",
    "SELECT (b) ON theirs.u",
    "ALL ON theirs.u",
    "SELECT, INSERT ON theirs.guarded",
    "USAGE ON SEQUENCE theirs.q",
    "EXECUTE ON FUNCTION theirs.f()",
    "USAGE ON TYPE theirs.e",
    "USAGE ON SCHEMA theirs",
    "CREATE ON SCHEMA theirs",
    "CREATE, TEMPORARY ON DATABASE DB",
];
