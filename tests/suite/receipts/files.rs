//! The forms in which receipts are kept.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reconcile::receipts::{JoinedReceipts, LedgerCalls, MAX_EXAMPLES, Receipts};
use reconcile_core::call::CallKey;
use reconcile_core::product::ProductId;
use reconcile_core::receipt::{Receipt, ReceiptField, ReceiptProblem};

use super::{collect, receipt, write};

/// The receipts of some files, one of each call, in the order in which they were read.
fn receipts(paths: &[PathBuf]) -> Vec<Receipt> {
    // A ledger of the same days that names none of them.
    let mut calls = LedgerCalls::new(None);
    for (place, day) in (0..).zip(["2026-11-15", "2026-11-17"]) {
        let key = CallKey { call_id: "none".into(), prod_id: ProductId(7), day: day.parse().unwrap() };
        calls.add(place, &key).unwrap();
    }
    let receipts = collect(paths);
    assert_eq!(receipts.read.invalid.count, 0, "{:?}", receipts.read.invalid);
    let joined = JoinedReceipts::join(receipts, calls, None).unwrap();
    joined.missing().map(Result::unwrap).collect()
}

fn two() -> [String; 2] {
    [receipt("1^1", "10:00:00", 10), receipt("1^2", "10:00:05", 20)]
}

#[test]
fn every_form_of_json_gives_the_same_receipts() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = two();
    let lines = format!("{one}\n\n{other}\n");
    let wanted = receipts(&[write(folder.path(), "lines.jsonl", &lines)]);
    assert_eq!(wanted.len(), 2);
    assert_eq!((wanted[0].call_id(), wanted[1].text(ReceiptField::Duration)), ("1^1", Some("20")));
    let pretty = format!("[{one},{other}]").replace('{', "{\n  ").replace(",\"", ",\n  \"");
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(lines.as_bytes()).unwrap();
    let forms: [(&str, Vec<u8>); 11] = [
        ("array", format!("[{one},{other}]").into_bytes()),
        ("array.txt", format!("[{one},\n{other}]\n").into_bytes()),
        ("pretty.json", pretty.into_bytes()),
        ("pushes", format!("[{one}]\n[{other}]\n").into_bytes()),
        ("one after the other", format!("{one}{other}").into_bytes()),
        ("queue", format!("{}\n{}\n", STANDARD.encode(&one), URL_SAFE_NO_PAD.encode(&other)).into_bytes()),
        (
            "queue.json",
            format!("[\"{}\",\"{}\"]", STANDARD.encode(&one), STANDARD.encode(&other)).into_bytes(),
        ),
        ("mark.json", format!("\u{feff}{lines}").into_bytes()),
        ("utf16.json", utf16(&format!("\u{feff}{lines}"))),
        ("packed", gz.finish().unwrap()),
        ("packed.json.zst", zstd::encode_all(lines.as_bytes(), 1).unwrap()),
    ];
    for (name, content) in forms {
        assert_eq!(receipts(&[write(folder.path(), name, content)]), wanted, "{name}");
    }
    let single = [write(folder.path(), "a.json", one), write(folder.path(), "b.json", other)];
    assert_eq!(receipts(&single), wanted);
}

