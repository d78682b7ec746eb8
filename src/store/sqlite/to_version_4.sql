-- From schema version 3 to 4.

ALTER TABLE session ADD COLUMN endpoint TEXT;
ALTER TABLE call ADD COLUMN checked_session_no INTEGER;
ALTER TABLE request ADD COLUMN request_id TEXT;
ALTER TABLE request ADD COLUMN recheck INTEGER NOT NULL DEFAULT 0;
ALTER TABLE open_item ADD COLUMN account TEXT;
ALTER TABLE open_item ADD COLUMN seconds INTEGER NOT NULL DEFAULT 0;

CREATE TABLE other_answer (
  call_no INTEGER NOT NULL,
  noted_session_no INTEGER NOT NULL,
  answer TEXT NOT NULL CHECK (answer IN ('final', 'interim', 'no_record')),
  session_no INTEGER NOT NULL,
  fetched_at INTEGER NOT NULL,
  found_date TEXT,
  request_id TEXT,
  code TEXT,
  message TEXT,
  data TEXT,
  checksum INTEGER,
  told_run_no INTEGER,
  PRIMARY KEY (call_no, noted_session_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX other_answer_by_run ON other_answer (told_run_no);
CREATE TABLE receipt (
  call_id TEXT NOT NULL,
  prod_id INTEGER NOT NULL,
  call_date TEXT NOT NULL,
  session_no INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  data TEXT,
  checksum INTEGER,
  PRIMARY KEY (call_id, prod_id, call_date)
) STRICT, WITHOUT ROWID;
CREATE TABLE open_discrepancy (
  subject INTEGER NOT NULL,
  kind TEXT NOT NULL,
  field TEXT NOT NULL,
  call_date TEXT,
  named INTEGER,
  since TEXT NOT NULL,
  first_run_no INTEGER NOT NULL,
  last_run_no INTEGER NOT NULL,
  PRIMARY KEY (subject, kind, field)
) STRICT, WITHOUT ROWID;
CREATE TABLE run_figures (
  run_no INTEGER PRIMARY KEY REFERENCES run,
  series TEXT NOT NULL,
  figures TEXT NOT NULL
) STRICT;
