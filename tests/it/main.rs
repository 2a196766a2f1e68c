//! The function from outside: the program that ships, real servers, real protocols. A module per promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

mod admission;
mod alternating;
mod bounds;
mod contract_cited;
mod creation;
mod document;
mod foreign;
mod interrupted;
mod lost_and_found;
mod md5;
mod operated;
mod orphaned;
mod out_of_reach;
mod pages;
mod promotion;
mod refused;
mod said;
mod secrecy;
mod server;
mod sessions;
mod single_user;
mod stack;
mod tested;
mod tls;
mod unnoticed;
mod unreachable;
mod verifier;

use serde_json::Value;
use testbed::world::Builder;
use testbed::{ApiGate, Function, Invocation, Session, World};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::LocalSet;

use self::alternating::{Alternating, Superuser};

/// A world for the program that ships.
fn world() -> Builder {
    World::builder(env!("CARGO_BIN_EXE_db-rotation"))
}

/// A world of each strategy, for what both promise: a single user's, then alternating users'.
async fn of_both_strategies(builder: impl Fn() -> Builder) -> [World; 2] {
    let single = builder().start().await.unwrap();
    let alternating = Alternating::of(builder(), Superuser::chosen()).await;
    [single, alternating.world]
}

/// Whether the role and the password of a version log in.
async fn version_logs_in(world: &World, version: &str) -> bool {
    let value = world.secrets.value(&world.secret, version).await.unwrap();
    let value: Value = serde_json::from_str(&value.unwrap()).unwrap();
    let [role, password] = ["username", "password"].map(|key| value[key].as_str().unwrap());
    let login = world.postgres.logs_in(role, password, &world.database);
    login.await.unwrap()
}

/// Begins a rotation and has its value made.
async fn created(world: &World) -> String {
    let token = world.begin().await.unwrap();
    world.step("createSecret", &token).await.success().unwrap();
    token
}

/// The message of a step that failed with this name, by its own will and in its time.
#[track_caller]
fn failed(invocation: &Invocation, name: &str) -> String {
    let failure = invocation.failure().unwrap();
    assert_eq!(failure.error_type, name, "{}", failure.error_message);
    assert!(
        !invocation.timed_out && invocation.died.is_none(),
        "{invocation:?}"
    );
    failure.error_message.clone()
}

/// The warnings among what a step wrote.
fn warnings(invocation: &Invocation) -> Vec<&String> {
    invocation
        .log
        .iter()
        .filter(|line| line.contains("WARN"))
        .collect()
}

/// The text that has `AWSCURRENT`, to the letter.
async fn current_text(world: &World) -> String {
    world
        .secrets
        .value(&world.secret, "AWSCURRENT")
        .await
        .unwrap()
        .unwrap()
}

/// The owner writes another current value.
async fn become_current(world: &World, value: &str) {
    world
        .secrets
        .put_value(&world.secret, None, &["AWSCURRENT"], value)
        .await
        .unwrap();
}

/// Somebody else writes the value of the version that a rotation has staged.
async fn become_pending(world: &World, token: &str, value: &str) {
    world
        .secrets
        .put_value(&world.secret, Some(token), &["AWSPENDING"], value)
        .await
        .unwrap();
}

/// What a change told the server in the password's place.
fn given(sql: &str) -> &str {
    let literal = sql.split("PASSWORD ").nth(1).unwrap();
    literal.split('\'').nth(1).unwrap()
}

/// An operator cancels the rotation.
async fn cancel(world: &World) {
    world
        .secrets
        .remove_label(&world.secret, "AWSPENDING")
        .await
        .unwrap();
}

/// What the server has instead of the role's password.
async fn stored_verifier(world: &World) -> Option<String> {
    world.postgres.verifier(&world.role).await.unwrap()
}

/// An administrator changes the role's password.
async fn set_password(world: &World, password: &str) {
    world
        .postgres
        .set_password(&world.role, password)
        .await
        .unwrap();
}

/// Locks the role against any change, until the session commits, rolls back or is dropped.
async fn lock(world: &World) -> Session {
    let holder = world.postgres.admin_session("postgres").await.unwrap();
    let change = format!("BEGIN; ALTER ROLE \"{}\" CONNECTION LIMIT 9", world.role);
    holder.run(&change).await.unwrap();
    holder
}

/// Another process of the function's, for the same secret, which it reaches through `api`.
async fn second_function(world: &World, api: &ApiGate) -> Function {
    let second = Function::builder(env!("CARGO_BIN_EXE_db-rotation"));
    let second = second.env("SECRETS_MANAGER_ENDPOINT", &api.url());
    let ca = world.postgres.ca_pem_path();
    second
        .env("PGSSLROOTCERT", &ca.to_string_lossy())
        .start()
        .await
        .unwrap()
}

/// Runs tests that mostly wait at the same time.
async fn at_once<F: Future<Output = ()> + 'static>(tests: impl IntoIterator<Item = F>) {
    let here = LocalSet::new();
    let running: Vec<_> = tests
        .into_iter()
        .map(|test| here.spawn_local(test))
        .collect();
    let all = async {
        for test in running {
            test.await.unwrap();
        }
    };
    here.run_until(all).await;
}

/// A port that swallows packets, as a security group does: its queue of connections is full.
struct QuietPort {
    port: u16,
    _queued: (tokio::net::TcpListener, Vec<TcpStream>),
}

async fn quiet_port() -> QuietPort {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut queued = Vec::new();
    while let Ok(stream) = tokio::time::timeout(
        std::time::Duration::from_millis(200),
        TcpStream::connect(("127.0.0.1", port)),
    )
    .await
    {
        queued.push(stream.unwrap());
    }
    QuietPort {
        port,
        _queued: (listener, queued),
    }
}

/// Looks again and again until there is something to see; a test that looks in vain fails.
async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), looking)
        .await
        .expect("nothing came to be seen")
}
