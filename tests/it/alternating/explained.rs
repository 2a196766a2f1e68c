//! Advice for a credential that does not log in, tried: C57.

use testbed::{Alternating, TestResult};

use crate::world;

/// A rotation that fails because of what this statement did to the role in use; it succeeds once the advice is followed.
async fn mended(harm: &str, advice: &str, mend: &str) -> TestResult {
    let it = world().alternating().await?;
    it.world.rotate().await?;
    let role = it.current().await?.0;
    let sql = |text: &str| text.replace("ROLE", &format!("\"{role}\""));
    it.world.postgres.admin(&sql(harm)).await?;
    let token = it.world.created().await?;
    let set = it.world.step("setSecret", &token).await;
    let message = set.failure()?.error_message.clone();
    assert!(message.contains(&sql(advice)), "{harm}: {message}");
    it.world.postgres.admin(&sql(mend)).await?;
    it.world.steps(&token).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c57_what_keeps_the_role_in_use_out_is_seen_by_the_superuser_and_the_advice_mends_it()
-> TestResult {
    let past = "ALTER USER ROLE VALID UNTIL '2001-01-01'";
    let forever = "ALTER USER ROLE VALID UNTIL 'infinity'";
    mended(past, "VALID UNTIL 'infinity'", forever).await?;
    mended("ALTER USER ROLE NOLOGIN", "LOGIN", "ALTER USER ROLE LOGIN").await
}

#[tokio::test]
async fn c57_a_role_that_a_restored_database_lacks_is_said_to_be_missing() -> TestResult {
    let it = world().alternating().await?;
    it.world.rotate().await?;
    let clone = it.current().await?.0;
    assert_eq!(clone, it.clone_role());
    it.world
        .postgres
        .admin(&format!("DROP ROLE \"{clone}\""))
        .await?;
    let token = it.world.created().await?;
    let message = it.world.step("setSecret", &token).await;
    let message = message.failed_with("NoWorkingCredential")?;
    assert!(
        message.contains("does not exist") && message.contains(&clone),
        "{message}"
    );
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c57_members_of_rds_iam_are_found_at_second_hand() -> TestResult {
    let it = rds_iam().await?;
    let role = it.current().await?.0;
    let hand = testbed::unique("hand");
    let grants = format!("CREATE ROLE {hand}; GRANT rds_iam TO {hand}; GRANT {hand} TO \"{role}\"");
    it.world.postgres.admin(&grants).await?;
    it.world.set_password("a token of IAM would be").await?;
    let token = it.world.created().await?;
    let message = it
        .world
        .step("setSecret", &token)
        .await
        .failed_with("NoWorkingCredential")?;
    assert!(message.contains("REVOKE rds_iam"), "{message}");
    it.world.finish().await?;
    Ok(())
}

/// A world on a cluster that has the role.
async fn rds_iam() -> TestResult<Alternating> {
    let postgres = testbed::Postgres::options().start().await?;
    postgres.admin("CREATE ROLE rds_iam").await?;
    Ok(world().postgres(&postgres).alternating().await?)
}

#[tokio::test]
async fn c57_a_superusers_secret_that_is_marked_for_deletion_is_named() -> TestResult {
    let it = world().alternating().await?;
    let token = it.world.created().await?;
    it.world
        .secrets
        .call(
            "DeleteSecret",
            serde_json::json!({"SecretId": it.superuser.arn}),
        )
        .await?;
    let message = it
        .world
        .step("setSecret", &token)
        .await
        .failed_with("SecretPendingDeletion")?;
    assert!(message.contains(&it.superuser.arn), "{message}");
    it.world
        .secrets
        .call(
            "RestoreSecret",
            serde_json::json!({"SecretId": it.superuser.arn}),
        )
        .await?;
    it.world.steps(&token).await?;
    it.world.finish().await?;
    Ok(())
}
