-- The store, schema version 4.
--
-- Times are microseconds since 1970-01-01T00:00:00Z. Columns that end in boot_us are microseconds
-- since the start of the machine: compare them only if the sessions have the same boot_id.

-- Also the keys of copies: retired_to (the store to which this one was copied) and copy_of (the
-- store of which this is an unfinished copy).
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL                  -- nature: 'provider' (real answers) or 'sandbox' (simulated)
                                       -- created_by: program and version
                                       -- filled_over: 'http' if a sandbox filled it over plain HTTP
                                       -- secret: random; --record replaces phone numbers by it
) STRICT, WITHOUT ROWID;

-- One reconciliation of one ledger. It may take several sessions.
CREATE TABLE run (
  run_no INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL,                -- UUID, as in the outputs
  chain_no INTEGER NOT NULL,           -- first run of a series of incomplete runs over one ledger
  input_sha256 TEXT NOT NULL,
  refresh INTEGER NOT NULL,            -- 1 with --refresh
  started_at INTEGER NOT NULL,
  ended_at INTEGER,                    -- NULL until its outputs are in place
  complete INTEGER                     -- 1 if every call had its answer
) STRICT;

-- One process that works on a run, for one account. Sessions of a run with several accounts begin
-- together, and the numbers of their requests alternate.
CREATE TABLE session (
  session_no INTEGER PRIMARY KEY,
  run_no INTEGER NOT NULL REFERENCES run,
  version TEXT NOT NULL,
  pid INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,                    -- NULL while it works, or after a kill
  cap_requests INTEGER NOT NULL,
  cap_window_us INTEGER NOT NULL,
  timeout_us INTEGER NOT NULL,
  first_request_no INTEGER NOT NULL DEFAULT 0, -- its requests end before the first one of the
                                       -- sessions that begin later
  account TEXT,                        -- NULL: the only account; its requests count for every
                                       -- account, and those of every account for it
  endpoint TEXT                        -- the address that it asks; NULL: offline, or not known
) STRICT;

-- One call, and the answer that counts.
CREATE TABLE call (
  call_no INTEGER PRIMARY KEY,
  call_id TEXT NOT NULL,
  prod_id INTEGER NOT NULL,
  call_date TEXT NOT NULL,             -- the ledger's day, YYYY-MM-DD in UTC+8
  attempts INTEGER NOT NULL,           -- requests for this call so far, without withdrawn ones
  first_session_no INTEGER NOT NULL,   -- session that first asked for it
  answer TEXT CHECK (answer IN ('final', 'interim', 'no_record', 'malformed', 'rejected', 'exhausted')),
  session_no INTEGER,                  -- session that got the answer
  fetched_at INTEGER,                  -- by the provider's clock, if it differs by over a minute
  found_date TEXT,                     -- day on which it was found, or that was asked last
  next_date TEXT,                      -- neighbouring day that must still be asked
  request_id TEXT,
  code TEXT,                           -- the provider's code, or the last transport error
  message TEXT,
  data TEXT,                           -- the provider's Data, byte for byte
  checksum INTEGER,                    -- CRC-32 of key and answer; if wrong, the answer is ignored
  checked_session_no INTEGER,          -- session that looked at its final record again
  UNIQUE (call_id, prod_id, call_date)
) STRICT;

-- One request. It is on disk before it is sent.
CREATE TABLE request (
  request_no INTEGER PRIMARY KEY,
  session_no INTEGER NOT NULL REFERENCES session,
  call_no INTEGER NOT NULL REFERENCES call,  -- 0 if the call was purged
  asked_date TEXT NOT NULL,
  purpose TEXT NOT NULL CHECK (purpose IN ('first', 'retry', 'other_day')),
  sent_at INTEGER NOT NULL,            -- when it had its place: just before it was sent
  sent_boot_us INTEGER NOT NULL,
  replied_at INTEGER,                  -- NULL while in flight
  replied_boot_us INTEGER,
  http_status INTEGER,
  code TEXT,                           -- 'lost' if the process ended before it recorded the end,
                                       -- 'withdrawn' if the run decided not to send it
  throttled INTEGER NOT NULL DEFAULT 0,
  decision TEXT,                       -- what happens next: answered, again, gave_up, stopped
  pause_us INTEGER,                    -- pause before the next attempt
  request_id TEXT,                     -- of the response
  recheck INTEGER NOT NULL DEFAULT 0   -- 1 if a final record is looked at again
) STRICT;

