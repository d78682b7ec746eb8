//! Why a row of the ledger is unusable, and what to do about it.
//!
//! `Display` is the English text, "what is wrong; what to do". It never quotes a value of the
//! ledger.

use std::fmt;

use chrono::NaiveDate;

use crate::count::count;
use crate::product::PRODUCTS;

/// The beginning of the text about a wrong number of fields.
pub const WRONG_WIDTH: &str = "the row has ";

/// The advice for most times.
const WRITE_TIME: &str = "write YYYY-MM-DD HH:MM:SS (UTC+8), RFC 3339, or Unix seconds or milliseconds";
const REMOVE_LINE: &str = "not a call; remove the row";
const EXPORT_AGAIN: &str = "export it again from the original system";

/// Why a row is unusable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowProblem {
    /// A quote is never closed.
    UnclosedQuote {
        /// False if only the row's beginning is kept.
        is_whole: bool,
    },
    /// The row is longer than 1 MiB.
    TooLong,
    /// The row has another number of fields than the header.
    WrongWidth {
        /// Fields of the row.
        found: u64,
        /// Fields of the header.
        header: u64,
        /// What to do.
        advice: WidthAdvice,
    },
    /// The row is a total below or above the calls.
    Total,
    /// The row is a line such as `-----`.
    Ruler,
    /// The row is the header of another file.
    OtherHeader,
    /// The row is a text below or above the calls.
    Prose,
    /// The CallId is missing or damaged.
    CallId(CallIdProblem),
    /// The row has no product.
    NoProduct,
    /// The product is unknown.
    UnknownProduct,
    /// The row has no day.
    NoDay,
    /// The row names no account, and there are several.
    NoAccount,
    /// The row names an account that is not among those of the run.
    UnknownAccount,
    /// The value is neither yes nor no.
    NotYesOrNo,
    /// The value is not a number of whole seconds.
    NotSeconds,
    /// The value is a number of seconds of more than a year.
    TooManySeconds,
    /// A number in scientific notation.
    ScientificNotation,
    /// An earlier conversion lost characters.
    LostCharacters,
    /// The bytes of a value are not valid in the ledger's encoding.
    InvalidBytes {
        /// The field, or the column in the outputs.
        column: String,
        /// The encoding.
        encoding: &'static str,
    },
    /// The value is not a time.
    Time(TimeProblem),
    /// A cell of a workbook has no usable value.
    Cell(Box<CellAtFault>),
}

/// A cell of a workbook without a usable value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellAtFault {
    /// Its name, such as `B7`.
    pub cell: String,
    /// Why it has none.
    pub problem: CellProblem,
}

/// Why a cell of a workbook has no usable value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CellProblem {
    /// It holds a formula without a stored result.
    NoResult,
    /// It holds an error such as `#N/A`; empty if spreadsheets know no such error.
    Error(String),
    /// Its talk time is shown without seconds.
    NoSeconds,
    /// Its format hides a part of its talk time.
    HiddenPart,
    /// Its talk time is in another unit than seconds.
    OtherUnit,
    /// It has no day.
    NoDay,
}

/// Why a row is unusable, and where in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// Why.
    pub problem: RowProblem,
    /// The column at fault, from 1; `None` if the whole row is at fault.
    pub column: Option<u64>,
    /// Bytes before the row in the unpacked file; `None` for a file without such positions.
    pub offset: Option<u64>,
}

/// What to do about a row with a wrong number of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WidthAdvice {
    /// The CallId was split at its `^`.
    JoinCallId,
    /// A backslash escapes the end of a value.
    NoBackslashes,
    /// The row has too few fields.
    AddFields,
    /// The row has too many fields.
    AddQuotes,
    /// A sheet has values to the right of its table.
    NameColumns,
}

/// What is wrong with a CallId.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallIdProblem {
    /// There is none.
    Missing,
    /// It contains a control character.
    ControlCharacter,
    /// It is too long.
    Long {
        /// The limit in bytes.
        limit: usize,
    },
    /// It ends with `.0`.
    Decimal,
    /// It contains full-width characters.
    FullWidth,
    /// It contains an invisible character.
    Invisible,
    /// It contains quotes or a formula.
    Quoted,
    /// It was split at its `^`.
    Half,
}

/// Why a value is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "`Display` says what they mean")]
pub enum TimeProblem {
    NotATime,
    NoYear,
    AmbiguousOrder,
    TwelveHourClock,
    ZeroDate,
    NonexistentTime,
    ImplausibleYear(NaiveDate),
}

