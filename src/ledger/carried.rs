//! The columns carried through to the outputs, and their names there.

use std::collections::HashSet;

use super::header_text::printable;
use super::joined::JoinedColumns;
use super::note::LedgerNote;
use reconcile_core::discrepancy_identity::LEDGER_FILE;

/// Names that the outputs use for their own columns. Only a ledger of several files has the second.
const RESERVED: [&str; 2] = ["ledger_line", LEDGER_FILE];

/// The columns of a ledger that hold no field.
#[derive(Debug, Clone, Default)]
pub(super) struct Carried {
    /// Their positions, from 0, in the order of the names. `None` if only other files of the ledger
    /// have the column.
    pub(super) columns: Vec<Option<usize>>,
    /// Their output names, `ledger_<header>`.
    pub(super) names: Vec<String>,
    /// One note for each column whose output name differs from its header.
    pub(super) notes: Vec<LedgerNote>,
}

impl Carried {
    /// Names the columns at these positions. Two names never differ only by case.
    pub(super) fn new(headers: &[String], columns: Vec<usize>, is_one_of_several: bool) -> Self {
        // A renamed column never takes the name of a later column: in `x, x, x_2` the second one
        // becomes `x_3`.
        let own_names: HashSet<String> =
            columns.iter().map(|at| own_name(headers, *at).to_lowercase()).collect();
        let reserved = RESERVED.into_iter().take(if is_one_of_several { 2 } else { 1 });
        let mut taken: HashSet<String> = reserved.map(str::to_owned).collect();
        let (mut names, mut notes) = (Vec::new(), Vec::new());
        for at in &columns {
            let own = own_name(headers, *at);
            let mut name = own.clone();
            if !taken.insert(name.to_lowercase()) {
                let is_free = |name: &String| !taken.contains(name) && !own_names.contains(name);
                let numbered = (2_u64..).map(|n| format!("{own}_{n}"));
                name = numbered.into_iter().find(|name| is_free(&name.to_lowercase())).unwrap_or(own);
                taken.insert(name.to_lowercase());
                notes.push(LedgerNote::RenamedColumn { column: at + 1, name: printable(&name) });
            }
            names.push(name);
        }
        Self { columns: columns.into_iter().map(Some).collect(), names, notes }
    }

    /// The same columns among those of all files.
    pub(super) fn among(self, joined: &JoinedColumns) -> Self {
        let own: Vec<String> = self.names.iter().map(|name| name.to_lowercase()).collect();
        let place = |name: &String| {
            let key = name.to_lowercase();
            own.iter().position(|own| *own == key).and_then(|at| self.columns[at])
        };
        let columns = joined.carried.iter().map(place).collect();
        Self { columns, names: joined.carried.clone(), notes: self.notes }
    }
}

fn own_name(headers: &[String], at: usize) -> String {
    match headers[at].trim() {
        "" => format!("ledger_column_{}", at + 1),
        name => format!("ledger_{name}"),
    }
}
