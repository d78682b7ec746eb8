//! A SQLite file as the source or the target of a copy.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, ToSql, TransactionBehavior, params, params_from_iter};

use super::errors::{InStore as _, damaged};
use super::lock::StoreLock;
use super::{checks, held_file, places, prepare};
use crate::clock::Clock;
use crate::error::Result;
use crate::store::copy::{Cell, CopySide, REQUEST, Row, Table};
use crate::store::origin::Origin;

/// Rows of one read: a few MiB.
const ROWS_PER_READ: usize = 4_096;

/// A locked file.
///
/// The fields are dropped in this order, so the lock is released after the file is closed.
pub(crate) struct SqliteCopy {
    connection: Connection,
    path: PathBuf,
    requests: Option<Requests>,
    _lock: StoreLock,
}

/// Where reading the requests of a session has come to.
struct Requests {
    session_no: i64,
    /// The newest row of the table `request` that was read, of any session.
    row_no: i64,
    /// The last request of the session that was read, counted in its session.
    request_no: i64,
}

impl SqliteCopy {
    /// Opens an existing store. Requests without a recorded end are ended, as the next run would
    /// do.
    ///
    /// # Errors
    ///
    /// Exit 2 if there is no store; exit 5 if a run holds it; exit 6 if it is damaged, or cannot be
    /// written.
    pub(crate) fn source(path: &Path, clock: &dyn Clock) -> Result<Self> {
        checks::check_exists(path)?;
        let copy = Self::open(path, None)?;
        places::end_lost_requests(&copy.connection, clock.boot_id(), clock.now())
            .in_store(&copy.path, "write")?;
        Ok(copy)
    }

    /// Opens or creates a store for answers of this origin.
    ///
    /// # Errors
    ///
    /// As [`SqliteCopy::source`]; exit 2 if it has another origin.
    pub(crate) fn target(path: &Path, origin: Origin) -> Result<Self> {
        Self::open(path, Some(origin))
    }

    fn open(path: &Path, origin: Option<Origin>) -> Result<Self> {
        checks::check_path(path)?;
        let path = held_file::resolve(path);
        let lock = StoreLock::take(&path)?;
        checks::check_log(&path, lock.session_in_file())?;
        let connection = Connection::open(&path).in_store(&path, "open")?;
        prepare::prepare(&connection, &path, origin.map(Into::into))?;
        Ok(Self { connection, path, requests: None, _lock: lock })
    }

    fn read(&self, table: &Table, after: Option<&Row>) -> rusqlite::Result<Vec<Vec<Value>>> {
        let names = table.names();
        let key = &names[..table.key];
        let (columns, order) = (names.join(", "), key.join(", "));
        let marks = (1..=key.len()).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
        let condition = after.map_or(String::new(), |_| format!("WHERE ({order}) > ({marks})"));
        let sql = format!(
            "SELECT {columns} FROM {} {condition} ORDER BY {order} LIMIT {ROWS_PER_READ}",
            table.name
        );
        let after = after.map(|row| &row[..key.len()]).unwrap_or_default();
        let mut query = self.connection.prepare_cached(&sql)?;
        let rows = query.query_map(params_from_iter(after), |row| {
            (0..table.columns.len()).map(|i| row.get(i)).collect()
        })?;
        rows.collect()
    }

