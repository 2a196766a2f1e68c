//! Whatever the password, a driver's own parser, or one of its form, reads it out of what followed.

use std::collections::HashMap;

use connection_string::AdoNetString;
use proptest::prelude::*;
use tokio_postgres::Config;
use url::Url;

use super::*;

/// What can be typed, and what can't.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,40}",
        r#"[%+&=#?/@:;'"\\{} ]{1,12}"#,
        "[a-zA-Z0-9é€😀\u{a0}]{1,20}",
    ]
}

/// What the parser of pairs reads rightly: it takes ASCII alone, keeps a doubled quote doubled, and trims what is quoted.
fn plain_text() -> impl Strategy<Value = String> {
    r#"[!-~&&[^"]]([ -~&&[^"]]{0,20}[!-~&&[^"]])?"#
}

fn quoted(value: &str, escape: &str) -> String {
    value
        .replace('\\', &format!("{escape}\\"))
        .replace('\'', &format!("{escape}'"))
}

proptest! {
    #[test]
    fn a_uri_parses_back_to_the_new_password(old in [text(), text()], new in [text(), text()]) {
        let [current, next] = [&old, &new].map(|[user, password]| Credential { user, password });
        let mut uri = Url::parse("postgresql://h.example:5432/o?sslmode=require&application_name=%41").unwrap();
        // It leaves a percent sign as it is.
        uri.set_username(&current.user.replace('%', "%25")).unwrap();
        uri.set_password(Some(&current.password.replace('%', "%25"))).unwrap();
        let uri = followed(uri.as_str(), &current, &next).ok_or(TestCaseError::fail("left alone"))?;
        let config: Config = uri.parse().unwrap();
        prop_assert_eq!(config.get_user(), Some(next.user));
        prop_assert_eq!(config.get_password(), Some(next.password.as_bytes()));
        let read = Url::parse(&uri).unwrap();
        let said = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        prop_assert_eq!(said(read.username()), next.user);
        prop_assert_eq!(said(read.password().unwrap_or_default()), next.password);
        prop_assert!(uri.ends_with("@h.example:5432/o?sslmode=require&application_name=%41"));
    }

    #[test]
    fn parameters_parse_back_to_the_new_password(old in [text(), text()], new in [text(), text()]) {
        let [current, next] = [&old, &new].map(|[user, password]| Credential { user, password });
        let mut uri = Url::parse("postgresql://h/o?ssl=true").unwrap();
        uri.query_pairs_mut().append_pair("password", current.password).append_pair("user", current.user);
        let jdbc = format!("jdbc:{uri}");
        let jdbc = followed(&jdbc, &current, &next).ok_or(TestCaseError::fail("left alone"))?;
        let uri = Url::parse(jdbc.strip_prefix("jdbc:").unwrap()).unwrap();
        let pairs: HashMap<_, _> = uri.query_pairs().into_owned().collect();
        prop_assert_eq!(&pairs["user"], next.user);
        prop_assert_eq!(&pairs["password"], next.password);
        prop_assert_eq!(&pairs["ssl"], "true");
        let config: Config = uri.as_str().replace("ssl=true&", "").parse().unwrap();
        prop_assert_eq!(config.get_user(), Some(next.user));
        prop_assert_eq!(config.get_password(), Some(next.password.as_bytes()));
    }

    #[test]
    fn keywords_parse_back_to_the_new_password(old in [text(), text()], new in [text(), text()]) {
        let [current, next] = [&old, &new].map(|[user, password]| Credential { user, password });
        let [user, password] = [current.user, current.password].map(|value| quoted(value, "\\"));
        let text = format!("host = h user='{user}' password='{password}'  dbname=o");
        let text = followed(&text, &current, &next).ok_or(TestCaseError::fail("left alone"))?;
        let config: Config = text.parse().unwrap();
        prop_assert_eq!(config.get_user(), Some(next.user));
        prop_assert_eq!(config.get_password(), Some(next.password.as_bytes()));
        prop_assert_eq!(config.get_dbname(), Some("o"));
        prop_assert!(text.starts_with("host = h ") && text.ends_with("  dbname=o"));
    }

    #[test]
    fn unquoted_keywords_parse_back_to_the_new_password(old in "[!-&(-\\[\\]-~]{1,20}", new in text()) {
        let [current, next] = [&old, &new].map(|password| Credential { user: "app", password });
        let text = format!("user=app password={old} dbname=o");
        let text = followed(&text, &current, &next).ok_or(TestCaseError::fail("left alone"))?;
        let config: Config = text.parse().unwrap();
        prop_assert_eq!(config.get_password(), Some(next.password.as_bytes()));
    }

    #[test]
    fn pairs_parse_back_to_the_new_password(old in [text(), text()], new in [plain_text(), plain_text()]) {
        let [current, next] = [&old, &new].map(|[user, password]| Credential { user, password });
        let [user, password] = [current.user, current.password].map(|value| value.replace('"', "\"\""));
        let text = format!("Host=h; Username=\"{user}\";Password=\"{password}\";Pooling=true");
        let text = followed(&text, &current, &next).ok_or(TestCaseError::fail("left alone"))?;
        let pairs: AdoNetString = text.parse().unwrap();
        prop_assert_eq!(&pairs["username"], next.user);
        prop_assert_eq!(&pairs["password"], next.password);
        prop_assert_eq!(&pairs["pooling"], "true");
    }

    #[test]
    fn there_and_back_is_where_it_was(new in "[a-zA-Z0-9]{8,40}", place in 0..4_usize) {
        let next = Credential { user: "app_clone", password: &new };
        let text = [
            "postgres://app:old@h/o?a=%2F#f",
            "jdbc:postgresql://h/o?password=old&a=+&user=app",
            "user=app  password = old\tdbname='x y'",
            "Password=old;; Username = app ;a=\"b;\"",
        ][place];
        let current = Credential { user: "app", password: "old" };
        let there = followed(text, &current, &next).ok_or(TestCaseError::fail("left alone"))?;
        prop_assert_eq!(followed(&there, &next, &current), Some(text.to_owned()));
    }

    #[test]
    fn whatever_is_written_says_the_new_password(text in any::<String>(), new in text()) {
        let next = Credential { user: "app", password: &new };
        if let Followed::Rewritten(_) = follow(&text, &CURRENT, &next) {
            prop_assert!(holds(&text, CURRENT.password));
        }
    }
}
