{{beginning}}-- The views give the tables of the report: those that compare ledger and provider come from the summary.

CREATE OR REPLACE VIEW details AS SELECT * FROM {{details}};

CREATE OR REPLACE VIEW by_status AS
SELECT status, count(*) AS calls FROM details GROUP BY ALL ORDER BY calls DESC, status;

CREATE OR REPLACE VIEW summary AS SELECT * FROM read_json({{summary}}, columns = {{columns}});

CREATE OR REPLACE VIEW headline AS SELECT unnest(headline) FROM summary;

CREATE OR REPLACE VIEW fields AS
SELECT entry.key AS field, unnest(entry.value) FROM (SELECT unnest(map_entries(fields)) AS entry FROM summary);

-- `name` is null in the last row if it sums up all further products or days.
CREATE OR REPLACE VIEW by_product AS
SELECT g.name AS product, g.calls, g.found,
       g.answered.ledger AS answered_ledger, g.answered.provider AS answered,
       g.duration_s.ledger AS talk_s_ledger, g.duration_s.provider AS talk_s,
       g.duration_s.difference AS difference_s,
       g.billable_minutes.ledger AS billable_minutes_ledger, g.billable_minutes.provider AS billable_minutes
FROM (SELECT unnest(by_product) AS g FROM summary);

CREATE OR REPLACE VIEW by_day AS
SELECT g.name::DATE AS call_date, g.calls, g.found,
       g.answered.ledger AS answered_ledger, g.answered.provider AS answered,
       g.duration_s.ledger AS talk_s_ledger, g.duration_s.provider AS talk_s,
       g.duration_s.difference AS difference_s,
       g.billable_minutes.ledger AS billable_minutes_ledger, g.billable_minutes.provider AS billable_minutes
FROM (SELECT unnest(by_day) AS g FROM summary);

CREATE OR REPLACE VIEW outcomes AS
SELECT outcome, count(*) AS calls FROM details WHERE outcome IS NOT NULL GROUP BY ALL ORDER BY calls DESC, outcome;

-- Hours are in UTC+8. The ledger's time stands in where the answer has none, as in that of a receipt.
CREATE OR REPLACE VIEW by_hour AS
SELECT h.hour, h.figures.calls AS calls, h.figures.answered AS answered, h.figures.talk_s AS talk_s
FROM (SELECT unnest(range(24)) AS hour, unnest(by_hour) AS figures FROM summary) AS h
WHERE h.figures.calls > 0 ORDER BY 1;

-- The steps from the ledger's talk time to the provider's; the last one is the sum of those before.
CREATE OR REPLACE VIEW bridge AS SELECT unnest(bridge, recursive := true) FROM summary;

{{views_of_discrepancies}}