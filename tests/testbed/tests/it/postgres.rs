use std::time::Duration;

use testbed::{Mark, Postgres, Result, Tls, unique};

#[tokio::test]
async fn a_role_logs_in_over_verified_tls_with_its_own_password_alone() -> Result<()> {
    let postgres = Postgres::shared().await?;
    let role = unique("Ro\"le x");
    let mark = postgres.mark();
    postgres.create_role(&role, "the right one").await?;
    assert!(postgres.logs_in(&role, "the right one", "postgres").await?);
    assert!(!postgres.logs_in(&role, "the wrong one", "postgres").await?);
    assert!(
        postgres
            .login_in_clear(&role, "the right one", "postgres")
            .await
            .is_ok()
    );
    assert!(!postgres.log_since(mark).contains("the right one"));
    assert_eq!(
        postgres.connections(&role, mark),
        [],
        "the testbed's own logins aren't counted"
    );
    assert_eq!(postgres.refusals(&role, mark), [], "nor its refusals");
    assert!(
        postgres
            .stat_statements()
            .await?
            .iter()
            .any(|statement| statement.contains("ALTER ROLE"))
    );
    Ok(())
}

#[tokio::test]
async fn every_major_version_starts_with_tls() -> Result<()> {
    for major in 13..=18 {
        let postgres = Postgres::options()
            .version(major)
            .statements()
            .start()
            .await?;
        assert_eq!(postgres.major(), major);
        postgres.create_role("app", "a password").await?;
        assert!(
            postgres.logs_in("app", "a password", "postgres").await?,
            "{major}"
        );
        assert!(
            !postgres.logs_in("app", "another", "postgres").await?,
            "{major}"
        );
        let verifier = postgres.verifier("app").await?.unwrap_or_default();
        assert!(verifier.starts_with("SCRAM-SHA-256$4096:"), "{major}");
    }
    Ok(())
}

#[tokio::test]
async fn settings_hba_lines_and_md5() -> Result<()> {
    let options = Postgres::options()
        .setting("password_encryption", "md5")
        .setting("log_statement", "none");
    let options = options
        .hba("hostssl all \"app\" 127.0.0.1/32 md5")
        .hba("hostssl all barred 127.0.0.1/32 reject");
    let postgres = options.start().await?;
    postgres.create_role("app", "a password").await?;
    assert!(
        postgres
            .verifier("app")
            .await?
            .is_some_and(|verifier| verifier.starts_with("md5"))
    );
    assert!(postgres.logs_in("app", "a password", "postgres").await?);
    postgres.create_role("barred", "a password").await?;
    let barred = postgres
        .login("barred", "a password", "postgres")
        .await
        .err();
    assert_eq!(
        barred.and_then(|refused| refused.code).as_deref(),
        Some("28000")
    );
    assert!(!postgres.log().contains("statement: CREATE ROLE"));
    postgres.set("log_statement", "all").await?;
    Ok(())
}

#[tokio::test]
async fn bad_certificates_are_bad() -> Result<()> {
    for (tls, complaint) in [
        (Tls::Expired, "certificate has expired"),
        (Tls::WrongName, "hostname mismatch"),
        (Tls::OtherCa, "unable to get local issuer certificate"),
        (Tls::Off, "server does not support TLS"),
    ] {
        let postgres = Postgres::options().tls(tls).start().await?;
        postgres.create_role("app", "a password").await?;
        let refused = postgres.login("app", "a password", "postgres").await.err();
        let message = refused.map(|refused| refused.message).unwrap_or_default();
        assert!(message.contains(complaint), "{tls:?}: {message}");
        assert!(
            postgres.logs_in("app", "a password", "postgres").await?,
            "in clear text, {tls:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_server_stops_crashes_freezes_and_comes_back() -> Result<()> {
    let postgres = Postgres::options().start().await?;
    postgres.create_role("app", "a password").await?;
    postgres.stop().await?;
    assert!(
        postgres
            .logs_in("app", "a password", "postgres")
            .await
            .is_err()
    );
    postgres.start_again().await?;
    postgres.set_password("app", "another").await?;
    postgres.crash().await?;
    postgres.start_again().await?;
    assert!(postgres.logs_in("app", "another", "postgres").await?);
    postgres.freeze()?;
    let (role, password) = ("app", "another");
    let silent = tokio::time::timeout(
        Duration::from_millis(100),
        postgres.login(role, password, "postgres"),
    )
    .await;
    assert!(silent.is_err());
    postgres.thaw()?;
    assert!(postgres.logs_in(role, password, "postgres").await?);
    Ok(())
}

#[tokio::test]
async fn a_standby_follows_reads_only_and_can_be_promoted() -> Result<()> {
    for major in [None, Some(13), Some(18)] {
        let options = major.map_or_else(Postgres::options, |major| {
            Postgres::options().version(major)
        });
        let primary = options.start().await?;
        let standby = primary.standby().await?;
        primary.create_role("app", "a password").await?;
        standby.catch_up_with(&primary).await?;
        assert!(standby.logs_in("app", "a password", "postgres").await?);
        assert_eq!(
            standby
                .value("SELECT pg_is_in_recovery()")
                .await?
                .as_deref(),
            Some("t")
        );
        standby.promote().await?;
        assert_eq!(
            standby
                .value("SELECT pg_is_in_recovery()")
                .await?
                .as_deref(),
            Some("f")
        );
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_left_of_a_cluster() -> Result<()> {
    let postgres = Postgres::options().start().await?;
    let folder = postgres.socket_folder().to_path_buf();
    assert!(folder.exists());
    assert_ne!(postgres.mark(), Mark::default());
    drop(postgres);
    for _ in 0..500 {
        if !folder.exists() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} is still there", folder.display());
}