-- Finds the requests that the cap of the next session counts.
CREATE INDEX request_by_reply ON request (replied_boot_us);

-- Calls without a lasting answer after a run: pending, not_found, deferred, or failed for now.
CREATE TABLE open_item (
  call_id TEXT NOT NULL,
  prod_id INTEGER NOT NULL,
  call_date TEXT NOT NULL,
  status TEXT NOT NULL,                -- as in the details of the run that saw it last
  first_run_no INTEGER NOT NULL,       -- run that saw it first
  first_seen_at INTEGER NOT NULL,
  last_run_no INTEGER NOT NULL,        -- last run whose ledger names it
  cleared_run_no INTEGER,              -- run that settled it
  account TEXT,                        -- that is asked; NULL: the only account, or not known
  seconds INTEGER NOT NULL DEFAULT 0,  -- talk seconds at stake
  PRIMARY KEY (call_id, prod_id, call_date)
) STRICT, WITHOUT ROWID;

-- Answers beside the one that counts: a final record before it changed, and "no record" after there
-- was one.
CREATE TABLE other_answer (
  call_no INTEGER NOT NULL,
  noted_session_no INTEGER NOT NULL,   -- session that saw the difference
  answer TEXT NOT NULL CHECK (answer IN ('final', 'interim', 'no_record')),
  session_no INTEGER NOT NULL,         -- session that got this answer
  fetched_at INTEGER NOT NULL,
  found_date TEXT,
  request_id TEXT,
  code TEXT,
  message TEXT,
  data TEXT,
  checksum INTEGER,                    -- as in the table call
  told_run_no INTEGER,                 -- run whose outputs tell it; NULL: none yet
  PRIMARY KEY (call_no, noted_session_no)
) STRICT, WITHOUT ROWID;

-- Finds the changes that a run has to tell.
CREATE INDEX other_answer_by_run ON other_answer (told_run_no);

-- What the provider pushed about a call: a source of its own, beside the answer in the table `call`.
CREATE TABLE receipt (
  call_id TEXT NOT NULL,
  prod_id INTEGER NOT NULL,            -- of the ledger: a receipt names no product
  call_date TEXT NOT NULL,
  session_no INTEGER NOT NULL,         -- session that read it
  read_at INTEGER NOT NULL,
  data TEXT,                           -- JSON; NULL if it was erased on request
  checksum INTEGER,                    -- CRC-32 of key and receipt; if wrong, it is ignored
  PRIMARY KEY (call_id, prod_id, call_date)
) STRICT, WITHOUT ROWID;

-- The discrepancies that were open after the last run whose ledger names their call.
CREATE TABLE open_discrepancy (
  subject INTEGER NOT NULL,            -- digest of the call, or of an unusable row
  kind TEXT NOT NULL,
  field TEXT NOT NULL,                 -- '' if there is none
  call_date TEXT,                      -- NULL: an unusable row
  named INTEGER,                       -- digest of an unusable row's CallId; NULL if it has none
  since TEXT NOT NULL,                 -- day of the run that saw it first, in UTC+8
  first_run_no INTEGER NOT NULL,       -- that run
  last_run_no INTEGER NOT NULL,        -- run that saw it last
  PRIMARY KEY (subject, kind, field)
) STRICT, WITHOUT ROWID;

-- What the trend and `diff` need of a run, for 400 days. It counts once the run has ended.
CREATE TABLE run_figures (
  run_no INTEGER PRIMARY KEY REFERENCES run,
  series TEXT NOT NULL,                -- account and ledger's name without digits; a trend has one
  figures TEXT NOT NULL                -- JSON
) STRICT;
