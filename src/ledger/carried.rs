//! The columns carried through to the outputs, and their names there.

use std::collections::HashSet;

use super::header_text::printable;
use super::note::LedgerNote;

/// Names that the outputs use for their own columns.
const RESERVED: [&str; 1] = ["ledger_line"];

/// The columns of a ledger that hold no field.
#[derive(Debug, Clone, Default)]
pub(super) struct Carried {
    /// Their positions, from 0, ascending.
    pub(super) columns: Vec<usize>,
    /// Their output names, `ledger_<header>`.
    pub(super) names: Vec<String>,
    /// One note for each column whose output name differs from its header.
    pub(super) notes: Vec<LedgerNote>,
}

impl Carried {
    /// Names the columns at these positions. Two names never differ only by case.
    pub(super) fn new(headers: &[String], columns: Vec<usize>) -> Self {
        // A renamed column never takes the name of a later column: in `x, x, x_2` the second one
        // becomes `x_3`.
        let own_names: HashSet<String> =
            columns.iter().map(|at| own_name(headers, *at).to_lowercase()).collect();
        let mut taken: HashSet<String> = RESERVED.map(str::to_owned).into();
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
        Self { columns, names, notes }
    }
}

fn own_name(headers: &[String], at: usize) -> String {
    match headers[at].trim() {
        "" => format!("ledger_column_{}", at + 1),
        name => format!("ledger_{name}"),
    }
}
