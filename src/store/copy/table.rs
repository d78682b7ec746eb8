//! The rows that a copy takes over, in a form that every store can read and write.

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
    /// Its columns.
    pub(in crate::store) columns: &'static [&'static str],
}

/// The jobs.
pub(in crate::store) const RUN: Table = Table {
    name: "run",
    key: 1,
    columns: &[
        "run_no",
        "run_id",
        "chain_no",
        "input_sha256",
        "refresh",
        "started_at",
        "ended_at",
        "complete",
    ],
};

/// The processes.
pub(in crate::store) const SESSION: Table = Table {
    name: "session",
    key: 1,
    columns: &[
        "session_no",
        "run_no",
        "account",
        "version",
        "pid",
        "boot_id",
        "started_at",
        "ended_at",
        "cap_requests",
        "cap_window_us",
        "timeout_us",
    ],
};

/// The calls with their answers.
pub(in crate::store) const CALL: Table = Table {
    name: "call",
    key: 1,
    columns: &[
        "call_no",
        "call_id",
        "prod_id",
        "call_date",
        "attempts",
        "first_session_no",
        "answer",
        "session_no",
        "fetched_at",
        "found_date",
        "next_date",
        "request_id",
        "code",
        "message",
        "data",
        "checksum",
    ],
};

/// The requests. Here their numbers count from 1 in each session, and a missing request leaves a
/// gap.
pub(in crate::store) const REQUEST: Table = Table {
    name: "request",
    key: 2,
    columns: &[
        "session_no",
        "request_no",
        "call_no",
        "asked_date",
        "purpose",
        "sent_at",
        "sent_boot_us",
        "replied_at",
        "replied_boot_us",
        "http_status",
        "code",
        "throttled",
        "decision",
        "pause_us",
    ],
};

/// The open items.
pub(in crate::store) const OPEN_ITEM: Table = Table {
    name: "open_item",
    key: 3,
    columns: &[
        "call_id",
        "prod_id",
        "call_date",
        "status",
        "first_run_no",
        "first_seen_at",
        "last_run_no",
        "cleared_run_no",
    ],
};

/// All tables, each after those to which it refers.
pub(in crate::store) const ALL: [&Table; 5] = [&RUN, &SESSION, &CALL, &REQUEST, &OPEN_ITEM];
