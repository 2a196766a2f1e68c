//! HTTP without ceremony: a server that can break its promises.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::background::Ongoing;

/// The connection is closed instead of an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("cut off")]
pub(crate) struct Cut;

/// What a handler answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// How much of the body is sent before the connection is cut; all of it if none.
    pub(crate) cut_at: Option<usize>,
}

/// Serves `handler` on the listener's connections until this is dropped.
pub(crate) fn serve<H, F>(listener: TcpListener, handler: H) -> Ongoing
where
    H: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Cut>> + Send + 'static,
{
    let handler = Arc::new(handler);
    Ongoing::start(async move {
        // Dropped with this task, and every connection with it.
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            // An answer goes out at once, as from a real server.
            let _ = stream.set_nodelay(true);
            connections.spawn(converse(stream, Arc::clone(&handler)));
            while connections.try_join_next().is_some() {}
        }
    })
}

async fn converse<H, F>(stream: TcpStream, handler: Arc<H>)
where
    H: Fn(Request<Bytes>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Cut>> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let handler = Arc::clone(&handler);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
            let reply = handler(Request::from_parts(head, body)).await?;
            reply.into_response().map_err(|_| Cut)
        }
    });
    // However it ends, the client has seen it.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Reply {
    fn into_response(self) -> Result<Response<Sent>, hyper::http::Error> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        let length = self.body.len();
        let cut = self.cut_at.is_some();
        let data = self.body.slice(..self.cut_at.unwrap_or(length).min(length));
        response.body(Sent {
            data: Some(data),
            length,
            cut,
            flushed: false,
        })
    }
}

/// A body that may end before its announced length.
struct Sent {
    data: Option<Bytes>,
    length: usize,
    cut: bool,
    flushed: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if !self.cut {
            return Poll::Ready(None);
        }
        if !self.flushed {
            // Waiting once makes hyper send what it has.
            self.flushed = true;
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Cut)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.cut {
            self.length
        } else {
            self.data.as_ref().map_or(0, Bytes::len)
        } as u64)
    }
}