impl RowProblem {
    /// What is wrong, without what to do.
    #[must_use]
    pub fn what(&self) -> String {
        self.to_string().split(';').next().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnclosedQuote { is_whole: true } => {
                "a quote is never closed; close it, or double it inside a value"
            }
            Self::UnclosedQuote { is_whole: false } => {
                "a quote is never closed; close it, or double it inside a value. Only its first 64 KiB are kept"
            }
            Self::TooLong => {
                "the row is longer than 1 MiB; check whether the file is damaged. Only its first 64 KiB are kept"
            }
            Self::WrongWidth { found, header, advice } => {
                let (fields, s) = (count(*found), if *found == 1 { "" } else { "s" });
                return write!(f, "{WRONG_WIDTH}{fields} field{s}, but the header has {header}; {advice}");
            }
            Self::Total => return write!(f, "a total below or above the calls, {REMOVE_LINE}"),
            Self::Ruler => return write!(f, "a ruler below or above the calls, {REMOVE_LINE}"),
            Self::OtherHeader => "a header row of another file; join only files with the same columns",
            Self::Prose => return write!(f, "a line below or above the calls, {REMOVE_LINE}"),
            Self::CallId(problem) => return problem.fmt(f),
            Self::NoProduct => {
                "the row has no product; fill in prod_id, or set a product for all rows without one"
            }
            Self::UnknownProduct => {
                let names = PRODUCTS.map(|(_, name)| name).join(", ");
                return write!(f, "not a product; write its number or one of {names}");
            }
            Self::NoDay => {
                "the row has no day; fill in called_at or query_date, or set a call date for all rows without one"
            }
            Self::NoAccount => "the row has no account; fill in one of the accounts of the accounts file",
            Self::UnknownAccount => {
                "not an account of the accounts file; correct the name, or add the account to the file"
            }
            Self::NotYesOrNo => "neither yes nor no; write true or false, 1 or 0, yes or no, 是 or 否",
            Self::NotSeconds => "not a number of whole seconds; write only digits, such as 75",
            Self::TooManySeconds => {
                "more seconds than a year has; map the field to the column with the talk time"
            }
            Self::ScientificNotation => {
                "a spreadsheet changed this number to scientific notation and dropped digits; export the column \
                 as text from the original system"
            }
            Self::LostCharacters => {
                return write!(
                    f,
                    "an earlier conversion lost characters of this value (shown as \u{fffd}); {EXPORT_AGAIN}"
                );
            }
            Self::InvalidBytes { column, encoding } => {
                return write!(
                    f,
                    "`{column}` has bytes that are not valid {encoding} (shown as \u{fffd}); export the row \
                     again, or correct it"
                );
            }
            Self::Time(problem) => return problem.fmt(f),
            Self::Cell(at) => return write!(f, "cell {} {}", at.cell, at.problem),
        })
    }
}

impl fmt::Display for CallIdProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the row has no CallId; fill it in, or remove the row",
            Self::ControlCharacter => {
                "the CallId contains a control character or a line break; remove it"
            }
            Self::Long { limit } => {
                return write!(
                    f,
                    "the CallId is longer than {limit} bytes; check that its column holds CallIds"
                );
            }
            Self::Decimal => {
                "a program changed the CallId to a number with a decimal point; export the column as text from \
                 the original system"
            }
            Self::FullWidth => {
                "the CallId contains full-width characters instead of digits and `^`; export it again from the \
                 original system"
            }
            Self::Invisible => {
                "the CallId contains an invisible character, such as a byte order mark; type it again, or export \
                 it again from the original system"
            }
            Self::Quoted => {
                "the CallId contains quotes or a spreadsheet formula; write only the CallId"
            }
            Self::Half => {
                "half of the CallId is missing, because it was split at its `^`; put both halves into one column"
            }
        })
    }
}

impl fmt::Display for WidthAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JoinCallId => "the CallId was split at its `^`; join its halves",
            Self::NoBackslashes => {
                "a backslash escapes the end of a value, as MySQL writes it; export with doubled quotes instead \
                 of backslash escapes"
            }
            Self::AddFields => "add the missing fields, or put quotes around a value with a line break",
            Self::AddQuotes => "put quotes around a value that contains the delimiter",
            Self::NameColumns => {
                "remove the values to the right of the table, or give their columns names in the header row"
            }
        })
    }
}

impl fmt::Display for CellProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoResult => {
                "holds a formula without a stored result; open the workbook in a spreadsheet program and save it \
                 there"
            }
            Self::Error(error) => {
                let space = if error.is_empty() { "" } else { " " };
                let to_do = "correct its formula, or leave the cell empty";
                return write!(f, "holds the error{space}{error}; {to_do}");
            }
            Self::NoSeconds => {
                "shows hours and minutes without seconds, so it is not clear what it means; write the talk time \
                 in seconds, such as 75"
            }
            Self::HiddenPart => {
                "shows only a part of its duration; format it as [h]:mm:ss, or write the talk time in seconds"
            }
            Self::OtherUnit => {
                "shows another unit than seconds; write the talk time in seconds, such as 75"
            }
            Self::NoDay => {
                "is a time of day or a duration without a day; write YYYY-MM-DD HH:MM:SS (UTC+8)"
            }
        })
    }
}

impl fmt::Display for TimeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATime => write!(f, "not a time; {WRITE_TIME}"),
            Self::NoYear => write!(f, "a date without its year, as spreadsheets often show it; {WRITE_TIME}"),
            Self::AmbiguousOrder => {
                write!(f, "the order of day, month and year is ambiguous; {WRITE_TIME}")
            }
            Self::TwelveHourClock => write!(f, "a time on the 12-hour clock; {WRITE_TIME}"),
            Self::ZeroDate => f.write_str(
                "a zero date, which some databases write for a missing date; leave the cell empty",
            ),
            Self::NonexistentTime => write!(f, "this day or time of day does not exist; {WRITE_TIME}"),
            Self::ImplausibleYear(day) => {
                write!(f, "read as {day}, outside the years 2000 to 2100; {WRITE_TIME}")
            }
        }
    }
}

/// The reason and the position: `not a time; … (column 3, byte 512)`.
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { problem, column, offset } = self;
        match (column, offset) {
            (None, None) => problem.fmt(f),
            (Some(column), None) => write!(f, "{problem} (column {column})"),
            (None, Some(offset)) => write!(f, "{problem} (byte {offset})"),
            (Some(column), Some(offset)) => write!(f, "{problem} (column {column}, byte {offset})"),
        }
    }
}
