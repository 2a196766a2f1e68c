//! HTTP without ceremony: a server that can break its promises.

use std::future::Future;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::CONTENT_LENGTH;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

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

/// Answers the requests of one connection.
pub(crate) async fn converse<H, F>(stream: TcpStream, handler: H)
where
    H: Fn(Request<Bytes>) -> F,
    F: Future<Output = Result<Reply, Cut>>,
{
    let service = service_fn(async |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        handler(Request::from_parts(head, body))
            .await?
            .into_response()
    });
    // However it ends, the client has seen it.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Reply {
    fn into_response(self) -> Result<Response<impl Body<Data = Bytes, Error = Cut>>, Cut> {
        let length = self.body.len();
        let data = self.body.slice(..self.cut_at.unwrap_or(length).min(length));
        let sent = stream::iter([Ok(Frame::data(data))]);
        let end = stream::iter(self.cut_at).then(async |_| {
            // Waiting once makes hyper send what it has.
            tokio::task::yield_now().await;
            Err(Cut)
        });
        let response = Response::builder()
            .status(self.status)
            .header(CONTENT_LENGTH, length);
        let headers = self.headers.iter();
        let response = headers.fold(response, |response, (name, value)| {
            response.header(*name, value)
        });
        response
            .body(StreamBody::new(Box::pin(sent.chain(end))))
            .map_err(|_| Cut)
    }
}
