//! HTTP over loopback. The only place that knows the HTTP server's library.
//!
//! Promises that whatever comes over a connection ends in an answer, or in the end of that connection where this is what
//! is to be simulated, and that no connection outlives the server.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Body as _, Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::gateway::{Heard, Params, Refusal};
use super::simulated::{Answer, Ending, Simulated};

/// The largest body that is read, in bytes; a signed question has fewer than 1 KiB.
const BODY_LIMIT: usize = 64 << 10;
/// A slow answer comes in so many pieces.
const PIECES: usize = 8;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Answers until it is dropped.
pub(super) async fn serve(listener: TcpListener, provider: Arc<Simulated>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(stream, provider.clone()))),
                // Too many open files, as a rule: others end meanwhile.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, provider: Arc<Simulated>) {
    // Small replies must not wait for the peer's acknowledgement. Where this fails they do; no more.
    drop(stream.set_nodelay(true));
    let service = service_fn(|request| handle(provider.clone(), request));
    // A peer that goes away, or speaks no HTTP, is no error of the server's.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn handle(provider: Arc<Simulated>, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    if request.method() == Method::GET
        && let Some(page) = provider.page(request.uri().path())
    {
        return Ok(json_page(&page));
    }
    let answer = provider.answer(&read(request).await);
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    write(answer)
}

async fn read(request: Request<Incoming>) -> Result<Heard, Refusal> {
    let known = matches!(*request.method(), Method::GET | Method::POST);
    if !known || request.uri().path() != "/" {
        let message = "Specified api is not found, please check your url and method.";
        return Err(Refusal::new(404, "InvalidApi.NotFound", message));
    }
    let (parts, body) = request.into_parts();
    let body = if body.is_end_stream() {
        Bytes::new()
    } else {
        let too_large = |_| {
            let message = format!("The body is cut, or longer than {BODY_LIMIT} bytes.");
            Refusal::new(413, "RequestTooLarge", message)
        };
        Limited::new(body, BODY_LIMIT).collect().await.map_err(too_large)?.to_bytes()
    };
    // A body that does not say it is a form is none.
    let form = parts.headers.get(CONTENT_TYPE).is_some_and(is_form);
    let text = if form { String::from_utf8_lossy(&body) } else { "".into() };
    let params = Params::read(parts.uri.query().unwrap_or_default(), &text)?;
    let headers = headers(&parts.headers);
    Ok(Heard { method: parts.method.as_str().to_owned(), params, headers, body: body.to_vec() })
}

/// Names in lower case, as HTTP has them anyway. A value that is no text cannot have been signed.
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

/// The response; an error ends the connection without one.
fn write(answer: Answer) -> Result<Response<Body>, io::Error> {
    let gone = || io::Error::from(io::ErrorKind::ConnectionAborted);
    if answer.ending == Ending::Dropped {
        return Err(gone());
    }
    let length = answer.body.len();
    let bytes = Bytes::from(answer.body);
    let body = match (answer.ending, answer.drip.is_zero()) {
        (Ending::Cut, _) => {
            // What was sent so far leaves first: an error at once would take the whole answer with it.
            let half = stream::once(async move { Ok(Frame::data(bytes.slice(..length / 2))) });
            let end = stream::once(async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Err(gone())
            });
            StreamBody::new(half.chain(end)).boxed_unsync()
        }
        (_, true) => whole(bytes),
        (_, false) => StreamBody::new(pieces(bytes, answer.drip)).boxed_unsync(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, length.into());
    for (name, value) in answer.headers {
        // Those of a recording may be anything.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// The bytes over so long a time.
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
