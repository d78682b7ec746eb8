//! The statements that write a batch. `$1` are the sessions of its rows.
//!
//! Each statement locks these sessions against a take-over. A renewal does not wait for this lock.
//! If one of them has been taken over, the statement writes nothing.

/// What every statement begins with.
macro_rules! fence {
    () => {
        "WITH ours AS (SELECT session_no FROM session WHERE session_no = ANY ($1) AND fence = 0 FOR KEY SHARE),
              live AS (SELECT count(*) = cardinality($1) AS all_are FROM ours)"
    };
}

/// Inserts new requests and their calls. A request that is there already counts no second time.
macro_rules! begin {
    () => {
        ", new AS (
          SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::date[], $7::date[], $8::text[],
                               $9::bigint[], $10::bigint[], $32::bool[])
            AS n (session_no, request_no, call_id, prod_id, call_date, asked_date, purpose, sent_at, sent_boot_us, recheck)
          WHERE (SELECT all_are FROM live) AND NOT EXISTS
            (SELECT FROM request AS r WHERE r.session_no = n.session_no AND r.request_no = n.request_no)),
        called AS (
          INSERT INTO call AS c (call_id, prod_id, call_date, attempts, first_session_no)
          SELECT call_id, prod_id, call_date, count(*), min(session_no) FROM new GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
          ON CONFLICT (call_id, prod_id, call_date) DO UPDATE SET attempts = c.attempts + excluded.attempts
          RETURNING call_no, call_id, prod_id, call_date, coalesce(c.answer = 'final', false) AS had_final),
        begun AS (
          INSERT INTO request (session_no, request_no, call_no, asked_date, purpose, sent_at, sent_boot_us, recheck)
          SELECT session_no, request_no, call_no, asked_date, purpose, sent_at, sent_boot_us, recheck
          FROM new JOIN called USING (prod_id, call_date, call_id)
          RETURNING session_no, request_no, call_no)"
    };
}

/// Writes the ends of requests.
macro_rules! end {
    () => {
        ", ended AS (
          UPDATE request AS r SET replied_at = e.replied_at, replied_boot_us = e.replied_boot_us,
                 http_status = e.http_status, code = e.code, throttled = e.throttled, decision = e.decision,
                 pause_us = e.pause_us, request_id = e.request_id
          FROM unnest($11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::int[], $16::text[], $17::bool[],
                      $18::text[], $19::bigint[], $20::text[])
            AS e (session_no, request_no, replied_at, replied_boot_us, http_status, code, throttled, decision, pause_us,
                  request_id)
          WHERE (SELECT all_are FROM live) AND r.session_no = e.session_no AND r.request_no = e.request_no)"
    };
}

/// Writes answers where `AnswerKind::replaces` says so.
macro_rules! answer {
    () => {
        ", answered AS (
          UPDATE call AS c SET answer = a.answer, session_no = a.session_no, fetched_at = a.fetched_at,
                 found_date = a.found_date, next_date = a.next_date, request_id = a.request_id, code = a.code,
                 message = a.message, data = a.data, checksum = a.checksum
          FROM unnest($21::bigint[], $22::text[], $23::bigint[], $24::bigint[], $25::date[], $26::date[], $27::text[],
                      $28::text[], $29::text[], $30::text[], $31::bigint[])
            AS a (call_no, answer, session_no, fetched_at, found_date, next_date, request_id, code, message, data, checksum)
          WHERE (SELECT all_are FROM live) AND c.call_no = a.call_no
            AND (a.answer IN ('final', 'interim') OR c.answer IS NULL
                 OR NOT (c.answer = 'final' OR c.answer = 'interim' AND a.answer = 'exhausted')))"
    };
}

/// Writes a whole batch. Returns whether all sessions are live; then the number of the call of each
/// new request and whether it has a final record, one row for each.
///
/// No call may have both a new request and an answer: a statement cannot change a row twice.
pub(super) const WRITE: &str = concat!(
    fence!(),
    begin!(),
    end!(),
    answer!(),
    " SELECT NULL::bigint, NULL::bigint, NULL::bigint, NULL::bool FROM live WHERE all_are
      UNION ALL SELECT session_no, request_no, call_no, had_final FROM begun JOIN called USING (call_no)
      UNION ALL SELECT r.session_no, r.request_no, r.call_no, coalesce(c.answer = 'final', false)
        FROM unnest($2::bigint[], $3::bigint[]) AS n (session_no, request_no)
        JOIN request AS r ON r.session_no = n.session_no AND r.request_no = n.request_no
        JOIN call AS c ON c.call_no = r.call_no
        WHERE (SELECT all_are FROM live)"
);

/// Takes back the attempts of requests that are not sent after all, before their end is written.
pub(super) const WITHDRAW: &str = concat!(
    fence!(),
    ", withdrawn AS (
       SELECT call_no, count(*) AS requests FROM unnest($2::bigint[], $3::bigint[]) AS w (session_no, request_no)
       JOIN request AS r USING (session_no, request_no)
       WHERE (SELECT all_are FROM live) AND r.replied_boot_us IS NULL GROUP BY call_no)
     UPDATE call SET attempts = attempts - requests FROM withdrawn WHERE call.call_no = withdrawn.call_no"
);
