//! One exported file while it is written: its columns and its rows.

use std::fs;
use std::io;
use std::path::PathBuf;

use reconcile_core::answer::StoredAnswer;
use reconcile_core::call::CallKey;
use reconcile_core::columns::{optional, required};
use reconcile_core::settle::kind_today;
use reconcile_core::source::Source;

use crate::error::Result;
use crate::output::schema::ColumnType::{Date, Integer, Text, Timestamp};
use crate::output::schema::{Cell, Column};
use crate::output::table::Table;
use crate::place::folder_of;
use crate::staged::{Staged, sync_folder_of, unwritable};

/// The version of the columns. It grows when a column changes its meaning.
const SCHEMA_VERSION: &str = "1";
/// The columns. Other programs read them: a later version may add some at the end.
const COLUMNS: [Column; 12] = [
    required("call_id", Text),
    required("prod_id", Integer),
    required("call_date", Date),
    optional("code", Text),
    optional("message", Text),
    optional("data", Text),
    optional("request_id", Text),
    required("fetched_at", Timestamp),
    required("attempts", Integer),
    required("source", Text),
    required("answer", Text),
    required("found_date", Date),
];
/// The columns in which a phone number may be.
pub(super) const TEXT_COLUMNS: [&str; 5] = ["call_id", "code", "message", "data", "request_id"];
/// A file that will be at its path when it is whole.
pub(super) struct DayFile {
    path: PathBuf,
    table: Table,
    staged: Staged,
    /// Bytes of text since the last row group ended.
    held_bytes: usize,
    rows: u64,
}

impl DayFile {
    /// Starts the file, and the folder of its day.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(super) fn create(path: PathBuf, metadata: &[(String, String)]) -> Result<Self> {
        match fs::create_dir(folder_of(&path)) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(unwritable(&path, e)),
            _ => {}
        }
        let staged = Staged::create(&path)?;
        let table = Table::create(staged.writer()?, &path, &COLUMNS, &[], metadata)?;
        Ok(Self { path, table, staged, held_bytes: 0, rows: 0 })
    }

    /// Adds an answer from this source.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(super) fn push(
        &mut self,
        key: &CallKey,
        attempts: i64,
        (source, stored): (Source, &StoredAnswer),
    ) -> Result<()> {
        let answer = &stored.answer;
        let text = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let cells = [
            Cell::Text(Some(&key.call_id)),
            Cell::Integer(Some(key.prod_id.0)),
            Cell::Date(Some(key.day)),
            Cell::Text(text(&answer.code)),
            Cell::Text(text(&answer.message)),
            Cell::Text(answer.data.as_deref()),
            Cell::Text(answer.request_id.as_deref()),
            Cell::Timestamp(Some(stored.fetched_at)),
            Cell::Integer(Some(attempts)),
            Cell::Text(Some(source.as_str())),
            Cell::Text(Some(kind_today(stored).as_str())),
            Cell::Date(Some(answer.found_date)),
        ];
        let bytes = |cell: &Cell<'_>| if let Cell::Text(Some(text)) = cell { text.len() } else { 8 };
        self.held_bytes += cells.iter().map(bytes).sum::<usize>();
        self.rows += 1;
        self.table.push(cells.into_iter())
    }

    /// An upper bound of the memory that its rows need, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Writes the rows in memory.
    ///
    /// # Errors
    ///
    /// Exit 6 if they cannot be written.
    pub(super) fn end_row_group(&mut self) -> Result<()> {
        self.held_bytes = 0;
        self.table.end_row_group()
    }

    /// Puts the whole file at its path. Returns the number of its rows. Afterwards the file, its
    /// name and its folder are on disk.
    ///
    /// # Errors
    ///
    /// Exit 6 if it cannot be written.
    pub(super) fn finish(self) -> Result<u64> {
        let Self { path, table, mut staged, rows, .. } = self;
        table.finish()?;
        staged.sync()?;
        staged.rename()?;
        staged.sync_folder()?;
        sync_folder_of(folder_of(&path)).map_err(|e| unwritable(&path, e))?;
        Ok(rows)
    }
}

/// The file's own description of itself.
pub(super) fn metadata(run_id: &str, session_no: i64, is_sandbox: bool) -> Vec<(String, String)> {
    let pairs = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("schema_version", SCHEMA_VERSION.to_owned()),
        ("run_id", run_id.to_owned()),
        ("session_no", session_no.to_string()),
        ("sandbox", is_sandbox.to_string()),
    ];
    pairs.map(|(key, value)| (format!("reconcile.{key}"), value)).into()
}
