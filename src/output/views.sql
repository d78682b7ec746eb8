-- Views over the outputs of a run, for DuckDB. Start it in the folder of the files: duckdb -init {{self}}
-- The views give the tables of the report. The files show the ledger's value only where the provider's differs, so a
-- difference is the sum of the deltas. It equals the report's difference if the run had no tolerance.

CREATE OR REPLACE VIEW details AS SELECT * FROM {{details}};

CREATE OR REPLACE VIEW discrepancies AS SELECT * FROM {{discrepancies}};

CREATE OR REPLACE VIEW by_status AS
SELECT status, count(*) AS calls FROM details GROUP BY ALL ORDER BY calls DESC, status;

CREATE OR REPLACE VIEW by_kind AS
SELECT kind, field, count(*) AS rows, sum(delta)::BIGINT AS delta_s FROM discrepancies GROUP BY ALL ORDER BY kind, field;

CREATE OR REPLACE VIEW talk_differences AS
SELECT call_id, prod_id, call_date, sum(delta)::BIGINT AS difference_s
FROM discrepancies WHERE kind = 'mismatch' AND field = 'duration_s' GROUP BY ALL;

CREATE OR REPLACE VIEW by_product AS
SELECT coalesce(product, prod_id::VARCHAR) AS product, count(*) AS calls, count_if(status = 'found') AS found,
       count_if(status = 'found' AND answered) AS answered,
       coalesce(sum(duration_s) FILTER (status = 'found'), 0)::BIGINT AS talk_s,
       coalesce(sum(billable_minutes) FILTER (status = 'found'), 0)::BIGINT AS billable_minutes,
       coalesce(sum(difference_s), 0)::BIGINT AS difference_s
FROM details LEFT JOIN talk_differences USING (call_id, prod_id, call_date) GROUP BY 1 ORDER BY 1;

CREATE OR REPLACE VIEW by_day AS
SELECT call_date, count(*) AS calls, count_if(status = 'found') AS found,
       count_if(status = 'found' AND answered) AS answered,
       coalesce(sum(duration_s) FILTER (status = 'found'), 0)::BIGINT AS talk_s,
       coalesce(sum(billable_minutes) FILTER (status = 'found'), 0)::BIGINT AS billable_minutes,
       coalesce(sum(difference_s), 0)::BIGINT AS difference_s
FROM details LEFT JOIN talk_differences USING (call_id, prod_id, call_date) GROUP BY 1 ORDER BY 1;

CREATE OR REPLACE VIEW outcomes AS
SELECT outcome, count(*) AS calls FROM details WHERE outcome IS NOT NULL GROUP BY ALL ORDER BY calls DESC, outcome;

-- Hours are in UTC+8, independent of the time zone of DuckDB.
CREATE OR REPLACE VIEW by_hour AS
SELECT (epoch_us(created_at) // 3600000000 + 8) % 24 AS hour, count(*) AS calls, count_if(answered) AS answered,
       sum(coalesce(duration_s, 0))::BIGINT AS talk_s
FROM details WHERE status = 'found' AND answered IS NOT NULL AND created_at IS NOT NULL GROUP BY 1 ORDER BY 1;

CREATE OR REPLACE VIEW largest AS
SELECT * FROM discrepancies WHERE delta IS NOT NULL ORDER BY abs(delta) DESC, ledger_line LIMIT 100;
