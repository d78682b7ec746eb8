//! Finds out which column of the ledger holds which field.
//!
//! A field is never taken from a guessed column: an ambiguous header is an error that names both
//! columns.

use super::carried::Carried;
use super::error::{HeaderError, LedgerError};
use super::field::{FIELD_COUNT, Field};
use super::header_text::{distance, looks_like_data, normalized, printable};

/// The column of each field, from 0.
type FieldColumns = [Option<usize>; FIELD_COUNT];

/// Columns assigned by the user, as (field, header).
type Mapping = [(String, String)];

/// The columns of one ledger.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// All columns as the header row names them.
    pub(super) names: Vec<String>,
    columns: FieldColumns,
    /// The columns that hold no field.
    pub(super) carried: Carried,
}

/// How well a header row suits a ledger. The greatest value suits best.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Suitability {
    has_call_id: bool,
    fields: usize,
    columns: usize,
}

impl Header {
    /// Assigns the columns of a header row to fields.
    ///
    /// # Errors
    /// No column holds the CallId, two hold one field, or the mapping does not match the columns.
    pub(super) fn new(names: &[String], mapping: &Mapping, ledger: &str) -> Result<Self, LedgerError> {
        let columns = assign(names, mapping)
            .map_err(|problem| LedgerError::Header { ledger: ledger.to_owned(), problem })?;
        let rest = (0..names.len()).filter(|at| !columns.contains(&Some(*at))).collect();
        Ok(Self { names: names.to_vec(), columns, carried: Carried::new(names, rest) })
    }

    /// How well these columns suit a ledger.
    pub(super) fn suitability(names: &[String], mapping: &Mapping) -> Suitability {
        let mapped = mapped_columns(names, mapping).unwrap_or_default();
        let fields: Vec<Field> = names.iter().filter_map(|name| Field::of_header(name)).collect();
        Suitability {
            has_call_id: mapped[Field::CallId as usize].is_some() || fields.contains(&Field::CallId),
            fields: fields.len() + mapped.iter().flatten().count(),
            columns: names.len(),
        }
    }

    /// Number of columns.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    /// The column of a field, from 0.
    pub(super) fn column(&self, field: Field) -> Option<usize> {
        self.columns[field as usize]
    }
}

fn assign(names: &[String], mapping: &Mapping) -> Result<FieldColumns, HeaderError> {
    let mut columns = mapped_columns(names, mapping)?;
    let mapped = columns;
    for (at, header) in names.iter().enumerate() {
        let Some(field) = Field::of_header(header) else { continue };
        if mapped[field as usize].is_some() || mapped.contains(&Some(at)) {
            continue;
        }
        if let Some(other) = columns[field as usize].replace(at) {
            return Err(HeaderError::TwoColumns {
                field: field.name(),
                headers: [printable(&names[other]), printable(header)],
                positions: [other + 1, at + 1],
            });
        }
    }
    if columns[Field::CallId as usize].is_none() {
        return Err(HeaderError::NoCallId {
            columns: all_printable(names),
            similar: similar_to_call_id(names),
            looks_like_data: names.iter().any(|name| looks_like_data(name)),
        });
    }
    Ok(columns)
}

/// The columns that the mapping assigns.
fn mapped_columns(names: &[String], mapping: &Mapping) -> Result<FieldColumns, HeaderError> {
    let mut columns = [None; FIELD_COUNT];
    for (name, header) in mapping {
        let field = Field::of_header(name).ok_or_else(|| HeaderError::UnknownField {
            field: printable(name),
            nearest: Field::nearest_name(name),
        })?;
        let at = find_column(names, header)?;
        if columns[field as usize].replace(at).is_some_and(|other| other != at) {
            return Err(HeaderError::MappedTwice { field: field.name() });
        }
    }
    Ok(columns)
}

/// The only column with exactly this name; without one, the only column with the same normalized
/// name.
fn find_column(names: &[String], header: &str) -> Result<usize, HeaderError> {
    let positions = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        names.iter().enumerate().filter(|(_, name)| same(name)).map(|(at, _)| at).collect()
    };
    let mut found = positions(&|name| name.trim() == header.trim());
    if found.is_empty() {
        found = positions(&|name| normalized(name) == normalized(header));
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let nearest = names.iter().min_by_key(|name| distance(name, header));
            Err(HeaderError::UnknownColumn {
                header: printable(header),
                nearest: nearest.map(|name| printable(name)),
                columns: all_printable(names),
            })
        }
        [first, second, ..] => Err(HeaderError::AmbiguousColumn {
            header: printable(header),
            positions: [first + 1, second + 1],
        }),
    }
}

