//! The function from outside: the program that ships, real servers, real protocols. A module per promise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod admission;
mod alternating;
mod bounds;
mod document;
mod foreign;
mod interrupted;
mod lost_and_found;
mod promotion;
mod refused;
mod said;
mod secrecy;
mod server;
mod single_user;
mod tested;
mod tls;
mod unreachable;
mod verifier;

use testbed::world::Builder;
use testbed::{Invocation, World};
use tokio::net::{TcpSocket, TcpStream};

/// A world for the program that ships.
fn world() -> Builder {
    World::builder(env!("CARGO_BIN_EXE_db-rotation"))
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
