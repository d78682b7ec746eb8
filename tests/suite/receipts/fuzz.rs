//! Any bytes as a file of receipts.

use std::io::Read as _;

use proptest::prelude::*;
use reconcile::receipts::{JoinedReceipts, LedgerCalls, Receipts};

use super::write;

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = flate2::bufread::GzEncoder::new(bytes, flate2::Compression::fast());
    encoder.read_to_end(&mut packed).unwrap();
    packed
}

proptest! {
    #[test]
    fn any_bytes_as_a_file_never_panic(
        bytes: Vec<u8>, text in "[{}\\[\\]\",:\\\\\n a-z0-9_PAR=]{0,80}", form in 0..6,
    ) {
        let bytes = match form {
            0 => bytes,
            1 => text.into_bytes(),
            2 => [b"call_id,originate_time,duration\n".as_slice(), &bytes].concat(),
            3 => [b"[".as_slice(), &bytes, b"]"].concat(),
            4 => gz(&[text.as_bytes(), &bytes].concat()),
            _ => [b"PAR1".as_slice(), &bytes, b"PAR1"].concat(),
        };
        let folder = tempfile::tempdir().unwrap();
        for name in ["plain", "a.jsonl", "a.csv"] {
            let path = write(folder.path(), name, &bytes);
            let Ok(receipts) = Receipts::collect(&[path], None) else { continue };
            let read = receipts.read.clone();
            prop_assert_eq!(read.invalid.count, read.invalid.reasons.values().map(|reason| reason.count).sum::<u64>());
            let joined = JoinedReceipts::join(receipts, LedgerCalls::new(None), None).unwrap();
            prop_assert_eq!(joined.counts.calls + joined.counts.duplicates, read.receipts);
        }
    }
}