/// The headers most similar to a name of `call_id`: at most three, the most similar first.
fn similar_to_call_id(names: &[String]) -> Vec<String> {
    let length = |header: &str| normalized(header).chars().count();
    let nearest = |header: &str| {
        let similar = |known: &'static str| {
            let distance = distance(header, known);
            (distance * 2 <= length(known).max(length(header)) + 2).then_some(distance)
        };
        Field::CallId.known_headers().filter_map(similar).min()
    };
    let mut similar: Vec<(usize, String)> = names
        .iter()
        .filter(|header| Field::of_header(header).is_none())
        .filter_map(|header| nearest(header).map(|distance| (distance, printable(header))))
        .collect();
    similar.sort_by_key(|(distance, _)| *distance);
    similar.into_iter().take(3).map(|(_, header)| header).collect()
}

fn all_printable(names: &[String]) -> Vec<String> {
    names.iter().map(|name| printable(name)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn read(header: &[&str], mapping: &[(&str, &str)]) -> Result<Header, LedgerError> {
        let names: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
        let mapping: Vec<(String, String)> =
            mapping.iter().map(|(field, header)| ((*field).to_owned(), (*header).to_owned())).collect();
        Header::new(&names, &mapping, "calls.csv")
    }

    fn problem(header: &[&str], mapping: &[(&str, &str)]) -> HeaderError {
        match read(header, mapping) {
            Err(LedgerError::Header { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn case_spaces_underscores_and_dashes_do_not_matter() {
        for name in ["CallId", "call_id", "Call ID", " CALL-ID ", "call\u{3000}id", "呼叫 id", "ＣａｌｌＩｄ"]
        {
            assert_eq!(read(&["x", name], &[]).unwrap().column(Field::CallId), Some(1), "{name}");
        }
    }

    #[test]
    fn carried_columns_keep_their_order_and_never_share_a_name() {
        let header = read(&["Dept", "call_id", " cost centre ", "", "dept", "DEPT_2", "Line"], &[]).unwrap();
        let names =
            ["ledger_Dept", "ledger_cost centre", "ledger_column_4", "ledger_dept_3", "ledger_DEPT_2"];
        let carried = header.carried;
        assert_eq!(carried.names[..5], names);
        assert_eq!(carried.names[5], "ledger_Line_2");
        assert_eq!(carried.columns, [0, 2, 3, 4, 5, 6]);
        assert_eq!(carried.notes.len(), 2);
        assert!(carried.notes[0].contains("ledger_dept_3"), "{:?}", carried.notes);
    }

    #[test]
    fn two_columns_for_one_field_are_an_error() {
        let wanted = HeaderError::TwoColumns {
            field: "called_at",
            headers: ["created_at".to_owned(), "Called At".to_owned()],
            positions: [2, 3],
        };
        assert_eq!(problem(&["call_id", "created_at", "Called At"], &[]), wanted);
    }

    #[test]
    fn a_ledger_without_call_id_is_an_error() {
        let no_call_id = |columns: &[&str], similar: &[&str], looks_like_data| HeaderError::NoCallId {
            columns: owned(columns),
            similar: owned(similar),
            looks_like_data,
        };
        assert_eq!(problem(&["when", "who"], &[]), no_call_id(&["when", "who"], &[], false));
        let columns = ["when", "id", "cal_id"];
        assert_eq!(problem(&columns, &[]), no_call_id(&columns, &["cal_id", "id"], false));
        let masked = ["*************^*", "***********"];
        assert_eq!(problem(&["1671552000000^1", "13800001234"], &[]), no_call_id(&masked, &[], true));
    }

    #[test]
    fn a_mapped_column_wins_and_the_other_is_carried() {
        let header = read(&["call_id", "id", "created_at"], &[("call-id", "ID")]).unwrap();
        assert_eq!(header.column(Field::CallId), Some(1));
        assert_eq!(header.carried.names, ["ledger_call_id"]);
        let header = read(&["call_id", "created_at", "called_at"], &[("called_at", "created_at")]).unwrap();
        assert_eq!(header.column(Field::CalledAt), Some(1));
        assert_eq!(header.carried.names, ["ledger_called_at"]);
    }

    #[test]
    fn a_mapping_that_does_not_match_is_an_error() {
        let unknown = HeaderError::UnknownField { field: "calld".to_owned(), nearest: "call_id" };
        assert_eq!(problem(&["call_id"], &[("calld", "call_id")]), unknown);
        let columns = ["call_id", "Time", "who"];
        let unknown = HeaderError::UnknownColumn {
            header: "Tiem".to_owned(),
            nearest: Some("Time".to_owned()),
            columns: owned(&columns),
        };
        assert_eq!(problem(&columns, &[("called_at", "Tiem")]), unknown);
        let twice = HeaderError::MappedTwice { field: "caller" };
        assert_eq!(problem(&["call_id", "a", "b"], &[("caller", "a"), ("caller", "b")]), twice);
        let ambiguous = HeaderError::AmbiguousColumn { header: "a".to_owned(), positions: [2, 3] };
        assert_eq!(problem(&["call_id", "a", "a"], &[("caller", "a")]), ambiguous);
    }
}
