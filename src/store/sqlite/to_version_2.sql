-- From schema version 1 to 2. The program adds the checksums afterwards.

ALTER TABLE session ADD COLUMN first_request_no INTEGER NOT NULL DEFAULT 0;
UPDATE session SET first_request_no = coalesce(
  (SELECT min(request_no) FROM request WHERE request.session_no >= session.session_no),
  (SELECT coalesce(max(request_no), 0) + 1 FROM request));

ALTER TABLE request ADD COLUMN decision TEXT;
ALTER TABLE request ADD COLUMN pause_us INTEGER;

ALTER TABLE call ADD COLUMN checksum INTEGER;

CREATE TABLE open_item (
  call_id TEXT NOT NULL,
  prod_id INTEGER NOT NULL,
  call_date TEXT NOT NULL,
  status TEXT NOT NULL,
  first_run_no INTEGER NOT NULL,
  first_seen_at INTEGER NOT NULL,
  last_run_no INTEGER NOT NULL,
  cleared_run_no INTEGER,
  PRIMARY KEY (call_id, prod_id, call_date)
) STRICT, WITHOUT ROWID;

-- An open call was first seen by the session that first asked for it.
INSERT INTO open_item (call_id, prod_id, call_date, status, first_run_no, first_seen_at, last_run_no)
SELECT c.call_id, c.prod_id, c.call_date,
       CASE c.answer WHEN 'interim' THEN 'pending' WHEN 'no_record' THEN 'not_found'
                     WHEN 'malformed' THEN 'failed' WHEN 'exhausted' THEN 'failed' ELSE 'deferred' END,
       s.run_no, s.started_at, coalesce((SELECT run_no FROM session WHERE session_no = c.session_no), s.run_no)
FROM call c JOIN session s ON s.session_no = c.first_session_no
WHERE c.answer IS NULL OR c.answer NOT IN ('final', 'rejected');
