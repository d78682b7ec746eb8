//! Ledgers as Excel workbooks. rust_xlsxwriter makes the usual ones; a workbook that no program
//! would write is made of XML.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use reconcile::ledger::Options;
use reconcile_core::product::ProductId;
use rust_xlsxwriter::Workbook;
use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{outcome, read};

mod damage;
mod kinds;
mod memory;
mod runs;
mod sheets;
mod values;

/// The parts of a workbook, by name.
struct Parts(Vec<(String, Vec<u8>)>);

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";

impl Parts {
    /// A workbook with one sheet. `rows` is the content of its `sheetData`.
    fn of_rows(rows: &str) -> Self {
        Self::of_sheet(&format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>"))
    }

    /// A workbook with this sheet. Style 1 is a time, 2 a duration and 3 a percentage.
    fn of_sheet(sheet: &str) -> Self {
        let relation = |id: u8, kind: &str, target: &str| {
            format!("<Relationship Id=\"rId{id}\" Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/>")
        };
        let relations =
            |inner: String| format!("{HEAD}<Relationships xmlns=\"{PACKAGE}\">{inner}</Relationships>");
        let of_workbook = relation(1, "worksheet", "worksheets/sheet1.xml")
            + &relation(2, "styles", "styles.xml")
            + &relation(3, "sharedStrings", "sharedStrings.xml");
        let xfs = "<xf numFmtId=\"0\"/><xf numFmtId=\"22\"/><xf numFmtId=\"46\"/><xf numFmtId=\"9\"/>";
        let mut parts = Self(Vec::new());
        parts.set("_rels/.rels", &relations(relation(1, "officeDocument", "xl/workbook.xml")));
        parts.set(
            "xl/workbook.xml",
            &format!(
                "{HEAD}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><workbookPr/><sheets><sheet \
                 name=\"calls\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        );
        parts.set("xl/_rels/workbook.xml.rels", &relations(of_workbook));
        parts.set(
            "xl/styles.xml",
            &format!("{HEAD}<styleSheet xmlns=\"{MAIN}\"><cellXfs>{xfs}</cellXfs></styleSheet>"),
        );
        parts.set("xl/sharedStrings.xml", &format!("{HEAD}<sst xmlns=\"{MAIN}\"></sst>"));
        parts.set("xl/worksheets/sheet1.xml", &format!("{HEAD}{sheet}"));
        parts
    }

    fn set(&mut self, name: &str, text: &str) {
        self.remove(name);
        self.0.push((name.to_owned(), text.as_bytes().to_vec()));
    }

    fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    fn change(&mut self, name: &str, from: &str, to: &str) {
        let text = self.0.iter().find(|(known, _)| known == name).unwrap().1.clone();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains(from), "{text}");
        self.set(name, &text.replace(from, to));
    }

    fn zip(&self, method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in &self.0 {
            zip.start_file(name.as_str(), SimpleFileOptions::default().compression_method(method)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn bytes(&self) -> Vec<u8> {
        self.zip(CompressionMethod::DEFLATE)
    }
}

/// A row of cells with texts in themselves.
fn text_row(number: u64, texts: &[&str]) -> String {
    let cell = |text: &&str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    format!("<row r=\"{number}\">{}</row>", texts.iter().map(cell).collect::<String>())
}

fn options() -> Options {
    Options { prod_id: Some(ProductId(7)), ..Options::default() }
}

/// Records and messages of a workbook, in the form of the cases. The note that names the sheet is
/// left out if it is the only one.
fn lines_with(bytes: &[u8], options: &Options) -> String {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    lines_of(file.path(), options)
}

fn lines_of(path: &Path, options: &Options) -> String {
    let (mut lines, words) = outcome(read(path, options), &path.display().to_string());
    let usual = "note: the ledger is read as sheet `calls` of an Excel workbook";
    for line in words.lines().filter(|line| *line != usual) {
        writeln!(lines, "{line}").unwrap();
    }
    lines
}

fn lines(bytes: &[u8]) -> String {
    lines_with(bytes, &options())
}

#[track_caller]
fn assert_lines(bytes: &[u8], wanted: &str) {
    let wanted: Vec<&str> = wanted.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let found = lines(bytes);
    assert_eq!(found.lines().map(str::trim).collect::<Vec<_>>(), wanted, "{found}");
}

/// A workbook with one sheet `calls`.
fn workbook(fill: impl FnOnce(&mut rust_xlsxwriter::Worksheet)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.set_name("calls").unwrap();
    fill(sheet);
    workbook.save_to_buffer().unwrap()
}
