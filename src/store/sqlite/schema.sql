-- The store, schema version 2. All times are microseconds since 1970-01-01T00:00:00Z, except those named
-- boot_us: microseconds since the start of the machine, comparable only under the same boot_id.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL                  -- nature: 'provider' or 'sandbox'; created_by: program and version;
                                       -- filled_over: 'http' where a sandbox was reached by its URL;
                                       -- secret: random, what --record replaces numbers by
) STRICT, WITHOUT ROWID;

-- One night's job over one ledger. It goes on through as many processes as it takes.
CREATE TABLE run (
  run_no INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL,                -- UUID, as in the outputs
  chain_no INTEGER NOT NULL,           -- the first run of an unbroken chain of incomplete ones over the same ledger
  input_sha256 TEXT NOT NULL,
  refresh INTEGER NOT NULL,            -- 1 with --refresh
  started_at INTEGER NOT NULL,
  ended_at INTEGER,                    -- NULL until its outputs stand
  complete INTEGER                     -- 1 when every call had its answer
) STRICT;

-- One process.
CREATE TABLE session (
  session_no INTEGER PRIMARY KEY,
  run_no INTEGER NOT NULL REFERENCES run,
  version TEXT NOT NULL,
  pid INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,                    -- NULL while it runs, or when it was killed
  cap_requests INTEGER NOT NULL,
  cap_window_us INTEGER NOT NULL,
  timeout_us INTEGER NOT NULL,
  first_request_no INTEGER NOT NULL DEFAULT 0  -- its requests are those from this one to the next session's first
) STRICT;

-- One call, and the answer that counts.
CREATE TABLE call (
  call_no INTEGER PRIMARY KEY,
  call_id TEXT NOT NULL,
  prod_id INTEGER NOT NULL,
  call_date TEXT NOT NULL,             -- the ledger's day, YYYY-MM-DD in UTC+8
  attempts INTEGER NOT NULL,           -- requests spent on it so far
  first_session_no INTEGER NOT NULL,   -- when it was first asked for
  answer TEXT CHECK (answer IN ('final', 'interim', 'no_record', 'malformed', 'rejected', 'exhausted')),
  session_no INTEGER,                  -- who got the answer
  fetched_at INTEGER,
  found_date TEXT,                     -- the day on which it was found, or that was asked last
  next_date TEXT,                      -- a neighbouring day that is still to be asked
  request_id TEXT,
  code TEXT,                           -- the provider's code, or the last transport error
  message TEXT,
  data TEXT,                           -- the provider's Data, byte for byte
  checksum INTEGER,                    -- CRC-32 over the call's key and its answer; a row that differs counts as unanswered
  UNIQUE (call_id, prod_id, call_date)
) STRICT;

-- One request. On disk before it is sent.
CREATE TABLE request (
  request_no INTEGER PRIMARY KEY,
  session_no INTEGER NOT NULL REFERENCES session,
  call_no INTEGER NOT NULL REFERENCES call,
  asked_date TEXT NOT NULL,
  purpose TEXT NOT NULL CHECK (purpose IN ('first', 'retry', 'other_day')),
  sent_at INTEGER NOT NULL,
  sent_boot_us INTEGER NOT NULL,
  replied_at INTEGER,                  -- NULL while in flight
  replied_boot_us INTEGER,
  http_status INTEGER,
  code TEXT,                           -- 'lost' when the process ended before the reply
  throttled INTEGER NOT NULL DEFAULT 0,
  decision TEXT,                       -- what was made of it: answered, again, gave_up, stopped
  pause_us INTEGER                     -- how long to wait before the next attempt
) STRICT;

-- What the cap of the next process has to count.
CREATE INDEX request_by_reply ON request (replied_boot_us);

-- A call that had no lasting answer at the end of a run: pending, not_found, failed (not for good) or deferred.
CREATE TABLE open_item (
  call_id TEXT NOT NULL,
  prod_id INTEGER NOT NULL,
  call_date TEXT NOT NULL,
  status TEXT NOT NULL,                -- as in the details of the run that saw it last
  first_run_no INTEGER NOT NULL,       -- the night in which it was first seen
  first_seen_at INTEGER NOT NULL,
  last_run_no INTEGER NOT NULL,        -- the last run whose ledger named it
  cleared_run_no INTEGER,              -- the run that settled it
  PRIMARY KEY (call_id, prod_id, call_date)
) STRICT, WITHOUT ROWID;