    /// The requests after this one, numbered in their session. Each missing number of the table
    /// leaves a gap before the next request, if its session had begun.
    fn read_requests(&mut self, after: Option<&Row>) -> rusqlite::Result<Vec<Vec<Value>>> {
        let last_requests = last_requests(&self.connection)?;
        let mut sessions: Vec<i64> = last_requests.keys().copied().collect();
        sessions.sort_unstable();
        let done = after.and_then(|row| match row[..] {
            [Cell::Int(session_no), Cell::Int(request_no), ..] => Some((session_no, request_no)),
            _ => None,
        });
        let mut found = Vec::new();
        for session_no in sessions.into_iter().filter(|no| done.is_none_or(|(done, _)| *no >= done)) {
            let at = self.requests.take().filter(|at| done == Some((at.session_no, at.request_no)));
            let at = at.filter(|at| at.session_no == session_no);
            let mut at = match at {
                Some(at) => at,
                None => Requests {
                    session_no,
                    row_no: first_row(&self.connection, session_no)? - 1,
                    request_no: 0,
                },
            };
            let skip = done.filter(|(done, _)| *done == session_no).map_or(0, |(_, request_no)| request_no);
            read_session(&self.connection, &mut at, last_requests[&session_no], skip, &mut found)?;
            self.requests = Some(at);
            if !found.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// The last request of a store whose requests have their numbers.
    fn last_request(&mut self) -> Result<Option<Row>> {
        let sessions = last_requests(&self.connection).in_store(&self.path, "read")?;
        let mut last = sessions.keys().max().map(|newest| vec![Cell::Int(*newest), Cell::Int(0)]);
        while last.is_some() {
            match self.rows(&REQUEST, last.as_ref())?.pop() {
                Some(row) => last = Some(row),
                None => break,
            }
        }
        Ok(last)
    }

    fn write(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let done = transaction.and_then(|transaction| {
            work(&transaction)?;
            transaction.commit()
        });
        done.in_store(&self.path, "write")
    }
}

/// The newest request of each session.
fn last_requests(c: &Connection) -> rusqlite::Result<HashMap<i64, i64>> {
    let mut query =
        c.prepare_cached("SELECT session_no, max(request_no) FROM request GROUP BY session_no")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The first row of the table `request` that can be of this session.
fn first_row(c: &Connection, session_no: i64) -> rusqlite::Result<i64> {
    let sql = "SELECT first_request_no FROM session WHERE session_no = ?1";
    Ok(c.query_row(sql, [session_no], |row| row.get(0)).optional()?.unwrap_or(1))
}

/// Adds the requests of a session after number `skip` to `found`, up to the bound of one read.
fn read_session(
    c: &Connection,
    at: &mut Requests,
    last_row: i64,
    skip: i64,
    found: &mut Vec<Vec<Value>>,
) -> rusqlite::Result<()> {
    let columns = REQUEST.names()[2..].join(", ");
    let mut query = c.prepare_cached(&format!(
        "SELECT request_no, session_no, {columns} FROM request WHERE request_no > ?1 AND request_no <= ?2
         ORDER BY request_no"
    ))?;
    let mut rows = query.query([at.row_no, last_row])?;
    while let Some(row) = rows.next()? {
        let row_no: i64 = row.get(0)?;
        let missing = row_no - at.row_no - 1;
        at.row_no = row_no;
        if row.get::<_, i64>(1)? != at.session_no {
            continue;
        }
        at.request_no += missing + 1;
        if at.request_no <= skip {
            continue;
        }
        let rest = (2..REQUEST.columns.len()).map(|column| row.get(column));
        let key = [Ok(Value::Integer(at.session_no)), Ok(Value::Integer(at.request_no))];
        found.push(key.into_iter().chain(rest).collect::<rusqlite::Result<_>>()?);
        if found.len() >= ROWS_PER_READ {
            break;
        }
    }
    Ok(())
}

impl CopySide for SqliteCopy {
    fn meta(&mut self, key: &str) -> Result<Option<String>> {
        let sql = "SELECT value FROM meta WHERE key = ?1";
        self.connection.query_row(sql, [key], |row| row.get(0)).optional().in_store(&self.path, "read")
    }

    fn set_meta(&mut self, values: &[(&str, Option<&str>)]) -> Result<()> {
        self.write(|c| {
            values.iter().try_for_each(|(key, value)| {
                match value {
                    Some(value) => c.execute(
                        "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
                        params![key, value],
                    ),
                    None => c.execute("DELETE FROM meta WHERE key = ?1", [key]),
                }
                .map(drop)
            })
        })
    }

    fn rows(&mut self, table: &'static Table, after: Option<&Row>) -> Result<Vec<Row>> {
        let rows = if *table == REQUEST { self.read_requests(after) } else { self.read(table, after) };
        let rows = rows.in_store(&self.path, "read")?;
        let row = |row: Vec<Value>| row.into_iter().map(|value| cell(&self.path, table, value)).collect();
        rows.into_iter().map(row).collect()
    }

    fn last_row(&mut self, table: &'static Table) -> Result<Option<Row>> {
        if *table == REQUEST && !has_added(&self.connection).in_store(&self.path, "read")? {
            return self.last_request();
        }
        let names = table.names();
        let (key, order) = (names[..table.key].join(", "), names[..table.key].join(" DESC, "));
        let sql = format!("SELECT {key} FROM {} ORDER BY {order} DESC LIMIT 1", place_of(table));
        let row = self.connection.query_row(&sql, [], |row| (0..table.key).map(|i| row.get(i)).collect());
        let row: Option<Vec<Value>> = row.optional().in_store(&self.path, "read")?;
        row.map(|row| row.into_iter().map(|value| cell(&self.path, table, value)).collect()).transpose()
    }

    fn add(&mut self, table: &'static Table, rows: &[Row]) -> Result<()> {
        let marks = (1..=table.columns.len()).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
        let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", place_of(table), table.names().join(", "));
        self.write(|c| {
            if *table == REQUEST {
                create_added(c)?;
            }
            let mut insert = c.prepare(&sql)?;
            rows.iter().try_for_each(|row| insert.execute(params_from_iter(row)).map(drop))
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.write(|c| if has_added(c)? { c.execute_batch(NUMBER_REQUESTS) } else { Ok(()) })
    }
}

/// The table to which rows are added. Requests wait in a table of their own: here their numbers are
/// unique in the whole store, in the order of sending.
fn place_of(table: &Table) -> &'static str {
    if *table == REQUEST { "added_request" } else { table.name }
}

fn has_added(c: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'added_request')";
    c.query_row(sql, [], |row| row.get(0))
}

fn create_added(c: &Connection) -> rusqlite::Result<()> {
    c.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS added_request ({}, PRIMARY KEY (session_no, request_no)) WITHOUT ROWID",
        REQUEST.names().join(", ")
    ))
}

/// Numbers the added requests in the order of sending. A gap before a request stays before it.
const NUMBER_REQUESTS: &str = "
CREATE TEMP TABLE numbered AS
  SELECT session_no, request_no AS number_in_session, missing,
         row_number() OVER sent + sum(missing) OVER sent AS request_no
  FROM (SELECT session_no, request_no, sent_at,
               request_no - lag(request_no, 1, 0) OVER (PARTITION BY session_no ORDER BY request_no) - 1 AS missing
        FROM added_request)
  WINDOW sent AS (ORDER BY sent_at, session_no, request_no);
INSERT INTO request (request_no, session_no, call_no, asked_date, purpose, sent_at, sent_boot_us, replied_at,
                     replied_boot_us, http_status, code, throttled, decision, pause_us, request_id, recheck)
  SELECT n.request_no, a.session_no, call_no, asked_date, purpose, sent_at, sent_boot_us, replied_at,
         replied_boot_us, http_status, code, throttled, decision, pause_us, request_id, recheck
  FROM numbered AS n JOIN added_request AS a ON a.session_no = n.session_no AND a.request_no = n.number_in_session
  ORDER BY n.request_no;
UPDATE session SET first_request_no = coalesce(
  (SELECT min(request_no - missing) FROM numbered WHERE numbered.session_no >= session.session_no),
  (SELECT coalesce(max(request_no), 0) + 1 FROM request));
DROP TABLE numbered;
DROP TABLE added_request;
";

fn cell(path: &Path, table: &Table, value: Value) -> Result<Cell> {
    match value {
        Value::Null => Ok(Cell::Null),
        Value::Integer(number) => Ok(Cell::Int(number)),
        Value::Text(text) => Ok(Cell::Text(text)),
        Value::Real(_) | Value::Blob(_) => {
            Err(damaged(path, &format!("the table {} has a value of a wrong type", table.name)))
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}
