CREATE OR REPLACE VIEW discrepancies AS SELECT * FROM {{discrepancies}};

CREATE OR REPLACE VIEW by_kind AS
SELECT kind, field, count(*) AS rows, sum(delta)::BIGINT AS delta_s,
       sum(seconds_at_stake)::BIGINT AS seconds_at_stake FROM discrepancies GROUP BY ALL ORDER BY kind, field;

CREATE OR REPLACE VIEW largest AS
SELECT * FROM discrepancies ORDER BY seconds_at_stake DESC, ledger_line, kind LIMIT 100;