#[test]
fn csv_and_parquet_give_the_same_receipts() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = receipts(&[write(folder.path(), "lines.jsonl", two().join("\n"))]);
    let csv = "callid,OriginateTime,Status Code,duration,voice_type\n\
               1^1,2026-11-16 10:00:00,200000,10秒,voice\n1^2,2026/11/16 10:00:05,=\"200000\",20\n";
    let gb18030 = {
        let mut bytes = b"call_id;originate_time;status_code;duration;\xb1\xb8\xd7\xa2\n".to_vec();
        bytes.extend(b"1^1;2026-11-16 10:00:00;200000;10;\xb1\xb8\n1^2;2026-11-16 10:00:05;200000;20;\n");
        bytes
    };
    assert_eq!(receipts(&[write(folder.path(), "receipts.csv", csv)]), wanted);
    assert_eq!(receipts(&[write(folder.path(), "receipts.txt", gb18030)]), wanted);
    // 2026-11-16 02:00:00 UTC.
    let at = 1_794_794_400_000_000;
    let times = TimestampMicrosecondArray::from(vec![at, at + 5_000_000]).with_timezone("UTC");
    let columns: [(&str, ArrayRef); 4] = [
        ("CallId", Arc::new(StringArray::from(vec!["1^1", "1^2"]))),
        ("originateTime", Arc::new(times)),
        ("status_code", Arc::new(Int64Array::from(vec![200_000, 200_000]))),
        ("duration", Arc::new(StringArray::from(vec!["10", "20"]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = folder.path().join("receipts");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert_eq!(receipts(&[path]), wanted);
}

#[test]
fn a_folder_is_read_in_the_order_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("b/2.jsonl", receipt("1^3", "10:00:02", 1)),
        ("b/10.jsonl", receipt("1^2", "10:00:01", 1)),
        ("a.jsonl", receipt("1^1", "10:00:00", 1)),
        ("c.csv", "call_id,originate_time,duration\n1^4,2026-11-16 10:00:03,1\n".into()),
        (".hidden.jsonl", receipt("1^9", "10:00:03", 1)),
        (".git/x.jsonl", receipt("1^9", "10:00:03", 1)),
        ("b/.tmp/x.jsonl", receipt("1^9", "10:00:03", 1)),
        ("empty.jsonl", String::new()),
        ("notes-13812345678.txt", "as discussed".into()),
        ("picture.pdf", "%PDF-1.4".into()),
        ("ledger.csv", "id,state\n1,2\n".into()),
    ];
    for (name, content) in files {
        write(folder.path(), name, content);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(".", folder.path().join("loop")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("nothing")).unwrap();
    }
    let read = collect(&[folder.path().to_owned()]).read;
    assert_eq!((read.files, read.receipts, read.invalid.count), (5, 4, 0));
    let links = if cfg!(unix) { vec!["loop", "nothing"] } else { vec![] };
    let name = |path: &String| path.rsplit('/').next().unwrap().to_owned();
    let mut skipped: Vec<String> = read.skipped.first.iter().map(name).collect();
    skipped.sort();
    let mut wanted = [vec!["ledger.csv", "notes-138****5678.txt", "picture.pdf"], links].concat();
    wanted.sort();
    assert_eq!(
        (skipped, read.skipped.count),
        (wanted.iter().map(|s| (*s).to_owned()).collect(), wanted.len() as u64)
    );
    let ids: Vec<String> =
        receipts(&[folder.path().to_owned()]).iter().map(|receipt| receipt.call_id().to_owned()).collect();
    assert_eq!(ids, ["1^1", "1^2", "1^3", "1^4"]);
}

#[test]
fn a_receipt_that_cannot_be_read_is_counted_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = format!("{}\n", receipt("1^1", "10:00:00", 1));
    lines += &"{\"call_id\":\"1^1\",\"duration\":\"13812345678 x\"}\n".repeat(30);
    lines += "13812345678\n";
    let json = write(folder.path(), "a.jsonl", lines);
    let csv = write(
        folder.path(),
        "b.csv",
        "call_id,originate_time,duration\n1^2,2026-11-16 10:00:00,1\n,,5\n1^3,,2,x\n1^4,,\"2\n1^5,2026-11-16 10:00:00,5\n",
    );
    let read = collect(&[json, csv]).read;
    assert_eq!((read.files, read.receipts, read.invalid.count), (2, 3, 34));
    let reasons = &read.invalid.reasons;
    let durations = &reasons[&ReceiptProblem::NotSeconds(ReceiptField::Duration)];
    assert_eq!((durations.count, durations.first.len()), (30, MAX_EXAMPLES));
    assert_eq!((durations.first[0].line, durations.first[19].line), (2, 21));
    assert!(durations.first[0].file.ends_with("a.jsonl"));
    assert_eq!(reasons[&ReceiptProblem::NotAnObject].first[0].line, 32);
    let line =
        |problem| (reasons[&problem].first[0].file.ends_with("b.csv"), reasons[&problem].first[0].line);
    assert_eq!(line(ReceiptProblem::NoCallId), (true, 3));
    assert_eq!(line(ReceiptProblem::WrongWidth), (true, 4));
    assert_eq!(line(ReceiptProblem::UnclosedQuote), (true, 5));
    assert!(!format!("{:?}", read.invalid).contains("13812345678"));
}

