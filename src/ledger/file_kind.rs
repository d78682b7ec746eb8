//! Recognizes files that cannot be a ledger, such as PDF documents, by their first bytes.

use std::{fmt, io};

/// A kind of file that cannot be a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Zip archive that is no workbook.
    Zip,
    /// Excel workbook of Excel 2003 and older.
    OldWorkbook,
    /// Excel workbook with a password.
    EncryptedWorkbook,
    /// Excel workbook in the binary format.
    BinaryWorkbook,
    /// Spreadsheet of OpenOffice or LibreOffice.
    OpenDocument,
    /// Zip archive, perhaps a workbook, inside gzip or zstd.
    PackedZip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// 7z archive.
    SevenZip,
    /// rar archive.
    Rar,
    /// SQLite database.
    Sqlite,
    /// PDF document.
    Pdf,
    /// ORC table.
    Orc,
    /// Parquet file inside gzip or zstd.
    PackedParquet,
    /// Text in UTF-32.
    Utf32,
    /// HTML or XML.
    Markup,
    /// Text that is probably in Big5.
    Big5,
}

impl FileKind {
    /// The kind of a file with these first bytes; `None` if it may be a ledger.
    pub(super) fn of_file(head: &[u8]) -> Option<Self> {
        const MAGIC: [(&[u8], FileKind); 9] = [
            (b"PK\x05\x06", FileKind::Zip),
            (b"\xD0\xCF\x11\xE0", FileKind::OldWorkbook),
            (b"BZh", FileKind::Bzip2),
            (b"\xFD7zXZ\0", FileKind::Xz),
            (b"7z\xBC\xAF\x27\x1C", FileKind::SevenZip),
            (b"Rar!\x1A\x07", FileKind::Rar),
            (b"SQLite format 3\0", FileKind::Sqlite),
            (b"%PDF-", FileKind::Pdf),
            (b"ORC", FileKind::Orc),
        ];
        // A header row may begin with `ORC`, but not with the version byte that follows it in ORC.
        let is_text = |magic: &[u8]| magic == b"ORC" && head.get(3).is_some_and(|byte| *byte >= b' ');
        let known = MAGIC.iter().find(|(magic, _)| head.starts_with(magic) && !is_text(magic));
        known.map(|(_, kind)| *kind)
    }

    /// The kind of a file whose unpacked content begins with these bytes; `None` if it may be a
    /// ledger.
    pub(super) fn of_content(head: &[u8]) -> Option<Self> {
        const MARKUP: [&[u8]; 4] = [b"<html", b"<!doctype html", b"<table", b"<?xml"];
        let text = head.trim_ascii_start();
        let begins = |tag: &[u8]| text.get(..tag.len()).is_some_and(|found| found.eq_ignore_ascii_case(tag));
        Self::of_file(head).or_else(|| match head {
            // Neither comes here unpacked: `parquet/` and `workbook/` read them.
            [b'P', b'K', 3, 4, ..] => Some(Self::PackedZip),
            [b'P', b'A', b'R', b'1', ..] => Some(Self::PackedParquet),
            [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some(Self::Utf32),
            _ => MARKUP.into_iter().any(begins).then_some(Self::Markup),
        })
    }

    /// How to turn such a file into a ledger, for a hint.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::OldWorkbook | Self::BinaryWorkbook | Self::OpenDocument => {
                "save it as .xlsx, or the sheet as `CSV UTF-8`"
            }
            Self::EncryptedWorkbook => "save it without a password, as .xlsx",
            Self::Bzip2 | Self::Xz => "unpack it, or pack it as .gz or .zst",
            Self::Zip | Self::SevenZip | Self::Rar | Self::PackedParquet | Self::PackedZip => "unpack it",
            Self::Sqlite | Self::Orc => "export the table as CSV or Parquet",
            Self::Pdf => "export it as CSV",
            Self::Utf32 => "save it as UTF-8",
            Self::Markup => "save it as `CSV UTF-8`; some systems give such an export the name .xls",
            Self::Big5 => "convert it to UTF-8, for example with `iconv -f BIG5 -t UTF-8`",
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zip => "a zip archive, but no Excel workbook",
            Self::OldWorkbook => "an old Excel workbook (.xls)",
            Self::EncryptedWorkbook => "an Excel workbook with a password",
            Self::BinaryWorkbook => "a binary Excel workbook (.xlsb)",
            Self::OpenDocument => "an OpenDocument spreadsheet (.ods)",
            Self::PackedZip => "an Excel workbook or a zip archive inside an archive",
            Self::Bzip2 => "packed with bzip2",
            Self::Xz => "packed with xz",
            Self::SevenZip => "a 7z archive",
            Self::Rar => "a rar archive",
            Self::Sqlite => "an SQLite database",
            Self::Pdf => "a PDF document",
            Self::Orc => "an ORC file",
            Self::PackedParquet => "a Parquet file inside an archive",
            Self::Utf32 => "text in UTF-32",
            Self::Markup => "HTML or XML",
            Self::Big5 => "probably text in Big5, which is not supported",
        })
    }
}

/// A form in which ledgers may be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// Content that cannot be read as a ledger. The stages that read bytes return it inside an
/// [`io::Error`], because they implement [`io::Read`].
#[derive(Debug, thiserror::Error)]
pub(super) enum ContentError {
    /// The file is of another kind.
    #[error("the file is {0}")]
    OtherKind(FileKind),
    /// The file is shorter than it was at the start.
    #[error("the file changed while it was read")]
    Changed,
    /// The zstd data refers back farther than memory allows.
    #[error("the zstd window is larger than 128 MiB")]
    ZstdWindow,
    /// The packed data ends too early.
    #[error("the {0} data is cut off")]
    CutOff(Packing),
    /// The packed data cannot be unpacked.
    #[error("the {0} data is damaged")]
    Damaged(Packing, #[source] io::Error),
}

impl From<ContentError> for io::Error {
    fn from(error: ContentError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_kind_is_recognized() {
        for (head, kind) in [
            (b"PK\x05\x06rest".as_slice(), FileKind::Zip),
            (b"BZh9", FileKind::Bzip2),
            (b"ORC\x01", FileKind::Orc),
        ] {
            assert_eq!(FileKind::of_file(head), Some(kind));
        }
        assert_eq!(FileKind::of_file(b"ORCID,call_id"), None);
    }

    #[test]
    fn content_of_another_kind_is_recognized() {
        for (head, kind) in [
            (b"PAR1....".as_slice(), FileKind::PackedParquet),
            (b"PK\x03\x04....", FileKind::PackedZip),
            (b"  <!DOCTYPE html>", FileKind::Markup),
            (b"\xFF\xFE\0\0a\0\0\0", FileKind::Utf32),
        ] {
            assert_eq!(FileKind::of_content(head), Some(kind));
        }
        assert_eq!(FileKind::of_content(b"call_id\n"), None);
    }
}
