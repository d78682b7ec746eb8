//! A database as the source or the target of a copy.

use postgres::types::ToSql;
use postgres::{Row as PostgresRow, Transaction};

use super::connection::Connection;
use super::database::Database;
use super::errors::{Done, busy};
use super::leases::take_over_the_dead;
use super::settings::Settings;
use super::{meta, places, prepare, sessions, values};
use crate::clock::Clock;
use crate::error::Result;
use crate::store::copy::{Cell, CopySide, Kind, Row, Table};
use crate::store::location::DatabaseUrl;
use crate::store::origin::Origin;

/// Rows of one read: a few MiB.
const ROWS_PER_READ: i64 = 4_096;

/// A database in which no session can begin or end.
pub(crate) struct PostgresCopy {
    database: Database,
    /// Holds the lock until it is closed.
    _lock: Connection,
}

impl PostgresCopy {
    /// Opens an existing store. Requests without a recorded end are ended, as the next run would
    /// do.
    ///
    /// # Errors
    ///
    /// Exit 2 if there is no store; exit 5 if a run works in it; exit 6 if it cannot be written.
    pub(crate) fn source(url: &DatabaseUrl, clock: &dyn Clock) -> Result<Self> {
        let copy = Self::open(url, None, clock)?;
        let (boot_id, now) = (clock.boot_id().to_owned(), clock.now());
        copy.database.write_long(move |t| places::end_lost_requests(t, &boot_id, now))?;
        Ok(copy)
    }

    /// Opens or creates a store for answers of this origin.
    ///
    /// # Errors
    ///
    /// As [`PostgresCopy::source`]; exit 2 if it has another origin.
    pub(crate) fn target(url: &DatabaseUrl, origin: Origin, clock: &dyn Clock) -> Result<Self> {
        Self::open(url, Some(origin), clock)
    }

    fn open(url: &DatabaseUrl, origin: Option<Origin>, clock: &dyn Clock) -> Result<Self> {
        let settings = Settings::of_process(url)?;
        let connection = Connection::open(&settings)?;
        prepare::prepare(&connection, origin.map(Into::into))?;
        let database = Database::new(connection);
        take_over_the_dead(&database, clock, &[])?;
        let lock = Connection::open(&settings)?;
        let holder = lock.read(|link| {
            link.client.batch_execute("SET idle_in_transaction_session_timeout = 0; BEGIN")?;
            sessions::first_live(&mut link.client, &[])
        })?;
        match holder {
            Some(holder) => Err(busy(lock.store(), &holder)),
            None => Ok(Self { database, _lock: lock }),
        }
    }
}

impl CopySide for PostgresCopy {
    fn meta(&mut self, key: &str) -> Result<Option<String>> {
        let key = key.to_owned();
        self.database.read(move |t| meta::value(t, &key))
    }

    fn set_meta(&mut self, values: &[(&str, Option<&str>)]) -> Result<()> {
        let values: Vec<(String, Option<String>)> =
            values.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect();
        self.database.write_long(move |t| {
            values.iter().try_for_each(|(key, value)| meta::set_value(t, key, value.as_deref()))
        })
    }

    fn rows(&mut self, table: &'static Table, after: Option<&Row>) -> Result<Vec<Row>> {
        let after = after.map(|row| row[..table.key].to_vec());
        self.database.read(move |t| read(t, table, after.as_deref()))
    }

    fn last_row(&mut self, table: &'static Table) -> Result<Option<Row>> {
        self.database.read(move |t| {
            let key = &table.columns[..table.key];
            let order = key.iter().map(|(_, name)| format!("{name} DESC")).collect::<Vec<_>>().join(", ");
            let columns = key.iter().map(to_read).collect::<Vec<_>>().join(", ");
            let sql = format!("SELECT {columns} FROM {} AS rows ORDER BY {order} LIMIT 1", table.name);
            t.query_opt(&sql, &[])?.map(|row| cells(&row, key)).transpose()
        })
    }

    fn add(&mut self, table: &'static Table, rows: &[Row]) -> Result<()> {
        let rows = rows.to_vec();
        self.database.write_long(move |t| add(t, table, &rows))
    }

    fn finish(&mut self) -> Result<()> {
        self.database.write_long(|t| {
            // The next new call gets a number of its own.
            t.batch_execute(
                "SELECT setval(pg_get_serial_sequence('call', 'call_no'), greatest(max(call_no), 1)) FROM call;
                 UPDATE session AS s SET newest_at_end = (SELECT max(session_no) FROM session),
                        closed_boot_us = coalesce((SELECT max(replied_boot_us) FROM request
                                                   WHERE request.session_no = s.session_no), 0)
                 WHERE closed_boot_us IS NULL;",
            )?;
            Ok(())
        })
    }
}

