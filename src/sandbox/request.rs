//! A request as it was received. Nothing in it is trusted yet.

use std::collections::HashSet;

use super::refusal::Refusal;

/// A name and its value, decoded.
pub(super) type Pair = (String, String);

/// The decoded parameters of one request: first those of the query, then those of the body.
pub(super) struct Params {
    pairs: Vec<Pair>,
    query_count: usize,
}

impl Params {
    /// Decodes the parameters of query and body.
    ///
    /// # Errors
    ///
    /// `IncompleteSignature` for a broken escape, for bytes that are not UTF-8, and for a name that
    /// occurs twice.
    pub(super) fn read(query: &str, body: &str) -> Result<Self, Refusal> {
        let decode = |text| {
            decode_pairs(text)
                .ok_or_else(|| Refusal::incomplete_signature("an escape is broken or is not UTF-8"))
        };
        let mut pairs = decode(query)?;
        let query_count = pairs.len();
        pairs.extend(decode(body)?);
        let mut names = HashSet::new();
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !names.insert(name.as_str())) {
            return Err(Refusal::incomplete_signature(&format!("{name} is given twice")));
        }
        Ok(Self { pairs, query_count })
    }

    /// All parameters, in the order received.
    pub(super) fn all(&self) -> &[Pair] {
        &self.pairs
    }

    /// The parameters of the query.
    pub(super) fn of_query(&self) -> &[Pair] {
        &self.pairs[..self.query_count]
    }

    /// A parameter's value; `None` if it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        value(&self.pairs, name)
    }

    /// A required parameter's value.
    ///
    /// # Errors
    ///
    /// `Missing…` if it is missing or empty.
    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::missing(name))
    }
}

fn value<'a>(pairs: &'a [Pair], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
}

/// A request over HTTP.
pub(super) struct Request {
    /// `GET` or `POST`.
    pub(super) method: String,
    /// The parameters of query and form.
    pub(super) params: Params,
    /// The headers; names in lower case.
    pub(super) headers: Vec<Pair>,
    /// The body's bytes.
    pub(super) body: Vec<u8>,
}

impl Request {
    /// A header's value; `None` if it is missing or empty.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    /// A required header's value.
    ///
    /// # Errors
    ///
    /// `Missing…` with the parameter's name.
    pub(super) fn need_header(&self, header: &str, parameter: &str) -> Result<&str, Refusal> {
        self.header(header).ok_or_else(|| Refusal::missing(parameter))
    }

    /// True for a request signed in version 3, false for version 1.0.
    pub(super) fn is_version_3(&self) -> bool {
        self.header("authorization").is_some()
    }
}

/// The pairs of a query or a form; `None` if an escape is broken or the text is not UTF-8.
pub(super) fn decode_pairs(raw: &str) -> Option<Vec<Pair>> {
    let mut pairs = Vec::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let cut = pair.find('=');
        let (name, value) = (&pair[..cut.unwrap_or(pair.len())], cut.map_or("", |at| &pair[at + 1..]));
        pairs.push((decode(name)?, decode(value)?));
    }
    Some(pairs)
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)?,
            // Forms write a space as `+`. A client must escape a plus sign.
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The value of a hexadecimal digit, from 0 to 15.
pub(super) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn broken_escapes_and_bytes_that_are_not_utf8_are_rejected() {
        for raw in ["a=%", "a=%5", "a=%5g", "%ff=1", "a=%e9"] {
            assert_eq!(decode_pairs(raw), None, "{raw}");
        }
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            decode_pairs("a=1+1&&b&c=x=y%5e").unwrap(),
            [pair("a", "1 1"), pair("b", ""), pair("c", "x=y^")]
        );
    }

    #[test]
    fn a_broken_escape_or_a_repeated_name_is_refused() {
        for (query, body) in [("a=%5", ""), ("a=1", "a=1"), ("", "a=1&a=2")] {
            assert_eq!(Params::read(query, body).err().unwrap().code, "IncompleteSignature");
        }
    }
}
