//! Decodes a body of any charset to text. Pure. In this folder, only this file uses encoding_rs.
//!
//! A byte order mark decides. Without one, the body is UTF-8 if its bytes are valid UTF-8.
//! Otherwise the header or the XML prolog names the charset. Anything else is read as UTF-8, with
//! U+FFFD for each wrong byte, and is marked as lossy.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// An XML prolog names its encoding within this many bytes.
const PROLOG_BYTES: usize = 256;

/// A decoded body.
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    /// True if some bytes could not be decoded. U+FFFD replaces them.
    pub(super) lossy: bool,
}

/// Decodes a body. `content_type` is the `Content-Type` of its response.
pub(super) fn decode<'a>(body: &'a [u8], content_type: Option<&str>) -> Decoded<'a> {
    if let Some((encoding, mark)) = Encoding::for_bom(body) {
        return decode_with(encoding, &body[mark..]);
    }
    let named = content_type.and_then(in_header).or_else(|| in_prolog(body));
    match named {
        // ASCII text in UTF-16 is also valid UTF-8, with a zero for every other byte.
        Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => decode_with(encoding, body),
        _ => match std::str::from_utf8(body) {
            Ok(text) => Decoded { text: Cow::Borrowed(text), lossy: false },
            Err(_) => decode_with(named.unwrap_or(UTF_8), body),
        },
    }
}

fn decode_with<'a>(encoding: &'static Encoding, body: &'a [u8]) -> Decoded<'a> {
    let (text, lossy) = encoding.decode_without_bom_handling(body);
    Decoded { text, lossy }
}

/// The encoding of a `Content-Type` such as `text/xml;charset=GBK`.
fn in_header(content_type: &str) -> Option<&'static Encoding> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let label = value.trim().trim_matches(['"', '\'']);
        name.trim().eq_ignore_ascii_case("charset").then(|| by_label(label)).flatten()
    })
}

/// The encoding of a prolog such as `<?xml version="1.0" encoding="GBK"?>`.
fn in_prolog(body: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&body[..body.len().min(PROLOG_BYTES)]);
    let prolog = head.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    let value = prolog.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    by_label(value[1..].split(quote).next()?)
}

fn by_label(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 用户 in GBK.
    const GBK: &[u8] = b"\xd3\xc3\xbb\xa7";

    fn read(body: &[u8], content_type: Option<&str>) -> (String, bool) {
        let text = decode(body, content_type);
        (text.text.into_owned(), text.lossy)
    }

    #[test]
    fn the_charset_comes_from_the_mark_the_header_or_the_prolog() {
        for header in
            ["application/json;charset=GBK", "text/xml; Charset=\"gb2312\"", "a/b; x=1; charset=gb18030"]
        {
            assert_eq!(read(GBK, Some(header)), ("用户".into(), false), "{header}");
        }
        let prolog = [b"<?xml version='1.0' encoding = 'GBK' ?><a>".as_slice(), GBK, b"</a>"].concat();
        assert!(read(&prolog, Some("text/xml")).0.ends_with("<a>用户</a>"));
        assert_eq!(read(b"\xef\xbb\xbfa", None), ("a".into(), false));
        assert_eq!(read(b"\xff\xfea\0", Some("a/b;charset=utf-8")), ("a".into(), false));
        assert_eq!(read(b"a\0", Some("a/b;charset=utf-16le")), ("a".into(), false));
    }

    #[test]
    fn valid_utf_8_overrides_the_header() {
        assert_eq!(read("用户".as_bytes(), Some("application/json;charset=GBK")), ("用户".into(), false));
        assert_eq!(
            read("用户".as_bytes(), Some("application/json;charset=nonsense")),
            ("用户".into(), false)
        );
    }

    #[test]
    fn wrong_bytes_are_replaced_and_marked_as_lossy() {
        assert_eq!(read(b"a\xffb", None), ("a\u{fffd}b".into(), true));
        assert!(read(GBK, Some("application/json;charset=utf-8")).1);
        assert!(read(b"\x80\xff", Some("text/xml;charset=GBK")).1);
    }
}
