-- Views over the newest run in {{root}}, for DuckDB with its extension httpfs.
-- Copy this file to your machine and start: duckdb -init {{self}}. A newer run is seen after the next start.
-- Keys and endpoint come from a secret of DuckDB, which is created once: CREATE PERSISTENT SECRET (TYPE s3, PROVIDER
-- credential_chain), or for OSS (TYPE s3, KEY_ID '...', SECRET '...', ENDPOINT 'oss-cn-hangzhou.aliyuncs.com').
SET VARIABLE newest_commit = (SELECT max(file) FROM glob('{{root_text}}/commits/[0-9]*.json'));
SET VARIABLE run_folder = (SELECT '{{root_text}}/' || folder
    FROM read_json(getvariable('newest_commit'), columns = {'folder': 'VARCHAR'}));
