//! The rules of the reconciliation: from a provider's raw answer to a status, and from a status to
//! discrepancies.
//!
//! No I/O, no clock, no async, no global state: everything here is a value or a function of values.
//!
//! ```text
//!  answer ─► status (normalize, states, settle) ─► compare ─► discrepancy
//!         ─► totals, figures, patterns ─► tie_out
//! ```
//!
//! | question | module |
//! | --- | --- |
//! | What identifies a call? | [`call`] |
//! | What does a ledger row expect? | [`ledger_row`] |
//! | How is it read from a row's values? | [`ledger_record`], [`ledger_values`], [`ledger_times`] |
//! | Which names may a column have? | [`ledger_field`] |
//! | Which rows are no calls? | [`not_a_call`] |
//! | How does a product name become a product id? | [`product`] |
//! | Which day is a call's day, and what is its `QueryDate`? | [`calendar`] |
//! | What does the store keep of an answer? | [`answer`] |
//! | What does a later run ask again? | [`ask_again`] |
//! | Which status follows from an answer? | [`status`], with `--settle` in [`settle`] |
//! | How is the provider's `Data` read? | [`normalize`], [`data_fields`], [`states`] |
//! | What do the provider's receipts say, and how far are they trusted? | [`receipt`] |
//! | Where do receipt and record differ? | [`receipt_check`] |
//! | Are the receipts refuted? | [`checked_receipts`] |
//! | Which answer counts, that of the operation or a receipt? | [`source`] |
//! | What is a discrepancy? | [`discrepancy`], [`compare`], [`contradiction`], [`duplicate`] |
//! | What is its row in the outputs? | [`discrepancy_rows`] |
//! | Which discrepancies of two nights are the same? | [`discrepancy_identity`] |
//! | Which ones are new, and which are resolved? | [`since`] |
//! | Did a record change after it was final? | [`amended`] |
//! | What is known of a call? | [`call_result`] |
//! | What does it say in words? | [`message`], [`row_problem`] |
//! | What was compared, and what not? | [`compared`] |
//! | When are two phone numbers equal, and how are they masked? | [`phone`] |
//! | Which calls are in a sample? | [`sample`] |
//! | How many seconds are at stake? | [`seconds_at_stake`] |
//! | What does a call cost, exactly? | [`tariff`], [`decimal`] |
//! | What do all calls cost, and how much money is at stake? | [`money`], [`money_at_stake`] |
//! | What does the provider's bill say? | [`bill_row`], [`bill`] |
//! | Does it fit the calls, and by which rounding? | [`bill_check`], [`billing_rule`] |
//! | Which decision holds for a discrepancy? | [`resolutions`], [`resolution_entry`] |
//! | Which limits must a night keep? | [`materiality`] |
//! | Which columns do the outputs have? | [`columns`] |
//! | How is a count written? | [`count`] |
//! | What is counted? | [`totals`], [`figures`], [`lines`], [`traffic`] |
//! | How do the counts of parts add up? | [`merge`] |
//! | Which steps lead from the ledger's talk time to the provider's? | [`bridge`] |
//! | Which one cause explains many discrepancies? | [`patterns`], [`cause`] |
//! | What must add up? | [`tie_out`] |
//! | Is this night as the earlier ones were? | [`trend`] |
//! | What does the cap mean, and did it hold? | [`rate`], [`arrival`], [`cap_audit`] |

pub mod accounts;
pub mod amended;
pub mod answer;
pub mod arrival;
pub mod ask_again;
pub mod bill;
pub mod bill_check;
pub mod bill_row;
pub mod billing_rule;
pub mod bridge;
pub mod calendar;
pub mod call;
pub mod call_result;
pub mod cap_audit;
pub mod cause;
pub mod checked_receipts;
pub mod columns;
pub mod compare;
pub mod compared;
pub mod contradiction;
pub mod count;
pub mod data_fields;
pub mod decimal;
pub mod detail;
pub mod discrepancy;
pub mod discrepancy_identity;
pub mod discrepancy_rows;
pub mod duplicate;
pub mod figures;
pub mod ledger_field;
pub mod ledger_record;
pub mod ledger_row;
pub mod ledger_times;
pub mod ledger_values;
pub mod lines;
pub mod materiality;
pub mod merge;
pub mod message;
pub mod money;
pub mod money_at_stake;
pub mod normalize;
pub mod not_a_call;
pub mod patterns;
pub mod phone;
pub mod product;
pub mod quick_parse;
pub mod rate;
pub mod receipt;
pub mod receipt_check;
pub mod resolution;
pub mod resolution_entry;
pub mod resolutions;
pub mod row_problem;
pub mod sample;
pub mod seconds_at_stake;
pub mod settle;
pub mod since;
pub mod source;
pub mod states;
pub mod status;
pub mod tariff;
pub mod tie_out;
pub mod totals;
pub mod traffic;
pub mod trend;
