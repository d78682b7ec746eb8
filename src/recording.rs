//! A recording of the provider's answers: JSON lines that can be shared and told again by the sandbox.
//!
//! Owns the file's form. Promises that phone numbers in it are replaced, equal ones by equal ones of the same form; that no
//! key, no signature and no security token is in it; that CallIds stay as they are; and that nobody but its owner may read
//! it. The first line says what it is; every other is an [`Exchange`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::NaiveDate;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::error::{Error, Result};
use crate::provider::sign;
use reconcile_core::phone::{normalize_number, replace_numbers};

/// What the first line begins with, by which a recording is known.
const MARK: &str = "{\"reconcile_recording\":";
/// The version of the form that is written and read.
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    reconcile_recording: u32,
    /// Makes the same number another one in every file.
    salt: String,
    /// Tells whether a key is the one that the file was begun with, and nothing of it.
    check: String,
}

/// One question and what came back.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Exchange {
    /// `CallId`.
    pub call_id: String,
    /// `ProdId`.
    pub prod_id: i64,
    /// The day that was asked for.
    pub day: NaiveDate,
    /// HTTP status; none when no answer came.
    pub status: Option<u16>,
    /// The headers that matter, by their names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// A body that is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl Exchange {
    /// A question to which no answer came.
    #[must_use]
    pub fn lost(call_id: &str, prod_id: i64, day: NaiveDate) -> Self {
        let (call_id, headers) = (call_id.to_owned(), BTreeMap::new());
        Self { call_id, prod_id, day, status: None, headers, body: None, body_base64: None }
    }

    /// The same with this answer.
    #[must_use]
    pub fn answered(mut self, status: u16, body: &[u8]) -> Self {
        self.status = Some(status);
        match std::str::from_utf8(body) {
            Ok(text) => self.body = Some(text.to_owned()),
            Err(_) => self.body_base64 = Some(STANDARD.encode(body)),
        }
        self
    }

    /// The answer's bytes.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let decoded = self.body_base64.as_ref().map(|text| STANDARD.decode(text).unwrap_or_default());
        decoded.or_else(|| self.body.clone().map(String::into_bytes)).unwrap_or_default()
    }
}

/// How numbers are replaced in one file.
struct Replacing(Hmac<Sha256>);

impl Replacing {
    fn new(secret: &[u8], salt: &str) -> Option<Self> {
        Some(Self(
            Hmac::new_from_slice(secret).ok()?.chain_update("reconcile recording\0").chain_update(salt),
        ))
    }

    fn digest(&self, text: &str) -> [u8; 32] {
        self.0.clone().chain_update([0]).chain_update(text).finalize().into_bytes().into()
    }

