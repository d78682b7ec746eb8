//! The rows that a copy takes over, in a form that every store can read and write.

use Kind::{Day, Flag, Int, Text};

/// A value of a row. Times are microseconds since 1970, days are `YYYY-MM-DD`, and yes is 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Cell {
    /// No value.
    Null,
    /// A number.
    Int(i64),
    /// A text.
    Text(String),
}

/// A row: the values of [`Table::columns`], in their order.
pub(in crate::store) type Row = Vec<Cell>;

/// A table of every store.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Table {
    /// Its name, also for people.
    pub(in crate::store) name: &'static str,
    /// How many columns, from the first on, are its key. Rows are read in the order of the key.
    pub(in crate::store) key: usize,
    /// Its columns, and what they hold.
    pub(in crate::store) columns: &'static [(Kind, &'static str)],
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    /// Numbers.
    Int,
    /// 0 or 1.
    Flag,
    /// Texts.
    Text,
    /// Days.
    Day,
}

impl Table {
    /// The names of its columns.
    pub(in crate::store) fn names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|(_, name)| *name).collect()
    }
}

/// The runs.
pub(in crate::store) const RUN: Table = Table {
    name: "run",
    key: 1,
    columns: &[
        (Int, "run_no"),
        (Text, "run_id"),
        (Int, "chain_no"),
        (Text, "input_sha256"),
        (Flag, "refresh"),
        (Int, "started_at"),
        (Int, "ended_at"),
        (Flag, "complete"),
    ],
};

/// The sessions.
pub(in crate::store) const SESSION: Table = Table {
    name: "session",
    key: 1,
    columns: &[
        (Int, "session_no"),
        (Int, "run_no"),
        (Text, "account"),
        (Text, "version"),
        (Int, "pid"),
        (Text, "boot_id"),
        (Int, "started_at"),
        (Int, "ended_at"),
        (Int, "cap_requests"),
        (Int, "cap_window_us"),
        (Int, "timeout_us"),
        (Text, "endpoint"),
    ],
};

/// The calls with their answers.
pub(in crate::store) const CALL: Table = Table {
    name: "call",
    key: 1,
    columns: &[
        (Int, "call_no"),
        (Text, "call_id"),
        (Int, "prod_id"),
        (Day, "call_date"),
        (Int, "attempts"),
        (Int, "first_session_no"),
        (Text, "answer"),
        (Int, "session_no"),
        (Int, "fetched_at"),
        (Day, "found_date"),
        (Day, "next_date"),
        (Text, "request_id"),
        (Text, "code"),
        (Text, "message"),
        (Text, "data"),
        (Int, "checksum"),
        (Int, "checked_session_no"),
    ],
};

/// Answers beside those that count.
pub(in crate::store) const OTHER_ANSWER: Table = Table {
    name: "other_answer",
    key: 2,
    columns: &[
        (Int, "call_no"),
        (Int, "noted_session_no"),
        (Text, "answer"),
        (Int, "session_no"),
        (Int, "fetched_at"),
        (Day, "found_date"),
        (Text, "request_id"),
        (Text, "code"),
        (Text, "message"),
        (Text, "data"),
        (Int, "checksum"),
        (Int, "told_run_no"),
    ],
};

/// The requests. Here their numbers count from 1 in each session, and a missing request leaves a
/// gap.
pub(in crate::store) const REQUEST: Table = Table {
    name: "request",
    key: 2,
    columns: &[
        (Int, "session_no"),
        (Int, "request_no"),
        (Int, "call_no"),
        (Day, "asked_date"),
        (Text, "purpose"),
        (Int, "sent_at"),
        (Int, "sent_boot_us"),
        (Int, "replied_at"),
        (Int, "replied_boot_us"),
        (Int, "http_status"),
        (Text, "code"),
        (Flag, "throttled"),
        (Text, "decision"),
        (Int, "pause_us"),
        (Text, "request_id"),
        (Flag, "recheck"),
    ],
};

/// The open items.
pub(in crate::store) const OPEN_ITEM: Table = Table {
    name: "open_item",
    key: 3,
    columns: &[
        (Text, "call_id"),
        (Int, "prod_id"),
        (Day, "call_date"),
        (Text, "status"),
        (Int, "first_run_no"),
        (Int, "first_seen_at"),
        (Int, "last_run_no"),
        (Int, "cleared_run_no"),
        (Text, "account"),
        (Int, "seconds"),
    ],
};

/// The receipts.
pub(in crate::store) const RECEIPT: Table = Table {
    name: "receipt",
    key: 3,
    columns: &[
        (Text, "call_id"),
        (Int, "prod_id"),
        (Day, "call_date"),
        (Int, "session_no"),
        (Int, "read_at"),
        (Text, "data"),
        (Int, "checksum"),
    ],
};

/// The open discrepancies.
pub(in crate::store) const OPEN_DISCREPANCY: Table = Table {
    name: "open_discrepancy",
    key: 3,
    columns: &[
        (Int, "subject"),
        (Text, "kind"),
        (Text, "field"),
        (Day, "call_date"),
        (Int, "named"),
        (Day, "since"),
        (Int, "first_run_no"),
        (Int, "last_run_no"),
    ],
};

/// The figures of the runs.
pub(in crate::store) const RUN_FIGURES: Table =
    Table { name: "run_figures", key: 1, columns: &[(Int, "run_no"), (Text, "series"), (Text, "figures")] };

/// All tables, each after those to which it refers.
pub(in crate::store) const ALL: [&Table; 9] =
    [&RUN, &SESSION, &CALL, &OTHER_ANSWER, &REQUEST, &OPEN_ITEM, &RECEIPT, &OPEN_DISCREPANCY, &RUN_FIGURES];
