//! A bounded number of lines, each with a key.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use crate::merge::Merge;

/// How many products, days or reasons get their own line.
const MAX_LINES: usize = 62;

/// Lines by key, in the order of the keys. The `MAX` smallest keys have their own line. All others
/// share a last line without a key.
///
/// Which keys have a line does not depend on the order in which they are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines<K: Ord, V, const MAX: usize = MAX_LINES> {
    named: BTreeMap<K, V>,
    others: Option<V>,
}

impl<K: Ord, V, const MAX: usize> Default for Lines<K, V, MAX> {
    fn default() -> Self {
        Self { named: BTreeMap::new(), others: None }
    }
}

impl<K: Ord, V, const MAX: usize> Lines<K, V, MAX> {
    /// Every line with its key; `None` is the key of the shared line.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&K>, &V)> {
        let named = self.named.iter().map(|(key, line)| (Some(key), line));
        named.chain(self.others.iter().map(|line| (None, line)))
    }

    /// The lines with their own key.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&K, &V)> {
        self.named.iter()
    }

    /// Removes lines with their own key.
    pub(crate) fn retain(&mut self, keep: impl FnMut(&K, &mut V) -> bool) {
        self.named.retain(keep);
    }
}

impl<K: Ord, V: Default + Merge, const MAX: usize> Lines<K, V, MAX> {
    /// The line of a key.
    pub fn line<Q: Ord + ToOwned<Owned = K> + ?Sized>(&mut self, key: &Q) -> &mut V
    where
        K: Borrow<Q>,
    {
        if !self.named.contains_key(key) && self.make_room_for(key) {
            return self.named.entry(key.to_owned()).or_default();
        }
        let others = &mut self.others;
        self.named.get_mut(key).unwrap_or_else(|| others.get_or_insert_default())
    }

    /// True if a new key gets its own line. The line of a larger key may move to the shared line.
    fn make_room_for<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        if self.named.len() < MAX {
            return true;
        }
        match self.named.last_entry() {
            Some(last) if key < last.key().borrow() => {
                self.others.get_or_insert_default().merge(last.remove());
                true
            }
            _ => false,
        }
    }
}

impl<K: Ord + Clone, V: Default + Merge, const MAX: usize> Merge for Lines<K, V, MAX> {
    fn merge(&mut self, other: Self) {
        let Self { named, others } = other;
        named.into_iter().for_each(|(key, line)| self.line(&key).merge(line));
        if let Some(others) = others {
            self.others.get_or_insert_default().merge(others);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_beyond_the_limit_share_a_line() {
        let mut lines: Lines<usize, u64> = Lines::default();
        for key in (0..MAX_LINES + 3).rev().chain([1]) {
            *lines.line(&key) += 1;
        }
        assert_eq!(lines.iter().count(), MAX_LINES + 1);
        assert_eq!(lines.iter().last(), Some((None, &3)));
        assert_eq!(lines.iter().nth(1), Some((Some(&1), &2)));
    }

    proptest! {
        #[test]
        fn parts_in_any_order_have_the_lines_of_the_whole(
            keys in prop::collection::vec((0..20_u8, 0..4_usize), 0..60),
        ) {
            let counted = |keys: &mut dyn Iterator<Item = u8>| {
                let mut lines: Lines<u8, u64, 5> = Lines::default();
                keys.for_each(|key| *lines.line(&key) += 1);
                lines
            };
            let whole = counted(&mut keys.iter().map(|(key, _)| *key));
            let mut merged = Lines::default();
            for part in [2, 0, 3, 1] {
                merged.merge(counted(&mut keys.iter().filter(|key| key.1 == part).map(|(key, _)| *key)));
            }
            prop_assert_eq!(merged, whole);
        }
    }
}
