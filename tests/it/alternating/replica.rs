//! The secret's host is a replica and the superuser's its writer; RDS says so, or nobody's password goes there: C30, C31.

use serde_json::json;
use testbed::{Alternating, DbGate, Fault, Postgres, TestResult, eventually};

use super::rds_name;
use crate::world;

/// The host that this machine has beside `localhost`: the writer's.
const WRITER: &str = "127.0.0.1";

/// A pair of RDS's: an instance and its replica, which is `localhost`.
async fn instance_and_replica(it: &Alternating) -> TestResult<(String, String)> {
    let writer = rds_name("writer");
    let reader = rds_name("reader");
    let rds = &it.world.secrets;
    rds.create_db_instance(&writer, None, 5432).await?;
    rds.create_db_replica(&reader, &writer).await?;
    it.world.api.lead(&format!("{reader}."), "localhost");
    Ok((writer, reader))
}

/// A cluster of Aurora's with one instance more than the writer's: its name and the reader's.
async fn cluster_and_reader(it: &Alternating) -> TestResult<(String, String)> {
    let cluster = rds_name("aurora");
    let reader = rds_name("reader");
    let rds = &it.world.secrets;
    rds.create_db_cluster(&cluster, 5432).await?;
    rds.create_db_instance(&reader, Some(&cluster), 5432)
        .await?;
    Ok((cluster, reader))
}

/// A new rotation's setSecret must refuse the superuser's host, and nobody knock there.
async fn is_foreign(it: &Alternating, decoy: &DbGate, what: &str) -> TestResult {
    let token = it.world.created().await?;
    let set = it.world.step("setSecret", &token).await;
    assert_eq!(set.error_type(), Some("ForeignTarget"), "{what}: {set:?}");
    assert_eq!(decoy.connections(), 0, "{what}");
    it.world.cancel().await?;
    Ok(())
}

