//! Reads the XML of a part: one event at a time, each of at most 1 MiB.
//!
//! Entities other than those of XML itself are never expanded. A document type is refused.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::part::PartReader;
use super::refused::{Damage, Refused, Result};

/// Most bytes of a tag or a text.
const MAX_EVENT: usize = 1 << 20;
/// Deepest nesting of elements. Workbooks need fewer than 20.
const MAX_DEPTH: usize = 256;
/// Unpacked bytes read at a time.
const CHUNK: usize = 32 * 1024;

/// The events of a part. An empty element is a start and an end.
pub(super) struct Xml {
    reader: Reader<Limited>,
    event: Vec<u8>,
    depth: usize,
}

/// Bytes that end with an error if one event needs more than [`MAX_EVENT`] of them.
struct Limited {
    source: BufReader<PartReader>,
    left: usize,
}

impl Xml {
    pub(super) fn new(part: PartReader) -> Self {
        let source = BufReader::with_capacity(CHUNK, part);
        let mut reader = Reader::from_reader(Limited { source, left: MAX_EVENT });
        reader.config_mut().expand_empty_elements = true;
        Self { reader, event: Vec::new(), depth: 0 }
    }

    /// The next event; [`Event::Eof`] at the end of the part, after its checksum was checked.
    ///
    /// # Errors
    /// The part is damaged or cannot be read.
    pub(super) fn next(&mut self) -> Result<Event<'_>> {
        self.reader.get_mut().left = MAX_EVENT;
        self.event.clear();
        let event = self.reader.read_event_into(&mut self.event)?;
        match &event {
            Event::Start(_) if self.depth == MAX_DEPTH => {
                return Err(Refused::Damaged("its elements are nested too deeply"));
            }
            Event::Start(_) => self.depth += 1,
            Event::End(_) => self.depth -= 1,
            Event::DocType(_) => return Err(Refused::Damaged("a part of it has a document type")),
            Event::Eof if self.depth > 0 => return Err(Refused::Damaged("a part of it ends too early")),
            _ => {}
        }
        Ok(event)
    }

    /// Reads to the end of the innermost open element and appends its text.
    ///
    /// # Errors
    /// The part is damaged, cannot be read, or the text is longer than 1 MiB.
    pub(super) fn text(&mut self, text: &mut String) -> Result<()> {
        let mut inner = 0_usize;
        loop {
            match self.next()? {
                Event::Start(_) => inner += 1,
                Event::End(_) if inner == 0 => return Ok(()),
                Event::End(_) => inner -= 1,
                Event::Text(found) => text.push_str(&found.xml10_content()),
                Event::CData(found) => text.push_str(&found.xml10_content()),
                Event::GeneralRef(reference) => text.push(resolve(&reference)?),
                Event::Eof => return Err(Refused::Damaged("a part of it ends too early")),
                _ => {}
            }
            if text.len() > MAX_EVENT {
                return Err(Refused::Damaged("it has a text that is longer than 1 MiB"));
            }
        }
    }

    /// Reads to the end of the innermost open element.
    ///
    /// # Errors
    /// The part is damaged or cannot be read.
    pub(super) fn pass(&mut self) -> Result<()> {
        let end = self.depth - 1;
        while self.depth > end {
            if matches!(self.next()?, Event::Eof) {
                break;
            }
        }
        Ok(())
    }

    /// Reads to the end of the part, where its checksum is checked.
    ///
    /// # Errors
    /// The part is damaged or cannot be read.
    pub(super) fn finish(&mut self) -> Result<()> {
        while !matches!(self.next()?, Event::Eof) {}
        Ok(())
    }
}

/// Calls `each` with every attribute: its name without a prefix, and its value.
///
/// # Errors
/// The tag is damaged, or `each` fails.
pub(super) fn for_each_attribute(
    tag: &BytesStart<'_>,
    mut each: impl FnMut(&str, Cow<'_, str>) -> Result<()>,
) -> Result<()> {
    for attribute in tag.attributes().with_checks(false) {
        let attribute = attribute?;
        let value = if attribute.value.contains(['&', '\r', '\n', '\t']) {
            attribute.normalized_value(XmlVersion::Implicit1_0)?
        } else {
            attribute.value
        };
        each(attribute.key.local_name().into_inner(), value)?;
    }
    Ok(())
}

/// The character of one of XML's five entities or of a numeric reference.
fn resolve(reference: &BytesRef<'_>) -> Result<char> {
    match &**reference {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => reference.resolve_char_ref()?.ok_or(Refused::Damaged("a part of it has an unknown entity")),
    }
}

impl Read for Limited {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.source.read(into)
    }
}

impl BufRead for Limited {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(Damage("it has a text that is longer than 1 MiB").into());
        }
        self.source.fill_buf()
    }

    fn consume(&mut self, len: usize) {
        self.left = self.left.saturating_sub(len);
        self.source.consume(len);
    }
}

/// True for `1`, `true` and `on`, as the formats of Office write yes.
pub(super) fn is_yes(value: &str) -> bool {
    matches!(value, "1" | "true" | "on")
}
