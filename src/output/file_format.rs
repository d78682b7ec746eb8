//! Formats of the discrepancy file. The extension of its name selects one, or the workbook.

use std::path::Path;

/// Format of the discrepancy file that is no workbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFormat {
    Csv,
    /// One JSON object a line.
    Jsonl,
    Parquet,
}

impl FileFormat {
    /// The format that the extension names; `None` for any other extension.
    pub(super) fn from_extension(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Whether the extension is that of a workbook.
pub(super) fn is_workbook(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_selects_the_format() {
        let format = |name: &str| FileFormat::from_extension(Path::new(name));
        assert_eq!(format("a/d.CSV"), Some(FileFormat::Csv));
        assert_eq!(format("d.ndjson"), Some(FileFormat::Jsonl));
        assert_eq!(format("d.parquet"), Some(FileFormat::Parquet));
        assert_eq!(format("d.xlsx"), None);
        assert_eq!(format("d"), None);
        let workbooks = ["d.xlsx", "d.XLSX", "d.xls", "xlsx", "d.xlsx.csv"];
        assert_eq!(workbooks.map(|name| is_workbook(Path::new(name))), [true, true, false, false, false]);
    }
}
