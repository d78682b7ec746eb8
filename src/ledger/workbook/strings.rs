//! The texts that the cells of a workbook share.

use quick_xml::events::Event;

use super::archive::Archive;
use super::refused::{Refused, Result};
use super::xml::Xml;

/// Bytes of shared texts that any file may have.
const ALWAYS_ALLOWED: u64 = 256 << 20;
/// A larger file may have this many times its own size.
const ALLOWED_TIMES: u64 = 16;

/// All shared texts of a workbook.
///
/// They are the only part of a workbook that memory holds whole: their bytes in UTF-8 and 8 bytes
/// for each, at most 256 MiB or 16 times the size of a larger file. A million CallIds need 35 MB.
/// While they grow, memory may hold them twice.
#[derive(Debug, Default)]
pub(super) struct SharedStrings {
    text: String,
    /// End of each text in `text`.
    ends: Vec<usize>,
}

impl SharedStrings {
    /// Reads the part with the shared texts, if there is one.
    ///
    /// # Errors
    /// The part is damaged, or the texts need more memory than allowed.
    pub(super) fn read(archive: &Archive, part: Option<&str>) -> Result<Self> {
        let mut strings = Self::default();
        let Some(name) = part else { return Ok(strings) };
        let part = archive.listed_part(name)?;
        let allowed = ALWAYS_ALLOWED.max(archive.len().saturating_mul(ALLOWED_TIMES));
        let mut xml = Xml::new(part);
        let mut text = String::new();
        loop {
            match xml.next()? {
                Event::Start(tag) if tag.local_name().into_inner() == "si" => {
                    text.clear();
                    rich_text(&mut xml, &mut text)?;
                    let needed = strings.text.len() + text.len() + 8 * (strings.ends.len() + 1);
                    if needed as u64 > allowed {
                        return Err(Refused::TooLarge { part: name.to_owned(), allowed_mib: allowed >> 20 });
                    }
                    push_unescaped(&text, &mut strings.text);
                    strings.ends.push(strings.text.len());
                }
                Event::Eof => return Ok(strings),
                _ => {}
            }
        }
    }

    /// The text with this number, from 0.
    pub(super) fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)?;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        self.text.get(start..end)
    }
}

/// Reads to the end of the innermost open element, and appends its text. The text of formatted runs
/// is joined; phonetic guides are passed over.
///
/// # Errors
/// The part is damaged or cannot be read.
pub(super) fn rich_text(xml: &mut Xml, text: &mut String) -> Result<()> {
    let mut inner = 0_usize;
    loop {
        match xml.next()? {
            Event::Start(tag) => match tag.local_name().into_inner() {
                "rPh" => xml.pass()?,
                "t" => xml.text(text)?,
                _ => inner += 1,
            },
            Event::End(_) if inner == 0 => return Ok(()),
            Event::End(_) => inner -= 1,
            Event::Eof => return Err(Refused::Damaged("a part of it ends too early")),
            _ => {}
        }
    }
}

/// Appends a text, with the character for each `_x000D_`: Excel writes control characters so.
pub(super) fn push_unescaped(text: &str, into: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let (before, escape) = rest.split_at(at);
        into.push_str(before);
        let code = escape.get(2..6).filter(|_| escape.as_bytes().get(6) == Some(&b'_'));
        let digits = code.filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32) {
            Some(c) => {
                into.push(c);
                rest = &escape[7..];
            }
            None => {
                into.push_str("_x");
                rest = &escape[2..];
            }
        }
    }
    into.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::push_unescaped;

    #[test]
    fn escaped_control_characters_are_read() {
        for (text, wanted) in [
            ("a_x000D_\nb", "a\r\nb"),
            ("_x005F_x000D_", "_x000D_"),
            ("_x12", "_x12"),
            ("_xD800_", "_xD800_"),
            ("a_x0g00_b_x", "a_x0g00_b_x"),
            ("通话_x0041_", "通话A"),
        ] {
            let mut found = String::new();
            push_unescaped(text, &mut found);
            assert_eq!(found, wanted);
        }
    }
}
