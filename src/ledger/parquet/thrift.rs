//! Reads Thrift's compact protocol, in which Parquet describes its data. Nothing is allocated, and
//! nothing is trusted: a length that exceeds the bytes left is an error.

/// Structs and lists in each other. Parquet's own descriptions need fewer than ten.
const MAX_DEPTH: u8 = 32;

/// Types of the compact protocol.
const STRUCT: u8 = 12;
const LIST: u8 = 9;

/// The bytes that are still to be read. Every method returns `None` if they make no sense.
pub(super) struct Thrift<'a>(pub(super) &'a [u8]);

impl Thrift<'_> {
    /// Reads a struct. `each` receives the number and the type of every field, and must read its
    /// value or [`skip`](Self::skip) it.
    pub(super) fn fields(&mut self, each: &mut dyn FnMut(&mut Self, i16, u8) -> Option<()>) -> Option<()> {
        let mut number = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            number = match head >> 4 {
                0 => i16::try_from(self.integer()?).ok()?,
                step => number.checked_add(step.into())?,
            };
            each(self, number, head & 0x0F)?;
        }
    }

    /// Reads a struct that is the value of a field of this type.
    pub(super) fn fields_of(
        &mut self,
        kind: u8,
        each: &mut dyn FnMut(&mut Self, i16, u8) -> Option<()>,
    ) -> Option<()> {
        if kind == STRUCT { self.fields(each) } else { None }
    }

    /// Reads a list that is the value of a field of this type. `each` must read every element.
    pub(super) fn structs_of(
        &mut self,
        kind: u8,
        each: &mut dyn FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        let (element, len) = if kind == LIST { self.list()? } else { return None };
        if element != STRUCT {
            return None;
        }
        (0..len).try_for_each(|_| each(self))
    }

    /// Reads a whole number.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Reads an unsigned number of at most 64 bits.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// Passes over the value of a field of this type.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        self.skip_within(kind, MAX_DEPTH)
    }

    fn skip_within(&mut self, kind: u8, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            // The field's head holds the boolean.
            1 | 2 => Some(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let len = self.varint()?;
                self.pass(len)
            }
            LIST | 10 => {
                let (element, len) = self.list()?;
                (0..len).try_for_each(|_| self.skip_element(element, depth))
            }
            11 => {
                let len = self.varint()?;
                let kinds = if len == 0 { 0 } else { self.byte()? };
                (0..len).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 0x0F, depth)
                })
            }
            STRUCT => self.fields(&mut |thrift, _, kind| thrift.skip_within(kind, depth)),
            _ => None,
        }
    }

    fn skip_element(&mut self, kind: u8, depth: u8) -> Option<()> {
        if matches!(kind, 1 | 2) { self.pass(1) } else { self.skip_within(kind, depth) }
    }

    /// Type and number of a list's elements. Each has at least one byte.
    fn list(&mut self) -> Option<(u8, u64)> {
        let head = self.byte()?;
        let len = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        (len <= self.0.len() as u64).then_some((head & 0x0F, len))
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn pass(&mut self, len: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(len).ok()?..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_are_read_and_others_are_passed_over() {
        // 1: -1, 2: "ab", 3: [true, false], 20: {1: 5}
        let bytes = [0x15, 0x01, 0x18, 2, b'a', b'b', 0x19, 0x21, 1, 2, 0x0C, 40, 0x15, 0x0A, 0, 0];
        let (mut thrift, mut found) = (Thrift(&bytes), Vec::new());
        let read = thrift.fields(&mut |thrift, number, kind| match kind {
            5 => thrift.integer().map(|value| found.push((number, value))),
            _ => thrift.skip(kind).map(|()| found.push((number, 0))),
        });
        assert_eq!((read, thrift.0.len()), (Some(()), 0));
        assert_eq!(found, [(1, -1), (2, 0), (3, 0), (20, 0)]);
    }

    #[test]
    fn impossible_lengths_and_depths_are_refused() {
        let skip = |bytes: &[u8]| Thrift(bytes).fields(&mut |thrift, _, kind| thrift.skip(kind));
        // A text, a list and a map that are longer than the rest.
        for bytes in [&[0x18, 0xFF, 0x7F][..], &[0x19, 0xF5, 0xFF, 0xFF, 0x7F, 0], &[0x1B, 0xFF, 0x7F, 0x55]]
        {
            assert_eq!(skip(bytes), None, "{bytes:?}");
        }
        assert_eq!(skip(&[0x1C; 100_000]), None);
        assert_eq!(skip(&[0x15; 1]), None);
        assert_eq!(skip(&[0x15, 0]), None);
        assert_eq!(skip(&[0x15, 0, 0]), Some(()));
    }
}
