//! From a single user to two, and back, as docs/secret.md says; and what remains different of the two.

use serde_json::json;
use testbed::{Alternating, Session, Superuser, TestResult};

use crate::world;

/// The owner writes `masterarn` into the secret, or takes it out.
async fn alternates(it: &Alternating, yes: bool) -> TestResult {
    let mut value = it.world.current().await?;
    if yes {
        value["masterarn"] = json!(it.superuser.arn);
    } else {
        value.as_object_mut().unwrap().remove("masterarn");
    }
    it.world.put_current(&value.to_string()).await?;
    Ok(())
}

/// A rotation makes `role` current, whose login works.
async fn rotates_to(it: &Alternating, role: &str) -> TestResult {
    it.world.rotate().await?;
    assert_eq!(it.current().await?.0, role);
    assert!(it.world.version_logs_in("AWSCURRENT").await?);
    Ok(())
}

async fn session(it: &Alternating) -> TestResult<Session> {
    let (role, password) = it.current().await?;
    let login = it.world.postgres.login(&role, &password, "postgres");
    Ok(login.await?)
}

#[tokio::test]
async fn c3_a_copy_of_the_current_value_is_tested_though_awss_function_made_the_clone() -> TestResult
{
    let it = world().alternating().await?;
    let original = it.world.role.clone();
    let clone = it.clone_role();
    let made = format!(
        "SET ROLE {}; CREATE ROLE {clone} LOGIN; GRANT {original} TO {clone}; RESET ROLE",
        it.superuser_role
    );
    it.world.postgres.admin(&made).await?;
    let password = testbed::unique("by-awss-function");
    it.world.keep_secret(&password);
    let set = it.world.postgres.set_password(&clone, &password).await;
    set.unwrap();
    let mut value = it.world.current().await?;
    value["username"] = json!(clone);
    value["password"] = json!(password);
    it.world.put_current(&value.to_string()).await?;
    let secrets = &it.world.secrets;
    let copy = secrets.stage_pending_with_copy(&it.world.secret).await;
    let test = it.world.step("testSecret", &copy.unwrap()).await;
    test.success()?;
    it.world.cancel().await?;
    rotates_to(&it, &original).await?;
    rotates_to(&it, &clone).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_single_user_becomes_two_and_one_again() -> TestResult {
    let it = world().alternating().await?;
    let original = it.world.role.clone();
    let clone = it.clone_role();
    alternates(&it, false).await?;
    rotates_to(&it, &original).await?;
    alternates(&it, true).await?;
    rotates_to(&it, &clone).await?;
    rotates_to(&it, &original).await?;
    alternates(&it, false).await?;
    rotates_to(&it, &original).await?;
    let drop_clone = format!("DROP ROLE {clone}");
    it.world.postgres.admin(&drop_clone).await?;
    rotates_to(&it, &original).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn what_a_clone_of_awss_function_owns_is_the_originals_once_reassigned() -> TestResult {
    let it = world().alternating_by(Superuser::Full).await?;
    let original = it.world.role.clone();
    let clone = it.clone_role();
    let table = testbed::unique("theirs");
    // As AWS's function makes it: a login and a member, which owns what it makes.
    let made = format!(
        "CREATE ROLE {clone} LOGIN; GRANT {original} TO {clone}; CREATE TABLE {table} (a int);
         ALTER TABLE {table} OWNER TO {clone}"
    );
    it.world.postgres.admin(&made).await?;
    rotates_to(&it, &clone).await?;
    let alter = format!("ALTER TABLE {table} ADD b int");
    session(&it).await?.run(&alter).await.unwrap_err();
    let reassign = format!("REASSIGN OWNED BY {clone} TO {original}");
    it.world.postgres.admin(&reassign).await?;
    session(&it).await?.run(&alter).await?;
    rotates_to(&it, &original).await?;
    let drop_table = format!("DROP TABLE {table}");
    session(&it).await?.run(&drop_table).await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn what_stays_different_is_who_logged_in() -> TestResult {
    let it = world().alternating().await?;
    it.world.rotate().await?;
    let one = session(&it).await?;
    let other = session(&it).await?;
    let who = "SELECT session_user, current_user, pg_backend_pid()";
    let rows = one.run(who).await?;
    let [logged_in, acts_as, pid] = &rows[0][..] else {
        panic!("{rows:?}")
    };
    assert_eq!(*logged_in, it.clone_role());
    assert_eq!(*acts_as, it.world.role);
    // PostgreSQL asks who a session logged in as, not whom it acts as.
    let end = format!("SELECT pg_terminate_backend({pid})");
    other.run(&end).await.unwrap_err();
    other.run(&format!("SET ROLE NONE; {end}")).await?;
    it.world.finish().await?;
    Ok(())
}
