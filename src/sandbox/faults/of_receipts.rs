//! The faults of the receipts that the sandbox writes.

use crate::sandbox::chance::{Share, draw};

/// What is wrong with the receipt of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiptFault {
    /// There is none.
    Lost,
    /// It comes twice.
    Doubled,
    /// A short one comes first, and the whole one after all others.
    Late,
    /// It differs from the record.
    Differs,
}

/// All faults of receipts, with name and line of the help.
pub(super) const RECEIPT_FAULTS: [(&str, ReceiptFault, &str); 4] = [
    ("receipt-lost", ReceiptFault::Lost, "no receipt"),
    ("receipt-doubled", ReceiptFault::Doubled, "the receipt twice"),
    ("receipt-late", ReceiptFault::Late, "a short receipt, and the whole one after all others"),
    ("receipt-differs", ReceiptFault::Differs, "a receipt with another duration or state than the record"),
];

/// The draws for receipts use numbers from here on. The draws for requests use smaller ones.
const OF_RECEIPTS: u64 = 1 << 63;

/// Whether chance selects the receipt of a call for the `no`th listed share.
pub(super) fn draws(share: Share, seed: u64, call_hash: u64, no: u64) -> bool {
    share.includes(draw(seed, call_hash, OF_RECEIPTS | no))
}
