//! The envelope in XML: `<QueryCallDetailByCallIdResponse>` and `<Error>`. The only place that knows quick-xml on
//! this side of the house. Pure.
//!
//! Entities of one's own are never expanded: a text that declares a document type is no envelope. Elements below
//! `Data` are kept as they stand.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use super::fields::{Fields, Value, is_known};

/// The fields of an envelope; else whether the text begins and ends as one.
pub(super) fn fields(text: &str) -> Result<Fields, bool> {
    let mut reader =
        Reading { reader: Reader::from_str(text), text, fields: Fields::new(), open: None, depth: 0 };
    let mut root = None;
    loop {
        let before = reader.position();
        match reader.reader.read_event() {
            Err(_) => return Err(root.as_deref().is_some_and(|root| ends_with(text, root))),
            Ok(Event::Eof | Event::DocType(_)) => return Err(false),
            Ok(Event::Start(tag)) if reader.depth == 0 => {
                let name = tag.local_name().into_inner().to_owned();
                if !is_root(&name) {
                    return Err(false);
                }
                (root, reader.depth) = (Some(name), 1);
            }
            Ok(Event::End(_)) if reader.depth == 1 => return Ok(reader.fields),
            Ok(event) if reader.depth > 0 => reader.inside(event, before),
            Ok(_) => {}
        }
    }
}

/// Whether a text begins as an envelope does.
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

/// A field whose end has not come yet.
struct Open {
    name: String,
    /// Where its content begins.
    at: usize,
    value: String,
    why: Option<&'static str>,
}

struct Reading<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    fields: Fields,
    open: Option<Open>,
    depth: usize,
}

impl Reading<'_> {
    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// What stands below the root; `before` is where the event begins.
    fn inside(&mut self, event: Event<'_>, before: usize) {
        match event {
            Event::Start(tag) => {
                if self.depth == 1 {
                    let name = tag.local_name().into_inner().to_owned();
                    self.open = Some(Open { name, at: self.position(), value: String::new(), why: None });
                } else {
                    self.spoil("elements stand in it instead of text");
                }
                self.depth += 1;
            }
            Event::Empty(_) if self.depth > 1 => self.spoil("elements stand in it instead of text"),
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
                None => self.spoil("an entity stands in it that XML does not know"),
            },
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if let Some(open) = &mut self.open {
            open.value.push_str(text);
        }
    }

    fn spoil(&mut self, why: &'static str) {
        if let Some(open) = &mut self.open {
            open.why = open.why.or(Some(why));
        }
    }

    fn close(&mut self, end: usize) {
        let Some(open) = self.open.take().filter(|open| is_known(&open.name)) else { return };
        let value = match open.why {
            None => Value::Text(open.value),
            Some(why) => {
                let raw = self.text.get(open.at..end).unwrap_or_default().to_owned();
                Value::Unreadable { raw, why }
            }
        };
        self.fields.push((open.name, value));
    }
}

/// The five entities that XML knows, and characters by number.
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

    fn field(text: &str, name: &str) -> Option<Value> {
        fields(text).unwrap().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn data(inside: &str) -> Value {
        let text =
            format!("<?xml version=\"1.0\"?>\n<XResponse><Code>OK</Code><Data>{inside}</Data></XResponse>");
        field(&text, "Data").unwrap()
    }

    #[test]
    fn text_cdata_and_references_make_one_text() {
        let text = |s: &str| Value::Text(s.to_owned());
        assert_eq!(data("{&quot;a&quot;:&#49;,<![CDATA[\"b\":\"<&>\"]]>}"), text("{\"a\":1,\"b\":\"<&>\"}"));
        assert_eq!(data("<!-- c -->&#x7528;"), text("用"));
        assert_eq!(data(""), text(""));
        assert_eq!(field("<AResponse><Code>OK</Code><Data/></AResponse>", "Data"), None);
    }

    #[test]
    fn what_is_no_text_is_kept_as_it_stands() {
        for inside in ["<a>1</a>", "x<b/>y", "&bomb;", "&#0;"] {
            match data(inside) {
                Value::Unreadable { raw, .. } => assert_eq!(raw, inside),
                other => assert_eq!(other, Value::Nothing, "{inside}"),
            }
        }
    }

    #[test]
    fn an_error_with_cdata_is_read() {
        let error = "<Error><RequestId>R</RequestId><HostId>h</HostId><Code>InternalError</Code>\
                     <Message><![CDATA[a < b]]></Message><Recommend><![CDATA[u]]></Recommend></Error>";
        assert_eq!(field(error, "Message"), Some(Value::Text("a < b".into())));
        assert_eq!(field(error, "Code"), Some(Value::Text("InternalError".into())));
    }

    #[test]
    fn a_page_a_declared_entity_and_half_a_text_are_no_envelopes() {
        for text in [
            "<html><Code>OK</Code></html>",
            "<!DOCTYPE x [<!ENTITY a \"b\">]><Error><Code>&a;</Code></Error>",
            "<Error><Code>OK</Co",
            "<Error><Code>OK</Code>",
        ] {
            assert_eq!(fields(text), Err(false), "{text}");
        }
        assert_eq!(fields("<Error><Code>a < b</Code></Error>"), Err(true));
        assert!(begins("<?xml version=\"1.0\"?><XResponse><Da") && !begins("<html><Da"));
    }

    #[test]
    fn nesting_without_end_needs_no_stack() {
        let text = format!(
            "<XResponse>{}{}<Code>OK</Code></XResponse>",
            "<a>".repeat(100_000),
            "</a>".repeat(100_000)
        );
        assert_eq!(field(&text, "Code"), Some(Value::Text("OK".into())));
    }
}
