//! The rules of the reconciliation: from a provider's raw answer to a status, and from a status to discrepancies.
//!
//! Pure: no I/O, no clock, no async, no global state. Everything here is a value or a function of values.
//!
//! ```text
//!  answer ─► lookup (normalize, states, settle) ─► compare ─► discrepancy ─► totals, figures, patterns ─► tie_out
//! ```

pub mod answer;
pub mod ask_again;
pub mod audit;
pub mod calendar;
pub mod call;
pub mod compare;
pub mod detail;
pub mod discrepancy;
pub mod figures;
pub mod ledger_row;
pub mod lookup;
pub mod normalize;
pub mod patterns;
pub mod phone;
pub mod product;
pub mod quick_parse;
pub mod rate;
pub mod seconds_at_stake;
pub mod settle;
pub mod states;
pub mod tie_out;
pub mod totals;
pub mod traffic;
