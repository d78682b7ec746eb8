//! The copy from its first row to the retired source. Each step can be repeated, so a copy that was
//! killed is continued by the same command.

use crc32fast::Hasher;

use super::side::{CopySide, key};
use super::table::{ALL, Cell, Row, Table};
use crate::error::{Error, Result};

/// A table that was copied and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub name: &'static str,
    /// Its number of rows, in both stores.
    pub rows: u64,
    /// The CRC-32 of its rows, in both stores.
    pub checksum: u32,
}

/// A finished copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The tables, in the order in which they were copied.
    pub tables: Vec<CopiedTable>,
}

/// Copies all rows of `source` that `target` lacks, compares both, and retires the source. The
/// names are those of the stores, for messages.
///
/// # Errors
///
/// Exit 2 if the target holds anything else; exit 6 if a store cannot be read or written, or if
/// they differ.
pub(in crate::store) fn copy(
    (source, source_name): (&mut dyn CopySide, &str),
    (target, target_name): (&mut dyn CopySide, &str),
) -> Result<Copied> {
    let is_continued = target.meta(key::COPY_OF)?.is_some();
    check_source(source, source_name, Some(target_name).filter(|_| is_continued))?;
    claim_target(target, target_name, source_name)?;
    for name in [key::NATURE, key::FILLED_OVER, key::SECRET] {
        let value = source.meta(name)?;
        target.set_meta(&[(name, value.as_deref())])?;
    }
    for table in ALL {
        let mut last = target.last_row(table)?;
        loop {
            let rows = source.rows(table, last.as_ref())?;
            let Some(newest) = rows.last() else { break };
            target.add(table, &rows)?;
            last = Some(newest.clone());
        }
    }
    target.finish()?;
    let tables = ALL.map(|table| verify(table, source, target)).into_iter().collect::<Result<_>>()?;
    // From here on only the copy may be used. A kill between the two steps leaves neither in use,
    // and the same command finishes.
    source.set_meta(&[(key::RETIRED_TO, Some(target_name))])?;
    target.set_meta(&[(key::COPY_OF, None)])?;
    Ok(Copied { tables })
}

/// Refuses a source that was copied already, unless `unfinished` is the target of that copy. Also
/// refuses a source that is an unfinished copy itself.
fn check_source(source: &mut dyn CopySide, name: &str, unfinished: Option<&str>) -> Result<()> {
    if let Some(other) = source.meta(key::RETIRED_TO)?.filter(|other| Some(other.as_str()) != unfinished) {
        return Err(Error::usage(format!("the store {name} was copied to {other} already"))
            .hint(format!("use {other}, or copy it")));
    }
    match source.meta(key::COPY_OF)? {
        Some(origin) => Err(Error::usage(format!("the store {name} is an unfinished copy of {origin}"))
            .hint("finish that copy first: run its command again")),
        None => Ok(()),
    }
}

/// Marks an empty target as the copy of this source. A target that has this mark is continued.
fn claim_target(target: &mut dyn CopySide, name: &str, source: &str) -> Result<()> {
    match target.meta(key::COPY_OF)? {
        Some(marked) if marked == source => return Ok(()),
        Some(marked) => {
            return Err(Error::usage(format!("the store {name} is an unfinished copy of {marked}"))
                .hint("finish that copy first, or name another target"));
        }
        None => {}
    }
    for table in ALL {
        if !target.rows(table, None)?.is_empty() {
            return Err(Error::usage(format!("the store {name} is not empty"))
                .hint("name a new store as the target; two stores cannot become one"));
        }
    }
    target.set_meta(&[(key::COPY_OF, Some(source)), (key::RETIRED_TO, None)])
}

/// Reads a table from both stores.
///
/// # Errors
///
/// Exit 6 if a row differs.
fn verify(
    table: &'static Table,
    source: &mut dyn CopySide,
    target: &mut dyn CopySide,
) -> Result<CopiedTable> {
    let (of_source, of_target) = (sum(table, source)?, sum(table, target)?);
    if of_source == of_target {
        return Ok(of_source);
    }
    let numbers = |sum: &CopiedTable| format!("{} rows, checksum {:08x}", sum.rows, sum.checksum);
    Err(Error::output(format!(
        "the copy of the table {} differs: {} in the source, {} in the copy",
        table.name,
        numbers(&of_source),
        numbers(&of_target)
    ))
    .hint(
        "the source is still in use; delete the copy and begin again; if it differs again, please report it",
    ))
}

fn sum(table: &'static Table, side: &mut dyn CopySide) -> Result<CopiedTable> {
    let (mut rows, mut hasher, mut last): (u64, Hasher, Option<Row>) = (0, Hasher::new(), None);
    loop {
        let mut next = side.rows(table, last.as_ref())?;
        next.iter().flatten().for_each(|cell| add(&mut hasher, cell));
        rows += next.len() as u64;
        match next.pop() {
            Some(row) => last = Some(row),
            None => return Ok(CopiedTable { name: table.name, rows, checksum: hasher.finalize() }),
        }
    }
}

fn add(hasher: &mut Hasher, cell: &Cell) {
    match cell {
        Cell::Null => hasher.update(b"n"),
        Cell::Int(number) => {
            hasher.update(b"i");
            hasher.update(&number.to_le_bytes());
        }
        Cell::Text(text) => {
            hasher.update(b"t");
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
    }
}
