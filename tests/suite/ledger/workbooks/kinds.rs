//! Files that begin like a workbook, or are workbooks in other formats.

use super::super::cases::gz;
use super::{Parts, lines, text_row};

fn archive(names: &[&str]) -> Vec<u8> {
    let mut parts = Parts(Vec::new());
    names.iter().for_each(|name| parts.set(name, "<a/>"));
    parts.bytes()
}

/// A file in the format of Excel 2003, with this name in its directory.
fn compound_file(name: &str) -> Vec<u8> {
    let mut bytes = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec();
    bytes.resize(200_000, 0);
    // Across the end of the first piece that is searched.
    let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes[65_530..65_530 + name.len()].copy_from_slice(&name);
    bytes
}

#[test]
fn other_workbooks_and_archives_are_refused_by_name() {
    let valid = Parts::of_rows(&text_row(1, &["call_id"]));
    let mut binary = Parts::of_rows("");
    binary.change("_rels/.rels", "xl/workbook.xml", "xl/workbook.bin");
    let mut document = Parts::of_rows("");
    document.set("xl/workbook.xml", "<w:document xmlns:w=\"w\"><w:body/></w:document>");
    let save = "save it as .xlsx, or the sheet as `CSV UTF-8`";
    for (bytes, kind, advice) in [
        (archive(&["calls.csv"]), "a zip archive, but no Excel workbook", "unpack it"),
        (
            b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
            "a zip archive, but no Excel workbook",
            "unpack it",
        ),
        (document.bytes(), "a zip archive, but no Excel workbook", "unpack it"),
        (archive(&["mimetype", "content.xml"]), "an OpenDocument spreadsheet (.ods)", save),
        (binary.bytes(), "a binary Excel workbook (.xlsb)", save),
        (compound_file("Workbook"), "an old Excel workbook (.xls)", save),
        (
            compound_file("EncryptedPackage"),
            "an Excel workbook with a password",
            "save it without a password, as .xlsx",
        ),
        (gz(valid.bytes()), "an Excel workbook or a zip archive inside an archive", "unpack it"),
        (
            zstd::encode_all(valid.bytes().as_slice(), 1).unwrap(),
            "an Excel workbook or a zip archive inside an archive",
            "unpack it",
        ),
    ] {
        assert_eq!(lines(&bytes), format!("error: calls.csv is {kind}\n  to do: {advice}\n"));
    }
}

#[test]
fn parts_have_other_names_and_packings() {
    let mut parts =
        Parts::of_rows(&(text_row(1, &["call_id", "called_at"]) + &text_row(2, &["1^1", "2026-11-01"])));
    assert_eq!(lines(&parts.zip(zip::CompressionMethod::Stored)), "2 1^1 2026-11-01\n");
    for (_, bytes) in parts.0.iter_mut().filter(|(name, _)| name.ends_with(".rels")) {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes =
            text.replace("Target=\"xl", "Target=\"/XL").replace("Target=\"w", "Target=\"./w").into_bytes();
    }
    for (name, _) in &mut parts.0 {
        *name = name.replace('/', "\\");
    }
    assert_eq!(lines(&parts.bytes()), "2 1^1 2026-11-01\n");
    let in_front = [b"PK\x03\x04stub of a program".as_slice(), &parts.bytes()].concat();
    assert_eq!(lines(&in_front), "2 1^1 2026-11-01\n");
}
