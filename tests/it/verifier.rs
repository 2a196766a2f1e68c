//! The password never goes to the server as text: C19, C20.

use serde_json::json;
use testbed::{Postgres, TestResult, World, eventually};

use super::{given, world};

/// The literal of the last `ALTER ROLE` that the function sent.
fn sent_verifier(world: &World) -> String {
    let statements = world.postgres.statements(&world.role, world.began);
    let change = statements
        .iter()
        .rev()
        .find(|statement| statement.sql.contains("ALTER ROLE"))
        .unwrap();
    given(&change.sql).to_owned()
}

/// What a verifier is made of: method and iterations, salt, keys.
fn parts(verifier: &str) -> (String, Vec<u8>) {
    let mut parts = verifier.split('$');
    let method = parts.next().unwrap();
    let iterations = parts.next().unwrap();
    let (iterations, salt) = iterations.split_once(':').unwrap();
    (
        format!("{method}${iterations}"),
        openssl::base64::decode_block(salt).unwrap(),
    )
}

/// A rotation to this password, put by hand.
async fn rotate_to(world: &World, password: &str) -> TestResult {
    let mut value = world.current().await?;
    value["password"] = json!(password);
    let token = world.begin().await?;
    world.put_pending(&token, &value.to_string()).await?;
    world
        .steps(&token)
        .await
        .unwrap_or_else(|e| panic!("{password:?}: {e:?}"));
    Ok(())
}

#[tokio::test]
async fn c19_the_server_is_told_a_scram_verifier_with_16_random_bytes_of_salt() -> TestResult {
    let world = world().start().await?;
    let mut salts = Vec::new();
    for _ in 0..2 {
        world.rotate().await?;
        let verifier = sent_verifier(&world);
        assert_eq!(world.verifier().await?.as_ref(), Some(&verifier));
        let (form, salt) = parts(&verifier);
        assert_eq!((form.as_str(), salt.len()), ("SCRAM-SHA-256$4096", 16));
        salts.push(salt);
    }
    assert_ne!(salts[0], salts[1]);
    let seen = world.postgres.stat_statements().await?.join("\n");
    assert!(
        seen.contains(&format!("ALTER ROLE \"{}\"", world.role)),
        "the search would be for nothing"
    );
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c19_passwords_that_saslprep_changes_or_forbids_log_in() -> TestResult {
    let world = world().start().await?;
    for password in [
        "passw\u{00AD}ord with soft hyphen",
        "Ⅸ ﬁ ª compatibility forms",
        "e\u{301} decomposed",
        "no-break\u{00A0}space",
        "unassigned \u{0378} code point",
        "bidi \u{0627}1",
        "tab\tand bell\u{7}",
        "日本語 パスワード",
        "'; DROP ROLE x; --\\",
        "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "SCRAM-SHA-256$4096:c2FsdA==$AAAA:BBBB",
    ] {
        rotate_to(&world, password).await?;
        assert!(world.logs_in(password).await?, "{password:?}");
        assert!(sent_verifier(&world).starts_with("SCRAM-SHA-256$4096:"));
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c19_a_statement_that_fails_or_waits_shows_no_password_either() -> TestResult {
    let world = world().start().await?;
    let token = world.created().await?;
    let password = world.password("AWSPENDING").await?;
    let holder = world.lock_role().await?;
    let look = async {
        let active = format!(
            "SELECT query FROM pg_stat_activity WHERE usename = '{}' AND query LIKE '%ALTER ROLE%'",
            world.role
        );
        eventually("the change", async || world.postgres.value(&active).await).await
    };
    let (set, seen) = tokio::join!(world.step("setSecret", &token), look);
    let message = set.failed_with("DeadlineExceeded")?;
    assert!(message.contains("lock"), "{message}");
    let seen = seen?;
    assert!(seen.contains("SCRAM-SHA-256$") && !seen.contains(&password));
    assert!(
        world.postgres.log_since(world.began).contains("STATEMENT:"),
        "the failing statement is in the log"
    );
    holder.run("ROLLBACK").await?;
    world.steps(&token).await?;
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c19_the_server_says_how_many_iterations_where_it_has_that_setting() -> TestResult {
    let cluster = Postgres::options()
        .version("16")
        .setting("scram_iterations", "5003")
        .start()
        .await?;
    let world = world().postgres(&cluster).start().await?;
    world.rotate().await?;
    assert_eq!(parts(&sent_verifier(&world)).0, "SCRAM-SHA-256$5003");

    // The role may set it too, to what no function's time is enough for and no driver would compute at a login.
    cluster
        .admin(&format!(
            "ALTER ROLE {} SET scram_iterations = 2000000000",
            world.role
        ))
        .await?;
    world.rotate().await?;
    assert_eq!(parts(&sent_verifier(&world)).0, "SCRAM-SHA-256$100000");
    let current = world.password("AWSCURRENT").await?;
    assert!(world.logs_in(&current).await?);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c20_a_password_hook_sees_the_text_only_where_it_is_asked_for() -> TestResult {
    let cluster = Postgres::options()
        .setting("shared_preload_libraries", "passwordcheck")
        .start()
        .await?;
    // The hook can't judge a verifier; the password is too short for it.
    let silent = world()
        .postgres(&cluster)
        .env("PASSWORD_LENGTH", "6")
        .start()
        .await?;
    silent.rotate().await?;
    assert!(sent_verifier(&silent).starts_with("SCRAM-SHA-256$"));
    silent.finish().await?;

    let text = world()
        .postgres(&cluster)
        .env("PASSWORD_TRANSPORT", "plaintext")
        .plaintext_at_the_server();
    let spoken = text.start().await?;
    spoken.rotate().await?;
    let password = spoken.password("AWSCURRENT").await?;
    assert!(
        cluster.log_since(spoken.began).contains(&password),
        "sent as text"
    );
    assert!(spoken.logs_in(&password).await?);
    spoken.finish().await?;

    let short = world()
        .postgres(&cluster)
        .env("PASSWORD_TRANSPORT", "plaintext")
        .env("PASSWORD_LENGTH", "6");
    let refused = short.plaintext_at_the_server().start().await?;
    let token = refused.created().await?;
    let message = refused
        .step("setSecret", &token)
        .await
        .failed_with("PasswordRefused")?;
    assert!(
        message.contains("too short") && message.contains("PASSWORD_LENGTH"),
        "{message}"
    );
    assert!(
        !message.contains(&refused.password("AWSPENDING").await?),
        "six characters are too few for the search"
    );
    assert!(refused.logs_in(&refused.first_password).await?);
    refused.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c20_any_password_survives_being_sent_as_text() -> TestResult {
    let world = world()
        .env("PASSWORD_TRANSPORT", "plaintext")
        .plaintext_at_the_server()
        .start()
        .await?;
    for password in [
        "it's \\' quoted\\",
        "\"; ROLLBACK; --",
        "E'\\\\'",
        "$$dollar$$ %s {}",
        "ünï\u{00AD}cödé",
    ] {
        rotate_to(&world, password).await?;
        assert!(world.logs_in(password).await?, "{password:?}");
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c20_without_tls_a_verifier_is_sent_whatever_the_setting_says() -> TestResult {
    let world = world()
        .env("PASSWORD_TRANSPORT", "plaintext")
        .secret(|value| value["ssl"] = json!(false))
        .start()
        .await?;
    world.rotate().await?;
    assert!(sent_verifier(&world).starts_with("SCRAM-SHA-256$"));
    world.finish().await?;
    Ok(())
}