/// Sends the superuser to the writer's host, at this port.
async fn superuser_at(it: &Alternating, port: u16) -> TestResult {
    it.name_superuser(|value| {
        value["host"] = json!(WRITER);
        value["port"] = json!(port);
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn c31_through_a_replicas_endpoint_test_secret_waits_for_replication() -> TestResult {
    let primary = Postgres::options().start().await?;
    let replica = primary.standby().await?;
    let it = world().postgres(&primary).alternating().await?;
    replica.catch_up_with(&primary).await?;
    let (writer, _) = instance_and_replica(&it).await?;
    it.world.api.lead(&format!("{writer}."), WRITER);
    superuser_at(&it, it.world.db.port()).await?;
    let gate = DbGate::start(&replica).await?;
    let mut value = it.world.current().await?;
    value["port"] = json!(gate.port());
    it.world.put_current(&value.to_string()).await?;

    for role in [it.clone_role(), it.world.role.clone()] {
        let token = it.world.created().await?;
        replica.admin("SELECT pg_wal_replay_pause()").await?;
        it.world.step("setSecret", &token).await.success()?;
        let from = replica.mark();
        let arrives = async {
            let refused = async || Ok((replica.refusals(&role, from).len() >= 2).then_some(()));
            eventually("two refusals", refused).await?;
            replica.admin("SELECT pg_wal_replay_resume()").await
        };
        let (test, resumed) = tokio::join!(it.world.step("testSecret", &token), arrives);
        resumed?;
        test.success()?;
        it.world.steps(&token).await?;
        assert_eq!(it.current().await?.0, role);
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c30_the_writer_behind_a_reader_instance_of_aurora_is_accepted() -> TestResult {
    let it = world().alternating().await?;
    let (cluster, reader) = cluster_and_reader(&it).await?;
    it.world.api.lead(&format!("{reader}."), "localhost");
    it.world.api.lead(&format!("{cluster}.cluster-"), WRITER);
    superuser_at(&it, it.world.db.port()).await?;
    for _ in 0..2 {
        it.world.rotate().await?;
    }
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c30_the_writer_behind_a_reader_endpoint_of_aurora_is_accepted() -> TestResult {
    let it = world().alternating().await?;
    let (cluster, _) = cluster_and_reader(&it).await?;
    let endpoint = format!("{cluster}.cluster-ro-of-nobody.invalid");
    it.world
        .api
        .lead(&format!("{cluster}.cluster-ro-"), &endpoint);
    it.world.api.lead(&format!("{cluster}.cluster-"), WRITER);
    superuser_at(&it, it.world.db.port()).await?;
    let mut value = it.world.current().await?;
    value["host"] = json!(endpoint);
    it.world.put_current(&value.to_string()).await?;
    let token = it.world.created().await?;
    let began = it.world.postgres.mark();
    let postgres = &it.world.postgres;
    // No such name can lead to this machine: the superuser comes in, the application's own login finds no host.
    it.world
        .step("setSecret", &token)
        .await
        .failed_with("HostNotFound")?;
    assert_eq!(postgres.connections(&it.superuser_role, began).len(), 1);

    let decoy = DbGate::decoy().await?;
    superuser_at(&it, decoy.port()).await?;
    value["host"] = json!(endpoint.replace("nobody", "others"));
    it.world.put_current(&value.to_string()).await?;
    is_foreign(&it, &decoy, "another's reader endpoint").await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c30_no_other_host_than_the_writers_hears_of_the_superuser() -> TestResult {
    let decoy = DbGate::decoy().await?;

    let it = world().alternating().await?;
    superuser_at(&it, decoy.port()).await?;
    is_foreign(&it, &decoy, "RDS knows no such instance").await?;
    let (cluster, reader) = cluster_and_reader(&it).await?;
    it.world.api.lead(&format!("{reader}."), "localhost");
    is_foreign(&it, &decoy, "the cluster's writer is elsewhere").await?;
    it.name_superuser(|value| {
        value["host"] = json!(format!("{cluster}.cluster-ro-of-nobody.invalid"));
    })
    .await?;
    is_foreign(&it, &decoy, "not the writer, but another reader").await?;
    it.world.finish().await?;

    let it = world().alternating().await?;
    superuser_at(&it, decoy.port()).await?;
    let (writer, reader) = instance_and_replica(&it).await?;
    is_foreign(&it, &decoy, "the instance's writer is elsewhere").await?;
    let no_address = format!("{reader}.of-somebody-else.invalid");
    let mut value = it.world.current().await?;
    value["host"] = json!(no_address);
    it.world.put_current(&value.to_string()).await?;
    it.world.api.lead(&format!("{writer}."), WRITER);
    is_foreign(&it, &decoy, "a host that is only called like the replica").await?;
    it.world.finish().await?;

    let it = world().alternating().await?;
    superuser_at(&it, decoy.port()).await?;
    let alone = rds_name("alone");
    let rds = &it.world.secrets;
    rds.create_db_instance(&alone, None, 5432).await?;
    it.world.api.lead(&format!("{alone}."), "localhost");
    is_foreign(&it, &decoy, "an instance that replicates nobody").await?;
    it.world.finish().await?;
    Ok(())
}

#[tokio::test]
async fn c30_where_rds_does_not_say_the_superuser_goes_nowhere() -> TestResult {
    let it = world().alternating().await?;
    let decoy = DbGate::decoy().await?;
    superuser_at(&it, decoy.port()).await?;
    let error = |status, code: &str| {
        let body = format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
        Fault::Status(status, body)
    };
    let garbled = Fault::Status(200, "no XML".to_owned());
    for (fault, name, says) in [
        (
            error(403, "AccessDenied"),
            "AccessDenied",
            "rds:DescribeDBInstances",
        ),
        (
            error(403, "InvalidClientTokenId"),
            "AwsCallFailed",
            "InvalidClientTokenId",
        ),
        (error(400, "Throttling"), "AwsCallFailed", "Throttling"),
        (garbled, "AwsCallFailed", "cannot be read"),
        (
            Fault::DropBefore,
            "SecretsManagerUnreachable",
            "rds:DescribeDBInstances",
        ),
        (
            Fault::Stall,
            "SecretsManagerUnreachable",
            "rds:DescribeDBInstances",
        ),
    ] {
        let token = it.world.created().await?;
        it.world
            .api
            .answer("DescribeDBInstances", 1.., fault.clone());
        let event = it.world.event("setSecret", &token);
        let set = it
            .world
            .function
            .invoke(&event, std::time::Duration::from_secs(4))
            .await;
        let message = set.failed_with(name)?;
        assert!(message.contains(says), "{fault:?}: {message}");
        assert_eq!(decoy.connections(), 0, "{fault:?}");
        it.world.api.heal();
        it.world.cancel().await?;
    }
    it.world.finish().await?;
    Ok(())
}
