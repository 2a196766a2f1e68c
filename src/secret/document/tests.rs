use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::login::TlsMode;

const LABEL: StagingLabel = StagingLabel::Current;

fn parse(text: &str) -> Result<SecretDocument, MalformedSecret> {
    SecretDocument::parse(LABEL, SecretValue::Text(SecretText::new(text.to_owned())))
}

/// A good secret with `changes` made to it; a `null` takes a key out.
#[expect(clippy::needless_pass_by_value, reason = "callers write a literal")]
fn secret(changes: Value) -> String {
    let mut secret = json!({"engine": "postgres", "host": "db.example", "username": "app", "password": "old-Secret"});
    let object = secret.as_object_mut().unwrap();
    for (key, value) in changes.as_object().unwrap() {
        object.remove(key);
        if !value.is_null() {
            object.insert(key.clone(), value.clone());
        }
    }
    secret.to_string()
}

fn role(name: &str) -> RoleName {
    RoleName::try_from(name.to_owned()).unwrap()
}

#[test]
fn the_smallest_secret_has_the_documented_defaults() {
    let document = parse(r#"{"host":"db.example","username":"app","password":"p"}"#).unwrap();
    let endpoint = document.login.endpoint;
    assert_eq!(
        (endpoint.host.as_str(), endpoint.port),
        ("db.example", 5432)
    );
    assert_eq!(
        (endpoint.database.as_str(), endpoint.tls),
        ("postgres", TlsMode::VerifyFull)
    );
    assert_eq!(document.superuser, None);
}

#[test]
fn c49_a_port_is_a_whole_number_however_it_is_written() {
    let with_port = |port: &str| {
        parse(&format!(
            r#"{{"host":"h","username":"u","password":"p","port":{port}}}"#
        ))
    };
    for port in [
        "6543",
        r#""6543""#,
        "6543.0",
        r#"" 6543""#,
        r#""6543 ""#,
        r#""6543.00""#,
    ] {
        assert_eq!(with_port(port).unwrap().login.endpoint.port, 6543);
    }
    for absent in ["null", r#""""#, r#"" ""#] {
        assert_eq!(with_port(absent).unwrap().login.endpoint.port, 5432);
    }
    let no_ports = r#"0 65536 "0" "0x1" 1.5 -1 [] true "1.5" 1e9"#;
    for port in no_ports.split(' ') {
        let error = with_port(port).unwrap_err().to_string();
        assert!(error.contains("port"), "{port}: {error}");
    }
}

#[test]
fn dbname_comes_before_database() {
    let database = |changes| parse(&secret(changes)).unwrap().login.endpoint.database;
    assert_eq!(database(json!({"dbname": "one", "database": "two"})), "one");
    assert_eq!(database(json!({"database": "two"})), "two");
}

#[test]
fn c39_only_an_explicit_false_or_disable_turns_tls_off() {
    let tls = |changes| parse(&secret(changes)).map(|d| d.login.endpoint.tls);
    assert_eq!(tls(json!({"ssl": false})), Ok(TlsMode::Disabled));
    for off in ["false", "False", "disable", "DISABLE"] {
        assert_eq!(tls(json!({"ssl": off})), Ok(TlsMode::Disabled), "{off}");
    }
    assert_eq!(tls(json!({"sslmode": true})), Ok(TlsMode::VerifyFull));
    assert_eq!(tls(json!({"sslmode": "verify-ca"})), Ok(TlsMode::VerifyCa));
    for on in "true allow prefer require verify-full".split(' ') {
        assert_eq!(tls(json!({"sslmode": on})), Ok(TlsMode::VerifyFull), "{on}");
    }
    assert_eq!(
        tls(json!({"ssl": true, "sslmode": "disable"})),
        Ok(TlsMode::VerifyFull)
    );
    assert_eq!(
        tls(json!({"sslmode": "require", "ssl_mode": "disable"})),
        Ok(TlsMode::VerifyFull)
    );
    assert_eq!(tls(json!({"ssl_mode": "disable"})), Ok(TlsMode::Disabled));
}

#[test]
fn c49_a_mode_that_is_not_known_is_verify_full_and_is_told_of() {
    for odd in [
        json!("off"),
        json!("no-verify"),
        json!(0),
        json!({"rejectUnauthorized": false}),
    ] {
        let document = parse(&secret(json!({"ssl": odd}))).unwrap();
        assert_eq!(document.login.endpoint.tls, TlsMode::VerifyFull, "{odd}");
        assert_eq!(document.unknown_tls, Some("ssl"), "{odd}");
    }
    let document = parse(&secret(json!({"ssl": "", "sslmode": "disable"}))).unwrap();
    assert_eq!(document.login.endpoint.tls, TlsMode::Disabled);
    assert_eq!(document.unknown_tls, None);
}

#[test]
fn c49_null_and_empty_mean_absent_where_a_key_is_optional() {
    let text = r#"{"host":"h","username":"u","password":"p","engine":"","dbname":null,"database":"","masterarn":null,"ssl":null}"#;
    let document = parse(text).unwrap();
    assert_eq!(document.login.endpoint.database, "postgres");
    assert_eq!(document.superuser, None);
    assert_eq!(document.login.endpoint.tls, TlsMode::VerifyFull);
}

#[test]
fn c52_the_function_goes_to_rotation_host_where_it_is_given() {
    let address = |changes| parse(&secret(changes)).map(|d| d.login.endpoint.to_string());
    let changes = json!({"rotation_host": "direct.example", "port": 6543});
    assert_eq!(address(changes), Ok("direct.example:6543".to_owned()));
    let changes = json!({"rotation_host": "direct.example", "rotation_port": 1, "port": 6543});
    assert_eq!(address(changes), Ok("direct.example:1".to_owned()));
    let changes = json!({"host": null, "rotation_host": "direct.example:7"});
    assert_eq!(address(changes), Ok("direct.example:7".to_owned()));
}

/// Refused with a message that names the label and what is wrong, and never the value.
#[track_caller]
fn refused(text: &str, names: &str) {
    let error = parse(text).unwrap_err();
    let said = error.to_string();
    let shown = format!("{error:?}");
    assert!(said.contains(names), "{text}: {said}");
    assert!(said.contains("AWSCURRENT"), "{said}");
    assert!(!said.contains("hidden-Value"), "{said}");
    assert!(!shown.contains("hidden-Value"), "{shown}");
}

#[test]
fn c6_what_is_no_json_object_is_refused_and_never_told() {
    for (text, names) in [
        ("", "JSON"),
        ("hidden-Value", "JSON"),
        (r#"["hidden-Value"]"#, "JSON"),
        (
            r#"{"host":"h","username":"u","password":"hidden-Value"} x"#,
            "JSON",
        ),
        (
            r#"{"host":"h","username":"u","password":"hidden-Value","password":"hidden-Value"}"#,
            "twice",
        ),
        (
            r#"{"host":"h","username":"u","password":"hidden-Value","p\u0061ssword":"hidden-Value"}"#,
            "twice",
        ),
    ] {
        refused(text, names);
    }
    let binary = SecretDocument::parse(StagingLabel::Pending, SecretValue::Binary).unwrap_err();
    let said = binary.to_string();
    assert!(
        said.contains("AWSPENDING") && said.contains("binary"),
        "{said}"
    );
}

#[test]
fn c6_what_is_no_database_secret_is_refused_by_key_and_never_by_value() {
    for (text, names) in [
        (r#"{"host":"h","username":"u"}"#, "password"),
        (r#"{"host":"h","password":"hidden-Value"}"#, "username"),
        (r#"{"username":"u","password":"hidden-Value"}"#, "host"),
        (
            r#"{"host":"","username":"u","password":"hidden-Value"}"#,
            "host",
        ),
        (
            r#"{"host":"h","username":null,"password":"hidden-Value"}"#,
            "username",
        ),
        (
            r#"{"host":"h","username":"u","password":["hidden-Value"]}"#,
            "password",
        ),
        (r#"{"host":"h","username":"u","password":""}"#, "password"),
        (
            r#"{"host":"h","username":"u","password":"hidden-Value\u0000"}"#,
            "NUL",
        ),
        (
            r#"{"host":"h","username":"u","password":"hidden-Value","engine":"mysql"}"#,
            "engine",
        ),
        (
            r#"{"host":"h","username":"u","password":"hidden-Value","dbname":7}"#,
            "dbname",
        ),
        (
            r#"{"host":"h","username":"u","password":"hidden-Value","masterarn":7}"#,
            "masterarn",
        ),
        (
            r#"{"host":"h:1","port":2,"username":"u","password":"hidden-Value"}"#,
            "host",
        ),
    ] {
        refused(text, names);
    }
    refused(&secret(json!({"username": "r".repeat(64)})), "64 bytes");
}

#[test]
fn c6_keys_are_values_never_syntax() {
    let name = "host=evil sslmode=disable";
    let document = parse(&secret(json!({"dbname": name}))).unwrap();
    assert_eq!(document.login.endpoint.database, name);
    assert_eq!(document.login.endpoint.host, "db.example");
}

#[test]
fn c5_everything_but_the_password_survives_to_the_letter() {
    let old = r#" {"a\/b": 2.50,"n":1e3, "username" :"app","big":123456789012345678901234567890,
        "password":"old\u0022\/Secret", "esc":"a\/b \u00e9 é \ud83d\ude00","host":"h","port":"5432","null":null,"o":{"x":[ 1 , 2]}} "#;
    let new = r#" {"a\/b": 2.50,"n":1e3, "username" :"app","big":123456789012345678901234567890,
        "password":"new\"Secret", "esc":"a\/b \u00e9 é \ud83d\ude00","host":"h","port":"5432","null":null,"o":{"x":[ 1 , 2]}} "#;
    let next = parse(old)
        .unwrap()
        .next(&role("app"), &Password::new("new\"Secret".to_owned()));
    assert_eq!(next.text.expose(), new);
}

#[test]
fn c5_the_user_name_changes_only_with_the_role_and_wherever_it_stands() {
    for old in [
        r#"{"username":"app","password":"p","host":"h","x":"app"}"#,
        r#"{"password":"p","x":"app","host":"h","username":"app"}"#,
    ] {
        let next = parse(old)
            .unwrap()
            .next(&role("app_clone"), &Password::new("q".to_owned()));
        let expected = old
            .replace(r#""username":"app""#, r#""username":"app_clone""#)
            .replace(r#""p""#, r#""q""#);
        assert_eq!(next.text.expose(), expected);
    }
}

#[test]
fn c62_connection_strings_follow_and_other_forms_are_named() {
    let old = r#"{"host":"h","username":"app","password":"old-Secret!",
        "DATABASE_URL":"postgres://app:old-Secret%21@proxy:6432/x?a=b","dsn":"host=h user=app password=old-Secret! x=y",
        "other":"postgres://app:another@h/x","note":"it is old-Secret!","nested":{"url":"postgres://app:old-Secret!@h"}}"#;
    let next = parse(old)
        .unwrap()
        .next(&role("app_clone"), &Password::new("new Secret".to_owned()));
    let expected = old
        .replace(
            r#""username":"app","password":"old-Secret!""#,
            r#""username":"app_clone","password":"new Secret""#,
        )
        .replace("app:old-Secret%21@proxy", "app_clone:new%20Secret@proxy")
        .replace(
            "user=app password=old-Secret! x=y",
            "user=app_clone password='new Secret' x=y",
        );
    assert_eq!(next.text.expose(), expected);
    assert_eq!(next.not_followed, ["note", "nested"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|m| Value::from(m.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Keys and values in any order, as text: `serde_json`'s own map would sort them.
fn object_text(entries: &[(String, Value)], pretty: bool) -> String {
    let entries: Vec<_> = entries
        .iter()
        .map(|(k, v)| {
            let k = Value::from(k.as_str());
            let v = if pretty {
                format!("{v:#}")
            } else {
                v.to_string()
            };
            format!("{k}{}{v}", if pretty { " : " } else { ":" })
        })
        .collect();
    format!("{{{}}}", entries.join(if pretty { " ,\n" } else { "," }))
}

const NOT_OTHERS: [&str; 12] = [
    "engine",
    "host",
    "port",
    "username",
    "password",
    "dbname",
    "database",
    "ssl",
    "sslmode",
    "ssl_mode",
    "masterarn",
    "",
];

proptest! {
    #[test]
    fn c5_any_other_keys_survive_any_number_of_rotations(
        others in prop::collection::hash_map("\\PC{1,8}", any_json(), 0..6),
        user in "\\PC{1,15}", passwords in prop::collection::vec("\\PC{1,40}", 3), at in any::<prop::sample::Index>(), pretty: bool,
    ) {
        let mut entries: Vec<_> = others.into_iter().filter(|(k, _)| !NOT_OTHERS.contains(&k.as_str())).collect();
        for (key, value) in [("username", user.as_str()), ("host", "db.example"), ("password", "the old one")] {
            entries.insert(at.index(entries.len() + 1), (key.to_owned(), Value::from(value)));
        }
        let role = role(&user);
        let mut text = object_text(&entries, pretty);
        for password in &passwords {
            let next = parse(&text).unwrap().next(&role, &Password::new(password.clone()));
            entries.iter_mut().find(|(k, _)| k == "password").unwrap().1 = Value::from(password.as_str());
            text = next.text.expose().to_owned();
            prop_assert_eq!(&text, &object_text(&entries, pretty));
        }
    }

    #[test]
    fn c6_no_text_makes_the_reader_panic_or_repeat_it(text in "\\PC{0,60}|\\{(\"(host|username|password)\":(\"[a-z]{4,9}\"|null|7),?){0,4}\\}") {
        if let Err(error) = parse(&text) {
            let message = error.to_string();
            prop_assert!(text.len() < 12 || !message.contains(&text));
        }
    }
}
