//! The secret's host is a replica and the superuser's its writer; RDS says so, or nobody's password goes there: C30, C31.

use serde_json::json;
use testbed::{DbGate, Fault, Postgres};

use super::{Alternating, Superuser, rds_name};
use crate::{become_current, cancel, created, eventually, failed, world};

/// The host that this machine has beside `localhost`: the writer's.
const WRITER: &str = "127.0.0.1";

/// A pair of RDS's: an instance and its replica, which is `localhost`.
async fn instance_and_replica(it: &Alternating) -> (String, String) {
    let (writer, reader) = (rds_name("writer"), rds_name("reader"));
    let rds = &it.world.secrets;
    rds.create_db_instance(&writer, None, 5432).await.unwrap();
    rds.create_db_replica(&reader, &writer).await.unwrap();
    it.world.api.lead(&format!("{reader}."), "localhost");
    (writer, reader)
}

/// A cluster of Aurora's with one instance more than the writer's: its name and the reader's.
async fn cluster_and_reader(it: &Alternating) -> (String, String) {
    let (cluster, reader) = (rds_name("aurora"), rds_name("reader"));
    let rds = &it.world.secrets;
    rds.create_db_cluster(&cluster, 5432).await.unwrap();
    rds.create_db_instance(&reader, Some(&cluster), 5432)
        .await
        .unwrap();
    (cluster, reader)
}

/// A new rotation's setSecret must refuse the superuser's host, and nobody knock there.
async fn is_foreign(it: &Alternating, decoy: &DbGate, what: &str) {
    let token = created(&it.world).await;
    let set = it.world.step("setSecret", &token).await;
    assert_eq!(set.error_type(), Some("ForeignTarget"), "{what}: {set:?}");
    assert_eq!(decoy.connections(), 0, "{what}");
    cancel(&it.world).await;
}

/// Sends the superuser to the writer's host, at this port.
async fn superuser_at(it: &Alternating, port: u16) {
    it.name_superuser(|value| {
        value["host"] = json!(WRITER);
        value["port"] = json!(port);
    })
    .await;
}

