//! Whether a ledger has enough usable rows for a run.

use crate::error::{Error, Result};
use crate::ledger::{LedgerScan, Role, most_frequent};
use crate::note::Note;
use crate::words::plural;
use reconcile_core::row_problem::RowProblem;

/// The most unusable rows that a run accepts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxUnusable {
    /// A number of rows.
    Rows(u64),
    /// A share of all rows, in percent.
    Percent(f64),
}

/// The most unusable rows without an option: more than both stop the run.
const DEFAULT: [MaxUnusable; 2] = [MaxUnusable::Rows(10), MaxUnusable::Percent(5.0)];

/// How many rows of a ledger a run needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct UsableRows {
    /// Accept a ledger without any row.
    pub allow_empty: bool,
    /// The most unusable rows; `None` is the default.
    pub max_unusable: Option<MaxUnusable>,
}

impl MaxUnusable {
    /// A number of rows, or a share such as `5%`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "needs a number of rows or a percentage, for example 100 or 5%".to_owned();
        let Some(percent) = text.strip_suffix('%') else {
            return text.parse().map(Self::Rows).map_err(|_| wrong());
        };
        let is_plain = percent.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let percent: Option<f64> = percent.parse().ok().filter(|_| is_plain);
        percent.filter(|percent| *percent <= 100.0).map(Self::Percent).ok_or_else(wrong)
    }

    #[allow(clippy::cast_precision_loss, reason = "no ledger has so many rows")]
    fn is_exceeded(self, unusable: u64, rows: u64) -> bool {
        match self {
            Self::Rows(most) => unusable > most,
            Self::Percent(most) => unusable as f64 * 100.0 > most * rows as f64,
        }
    }

    fn words(self) -> String {
        match self {
            Self::Rows(most) => plural(most, "row"),
            Self::Percent(most) => format!("{most} %"),
        }
    }
}

impl UsableRows {
    /// Checks that a ledger has rows, and that enough of them are usable.
    ///
    /// # Errors
    ///
    /// Exit 2 if not. The error names the most frequent reasons.
    pub fn check(&self, ledger: &str, scan: &LedgerScan) -> Result<()> {
        if scan.rows == 0 {
            return if self.allow_empty { Ok(()) } else { Err(no_row(ledger)) };
        }
        let rows = plural(scan.rows, "row");
        if scan.invalid == scan.rows {
            let none = if scan.rows == 1 { "the only row".to_owned() } else { format!("none of the {rows}") };
            let cannot = if scan.rows == 1 { "cannot" } else { "can" };
            let what = format!("{none} of {ledger} {cannot} be used: {}", most_frequent(&scan.reasons));
            return Err(Error::usage(what).hint(hint(scan, "correct the ledger, or export it again")));
        }
        let limits = self.max_unusable.map_or_else(|| DEFAULT.to_vec(), |most| vec![most]);
        let unusable = scan.invalid + scan.lost_digits;
        if !limits.iter().all(|most| most.is_exceeded(unusable, scan.rows)) {
            return Ok(());
        }
        let limits: Vec<String> = limits.into_iter().map(MaxUnusable::words).collect();
        let what = format!(
            "{unusable} of {rows} of {ledger} cannot be used, more than {}: {}",
            limits.join(" and "),
            reasons(scan)
        );
        let advice = "correct the ledger; --max-unusable N or --max-unusable P% accepts more such rows";
        Err(Error::usage(what).hint(hint(scan, advice)))
    }
}

fn no_row(ledger: &str) -> Error {
    Error::usage(format!("{ledger} has no row below its header row"))
        .hint("check the export; if there may be no calls, use --allow-empty")
}

/// The reasons in words, with the CallIds that a spreadsheet has cut.
fn reasons(scan: &LedgerScan) -> String {
    let lost = (scan.lost_digits > 0).then(|| {
        let rows = plural(scan.lost_digits, "row");
        format!("call_id: a spreadsheet dropped the digits after the 15th ({rows})")
    });
    let others = Some(most_frequent(&scan.reasons)).filter(|others| !others.is_empty());
    lost.into_iter().chain(others).collect::<Vec<_>>().join("; ")
}

/// The notes on rows that an option would make usable.
#[must_use]
pub fn missing_defaults(scan: &LedgerScan) -> Vec<Note> {
    let note = |rows: u64, note| (rows > 0).then_some(note);
    let product = note(scan.without_product, Note::NoProduct { rows: scan.without_product });
    product.into_iter().chain(note(scan.without_day, Note::NoDay { rows: scan.without_day })).collect()
}

fn hint(scan: &LedgerScan, advice: &str) -> String {
    let missing = missing_defaults(scan).into_iter().map(|note| note.to_string());
    let notes = missing.chain(no_products_advice(scan));
    notes.chain([advice.to_owned()]).collect::<Vec<_>>().join("; ")
}

/// What to do if a column has the name of the product but holds something else.
fn no_products_advice(scan: &LedgerScan) -> Option<String> {
    scan.reasons.iter().find(|reason| reason.problem == RowProblem::UnknownProduct)?;
    let column = scan.columns.iter().find(|column| column.role == Role::Read("prod_id"))?;
    let header = &column.header;
    Some(format!(
        "if column `{header}` does not hold the provider's products, use --map prod_id= with --prod-id"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger::{Input, Options, ScannedLedger};

    #[test]
    fn rows_without_product_or_day_name_their_option() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "call_id,prod_id,called_at\na,,2026-11-01\nb,,2026-11-01\nc,1,\n")
            .unwrap();
        let input = Input::open(file.path()).unwrap();
        let ledger = ScannedLedger::scan(input, Options::default()).unwrap();
        let wanted = [
            "2 unusable rows lack a product; set the product of such rows with --prod-id",
            "1 unusable row lacks a day; set the day of such rows with --call-date",
        ];
        let notes: Vec<String> = missing_defaults(&ledger.scan).iter().map(ToString::to_string).collect();
        assert_eq!(notes, wanted);
    }

    #[test]
    fn the_limit_is_a_number_or_a_percentage() {
        for (text, limit) in [
            ("0", MaxUnusable::Rows(0)),
            ("12", MaxUnusable::Rows(12)),
            ("5%", MaxUnusable::Percent(5.0)),
            ("0.5%", MaxUnusable::Percent(0.5)),
            ("100%", MaxUnusable::Percent(100.0)),
        ] {
            assert_eq!(MaxUnusable::parse(text), Ok(limit), "{text}");
        }
        for text in ["", "%", "-1", "101%", "nan%", "5 %", "1e1%", "0.5", "many", "inf%"] {
            assert!(MaxUnusable::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_is_exceeded_only_by_more() {
        let of_100 = |limit: MaxUnusable, unusable| limit.is_exceeded(unusable, 100);
        assert_eq!((of_100(MaxUnusable::Rows(5), 5), of_100(MaxUnusable::Rows(5), 6)), (false, true));
        assert_eq!(
            (of_100(MaxUnusable::Percent(5.0), 5), of_100(MaxUnusable::Percent(5.0), 6)),
            (false, true)
        );
    }
}
