//! The texts of the outputs in English and Chinese. Pure.
//!
//! The rules and the parts of the program say what happened as values. Their English is their own
//! `Display`; files for machines, the terminal and the log contain it. Their Chinese is only here,
//! so that report, notification and every other output use the same words.
//!
//! Foreign text in a value (a file's name, a provider's message) is quoted as it is. So every text
//! with foreign content passes [`shown`](crate::shown::shown) before people see it, in both
//! languages.

mod causes;
#[cfg(test)]
mod checks;
mod limits;
mod messages;
mod money;
mod notes;
mod patterns;
mod receipts;
mod rows;
mod tie_out;
mod trend;
mod words;
mod workbook;

pub use causes::{cause, cause_with_advice, incomplete};
pub use limits::limit;
pub use messages::message;
pub use notes::note;
pub use patterns::sentence as pattern;
pub use receipts::receipt_problem;
pub use rows::reason;
pub use tie_out::{slowdown, tie_out_numbers, tie_out_rule};
pub use trend::{series_name, tonight_value, trend_value, unusual, usual_range};
pub use words::{
    age, bridge_step, category, decision, field, kind, kind_rule, outcome, product, status, status_rule,
};
pub use workbook::{NightText, cut_cells, missing_columns, night_text};
