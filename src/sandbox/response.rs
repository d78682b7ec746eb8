//! Turns a reply into an HTTP response: status, headers, body, and the way to send them.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::envelope::{Envelope, Format, new_request_id};
use super::refusal::Refusal;
use super::reply::{Effect, RecordedReply, Reply, Step};

/// How long the connection of a request without a reply stays open.
const NO_REPLY_FOR: Duration = Duration::from_secs(600);

/// How much of the body is sent before the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    Half,
    Nothing,
}

/// An HTTP response, and the way to send it.
#[derive(Debug)]
pub(super) struct HttpResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// `Code` in the body; empty if it has none.
    pub(super) code: String,
    pub(super) delivery: Delivery,
    /// The time before the first byte.
    pub(super) delay: Duration,
    /// The time from the first byte to the last.
    pub(super) drip: Duration,
}

impl HttpResponse {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            code: String::new(),
            delivery: Delivery::Whole,
            delay: Duration::ZERO,
            drip: Duration::ZERO,
        }
    }

    fn in_format(self, format: Format) -> Self {
        self.with_header("content-type", format.content_type())
    }

    fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn with_code(self, code: &str) -> Self {
        Self { code: code.to_owned(), ..self }
    }

    /// The HTTP status that the client sees; 0 if it gets no response.
    pub(super) fn sent_status(&self) -> u16 {
        if self.delivery == Delivery::Nothing { 0 } else { self.status }
    }

    /// Applies the effects that change the response and not the reply, and the step's timing.
    fn apply(&mut self, step: &Step) {
        match step.effect {
            Effect::Empty => self.body.clear(),
            Effect::Truncated => self.body.truncate(self.body.len() / 2),
            Effect::Cut => self.delivery = Delivery::Half,
            Effect::Dropped => self.delivery = Delivery::Nothing,
            Effect::Never => (self.delivery, self.delay) = (Delivery::Nothing, NO_REPLY_FOR),
            _ => {}
        }
        self.delay += step.delay;
        self.drip = step.drip;
    }
}

/// Writes replies as responses of one host.
pub(super) struct ResponseWriter {
    /// `HostId` of the gateway's errors.
    pub(super) host: String,
}

impl ResponseWriter {
    /// The response for a reply, changed by a step. `provider_time` becomes its `Date`.
    pub(super) fn write(
        &self,
        format: Format,
        reply: Reply,
        step: &Step,
        provider_time: DateTime<Utc>,
    ) -> HttpResponse {
        let mut response = match reply {
            Reply::Data(data) => ok(format, Some(&data)),
            Reply::NoRecord => ok(format, None),
            Reply::Refused(refusal) => self.refused(format, &refusal),
            Reply::Page { status } => page(status),
            Reply::Key(key) => HttpResponse::new(200, key).in_format(Format::Json),
            Reply::Recorded(recorded) => replayed(recorded),
        };
        response.apply(step);
        let date = provider_time.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        // The reply's own headers come last: they may replace these.
        let common = [("x-reconcile-sandbox".to_owned(), "1".to_owned()), ("date".to_owned(), date)];
        response.headers.splice(..0, common);
        response
    }

    fn refused(&self, format: Format, refusal: &Refusal) -> HttpResponse {
        // Errors of the service come with HTTP 200 and without the gateway's fields.
        let by_gateway = refusal.status != 200;
        let code = refusal.code.as_str();
        let search = || format!("https://error-center.aliyun.com/status/search?Keyword={code}&source=PopGw");
        let envelope = Envelope {
            request_id: new_request_id(),
            host_id: by_gateway.then_some(self.host.as_str()),
            code,
            message: &refusal.message,
            recommend: by_gateway.then(search),
            data: None,
        };
        let response =
            HttpResponse::new(refusal.status, envelope.write(format)).in_format(format).with_code(code);
        match refusal.retry_after_ms {
            Some(ms) => response.with_header("x-acs-retry-after", ms.to_string()),
            None => response,
        }
    }
}

fn ok(format: Format, data: Option<&str>) -> HttpResponse {
    let envelope = Envelope {
        request_id: new_request_id(),
        host_id: None,
        code: "OK",
        message: "OK",
        recommend: None,
        data,
    };
    HttpResponse::new(200, envelope.write(format)).in_format(format).with_code("OK")
}

fn page(status: u16) -> HttpResponse {
    let page = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>");
    HttpResponse::new(status, page).with_header("content-type", "text/html")
}

fn replayed(recorded: RecordedReply) -> HttpResponse {
    let mut response = HttpResponse::new(recorded.status.unwrap_or(0), recorded.body);
    response.headers = recorded.headers;
    if recorded.status.is_none() {
        response.delivery = Delivery::Nothing;
    }
    response
}
