//! What kind of value a cell shows, by its number format.

use reconcile_core::ledger_field::is_other_unit;

/// The kind of a number format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberFormat {
    /// A number, however it is rounded, grouped or named.
    Number,
    /// A number with leading zeros, up to this many digits: `00000000000`.
    Padded(usize),
    /// A number with a unit of time other than seconds: `0"分钟"`.
    OtherUnit,
    /// A number as a percentage.
    Percent,
    /// A day, with or without a time of day.
    Date {
        /// Whether it shows a time of day.
        has_time: bool,
    },
    /// A time of day without its day, or minutes and seconds.
    Time { has_hours: bool, has_seconds: bool },
    /// A duration of any length: `[h]:mm:ss`.
    Elapsed { has_seconds: bool },
}

/// The marks of a format code, without its texts and colours.
#[derive(Debug, Default)]
struct Marks {
    has_day: bool,
    has_hours: bool,
    has_seconds: bool,
    /// `m`, which is a month or minutes.
    has_m: bool,
    /// An `m` directly after hours or directly before seconds.
    has_minutes: bool,
    is_elapsed: bool,
    is_percent: bool,
    zeros: usize,
    /// Marks of a number other than zeros.
    has_other_digits: bool,
    /// The last of `y m d h s`, if only separators follow it.
    last: Option<char>,
    /// The texts in quotes.
    text: String,
}

impl NumberFormat {
    /// The kind of a format that every workbook has, in the Chinese and the English variant.
    pub(super) fn built_in(id: u32) -> Self {
        match id {
            9 | 10 => Self::Percent,
            22 => Self::Date { has_time: true },
            14..=17 | 27..=31 | 36 | 50..=54 | 57 | 58 => Self::Date { has_time: false },
            18 | 20 | 32 | 34 | 55 => Self::Time { has_hours: true, has_seconds: false },
            19 | 21 | 33 | 35 | 56 => Self::Time { has_hours: true, has_seconds: true },
            45 | 47 => Self::Time { has_hours: false, has_seconds: true },
            46 => Self::Elapsed { has_seconds: true },
            _ => Self::Number,
        }
    }

    /// The kind of a format code, such as `yyyy/m/d h:mm`. Of several sections the first counts.
    pub(super) fn of_code(code: &str) -> Self {
        let marks = Marks::of(code);
        let has_month = marks.has_m && !marks.has_minutes;
        if marks.is_elapsed {
            Self::Elapsed { has_seconds: marks.has_seconds }
        } else if marks.has_day || has_month {
            let has_time = marks.has_hours || marks.has_seconds || marks.has_minutes;
            Self::Date { has_time }
        } else if marks.has_hours || marks.has_seconds || marks.has_minutes {
            Self::Time { has_hours: marks.has_hours, has_seconds: marks.has_seconds }
        } else if marks.is_percent {
            Self::Percent
        } else if is_other_unit(&marks.text) {
            Self::OtherUnit
        } else if marks.zeros > 1 && !marks.has_other_digits {
            Self::Padded(marks.zeros)
        } else {
            Self::Number
        }
    }
}

impl Marks {
    fn of(code: &str) -> Self {
        let mut marks = Self::default();
        let code = code.to_lowercase().replace("general", "").replace("g/通用格式", "");
        let mut chars = code.chars();
        while let Some(c) = chars.next() {
            match c {
                ';' => break,
                '"' => marks.text.extend(chars.by_ref().take_while(|c| *c != '"')),
                // The next character is itself, a width, or a filling.
                '\\' | '_' | '*' => drop(chars.next()),
                '[' => {
                    let inner: String = chars.by_ref().take_while(|c| *c != ']').collect();
                    marks.add_elapsed(&inner);
                }
                c => marks.add(c),
            }
        }
        marks
    }

    /// Adds the content of brackets: `h`, `mm` or `ss` for a duration; a colour, a condition or a
    /// language otherwise.
    fn add_elapsed(&mut self, inner: &str) {
        let unit = inner.chars().next().filter(|first| inner.chars().all(|c| c == *first));
        if let Some(unit @ ('h' | 'm' | 's')) = unit {
            self.is_elapsed = true;
            self.add(unit);
        }
    }

    fn add(&mut self, c: char) {
        match c {
            // `e` is a year of an era; in `0.00e+00` digits come before it.
            'y' | 'd' | 'e' | 'b' if !(c == 'e' && self.has_digits()) => self.has_day = true,
            'h' => self.has_hours = true,
            's' => {
                self.has_seconds = true;
                self.has_minutes |= self.last == Some('m');
            }
            'm' => {
                self.has_m = true;
                self.has_minutes |= self.last == Some('h');
            }
            '%' => self.is_percent = true,
            '0' => self.zeros += 1,
            '#' | '?' | '.' | ',' | '/' | 'e' => self.has_other_digits = true,
            _ => {}
        }
        if matches!(c, 'y' | 'd' | 'e' | 'h' | 's' | 'm') {
            self.last = Some(c);
        }
    }

    fn has_digits(&self) -> bool {
        self.zeros > 0 || self.has_other_digits
    }
}

#[cfg(test)]
mod tests {
    use super::NumberFormat::{self, Date, Elapsed, Number, OtherUnit, Padded, Percent, Time};

    #[test]
    fn format_codes_tell_what_a_cell_shows() {
        let day = Date { has_time: false };
        let time = Date { has_time: true };
        let clock = Time { has_hours: true, has_seconds: true };
        for (code, wanted) in [
            ("General", Number),
            ("G/通用格式", Number),
            ("@", Number),
            ("0", Number),
            ("#,##0.00_);[Red](#,##0.00)", Number),
            ("0.00E+00", Number),
            ("# ?/?", Number),
            ("0\"秒\"", Number),
            ("0\" 分钟\"", OtherUnit),
            ("#,##0.0_ \"min\"", OtherUnit),
            ("\"¥\"#,##0", Number),
            ("0\\m", Number),
            ("00000000000", Padded(11)),
            ("000\\-0000\\-0000", Padded(11)),
            ("0.000", Number),
            ("0%", Percent),
            ("0.00%;[Red]-0.00%", Percent),
            ("yyyy-mm-dd", day),
            ("YYYY/M/D", day),
            ("yyyy\"年\"m\"月\"d\"日\"", day),
            ("[$-804]e\"年\"m\"月\"", day),
            ("mmm-yy", day),
            ("m\"月\"d\"日\"", day),
            ("mmmm", day),
            ("yyyy-mm-dd hh:mm:ss", time),
            ("m/d/yy h:mm", time),
            ("[$-F400]h:mm:ss\\ AM/PM", clock),
            ("hh:mm:ss.000", clock),
            ("h\"时\"mm\"分\"ss\"秒\"", clock),
            ("h:mm", Time { has_hours: true, has_seconds: false }),
            ("上午/下午h\"时\"mm\"分\"", Time { has_hours: true, has_seconds: false }),
            ("mm:ss", Time { has_hours: false, has_seconds: true }),
            ("[h]:mm:ss", Elapsed { has_seconds: true }),
            ("[hh]:mm", Elapsed { has_seconds: false }),
            ("[mm]:ss", Elapsed { has_seconds: true }),
            ("[ss]", Elapsed { has_seconds: true }),
            ("[Red][>100]0", Number),
            ("\"unclosed", Number),
            ("[h", Elapsed { has_seconds: false }),
        ] {
            assert_eq!(NumberFormat::of_code(code), wanted, "{code}");
        }
    }
}
