//! `details.sql`: DuckDB views over the files, with the same tables as the report.

use std::path::Path;

use super::file_format::{FileFormat, is_workbook};
use super::paths::Paths;
use crate::objects::{ObjectUrl, Service};
use crate::place::folder_of;

/// Types of the columns that are not text, and of those that could look like another type. An empty
/// file has them too.
const COLUMN_TYPES: &str = "{'ledger_line': 'BIGINT', 'delta': 'BIGINT', 'call_date': 'DATE', \
     'prod_id': 'BIGINT', 'call_id': 'VARCHAR', 'kind': 'VARCHAR', 'field': 'VARCHAR', \
     'expected': 'VARCHAR', 'actual': 'VARCHAR', 'message': 'VARCHAR', 'status': 'VARCHAR', \
     'product': 'VARCHAR', 'callee': 'VARCHAR', 'called_at': 'TIMESTAMPTZ', \
     'seconds_at_stake': 'BIGINT', 'since': 'DATE', 'resolution': 'VARCHAR', 'reason': 'VARCHAR'}";

/// Types of the summary's keys that the views read. `GROUP` stands for a product or a day.
const SUMMARY_TYPES: &str = "{'bridge': 'STRUCT(step VARCHAR, calls BIGINT, seconds BIGINT)[]', \
     'headline': 'STRUCT(agree BIGINT, differ BIGINT, not_compared BIGINT, \
     missing BIGINT, waiting BIGINT, failed BIGINT, unusable_rows BIGINT)', \
     'fields': 'MAP(VARCHAR, STRUCT(expected BIGINT, compared BIGINT, equal BIGINT, different BIGINT, \
     not_comparable BIGINT))', 'by_product': 'GROUP[]', 'by_day': 'GROUP[]', \
     'by_hour': 'STRUCT(calls BIGINT, answered BIGINT, talk_s BIGINT)[]'}";

/// The type of the figures of a product or a day.
const GROUP: &str = "STRUCT(name VARCHAR, calls BIGINT, found BIGINT, \
     answered STRUCT(ledger BIGINT, provider BIGINT), \
     duration_s STRUCT(ledger BIGINT, provider BIGINT, difference BIGINT), \
     billable_minutes STRUCT(ledger BIGINT, provider BIGINT))";

/// What views over files on this machine begin with.
const OF_FILES: &str = "\
-- Views over the outputs of a run, for DuckDB. Start it in the folder of the files: duckdb -init {{self}}
";

/// What the views over a workbook begin with. DuckDB reads it with an extension, which it may have
/// to load from the network, so these views are left to the user.
const OF_WORKBOOK: &str = "\
-- The discrepancies are in a workbook. DuckDB reads it with its extension excel. Remove the marks of these lines to
-- have the views. If there are sheets `all (2)` and so on, add each with UNION ALL.
";

/// The text of the file that will be `target`.
pub(super) fn text(paths: &Paths, target: &Path) -> String {
    let place = |path: &Path| match &paths.published_to {
        None => quoted(folder_of(target), path),
        Some(_) => format!("(getvariable('run_folder') || {})", quoted(folder_of(target), path)),
    };
    let details = place(&paths.details);
    let details = if paths.by_day {
        format!("read_parquet({details} || '/*/*.parquet', hive_partitioning = true)")
    } else {
        format!("read_parquet({details})")
    };
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let beginning = match &paths.published_to {
        None => filled(OF_FILES, &[("self", &*name)]),
        Some(root) => of_newest_run(root, &name),
    };
    let discrepancies = place(&paths.discrepancies);
    let values = [
        ("beginning", beginning.as_str()),
        ("details", &details),
        ("views_of_discrepancies", &views_of_discrepancies(&discrepancies, &paths.discrepancies)),
        ("summary", &place(&paths.summary)),
        ("columns", &SUMMARY_TYPES.replace("GROUP", GROUP)),
    ];
    filled(include_str!("views.sql"), &values)
}

/// The beginning of views over the newest run in this folder of object storage. DuckDB reads the
/// services by the interface of S3 alone.
fn of_newest_run(root: &ObjectUrl, name: &str) -> String {
    let root = ObjectUrl { service: Service::S3, ..root.clone() }.to_string();
    let root_text = root.replace('\'', "''");
    filled(
        include_str!("views_of_newest_run.sql"),
        &[("root", &root), ("root_text", &root_text), ("self", name)],
    )
}

/// The views over the discrepancies in the file of this name, which SQL reads at `place`:
/// statements, or comments if the file is a workbook.
fn views_of_discrepancies(place: &str, path: &Path) -> String {
    let template = include_str!("views_of_discrepancies.sql");
    let discrepancies = place;
    if is_workbook(path) {
        let table = format!("read_xlsx({discrepancies}, sheet = 'all')");
        let views = format!("INSTALL excel; LOAD excel;\n\n{template}");
        let views = filled(&views, &[("discrepancies", &table)]);
        return views.lines().fold(OF_WORKBOOK.to_owned(), |text, line| text + "-- " + line + "\n");
    }
    let table = match FileFormat::from_extension(path) {
        Some(FileFormat::Parquet) => format!("read_parquet({discrepancies})"),
        Some(FileFormat::Jsonl) => {
            format!("read_json({discrepancies}, format = 'newline_delimited', columns = {COLUMN_TYPES})")
        }
        Some(FileFormat::Csv) | None => format!("read_csv({discrepancies}, types = {COLUMN_TYPES})"),
    };
    filled(template, &[("discrepancies", &table)])
}

/// The template with each `{{name}}` replaced by its value. A value may itself contain `{{`.
fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let mut pieces = template.split("{{");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        text += values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        text += rest;
    }
    text
}

/// A path as an SQL string: its name alone if it is in `folder`, else absolute. DuckDB reads it as
/// a pattern, so the characters of patterns are in brackets.
fn quoted(folder: &Path, path: &Path) -> String {
    let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().map(Path::new).filter(|_| folder_of(path) == folder);
    let text = name.map_or_else(absolute, Path::to_owned).display().to_string();
    let literal = |c: char| match c {
        '\'' => "''".to_owned(),
        '*' | '?' | '[' => format!("[{c}]"),
        c => c.to_string(),
    };
    format!("'{}'", text.chars().map(literal).collect::<String>())
}
