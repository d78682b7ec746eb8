//! The scanner: the digits of a text, as runs of digits with only separators between them.

use super::digits::{digit_value, is_colon, is_invisible, is_list_mark, is_separator};
use super::escapes::Unit;

/// A digit of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digit {
    pub(super) value: u8,
    /// Its index among the characters.
    pub(super) at: usize,
    /// Visible separators between it and the digit before; 0 for the first digit.
    pub(super) gap: usize,
    /// No other digit is directly before it. A number may start here, and the one before may end.
    pub(super) starts_group: bool,
    /// A mark between two values is before it.
    pub(super) after_list_mark: bool,
}

/// Digits of a text with only separators between them: at least one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'a> {
    units: &'a [Unit],
    pub(super) digits: &'a [Digit],
}

/// The separators since the last digit.
#[derive(Default)]
struct Gap {
    visible: usize,
    stars: usize,
    has_list_mark: bool,
}

/// The runs of digits in these characters, in their order. Two `*` end a run: what is masked is
/// not read as a number again.
pub(super) fn runs(units: &[Unit]) -> Vec<Vec<Digit>> {
    let mut runs: Vec<Vec<Digit>> = Vec::new();
    // None: the last character ended the run.
    let mut gap: Option<Gap> = None;
    for (at, unit) in units.iter().enumerate() {
        let Some(value) = digit_value(unit.c) else {
            let open = gap.as_mut().filter(|_| is_separator(unit.c) || joins_groups(units, at));
            match open {
                Some(gap) => gap.add(unit.c),
                None => gap = None,
            }
            continue;
        };
        let open = gap.replace(Gap::default()).filter(|gap| gap.stars < 2);
        let starts_group = at == 0 || digit_value(units[at - 1].c).is_none();
        let is_masked = starts_group && is_part_of_masked(units, at);
        let (visible, after_list_mark) = open.as_ref().map_or((0, false), |g| (g.visible, g.has_list_mark));
        let digit = Digit { value, at, gap: visible, starts_group, after_list_mark };
        let follows_masked =
            starts_group && runs.last().is_some_and(|run| is_part_of_masked(units, first_of_group(run).at));
        match runs.last_mut() {
            Some(run) if open.is_some() && !is_masked && !follows_masked => run.push(digit),
            _ => runs.push(vec![Digit { gap: 0, after_list_mark: false, ..digit }]),
        }
    }
    runs
}

/// Fewest digits on both sides of a colon that may belong to one number: more than those of a time.
const COLON_DIGITS: usize = 3;

/// True for a colon directly between two long groups, as in `138:1234:5678`.
fn joins_groups(units: &[Unit], at: usize) -> bool {
    let is_long = |group: &mut dyn Iterator<Item = &Unit>| {
        (0..COLON_DIGITS).all(|_| group.next().is_some_and(|unit| digit_value(unit.c).is_some()))
    };
    is_colon(units[at].c) && is_long(&mut units[..at].iter().rev()) && is_long(&mut units[at + 1..].iter())
}

/// The first digit of a run's last group.
fn first_of_group(run: &[Digit]) -> Digit {
    run.iter().rev().find(|digit| digit.starts_group).copied().unwrap_or(run[0])
}

/// True for a group that a mask has left: `138` and `5678` in `138****5678`.
fn is_part_of_masked(units: &[Unit], start: usize) -> bool {
    let is_digit = |unit: &&Unit| digit_value(unit.c).is_some();
    let length = units[start..].iter().take_while(is_digit).count();
    let (before, after) = (&units[..start], &units[start + length..]);
    let head = before.iter().rev().skip_while(|unit| !is_digit(unit) && is_separator(unit.c));
    let is_tail =
        length <= 4 && are_stars(before.iter().rev()) && (1..=3).contains(&head.take_while(is_digit).count());
    let tail = after.iter().skip_while(|unit| !is_digit(unit) && is_separator(unit.c));
    let is_head =
        length <= 3 && are_stars(after.iter()) && (1..=4).contains(&tail.take_while(is_digit).count());
    is_tail || is_head
}

/// True if the next three characters are `*`.
fn are_stars<'a>(mut units: impl Iterator<Item = &'a Unit>) -> bool {
    (0..3).all(|_| units.next().is_some_and(|unit| unit.c == '*'))
}

impl Gap {
    fn add(&mut self, c: char) {
        self.visible += usize::from(!is_invisible(c));
        self.stars += usize::from(c == '*');
        self.has_list_mark |= is_list_mark(c);
    }
}

impl<'a> Span<'a> {
    /// The digits of a run.
    pub(super) fn new(units: &'a [Unit], digits: &'a [Digit]) -> Self {
        Self { units, digits }
    }

    /// The number of digits.
    pub(super) fn len(self) -> usize {
        self.digits.len()
    }

    /// Some of its digits.
    pub(super) fn part(self, range: std::ops::Range<usize>) -> Self {
        Self { units: self.units, digits: &self.digits[range] }
    }

    /// The digits in ASCII.
    pub(super) fn ascii(self) -> String {
        self.digits.iter().map(|digit| char::from(b'0' + digit.value)).collect()
    }

    /// The character that spells a digit.
    pub(super) fn unit(self, digit: &Digit) -> Unit {
        self.units[digit.at]
    }

    /// The characters before the first digit, the nearest first.
    pub(super) fn before(self) -> impl Iterator<Item = char> + 'a {
        self.units[..self.first()].iter().rev().map(|unit| unit.c)
    }

    /// The characters after the last digit.
    pub(super) fn after(self) -> impl Iterator<Item = char> + 'a {
        self.units[self.end()..].iter().map(|unit| unit.c)
    }

    /// First byte, with a `+` before the first digit.
    pub(super) fn start_byte(self) -> usize {
        let first = self.first();
        let plus = self.has_plus().then(|| self.units[first - 1].start);
        plus.unwrap_or_else(|| self.units[first].start)
    }

    /// The byte after the last digit.
    pub(super) fn end_byte(self) -> usize {
        self.units[self.end() - 1].end
    }

    /// True if a `+` is before the first digit.
    pub(super) fn has_plus(self) -> bool {
        self.before().next().is_some_and(|c| matches!(c, '+' | '＋'))
    }

    /// True for ASCII digits with nothing between them.
    pub(super) fn is_plain(self) -> bool {
        self.end() - self.first() == self.len()
            && self.digits.iter().all(|digit| self.unit(digit).c.is_ascii())
    }

    /// From its first digit to its last, as the text reads.
    pub(super) fn text(self) -> String {
        self.units[self.first()..self.end()].iter().map(|unit| unit.c).collect()
    }

    /// Divides it before each digit with this property.
    pub(super) fn split(self, is_first: impl Fn(&Digit) -> bool) -> Vec<Self> {
        let starts = (1..self.len()).filter(|at| is_first(&self.digits[*at]));
        let starts: Vec<usize> = std::iter::once(0).chain(starts).chain([self.len()]).collect();
        starts.windows(2).map(|pair| self.part(pair[0]..pair[1])).collect()
    }

    fn first(self) -> usize {
        self.digits[0].at
    }

    fn end(self) -> usize {
        self.digits[self.len() - 1].at + 1
    }
}
