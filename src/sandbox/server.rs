//! The HTTP server of the simulated provider, on 127.0.0.1.
//!
//! Every request gets a response, unless a fault ends the connection. No connection outlives the
//! server.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Body as _, Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::options::Options;
use super::refusal::Refusal;
use super::request::{Params, Request};
use super::response::{Delivery, HttpResponse};
use super::simulated_provider::SimulatedProvider;
use crate::error::{Error, Result};

/// The largest accepted body in bytes. A signed query has less than 1 KiB.
const BODY_LIMIT: usize = 64 << 10;
/// Time limit for the headers of a request, for its body, and for an idle connection.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// The number of pieces of a slowly sent body.
const PIECES: usize = 8;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A sandbox that listens on its port.
pub struct Sandbox {
    listener: TcpListener,
    address: SocketAddr,
    provider: Arc<SimulatedProvider>,
}

impl Sandbox {
    /// Opens the port. Clients can connect from now on, and get replies once [`Sandbox::serve`]
    /// runs.
    ///
    /// # Errors
    ///
    /// Exit 2 if the port cannot be opened.
    pub async fn bind(options: Options) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let failed = |error: io::Error| {
            Error::usage(format!("the sandbox cannot listen on {address}"))
                .hint("choose another port, or stop the program that uses this one")
                .because(error)
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let provider = Arc::new(SimulatedProvider::new(options, address.to_string())?);
        Ok(Self { listener, address, provider })
    }

    /// The URL that clients use as their endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves requests until the future is dropped.
    pub async fn serve(self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        drop(connections.spawn(serve_connection(stream, self.provider.clone())));
                    }
                    // Usually too many open files: wait until other connections end.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, provider: Arc<SimulatedProvider>) {
    // With this option, a small response does not wait for the peer's acknowledgement. A failure
    // here only makes responses slower.
    drop(stream.set_nodelay(true));
    let service = service_fn(|request| handle(provider.clone(), request));
    // A peer that disconnects or speaks no HTTP is not an error of the server.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn handle(
    provider: Arc<SimulatedProvider>,
    request: hyper::Request<Incoming>,
) -> io::Result<Response<Body>> {
    if request.method() == Method::GET
        && let Some(page) = provider.page(request.uri().path())
    {
        return Ok(json_page(&page));
    }
    let response = provider.answer(read(request).await);
    if !response.delay.is_zero() {
        tokio::time::sleep(response.delay).await;
    }
    write(response)
}

async fn read(request: hyper::Request<Incoming>) -> Result<Request, Refusal> {
    let supported = matches!(*request.method(), Method::GET | Method::POST);
    if !supported || request.uri().path() != "/" {
        return Err(Refusal::unknown_path());
    }
    let (parts, body) = request.into_parts();
    let body = read_body(body).await?;
    // Only a body declared as a form has parameters.
    let is_form = parts.headers.get(CONTENT_TYPE).is_some_and(is_form);
    let form = if is_form { String::from_utf8_lossy(&body) } else { "".into() };
    let params = Params::read(parts.uri.query().unwrap_or_default(), &form)?;
    let headers = headers(&parts.headers);
    Ok(Request { method: parts.method.as_str().to_owned(), params, headers, body: body.to_vec() })
}

async fn read_body(body: Incoming) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let read = tokio::time::timeout(READ_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await;
    read.ok().and_then(Result::ok).map(|body| body.to_bytes()).ok_or_else(|| {
        let message = format!("The body is incomplete, late, or longer than {BODY_LIMIT} bytes.");
        Refusal::new(413, "RequestTooLarge", message)
    })
}

/// Header names, which hyper gives in lower case, with their values. Leaves out values that are not
/// text, because no client can sign them.
fn headers(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

fn is_form(content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The response for hyper. An error ends the connection without a response.
fn write(response: HttpResponse) -> io::Result<Response<Body>> {
    let length = response.body.len();
    let bytes = Bytes::from(response.body);
    let body = match response.delivery {
        Delivery::Nothing => return Err(disconnected()),
        Delivery::Half => half(bytes),
        Delivery::Whole if response.drip.is_zero() => whole(bytes),
        Delivery::Whole => StreamBody::new(pieces(bytes, response.drip)).boxed_unsync(),
    };
    let mut written = Response::new(body);
    *written.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = written.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    for (name, value) in response.headers {
        // A recording may hold any text as a header.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    Ok(written)
}

fn disconnected() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

/// Half of the bytes, then the end of the connection.
fn half(bytes: Bytes) -> Body {
    let length = bytes.len();
    let half = stream::once(async move { Ok(Frame::data(bytes.slice(..length / 2))) });
    let end = stream::once(async move {
        // An immediate error would discard the half that is not sent yet.
        tokio::time::sleep(Duration::from_millis(5)).await;
        Err(disconnected())
    });
    StreamBody::new(half.chain(end)).boxed_unsync()
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// The bytes in pieces, spread over a time.
fn pieces(bytes: Bytes, over: Duration) -> impl stream::Stream<Item = io::Result<Frame<Bytes>>> + Send {
    let size = bytes.len().div_ceil(PIECES).max(1);
    let pause = over / u32::try_from(PIECES).unwrap_or(1);
    stream::unfold(bytes, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = left.split_to(size.min(left.len()));
        Some((Ok(Frame::data(piece)), left))
    })
}

fn json_page(page: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(whole(format!("{page:#}\n").into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
    headers.insert("x-reconcile-sandbox", HeaderValue::from_static("1"));
    response
}
