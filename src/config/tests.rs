use super::*;

fn read(settings: &[(&str, &str)]) -> Result<Config, String> {
    let lookup = |name: &str| {
        settings
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Config::from_lookup(lookup).map_err(|e| e.to_string())
}

#[test]
fn c8_an_empty_environment_has_the_defaults_of_awss_functions() {
    let config = read(&[]).unwrap();
    assert_eq!(config.policy, PasswordPolicy::default());
    assert_eq!(
        (
            config.policy.length,
            config.policy.exclude_characters.as_str()
        ),
        (32, r#":/@"'\"#)
    );
    assert_eq!(
        (config.transport, config.endpoint),
        (PasswordTransport::Verifier, None)
    );
}

#[test]
fn c8_booleans_are_read_in_any_case() {
    for (text, expected) in [
        ("true", true),
        ("1", true),
        ("Y", true),
        ("YES", true),
        ("False", false),
        ("0", false),
        ("n", false),
        ("No", false),
    ] {
        let policy = read(&[("EXCLUDE_NUMBERS", text)]).unwrap().policy;
        assert_eq!(policy.exclude_numbers, expected, "{text}");
        let policy = read(&[("REQUIRE_EACH_INCLUDED_TYPE", text)])
            .unwrap()
            .policy;
        assert_eq!(policy.require_each_included_type, expected, "{text}");
    }
}

#[test]
fn c8_nothing_may_be_excluded() {
    let policy = read(&[("EXCLUDE_CHARACTERS", "")]).unwrap().policy;
    assert_eq!(policy.exclude_characters, "");
}

#[test]
fn c8_a_value_that_cannot_be_used_is_named() {
    for (name, value) in [
        ("PASSWORD_LENGTH", "0"),
        ("PASSWORD_LENGTH", "4097"),
        ("PASSWORD_LENGTH", "long"),
        ("EXCLUDE_NUMBERS", "maybe"),
        ("EXCLUDE_PUNCTUATION", ""),
        ("EXCLUDE_UPPERCASE", "tru"),
        ("EXCLUDE_LOWERCASE", "2"),
        ("REQUIRE_EACH_INCLUDED_TYPE", "on"),
        ("EXCLUDE_CHARACTERS", "0123456789"),
        ("PASSWORD_TRANSPORT", "text"),
        ("SECRETS_MANAGER_ENDPOINT", "localhost:5000"),
        ("STRATEGY", "multi-user"),
        ("PGSSLROOTCERT", "/nowhere/roots.pem"),
        ("AUDIT_MAX_AGE_DAYS", "0"),
        ("AUDIT_MAX_AGE_DAYS", "3651"),
        ("AUDIT_MAX_AGE_DAYS", "many"),
        ("AUDIT_TAG", "Team"),
        ("AUDIT_TAG", "=payments"),
    ] {
        let error = read(&[(name, value)]).unwrap_err();
        assert!(error.contains(name), "{name}={value}: {error}");
    }
}

#[test]
fn awss_services_are_trusted_with_amazons_authorities_unless_another_is_asked_for() {
    for settings in [
        &[("AWS_REGION", "eu-west-1")][..],
        &[
            ("AWS_REGION", "us-gov-west-1"),
            ("SSL_CERT_FILE", "/dev/null"),
        ],
        &[(
            "SECRETS_MANAGER_ENDPOINT",
            "https://vpce-1.secretsmanager.eu-west-1.vpce.amazonaws.com/",
        )],
        &[("SECRETS_MANAGER_ENDPOINT", "http://127.0.0.1:5000")],
    ] {
        assert_eq!(
            read(settings).unwrap().authorities,
            Authorities::Amazon,
            "{settings:?}"
        );
    }
    for settings in [
        ("AWS_REGION", "cn-north-1"),
        ("AWS_REGION", "us-iso-east-1"),
        ("SSL_CERT_FILE", "/opt/proxy.pem"),
        ("SECRETS_MANAGER_ENDPOINT", "https://secrets.example:8443"),
        ("SECRETS_MANAGER_ENDPOINT", "https://amazonaws.com.example"),
    ] {
        assert_eq!(
            read(&[settings]).unwrap().authorities,
            Authorities::System,
            "{settings:?}"
        );
    }
}

#[test]
fn c67_an_endpoint_without_tls_is_on_this_machine() {
    for url in [
        "http://localhost:5000",
        "http://127.0.0.1:5000/",
        "http://127.8.9.1",
        "http://[::1]:80",
        "https://vpce.example",
    ] {
        let config = read(&[("SECRETS_MANAGER_ENDPOINT", url)]).unwrap();
        assert_eq!(config.endpoint.as_deref(), Some(url));
    }
    for url in [
        "http://secrets.example",
        "http://10.0.0.1:5000",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://user@secrets.example",
        "http://localhost@secrets.example",
    ] {
        let error = read(&[("SECRETS_MANAGER_ENDPOINT", url)]).unwrap_err();
        assert!(error.contains("not encrypted"), "{url}: {error}");
    }
}

#[test]
fn c50_the_strategy_is_the_secrets_to_say_unless_the_function_is_told() {
    let strategy = |settings| read(settings).unwrap().strategy;
    assert_eq!(strategy(&[]), StrategySetting::BySecret);
    assert_eq!(
        strategy(&[("STRATEGY", "by-secret")]),
        StrategySetting::BySecret
    );
    assert_eq!(
        strategy(&[("STRATEGY", "single-user")]),
        StrategySetting::SingleUser
    );
}

#[test]
fn c20_the_transport_is_asked_for_by_name() {
    let config = read(&[("PASSWORD_TRANSPORT", "plaintext")]).unwrap();
    assert_eq!(config.transport, PasswordTransport::Plaintext);
}
