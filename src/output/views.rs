//! `details.sql`: views over the files that give analysts the page's tables in DuckDB.

use std::path::Path;

use super::Paths;
use super::discrepancies::Form;
use super::staged::folder;

/// The text of the file that will be `target`.
pub(super) fn text(paths: &Paths, target: &Path) -> String {
    let here = folder(target);
    let details = quoted(here, &paths.details);
    let details = if paths.by_day {
        format!("read_parquet({} || '/*/*.parquet', hive_partitioning = true)", details)
    } else {
        format!("read_parquet({details})")
    };
    let discrepancies = quoted(here, &paths.discrepancies);
    let discrepancies = match Form::of(&paths.discrepancies) {
        Some(Form::Parquet) => format!("read_parquet({discrepancies})"),
        Some(Form::Jsonl) => {
            format!("read_json({discrepancies}, format = 'newline_delimited', columns = {})", columns())
        }
        Some(Form::Csv) | None => format!("read_csv({discrepancies}, types = {})", columns()),
    };
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    include_str!("views.sql")
        .replace("{{self}}", &name)
        .replace("{{details}}", &details)
        .replace("{{discrepancies}}", &discrepancies)
}

/// The types of the columns that have no text in them, so that an empty file has them too.
fn columns() -> &'static str {
    "{'ledger_line': 'BIGINT', 'delta': 'BIGINT', 'call_date': 'DATE', 'prod_id': 'BIGINT', 'call_id': 'VARCHAR', \
     'kind': 'VARCHAR', 'field': 'VARCHAR', 'expected': 'VARCHAR', 'actual': 'VARCHAR', 'message': 'VARCHAR'}"
}

/// A file in the same folder by its name, another by its whole path.
fn quoted(here: &Path, path: &Path) -> String {
    let whole = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().map(Path::new).filter(|_| folder(path) == here);
    let text = name.map_or_else(whole, Path::to_owned).display().to_string();
    format!("'{}'", text.replace('\'', "''"))
}
