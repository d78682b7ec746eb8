//! Recognizes the form of a file with receipts: by its content, and by its name only if the content
//! does not tell.

use std::io::Read as _;
use std::path::Path;

use serde::de::IgnoredAny;

use super::base64_line::json_in;
use crate::ledger::{Input, LedgerError, TableForm, TableRows, TextFile};
use reconcile_core::receipt::{InputName, ReceiptField};

/// Bytes of text that decide.
const HEAD: u64 = 64 * 1024;

/// The form of a file.
pub(super) enum Form {
    /// Objects in JSON or base64. With `by_line`, no object spans several lines.
    Json { text: Box<TextFile>, head: Vec<u8>, by_line: bool },
    /// A table with the columns `call_id` and `originate_time`. A ledger lacks the second.
    Table(Box<TableRows>),
    /// No receipts.
    Other,
}

/// The form of a file.
///
/// # Errors
///
/// The file cannot be read.
pub(super) fn form_of(input: &Input, path: &Path) -> Result<Form, LedgerError> {
    match input.form()? {
        TableForm::Workbook => return Ok(Form::Other),
        TableForm::Parquet => return table(input),
        TableForm::Text => {}
    }
    let mut text = TextFile::open(input)?;
    let mut head = Vec::new();
    let read = text.by_ref().take(HEAD).read_to_end(&mut head);
    read.map_err(|error| text.failed(1, error))?;
    let begins = head.trim_ascii_start().first();
    let by_line = head.split(|byte| matches!(byte, b'\n' | b'\r')).any(is_whole);
    if by_line || matches!(begins, None | Some(b'{' | b'[')) {
        return Ok(Form::Json { text: Box::new(text), head, by_line });
    }
    match table(input) {
        Ok(Form::Other) | Err(LedgerError::EndlessHeader { .. } | LedgerError::DamagedHeader { .. })
            if is_json_by_name(path) =>
        {
            Ok(Form::Json { text: Box::new(text), head, by_line: true })
        }
        Err(LedgerError::EndlessHeader { .. } | LedgerError::DamagedHeader { .. }) => Ok(Form::Other),
        table => table,
    }
}

fn table(input: &Input) -> Result<Form, LedgerError> {
    let rows = TableRows::open(input, None)?;
    let has = |field| rows.names().iter().any(|name| InputName::of(name) == InputName::Field(field));
    let is_of_receipts = has(ReceiptField::CallId) && has(ReceiptField::OriginateTime);
    Ok(if is_of_receipts { Form::Table(Box::new(rows)) } else { Form::Other })
}

/// True for a line that is an object or a list of objects, or the base64 of an object.
fn is_whole(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let is_value = matches!(line, [b'{' | b'[', _, _, ..]);
    (is_value && serde_json::from_slice::<IgnoredAny>(line).is_ok()) || json_in(line).is_some()
}

/// True for a name such as `receipts.jsonl` or `receipts.json.gz`.
fn is_json_by_name(path: &Path) -> bool {
    let is = |path: &Path, known: &[&str]| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        known.iter().any(|known| extension.eq_ignore_ascii_case(known))
    };
    let unpacked = if is(path, &["gz", "zst"]) { path.with_extension("") } else { path.to_owned() };
    is(&unpacked, &["json", "jsonl", "ndjson"])
}
