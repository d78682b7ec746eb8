//! The provider's receipts (`VoiceReport`): the records that it pushes without being asked.
//!
//! A receipt has other names than a record, and fewer fields. It is turned into the record's names
//! and read by [`normalize`](crate::normalize::normalize). So state, times and parties of both are
//! judged by one code, and a receipt that contradicts itself is treated as a record that does.
//!
//! | question | file |
//! | --- | --- |
//! | Which fields has a receipt, and what do they become? | `field` |
//! | How are its values read? | `builder` |
//! | How is it read from JSON? | `json` |
//! | What is known of it, and which call does it answer? | `value` |
//! | Why is it unusable? | `problem` |
//! | What do several receipts of one call say together? | `merge` |
//! | Where does a record differ from it? | `differences` |
//! | Does it count, or the operation's answer? | [`source`](crate::source) |
//! | What are all receipts to the ledger, in numbers? | `counts` |
//! | How far are receipts trusted? | `trust` |
//!
//! What a receipt gives of the details:
//!
//! | column | receipt's field |
//! | --- | --- |
//! | `caller`, `callee` | `caller`, `callee`; null if it is masked (`130****0000`) |
//! | `caller_show_number`, `callee_show_number` | `caller_show_num`, `callee_show_num` |
//! | `created_at` | null: `originate_time` is some seconds later than `gmtCreate` |
//! | `started_at`, `ended_at` | `start_time`, `end_time` |
//! | `a_ring_at`, `a_end_at` | `a_ring_time`, `a_end_time` |
//! | `b_ring_at` | `b_ring_time`, else `ring_time` |
//! | `b_start_at`, `b_end_at` | `b_start_time`, `b_end_time` |
//! | `duration_s`, `billable_minutes` | `duration` |
//! | `state`, `outcome`, `answered` | `status_code`, with `duration` as for a record |
//! | `state_desc` | `status_msg` |
//! | `hangup_by` | `hangup_direction`: `用户` and `User` are the callee, `机器` the caller |
//! | `raw`, `request_id` | null: a receipt is no answer of the operation |
//!
//! A receipt names no product: `voice_type` is the type of the record.

mod builder;
mod counts;
mod differences;
mod field;
mod json;
mod merge;
mod problem;
mod trust;
mod value;

pub use builder::ReceiptBuilder;
pub use counts::JoinCounts;
pub use differences::{ReceiptDifference, differences};
pub use field::{FIELDS, InputName, ReceiptField};
pub use merge::{Merged, keep_decisive, merge};
pub use problem::ReceiptProblem;
pub use trust::{MOST_DIFFERING_PERCENT, ReceiptsTrust, SampleShare, refutes};
pub use value::Receipt;

#[cfg(test)]
mod tests;
