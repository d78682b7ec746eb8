-- From schema version 1 to 2.

ALTER TABLE session ADD COLUMN endpoint TEXT;
ALTER TABLE call ADD COLUMN checked_session_no BIGINT;
ALTER TABLE request ADD COLUMN request_id TEXT;
ALTER TABLE request ADD COLUMN recheck BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE request SET (fillfactor = 36);
ALTER TABLE open_item ADD COLUMN account TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE open_item ADD COLUMN seconds BIGINT NOT NULL DEFAULT 0;

CREATE TABLE other_answer (
  call_no BIGINT NOT NULL,
  noted_session_no BIGINT NOT NULL,
  answer TEXT NOT NULL CHECK (answer IN ('final', 'interim', 'no_record')),
  session_no BIGINT NOT NULL,
  fetched_at BIGINT NOT NULL,
  found_date DATE,
  request_id TEXT,
  code TEXT,
  message TEXT,
  data TEXT,
  checksum BIGINT,
  told_run_no BIGINT,
  PRIMARY KEY (call_no, noted_session_no)
);
CREATE INDEX other_answer_by_run ON other_answer (told_run_no);
CREATE TABLE receipt (
  call_id TEXT COLLATE "C" NOT NULL,
  prod_id BIGINT NOT NULL,
  call_date DATE NOT NULL,
  session_no BIGINT NOT NULL,
  read_at BIGINT NOT NULL,
  data TEXT,
  checksum BIGINT,
  PRIMARY KEY (call_id, prod_id, call_date)
);
CREATE TABLE open_discrepancy (
  subject BIGINT NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  field TEXT COLLATE "C" NOT NULL,
  call_date DATE,
  named BIGINT,
  since DATE NOT NULL,
  first_run_no BIGINT NOT NULL,
  last_run_no BIGINT NOT NULL,
  PRIMARY KEY (subject, kind, field)
);
CREATE TABLE run_figures (
  run_no BIGINT PRIMARY KEY REFERENCES run,
  series TEXT COLLATE "C" NOT NULL,
  figures TEXT NOT NULL
);
