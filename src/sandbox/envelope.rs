//! The simulated provider's envelopes, as its pages print them: JSON, or XML where that is asked for or nothing is.
//!
//! Written apart from `provider::envelope`: what the client reads is not what the client wrote.

use quick_xml::escape::escape;
use serde::Serialize;

use super::gateway::Heard;

/// In which form an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Xml,
}

impl Form {
    /// What a request asks for. Without a `Format` the older pages of the gateway say XML; signed in version 3 it asks
    /// by `accept`, and gets JSON without.
    pub(super) fn asked(heard: &Heard) -> Self {
        let xml = match heard.params.get("Format") {
            Some(format) => format.eq_ignore_ascii_case("XML"),
            None if heard.is_version_3() => heard.header("accept").is_some_and(|kind| kind.contains("xml")),
            None => true,
        };
        if xml { Self::Xml } else { Self::Json }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }
}

/// The provider's answer, with an error's fields where there are any.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope<'a> {
    pub(super) request_id: String,
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
    pub(super) fn write(&self, form: Form) -> String {
        match form {
            // Text alone is written, which cannot fail; an empty body would be an answer that no client takes for one.
            Form::Json => serde_json::to_string(self).unwrap_or_default(),
            Form::Xml => self.xml(),
        }
    }

    fn xml(&self) -> String {
        // Only the gateway's own errors have a root of their own.
        let root = if self.host_id.is_some() { "Error" } else { "QueryCallDetailByCallIdResponse" };
        let mut text = format!("<?xml version='1.0' encoding='UTF-8'?><{root}>");
        let mut element = |name: &str, inside: &str| text.push_str(&format!("<{name}>{inside}</{name}>"));
        element("RequestId", &escape(self.request_id.as_str()));
        if let Some(host) = self.host_id {
            element("HostId", &escape(host));
        }
        element("Code", &escape(self.code));
        element("Message", &section(self.message));
        if let Some(recommend) = &self.recommend {
            element("Recommend", &section(recommend));
        }
        if let Some(data) = self.data {
            element("Data", &escape(data));
        }
        text + &format!("</{root}>")
    }
}

/// Text as a CDATA section; `]]>` inside would end it.
fn section(inside: &str) -> String {
    format!("<![CDATA[{}]]>", inside.replace("]]>", "]]]]><![CDATA[>"))
}
