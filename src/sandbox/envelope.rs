//! The provider's envelope around `Data` or an error, in JSON or XML, as its pages print it.
//!
//! The sandbox writes it with its own code: it shares nothing with the client's
//! `provider::envelope`.

use quick_xml::escape::escape;
use serde::Serialize;

use super::request::Request;

/// The format of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
}

impl Format {
    /// The format that a request asks for. The parameter `Format` decides if it is present. Without
    /// it, the header `accept` decides for a request signed in version 3, with JSON as the default.
    /// All other requests get XML, the default on the gateway's older pages.
    pub(super) fn of(request: &Request) -> Self {
        let xml = match request.params.get("Format") {
            Some(format) => format.eq_ignore_ascii_case("XML"),
            None if request.is_version_3() => {
                request.header("accept").is_some_and(|accepted| accepted.contains("xml"))
            }
            None => true,
        };
        if xml { Self::Xml } else { Self::Json }
    }

    /// The `Content-Type` of this format.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }
}

/// A new `RequestId`.
pub(super) fn new_request_id() -> String {
    uuid::Uuid::new_v4().to_string().to_uppercase()
}

/// The fields of a reply.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope<'a> {
    pub(super) request_id: String,
    /// Only errors of the gateway have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host_id: Option<&'a str>,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommend: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<&'a str>,
}

impl Envelope<'_> {
    /// The text of the envelope.
    pub(super) fn write(&self, format: Format) -> String {
        match format {
            // Serializing text cannot fail. No client would accept an empty body.
            Format::Json => serde_json::to_string(self).unwrap_or_default(),
            Format::Xml => self.xml(),
        }
    }

    fn xml(&self) -> String {
        // The errors of the gateway have another root element.
        let root = if self.host_id.is_some() { "Error" } else { "QueryCallDetailByCallIdResponse" };
        let mut text = format!("<?xml version='1.0' encoding='UTF-8'?><{root}>");
        let mut element = |name: &str, content: &str| {
            text.push_str(&format!("<{name}>{content}</{name}>"));
        };
        element("RequestId", &escape(self.request_id.as_str()));
        if let Some(host) = self.host_id {
            element("HostId", &escape(host));
        }
        element("Code", &escape(self.code));
        element("Message", &cdata(self.message));
        if let Some(recommend) = &self.recommend {
            element("Recommend", &cdata(recommend));
        }
        if let Some(data) = self.data {
            element("Data", &escape(data));
        }
        text + &format!("</{root}>")
    }
}

/// The text as a CDATA section. `]]>` would end the section, so it is split into two.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::wire::{Body, Reply, understand};

    #[test]
    fn the_client_reads_special_characters_in_xml() {
        let envelope = Envelope {
            request_id: "R".into(),
            host_id: None,
            code: "OK",
            message: "a]]>b",
            recommend: None,
            data: Some("{\"a\":\"<&>\"}"),
        };
        let answer = understand(&Reply::received(200, envelope.write(Format::Xml)));
        let data = Body::Data("{\"a\":\"<&>\"}".into());
        assert_eq!((answer.body, answer.message), (data, "a]]>b".into()));
    }
}