    fn check(&self) -> String {
        self.digest("check")[..8].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The bytes of an answer with their numbers replaced. Digits are the same in every charset that the provider
    /// writes, so what is no UTF-8 is read byte by byte.
    fn body(&self, call_id: &str, body: &[u8]) -> Vec<u8> {
        let replaced = |text: &str| {
            replace_numbers(&without_string_to_sign(text), |run, before, after| {
                self.number(call_id, run, before, after)
            })
        };
        match std::str::from_utf8(body) {
            Ok(text) => replaced(text).into_bytes(),
            Err(_) => {
                let text: String = body.iter().map(|b| char::from(*b)).collect();
                replaced(&text).chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
            }
        }
    }

    /// Another number of the same length, with what joins its digits where it was; a CallId's parts stay.
    fn number(&self, call_id: &str, run: &str, before: Option<char>, after: Option<char>) -> String {
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        let bare = normalize_number(&digits);
        let mobile = bare.len() == 11 && bare.starts_with('1');
        let beside = |wanted: fn(char) -> bool| [before, after].into_iter().flatten().any(wanted);
        // Digits beside letters are an id's, such as `RequestId`; a mobile number may stand there all the same.
        if beside(|c| c == '^') || call_id.contains(run) || (!mobile && beside(|c| c.is_ascii_alphabetic())) {
            return run.to_owned();
        }
        let mut other = digits[..digits.len() - bare.len()].to_owned();
        other += &self.other(&bare);
        let mut other = other.chars();
        run.chars().map(|c| if c.is_ascii_digit() { other.next().unwrap_or('0') } else { c }).collect()
    }

    /// A number that is nobody's: mobile numbers begin with 13 to 19, these with 125; no number within a city begins
    /// with 0, as these do behind their area code.
    fn other(&self, bare: &str) -> String {
        let begin = match bare.as_bytes() {
            [b'1', ..] if bare.len() == 11 => "125".to_owned(),
            [b'0', ..] if bare.len() >= 10 => format!("{}0", &bare[..4]),
            _ => "0".to_owned(),
        };
        let more = self.digest(bare).into_iter().cycle().map(|b| char::from(b'0' + b % 10));
        let length = bare.len().saturating_sub(begin.len());
        begin + &more.take(length).collect::<String>()
    }
}

/// A refused signature comes with all that was signed, a security token among it.
fn without_string_to_sign(text: &str) -> String {
    sign::without_string_to_sign(text, &['"', ']', '<'], "not recorded")
}

/// A file that is being recorded to.
pub struct Recorder {
    path: PathBuf,
    replacing: Replacing,
    /// `None` once it could not be written.
    file: Mutex<Option<File>>,
}

impl Recorder {
    /// Begins a recording, or goes on with one that was begun with the same secret: the same command goes on after an
    /// interruption. The secret itself is never written.
    ///
    /// # Errors
    ///
    /// Exit 2 when the file is there and is no recording, or one with another secret; exit 6 when it cannot be written.
    pub fn open(path: &Path, secret: &[u8]) -> Result<Self> {
        let failed = |e: std::io::Error| {
            Error::output(format!("--record {} cannot be written", path.display()))
                .hint("check the folder, its permissions and its space; nothing was sent")
                .because(e)
        };
        let no_key = || Error::usage("--record needs a secret to replace phone numbers with");
        let mut file = owners_only(path).map_err(failed)?;
        let mut first = String::new();
        BufReader::new(&file).read_line(&mut first).map_err(failed)?;
        if first.is_empty() {
            let salt = uuid::Uuid::new_v4().simple().to_string();
            let replacing = Replacing::new(secret, &salt).ok_or_else(no_key)?;
            let head = Head { reconcile_recording: VERSION, check: replacing.check(), salt };
            let line = serde_json::to_string(&head).unwrap_or_default();
            file.write_all(format!("{line}\n").as_bytes()).map_err(failed)?;
            return Ok(Self { path: path.to_owned(), replacing, file: Mutex::new(Some(file)) });
        }
        let head = head(path, &first)?;
        let replacing = Replacing::new(secret, &head.salt).ok_or_else(no_key)?;
        if replacing.check() != head.check {
            return Err(Error::usage(format!(
                "--record {} was begun over another store, by whose secret numbers are replaced by others",
                path.display()
            ))
            .hint("name another file"));
        }
        end_last_line(&mut file).map_err(failed)?;
        Ok(Self { path: path.to_owned(), replacing, file: Mutex::new(Some(file)) })
    }

    /// Adds an exchange, its numbers replaced. One that cannot be written ends the recording, not the run: that is said
    /// once.
    pub fn note(&self, exchange: Exchange) {
        let exchange = match exchange.status {
            Some(status) => {
                let body = self.replacing.body(&exchange.call_id, &exchange.body());
                Exchange { body: None, body_base64: None, ..exchange }.answered(status, &body)
            }
            None => exchange,
        };
        let mut line = serde_json::to_vec(&exchange).unwrap_or_default();
        line.push(b'\n');
        // A poisoned lock only means that another task panicked between two lines.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = file.as_mut().map(|file| file.write_all(&line)) {
            tracing::warn!("--record {}: {error}; nothing more is recorded", self.path.display());
            *file = None;
        }
    }
}