#[test]
fn what_holds_no_receipts_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gz.write_all(two().join("\n").as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    for (name, content, says, hint) in [
        ("-", vec![], "standard input", "name a file"),
        ("notes.txt", b"as discussed".to_vec(), "notes.txt holds no receipts", "base64 lines"),
        ("ledger.csv", b"id,state\n1,2\n".to_vec(), "holds no receipts", "call_id"),
        (
            "own.csv",
            b"call_id,duration,status_code\n1^1,2,200000\n".to_vec(),
            "holds no receipts",
            "originate_time",
        ),
        ("a.pdf", b"%PDF-1.4".to_vec(), "are a PDF document", "CSV"),
        ("cut.gz", gz[..gz.len() - 20].to_vec(), "cannot be read to their end", "copy the file again"),
        ("13812345678.json", vec![], "5678.json cannot be opened", "check that the path exists"),
    ] {
        let path = if name == "-" { name.into() } else { folder.path().join(name) };
        if !content.is_empty() {
            std::fs::write(&path, content).unwrap();
        }
        let error = Receipts::collect(&[path], None).unwrap_err();
        assert_eq!(error.exit.code(), 2, "{name}");
        assert!(error.what.contains(says), "{name}: {}", error.what);
        assert!(error.hint.as_deref().unwrap_or_default().contains(hint), "{name}: {:?}", error.hint);
    }
    // The extension only decides where the content does not.
    let junk = write(folder.path(), "junk.jsonl", "as discussed\n");
    assert_eq!(collect(&[junk]).read.invalid.count, 1);
}

#[test]
fn errors_of_receipts_never_speak_of_a_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let lines = two().join("\n").repeat(99);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(lines.as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    let mut damaged = gz.clone();
    let last = damaged.len() - 6;
    damaged[last] ^= 0xFF;
    let parquet = [b"PAR1".as_slice(), &[7; 99], b"PAR1"].concat();
    for (name, content, says, hint) in [
        ("cut.jsonl.gz", gz[..gz.len() - 20].to_vec(), "gzip data is cut off", "copy the file again"),
        ("bad.jsonl.gz", damaged, "gzip data is damaged", "copy the file again"),
        (
            "cut.zst",
            zstd::encode_all(lines.as_bytes(), 1).unwrap()[..60].to_vec(),
            "zstd data is cut off",
            "copy",
        ),
        ("m.parquet", parquet, "m.parquet cannot be read", "export it as CSV"),
        ("a.pdf", b"%PDF-1.4".to_vec(), "are a PDF document", "export the receipts as CSV or JSON"),
        ("a.xls", b"\xD0\xCF\x11\xE0".to_vec(), "are an old Excel workbook", "save the sheet as `CSV UTF-8`"),
        ("a.bz2", b"BZh9".to_vec(), "are packed with bzip2", "pack it as .gz"),
    ] {
        let error = Receipts::collect(&[write(folder.path(), name, content)], None).unwrap_err();
        assert_eq!(error.exit.code(), 2, "{name}");
        assert!(
            error.what.starts_with("the receipts ") && error.what.contains(says),
            "{name}: {}",
            error.what
        );
        let told = error.hint.clone().unwrap_or_default();
        assert!(told.contains(hint), "{name}: {told}");
        let mut all = format!("{} {told}", error.what);
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            all += &error.to_string();
            cause = error.source();
        }
        assert!(!all.contains("ledger"), "{name}: {all}");
    }
}

#[test]
fn pictures_in_a_folder_are_skipped_and_given_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.jsonl", two().join("\n"));
    // Nearly every second byte is invalid in every encoding.
    let mut random = fastrand::Rng::with_seed(5);
    let noise = std::iter::repeat_with(|| random.u8(..)).take(1 << 20);
    let jpeg: Vec<u8> = b"\xFF\xD8\xFF\xE0\0\x10JFIF\0".iter().copied().chain(noise).collect();
    let picture = write(folder.path(), "b.jpg", jpeg);
    let read = collect(&[folder.path().to_owned()]).read;
    assert_eq!((read.files, read.receipts, read.invalid.count, read.skipped.count), (1, 2, 0, 1));
    assert!(read.skipped.first[0].ends_with("b.jpg"), "{:?}", read.skipped);
    let error = Receipts::collect(&[picture], None).unwrap_err();
    assert_eq!(error.exit.code(), 2);
    assert!(error.what.ends_with("b.jpg holds no receipts"), "{}", error.what);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    let into = pipe.clone();
    let writing = std::thread::spawn(move || std::fs::write(into, two().join("\n")).unwrap());
    assert_eq!(collect(&[pipe]).read.receipts, 2);
    writing.join().unwrap();
    // A pipe in a folder would wait for its writer.
    assert_eq!(collect(&[folder.path().to_owned()]).read.skipped.count, 1);
}
