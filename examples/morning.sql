-- Queries for the morning after a nightly run. In the folder of the outputs: duckdb -f morning.sql

-- With types, because DuckDB would guess them from the first rows only.
CREATE TEMP VIEW discrepancies AS
FROM read_csv('details.discrepancies.csv',
              types = {expected: 'VARCHAR', actual: 'VARCHAR', delta: 'BIGINT'});

-- Which calls does the provider not know? Ask the system that wrote these rows.
SELECT ledger_line, call_id, call_date
FROM discrepancies
WHERE kind = 'not_found'
ORDER BY ledger_line;

-- Where do the talk times differ most? The ledger and the provider count different seconds.
SELECT call_id, expected, actual, delta AS delta_s
FROM discrepancies
WHERE kind = 'mismatch' AND field = 'duration_s'
ORDER BY abs(delta) DESC, ledger_line
LIMIT 20;

-- Which rows of the ledger must be corrected? details.rejects.csv has these rows in full, unless
-- phone numbers are masked.
SELECT ledger_line, field, message
FROM discrepancies
WHERE kind = 'invalid_row'
ORDER BY ledger_line;

-- Which calls failed, and why?
SELECT error_code, count(*) AS calls, min(error_message) AS example
FROM 'details.parquet'
WHERE status = 'failed'
GROUP BY error_code
ORDER BY calls DESC, error_code;
