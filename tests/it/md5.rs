//! Servers that still make md5 verifiers: C19, C20.

use testbed::world::Builder;
use testbed::{DbFault, Postgres, Superuser, TestResult, World, eventually};
use tokio::sync::OnceCell;

use super::world;

/// A server that makes md5 verifiers; SCRAM is demanded of all but the roles in `legacy`.
async fn md5_cluster() -> TestResult<Postgres> {
    static CLUSTER: OnceCell<Postgres> = OnceCell::const_new();
    let start = || async {
        let options = Postgres::options().setting("password_encryption", "md5");
        let cluster = options
            .hba("hostssl all +legacy 127.0.0.0/8 md5")
            .hba("local all +legacy md5")
            .start()
            .await?;
        cluster.admin("CREATE ROLE legacy").await?;
        TestResult::Ok(cluster)
    };
    Ok(CLUSTER.get_or_try_init(start).await?.clone())
}

#[tokio::test]
async fn c19_an_md5_server_gets_an_md5_verifier() -> TestResult {
    let cluster = md5_cluster().await?;
    let world = world().postgres(&cluster).start().await?;
    cluster
        .admin(&format!("GRANT legacy TO {}", world.role))
        .await?;
    world.rotate().await?;
    let verifier = world.verifier().await?.unwrap();
    assert!(
        verifier.starts_with("md5") && verifier.len() == 35,
        "{verifier}"
    );
    assert!(world.version_logs_in("AWSCURRENT").await?);
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c19_an_md5_verifier_that_pg_hba_would_lock_out_is_replaced_by_scram() -> TestResult {
    let world = scram_on_md5(world()).await?;
    for _ in 0..2 {
        world.rotate().await?;
        let verifier = world.verifier().await?.unwrap();
        assert!(verifier.starts_with("SCRAM-SHA-256$"), "{verifier}");
        assert!(world.version_logs_in("AWSCURRENT").await?);
    }
    world.finish().await?;
    Ok(())
}

/// A world on the md5 cluster whose role must use SCRAM.
async fn scram_on_md5(builder: Builder) -> TestResult<World> {
    let cluster = md5_cluster().await?;
    let world = builder.postgres(&cluster).start().await?;
    let scram = testbed::Verifier::Scram.of(&world.role, &world.first_password);
    cluster.set_verifier(&world.role, &scram).await?;
    Ok(world)
}

#[tokio::test]
async fn c19_a_role_made_under_scram_gets_an_md5_verifier_and_killed_anywhere_is_not_locked_out()
-> TestResult {
    let world = scram_on_md5(world()).await?;
    let legacy = format!("GRANT legacy TO {}", world.role);
    world.postgres.admin(&legacy).await?;
    for connection in [1, 2] {
        for turn in 1..10 {
            let token = world.created().await?;
            world.db.forget();
            world.db.connection(connection, DbFault::StallAfter(turn));
            let kill = async {
                let reached = async || {
                    let turns = world.db.turns();
                    let reached = turns
                        .get(connection - 1)
                        .is_some_and(|turns| *turns >= turn);
                    Ok(reached.then_some(()))
                };
                eventually("the turn", reached).await?;
                world.function.kill().await;
                TestResult::Ok(false)
            };
            let ended = tokio::select! {
                killed = kill => killed?,
                ended = world.step("setSecret", &token) => ended.answer.is_ok(),
            };
            // Where both came at once, it may be dying still.
            world.function.kill().await;
            world.db.heal();
            world
                .steps(&token)
                .await
                .unwrap_or_else(|e| panic!("turn {turn} of connection {connection}: {e:?}"));
            let verifier = world.verifier().await?.unwrap();
            assert!(verifier.starts_with("md5"), "turn {turn}");
            if ended {
                break;
            }
        }
    }
    world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c19_both_of_a_pair_get_what_the_server_makes_whatever_they_had_before() -> TestResult {
    let options = Postgres::options().setting("password_encryption", "md5");
    let options = options.hba("hostssl all all 127.0.0.0/8 md5");
    let options = options.hba("local all all md5");
    let cluster = options.start().await?;
    let it = world()
        .postgres(&cluster)
        .alternating_by(Superuser::Full)
        .await?;
    let scram = testbed::Verifier::Scram.of(&it.world.role, &it.world.first_password);
    cluster.set_verifier(&it.world.role, &scram).await?;
    for role in [it.clone_role(), it.world.role.clone()] {
        it.world.rotate().await?;
        let verifier = cluster.verifier(&role).await?.unwrap();
        assert!(verifier.starts_with("md5"), "{role}");
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c20_a_text_that_an_md5_server_would_make_a_lock_out_of_is_no_lock_out() -> TestResult {
    let text = world()
        .env("PASSWORD_TRANSPORT", "plaintext")
        .plaintext_at_the_server();
    let world = scram_on_md5(text).await?;
    world.rotate().await?;
    assert!(world.version_logs_in("AWSCURRENT").await?);
    world.finish().await?;
    Ok(())
}