#[tokio::test]
async fn c31_through_a_replicas_endpoint_test_secret_waits_for_replication() {
    let primary = Postgres::options().start().await.unwrap();
    let replica = primary.standby().await.unwrap();
    let it = Alternating::with(world(), &primary, Superuser::chosen()).await;
    replica.catch_up_with(&primary).await.unwrap();
    let (writer, _) = instance_and_replica(&it).await;
    it.world.api.lead(&format!("{writer}."), WRITER);
    superuser_at(&it, it.world.db.port()).await;
    let gate = DbGate::start(&replica).await.unwrap();
    let mut value = it.world.current().await.unwrap().unwrap();
    value["port"] = json!(gate.port());
    become_current(&it.world, &value.to_string()).await;

    for role in [it.clone_role(), it.world.role.clone()] {
        let token = created(&it.world).await;
        replica.admin("SELECT pg_wal_replay_pause()").await.unwrap();
        it.world.step("setSecret", &token).await.success().unwrap();
        let from = replica.mark();
        let arrives = async {
            eventually(async || (replica.refusals(&role, from).len() >= 2).then_some(())).await;
            let resume = "SELECT pg_wal_replay_resume()";
            replica.admin(resume).await.unwrap();
        };
        let (test, ()) = tokio::join!(it.world.step("testSecret", &token), arrives);
        test.success().unwrap();
        it.world.steps(&token).await.unwrap();
        assert_eq!(it.current().await.0, role);
    }
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c30_the_writer_behind_a_reader_instance_of_aurora_is_accepted() {
    let it = Alternating::start().await;
    let (cluster, reader) = cluster_and_reader(&it).await;
    it.world.api.lead(&format!("{reader}."), "localhost");
    it.world.api.lead(&format!("{cluster}.cluster-"), WRITER);
    superuser_at(&it, it.world.db.port()).await;
    for _ in 0..2 {
        it.world.rotate().await.unwrap();
    }
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c30_the_writer_behind_a_reader_endpoint_of_aurora_is_accepted() {
    let it = Alternating::start().await;
    let (cluster, _) = cluster_and_reader(&it).await;
    let endpoint = format!("{cluster}.cluster-ro-of-nobody.invalid");
    it.world
        .api
        .lead(&format!("{cluster}.cluster-ro-"), &endpoint);
    it.world.api.lead(&format!("{cluster}.cluster-"), WRITER);
    superuser_at(&it, it.world.db.port()).await;
    let mut value = it.world.current().await.unwrap().unwrap();
    value["host"] = json!(endpoint);
    become_current(&it.world, &value.to_string()).await;
    let token = created(&it.world).await;
    let (began, postgres) = (it.world.postgres.mark(), &it.world.postgres);
    // No such name can lead to this machine: the superuser comes in, the application's own login finds no host.
    failed(&it.world.step("setSecret", &token).await, "HostNotFound");
    assert_eq!(postgres.connections(&it.superuser_role, began).len(), 1);

    let decoy = DbGate::decoy().await.unwrap();
    superuser_at(&it, decoy.port()).await;
    value["host"] = json!(endpoint.replace("nobody", "others"));
    become_current(&it.world, &value.to_string()).await;
    is_foreign(&it, &decoy, "another's reader endpoint").await;
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c30_no_other_host_than_the_writers_hears_of_the_superuser() {
    let decoy = DbGate::decoy().await.unwrap();

    let it = Alternating::start().await;
    superuser_at(&it, decoy.port()).await;
    is_foreign(&it, &decoy, "RDS knows no such instance").await;
    let (cluster, reader) = cluster_and_reader(&it).await;
    it.world.api.lead(&format!("{reader}."), "localhost");
    is_foreign(&it, &decoy, "the cluster's writer is elsewhere").await;
    it.name_superuser(|value| {
        value["host"] = json!(format!("{cluster}.cluster-ro-of-nobody.invalid"));
    })
    .await;
    is_foreign(&it, &decoy, "not the writer, but another reader").await;
    it.world.finish().await.unwrap();

    let it = Alternating::start().await;
    superuser_at(&it, decoy.port()).await;
    let (writer, reader) = instance_and_replica(&it).await;
    is_foreign(&it, &decoy, "the instance's writer is elsewhere").await;
    let no_address = format!("{reader}.of-somebody-else.invalid");
    let mut value = it.world.current().await.unwrap().unwrap();
    value["host"] = json!(no_address);
    become_current(&it.world, &value.to_string()).await;
    it.world.api.lead(&format!("{writer}."), WRITER);
    is_foreign(&it, &decoy, "a host that is only called like the replica").await;
    it.world.finish().await.unwrap();

    let it = Alternating::start().await;
    superuser_at(&it, decoy.port()).await;
    let alone = rds_name("alone");
    let rds = &it.world.secrets;
    rds.create_db_instance(&alone, None, 5432).await.unwrap();
    it.world.api.lead(&format!("{alone}."), "localhost");
    is_foreign(&it, &decoy, "an instance that replicates nobody").await;
    it.world.finish().await.unwrap();
}

#[tokio::test]
async fn c30_where_rds_does_not_say_the_superuser_goes_nowhere() {
    let it = Alternating::start().await;
    let decoy = DbGate::decoy().await.unwrap();
    superuser_at(&it, decoy.port()).await;
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
            "asking RDS for the writer",
        ),
    ] {
        let token = created(&it.world).await;
        it.world
            .api
            .answer("DescribeDBInstances", 1.., fault.clone());
        let event = it.world.event("setSecret", &token);
        let set = it
            .world
            .function
            .invoke(&event, std::time::Duration::from_secs(4))
            .await;
        let message = failed(&set, name);
        assert!(message.contains(says), "{fault:?}: {message}");
        assert_eq!(decoy.connections(), 0, "{fault:?}");
        it.world.api.heal();
        cancel(&it.world).await;
    }
    it.world.finish().await.unwrap();
}
