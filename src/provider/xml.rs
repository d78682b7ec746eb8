//! The envelope in XML: `<QueryCallDetailByCallIdResponse>` and `<Error>`. Pure. In this folder,
//! only this file uses quick-xml.
//!
//! Declared entities are never expanded: a text with a document type is not an envelope. Elements
//! inside `Data` are kept as their source text.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use super::fields::{FieldValue, Fields, NotEnvelope, is_known};

/// The fields of an envelope.
pub(super) fn fields(text: &str) -> Result<Fields, NotEnvelope> {
    let mut reader =
        FieldReader { reader: Reader::from_str(text), text, fields: Fields::new(), open: None, depth: 0 };
    let mut root = None;
    loop {
        let before = reader.position();
        match reader.reader.read_event() {
            Err(_) if root.as_deref().is_some_and(|root| ends_with(text, root)) => {
                return Err(NotEnvelope::Invalid);
            }
            Err(_) | Ok(Event::Eof | Event::DocType(_)) => return Err(NotEnvelope::Other),
            Ok(Event::Start(tag)) if reader.depth == 0 => {
                let name = tag.local_name().into_inner().to_owned();
                if !is_root(&name) {
                    return Err(NotEnvelope::Other);
                }
                (root, reader.depth) = (Some(name), 1);
            }
            Ok(Event::End(_)) if reader.depth == 1 => return Ok(reader.fields),
            Ok(event) if reader.depth > 0 => reader.read_inside(event, before),
            Ok(_) => {}
        }
    }
}

/// True if a text begins like an envelope.
pub(super) fn begins(text: &str) -> bool {
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => return is_root(tag.local_name().into_inner()),
            Ok(Event::Eof | Event::DocType(_)) | Err(_) => return false,
            Ok(_) => {}
        }
    }
}

fn is_root(name: &str) -> bool {
    name.eq_ignore_ascii_case("Error") || name.ends_with("Response")
}

fn ends_with(text: &str, root: &str) -> bool {
    text.trim_end().strip_suffix('>').is_some_and(|text| text.trim_end().ends_with(root))
}

/// A field whose end tag has not been read.
struct OpenField {
    name: String,
    /// The byte position where its content begins.
    start: usize,
    value: String,
    /// Why the content is not text.
    error: Option<&'static str>,
}

struct FieldReader<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    fields: Fields,
    open: Option<OpenField>,
    /// Number of open elements, including the root.
    depth: usize,
}

const ELEMENTS: &str = "it contains elements instead of text";

impl FieldReader<'_> {
    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// Reads an event below the root; `before` is the position where it begins.
    fn read_inside(&mut self, event: Event<'_>, before: usize) {
        match event {
            Event::Start(tag) => {
                if self.depth == 1 {
                    let name = tag.local_name().into_inner().to_owned();
                    let (start, value) = (self.position(), String::new());
                    self.open = Some(OpenField { name, start, value, error: None });
                } else {
                    self.mark_unreadable(ELEMENTS);
                }
                self.depth += 1;
            }
            Event::Empty(_) if self.depth > 1 => self.mark_unreadable(ELEMENTS),
            Event::End(_) => {
                self.depth -= 1;
                if self.depth == 1 {
                    self.close(before);
                }
            }
            Event::Text(text) => self.push(&text.xml10_content()),
            Event::CData(text) => self.push(&text.xml10_content()),
            Event::GeneralRef(reference) => match resolve(&reference) {
                Some(c) => self.push(c.encode_utf8(&mut [0; 4])),
                None => self.mark_unreadable("it contains an entity unknown to XML"),
            },
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if let Some(open) = &mut self.open {
            open.value.push_str(text);
        }
    }

    fn mark_unreadable(&mut self, why: &'static str) {
        if let Some(open) = &mut self.open {
            open.error = open.error.or(Some(why));
        }
    }

    fn close(&mut self, end: usize) {
        let Some(open) = self.open.take().filter(|open| is_known(&open.name)) else { return };
        let value = match open.error {
            None => FieldValue::Text(open.value),
            Some(why) => {
                let raw = self.text.get(open.start..end).unwrap_or_default().to_owned();
                FieldValue::Unreadable { raw, why }
            }
        };
        self.fields.push((open.name, value));
    }
}

/// The character of one of XML's five entities or of a numeric reference.
fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    match &**reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn field(text: &str, name: &str) -> Option<FieldValue> {
        fields(text).unwrap().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn data(inside: &str) -> FieldValue {
        let text =
            format!("<?xml version=\"1.0\"?>\n<XResponse><Code>OK</Code><Data>{inside}</Data></XResponse>");
        field(&text, "Data").unwrap()
    }

    #[test]
    fn text_cdata_and_references_are_joined() {
        let text = |s: &str| FieldValue::Text(s.to_owned());
        assert_eq!(data("{&quot;a&quot;:&#49;,<![CDATA[\"b\":\"<&>\"]]>}"), text("{\"a\":1,\"b\":\"<&>\"}"));
        assert_eq!(data("<!-- c -->&#x7528;"), text("用"));
        assert_eq!(data(""), text(""));
        assert_eq!(field("<AResponse><Code>OK</Code><Data/></AResponse>", "Data"), None);
    }

    #[test]
    fn content_other_than_text_is_kept_as_source() {
        for inside in ["<a>1</a>", "x<b/>y", "&bomb;", "&#0;"] {
            match data(inside) {
                FieldValue::Unreadable { raw, .. } => assert_eq!(raw, inside),
                other => assert_eq!(other, FieldValue::Nothing, "{inside}"),
            }
        }
    }

    #[test]
    fn an_error_with_cdata_is_read() {
        let error = "<Error><RequestId>R</RequestId><HostId>h</HostId><Code>InternalError</Code>\
                     <Message><![CDATA[a < b]]></Message><Recommend><![CDATA[u]]></Recommend></Error>";
        assert_eq!(field(error, "Message"), Some(FieldValue::Text("a < b".into())));
        assert_eq!(field(error, "Code"), Some(FieldValue::Text("InternalError".into())));
    }

    #[test]
    fn pages_doctypes_and_cut_texts_are_not_envelopes() {
        for text in [
            "<html><Code>OK</Code></html>",
            "<!DOCTYPE x [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>",
            "<Error><Code>OK</Co",
            "<Error><Code>OK</Code>",
        ] {
            assert_eq!(fields(text), Err(NotEnvelope::Other), "{text}");
        }
        assert_eq!(fields("<Error><Code>a < b</Code></Error>"), Err(NotEnvelope::Invalid));
        assert!(begins("<?xml version=\"1.0\"?><XResponse><Da") && !begins("<html><Da"));
    }

    #[test]
    fn deep_nesting_needs_no_stack() {
        let text = format!(
            "<XResponse>{}{}<Code>OK</Code></XResponse>",
            "<a>".repeat(100_000),
            "</a>".repeat(100_000)
        );
        assert_eq!(field(&text, "Code"), Some(FieldValue::Text("OK".into())));
    }
}