#[cfg(unix)]
fn owners_only(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Elsewhere permissions are not in a mode.
#[cfg(not(unix))]
fn owners_only(path: &Path) -> std::io::Result<File> {
    File::options().read(true).append(true).create(true).open(path)
}

/// A line that was cut off by a crash is closed, so that only it is lost.
fn end_last_line(file: &mut File) -> std::io::Result<()> {
    use std::io::{Seek as _, SeekFrom};
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

fn head(path: &Path, line: &str) -> Result<Head> {
    let wrong = |why: &str| {
        Error::usage(format!("{} {why}", path.display()))
            .hint("name another file; a recording is made with --record and a file that is not there yet")
    };
    let head: Option<Head> =
        Some(line).filter(|line| line.starts_with(MARK)).and_then(|line| serde_json::from_str(line).ok());
    let head = head.ok_or_else(|| wrong("is there and is no recording"))?;
    if head.reconcile_recording == VERSION {
        Ok(head)
    } else {
        Err(wrong("is a recording of another version"))
    }
}

/// Whether a file is a recording.
#[must_use]
pub fn is_recording(path: &Path) -> bool {
    let mut begin = [0; MARK.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *MARK.as_bytes()
}

/// Reads a recording. A last line that was cut off by a crash is left out.
///
/// # Errors
///
/// Exit 2 when it cannot be read, or a line is no exchange; says which.
pub fn read(path: &Path) -> Result<Vec<Exchange>> {
    let unreadable =
        |e: std::io::Error| Error::usage(format!("cannot read the recording {}", path.display())).because(e);
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?).lines();
    head(path, &lines.next().transpose().map_err(unreadable)?.unwrap_or_default())?;
    let (mut exchanges, mut broken) = (Vec::new(), None);
    for (line, no) in lines.zip(2_u64..) {
        match serde_json::from_str(&line.map_err(unreadable)?) {
            Ok(exchange) => exchanges.push(exchange),
            // A run that was killed while it wrote leaves such a line.
            Err(error) => broken = broken.or(Some((no, error))),
        }
    }
    match broken {
        Some((no, error)) if exchanges.is_empty() => {
            Err(Error::usage(format!("line {no} of the recording {} is no exchange", path.display()))
                .because(error))
        }
        Some((no, _)) => {
            tracing::warn!("line {no} of the recording {} is broken and is left out", path.display());
            Ok(exchanges)
        }
        None => Ok(exchanges),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn replaced(body: &str) -> String {
        let replacing = Replacing::new(b"secret", "salt").unwrap();
        String::from_utf8(replacing.body("1779786101083^9876543210", body.as_bytes())).unwrap()
    }

    #[test]
    fn numbers_are_replaced_by_numbers_of_their_form_and_the_same_ones_by_the_same() {
        let other = replaced("13812345678");
        assert!(other.len() == 11 && other.starts_with("125"), "{other}");
        for (spelling, before) in [("+86 13812345678", "+86 "), ("8613812345678", "86"), ("13812345678", "")]
        {
            assert_eq!(replaced(spelling), format!("{before}{other}"), "{spelling}");
        }
        let spelled = replaced("138-1234-5678");
        assert_eq!((spelled.replace('-', ""), spelled.find('-')), (other.clone(), Some(3)));
        assert_ne!(replaced("13812345679"), other);
        let landline = replaced("0571-88881234");
        assert!(landline.starts_with("0571-0") && landline.len() == 13, "{landline}");
        let another = Replacing::new(b"another", "salt").unwrap();
        assert_ne!(another.body("", b"13812345678"), other.into_bytes());
        assert_eq!(replacing_bytes(b"\xd0\xd0 13812345678").len(), 14);
    }

    fn replacing_bytes(body: &[u8]) -> Vec<u8> {
        Replacing::new(b"secret", "salt").unwrap().body("", body)
    }

    #[test]
    fn what_is_no_number_stays() {
        for text in [
            r#"{"callId":"1779786101083^9876543210","gmtCreate":"2026-05-26 17:01:41","state":"200000"}"#,
            r#"{"RequestId":"5A17BFE8-D155-5771-BF27-D29099EB997A","Code":"OK"}"#,
            r#"{"callee":"185****8980","duration":4}"#,
        ] {
            assert_eq!(replaced(text), text);
        }
    }

    #[test]
    fn what_was_signed_is_not_recorded() {
        for (before, after) in [("{\"Message\":\"", "\"}"), ("<Message><![CDATA[", "]]></Message>")] {
            let text = format!("{before}server string to sign is:GET&SecurityToken%3Dt0ken{after}");
            let expected = format!("{before}server string to sign is (not recorded){after}");
            assert_eq!(replaced(&text), expected);
        }
    }

    #[test]
    fn a_recording_is_gone_on_with_by_its_own_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("night.jsonl");
        let day = "2026-11-20".parse().unwrap();
        let exchange = Exchange::lost("1^1", 7, day).answered(200, b"{\"callee\":\"13812345678\"}");
        for _ in 0..2 {
            Recorder::open(&path, b"secret").ok().unwrap().note(exchange.clone());
        }
        assert!(is_recording(&path));
        // A crash in the middle of a line loses that line alone.
        File::options().append(true).open(&path).unwrap().write_all(b"{\"call_id\":\"1^").unwrap();
        Recorder::open(&path, b"secret").ok().unwrap().note(Exchange::lost("1^2", 7, day));
        let read = read(&path).unwrap();
        assert_eq!((read.len(), &read[0]), (3, &read[1]));
        assert!(!std::fs::read_to_string(&path).unwrap().contains("13812345678"));
        assert!(Recorder::open(&path, b"another").err().unwrap().what.contains("another store"));
        std::fs::write(&path, "call_id\n").unwrap();
        assert!(Recorder::open(&path, b"secret").err().unwrap().what.contains("is no recording"));
        assert!(!is_recording(&path));
    }
}