/// The rows after these values of the key.
fn read(t: &mut Transaction<'_>, table: &Table, after: Option<&[Cell]>) -> Done<Vec<Row>> {
    let key = &table.columns[..table.key];
    let columns = table.columns.iter().map(to_read).collect::<Vec<_>>().join(", ");
    let order = key.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
    let (mut condition, mut parameters) = (String::new(), Vec::new());
    if let Some(after) = after {
        let marks = key.iter().enumerate().map(|(at, (kind, _))| parameter(*kind, at + 1));
        condition = format!("WHERE ({order}) > ({})", marks.collect::<Vec<_>>().join(", "));
        parameters.extend(after.iter().map(to_write));
    }
    let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| &**value as _).collect();
    let sql = format!(
        "SELECT {columns} FROM {} AS rows {condition} ORDER BY {order} LIMIT {ROWS_PER_READ}",
        table.name
    );
    let rows = t.query(&sql, &parameters)?;
    rows.iter().map(|row| cells(row, table.columns)).collect()
}

/// The expression that reads a column as a number or a text.
fn to_read((kind, name): &(Kind, &str)) -> String {
    match (kind, *name) {
        // A file keeps no number of a purged call: it may give it to another one.
        (Kind::Int, "call_no") => "(CASE WHEN EXISTS (SELECT FROM call AS c WHERE c.call_no = rows.call_no) \
                                   THEN rows.call_no ELSE 0 END)"
            .to_owned(),
        (Kind::Int, _) => format!("{name}::bigint"),
        (Kind::Flag, _) => format!("{name}::int::bigint"),
        (Kind::Day, _) => format!("to_char({name}, 'YYYY-MM-DD')"),
        (Kind::Text, "account") => "nullif(account, '')".to_owned(),
        (Kind::Text, _) => (*name).to_owned(),
    }
}

/// The values of these columns in a row.
fn cells(row: &PostgresRow, columns: &[(Kind, &str)]) -> Done<Row> {
    let cell = |(at, (kind, _)): (usize, &(Kind, &str))| {
        let cell = match kind {
            Kind::Int | Kind::Flag => row.try_get::<_, Option<i64>>(at)?.map(Cell::Int),
            Kind::Text | Kind::Day => {
                row.try_get::<_, Option<&str>>(at)?.map(|text| Cell::Text(values::read(text).into_owned()))
            }
        };
        Ok(cell.unwrap_or(Cell::Null))
    };
    columns.iter().enumerate().map(cell).collect()
}

/// A parameter of a statement, as the column's type.
fn parameter(kind: Kind, number: usize) -> String {
    match kind {
        Kind::Int => format!("${number}::bigint"),
        Kind::Flag => format!("(${number}::bigint)::int::boolean"),
        Kind::Text => format!("${number}::text"),
        Kind::Day => format!("(${number}::text)::date"),
    }
}

fn to_write(cell: &Cell) -> Box<dyn ToSql + Sync> {
    match cell {
        Cell::Null => Box::new(None::<i64>),
        Cell::Int(number) => Box::new(*number),
        Cell::Text(text) => Box::new(values::stored(text).into_owned()),
    }
}

/// Adds rows by one statement, with an array for each column.
fn add(t: &mut Transaction<'_>, table: &Table, rows: &[Row]) -> Done<()> {
    let names = table.names().join(", ");
    let (mut arrays, mut types, mut selected) = (Vec::<Box<dyn ToSql + Sync>>::new(), Vec::new(), Vec::new());
    for (at, (kind, name)) in table.columns.iter().enumerate() {
        let column = rows.iter().map(|row| &row[at]);
        let is_number = matches!(kind, Kind::Int | Kind::Flag);
        types.push(format!("${}::{}[]", at + 1, if is_number { "bigint" } else { "text" }));
        arrays.push(if is_number { Box::new(numbers(column)) } else { Box::new(texts(column)) });
        selected.push(match (kind, *name) {
            (Kind::Flag, _) => format!("{name}::int::boolean"),
            (Kind::Day, _) => format!("{name}::date"),
            (Kind::Text, "account") => "coalesce(account, '')".to_owned(),
            (Kind::Int | Kind::Text, _) => (*name).to_owned(),
        });
    }
    // What a file does not have: the host of a session, which only names the holder.
    let (more, values) = if names.contains("boot_id") { (", host", ", ''") } else { ("", "") };
    let sql = format!(
        "INSERT INTO {} ({names}{more}) SELECT {}{values} FROM unnest({}) AS rows ({names})",
        table.name,
        selected.join(", "),
        types.join(", ")
    );
    let arrays: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| &**array as _).collect();
    t.execute(&sql, &arrays)?;
    Ok(())
}

fn numbers<'a>(column: impl Iterator<Item = &'a Cell>) -> Vec<Option<i64>> {
    column.map(|cell| if let Cell::Int(number) = cell { Some(*number) } else { None }).collect()
}

fn texts<'a>(column: impl Iterator<Item = &'a Cell>) -> Vec<Option<String>> {
    let text = |cell: &Cell| {
        if let Cell::Text(text) = cell { Some(values::stored(text).into_owned()) } else { None }
    };
    column.map(text).collect()
}
