//! Checks the lengths in a Parquet page with a delta encoding of texts, before the Parquet reader
//! reserves memory for as many of them as the page claims to have.

use super::thrift::Thrift;

/// The number of values that this DELTA_BINARY_PACKED data claims to have.
pub(super) fn claimed_count(bytes: &[u8]) -> Option<u64> {
    Header::read(&mut Thrift(bytes)).map(|header| header.count)
}

struct Header {
    values_per_miniblock: u64,
    miniblocks: u64,
    count: u64,
    first: i64,
}

impl Header {
    fn read(bytes: &mut Thrift<'_>) -> Option<Self> {
        let (block, miniblocks, count) = (bytes.varint()?, bytes.varint()?, bytes.varint()?);
        let values_per_miniblock = block.checked_div(miniblocks)?;
        let fits = values_per_miniblock > 0 && values_per_miniblock % 32 == 0 && block <= 1 << 20;
        fits.then_some(())?;
        Some(Self { values_per_miniblock, miniblocks, count, first: bytes.integer()? })
    }
}

/// Decodes DELTA_BINARY_PACKED data of at most `most` values. Returns them, and leaves in `bytes`
/// what follows; `None` if the data makes no sense.
fn decode(bytes: &mut Thrift<'_>, most: u64) -> Option<Vec<i64>> {
    let Header { values_per_miniblock, miniblocks, count, first } = Header::read(bytes)?;
    if count > most {
        return None;
    }
    let mut values = Vec::new();
    let mut last = first;
    if count > 0 {
        values.push(first);
    }
    while (values.len() as u64) < count {
        let smallest = bytes.integer()?;
        let widths = bytes.0.get(..usize::try_from(miniblocks).ok()?)?;
        bytes.0 = &bytes.0[widths.len()..];
        for width in widths {
            if values.len() as u64 == count {
                break;
            }
            let packed = usize::try_from(values_per_miniblock * u64::from(*width) / 8).ok()?;
            let miniblock = bytes.0.get(..packed)?;
            bytes.0 = &bytes.0[packed..];
            let left = count - values.len() as u64;
            for at in 0..values_per_miniblock.min(left) {
                last = last.wrapping_add(smallest).wrapping_add(bits(miniblock, at, *width)? as i64);
                values.push(last);
            }
        }
    }
    Some(values)
}

/// The number at this position, of `width` bits each, the lowest bits first.
fn bits(bytes: &[u8], at: u64, width: u8) -> Option<u64> {
    let (first, mut value) = (at * u64::from(width), 0);
    for bit in 0..u64::from(width.min(64)) {
        let byte = *bytes.get(usize::try_from((first + bit) / 8).ok()?)?;
        value |= u64::from(byte >> ((first + bit) % 8) & 1) << bit;
    }
    Some(value)
}

/// Length in bytes of the longest text in DELTA_BYTE_ARRAY data of at most `most` texts. Each text
/// begins with a part of the one before it.
pub(super) fn longest_text(bytes: &[u8], most: u64) -> Option<u64> {
    let mut bytes = Thrift(bytes);
    let (prefixes, suffixes) = (decode(&mut bytes, most)?, decode(&mut bytes, most)?);
    if prefixes.len() != suffixes.len() {
        return None;
    }
    let (mut longest, mut before) = (0, 0_i64);
    for (prefix, suffix) in prefixes.into_iter().zip(suffixes) {
        if prefix < 0 || prefix > before || suffix < 0 {
            return None;
        }
        before = prefix.checked_add(suffix)?;
        longest = longest.max(before.unsigned_abs());
    }
    Some(longest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A block of 128 equal deltas: count, first value and smallest delta in zigzag form.
    fn equal(count: u8, first: u8, smallest: u8) -> Vec<u8> {
        let header = [0x80, 1, 4, count, first];
        let block = [smallest, 0, 0, 0, 0];
        if count > 1 { [&header[..], &block].concat() } else { header.to_vec() }
    }

    #[test]
    fn the_longest_text_is_found() {
        // Prefixes 0, 1, 2, 3 and suffixes of one byte each.
        let data = [equal(4, 0, 2), equal(4, 2, 0)].concat();
        assert_eq!(longest_text(&data, 4), Some(4));
        assert_eq!(claimed_count(&data), Some(4));
        // More texts than the page has, a longer prefix than the text before, a negative suffix.
        assert_eq!(longest_text(&data, 3), None);
        assert_eq!(longest_text(&[equal(4, 0, 4), equal(4, 2, 0)].concat(), 4), None);
        assert_eq!(longest_text(&[equal(4, 0, 0), equal(4, 2, 3)].concat(), 4), None);
        assert_eq!(longest_text(&data[..7], 4), None);
    }

    #[test]
    fn packed_numbers_are_unpacked() {
        let numbers = [0b1010_0101, 0b0000_0011];
        assert_eq!((bits(&numbers, 0, 4), bits(&numbers, 1, 4)), (Some(5), Some(10)));
        assert_eq!((bits(&numbers, 1, 5), bits(&numbers, 9, 2)), (Some(0b11101), None));
        assert_eq!(bits(&[], 7, 0), Some(0));
    }
}
