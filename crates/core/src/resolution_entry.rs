//! An entry of a file of resolutions: what a row of the file decides, and on which discrepancies.
//!
//! A row with a CallId decides on one discrepancy. A row without one is a rule.

use std::fmt;

use chrono::NaiveDate;
use compact_str::CompactString;

use crate::amended::MORE_FIELDS;
use crate::compared::FIELDS;
use crate::discrepancy::{DiscrepancyRow, Kind};
use crate::ledger_field::normalized;
use crate::phone::mask_planned;
use crate::product::ProductId;
use crate::resolution::{Decision, Resolution};

/// The columns of the file, in their order.
pub const COLUMNS: [&str; 13] = [
    "call_id",
    "prod_id",
    "call_date",
    "kind",
    "field",
    "expected",
    "actual",
    "decision",
    "reason",
    "by",
    "on",
    "until",
    "ticket",
];

/// The first columns of [`COLUMNS`], which a file must have.
pub const REQUIRED: usize = 9;

/// Other names of the columns.
const ALIASES: [&[&str]; COLUMNS.len()] = [
    &["呼叫ID", "通话ID"],
    &["product", "产品ID", "产品"],
    &["通话日期", "查询日期"],
    &["类别", "差异类别"],
    &["字段", "差异字段"],
    &["台账值", "台账", "预期值"],
    &["服务商值", "服务商", "实际值"],
    &["resolution", "处理结果", "决定"],
    &["原因", "理由"],
    &["处理人", "经办人"],
    &["处理日期"],
    &["有效期至", "截止日期"],
    &["工单", "工单号"],
];

/// Fields of a discrepancy that the comparison does not compare.
const OTHER_FIELDS: [&str; 4] = ["call_id", "prod_id", "call_date", "query_date"];

/// The position of a header in [`COLUMNS`]; `None` for a column of the owner's own.
#[must_use]
pub fn column_of(header: &str) -> Option<usize> {
    let header = normalized(header);
    let mut names = COLUMNS.iter().zip(ALIASES).map(|(name, aliases)| (normalized(name), aliases));
    names.position(|(name, aliases)| header == name || aliases.iter().any(|a| normalized(a) == header))
}

/// What a row of the file decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line of the file.
    pub line: u64,
    /// The discrepancies that it decides on.
    pub scope: EntryScope,
    /// The decision.
    pub resolution: Resolution,
    /// The last day on which it holds; `None` if it has no end.
    pub until: Option<NaiveDate>,
}

/// The discrepancies that an entry decides on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryScope {
    /// One discrepancy.
    One(Box<Named>),
    /// All that obey a rule.
    Rule(Rule),
}

/// One discrepancy, in the texts of the discrepancy file. Empty text is an empty cell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    /// The CallId.
    pub call_id: CompactString,
    /// The product id.
    pub prod_id: Option<i64>,
    /// The day in the details.
    pub call_date: Option<NaiveDate>,
    /// The kind.
    pub kind: Kind,
    /// The field.
    pub field: CompactString,
    /// The ledger's value.
    pub expected: CompactString,
    /// The provider's value.
    pub actual: CompactString,
}

impl Named {
    /// True if both are the same discrepancy of the same call, whatever its values.
    #[must_use]
    pub fn is_about(&self, row: &DiscrepancyRow) -> bool {
        row.call_id.as_deref() == Some(&*self.call_id)
            && (self.prod_id, self.call_date, self.kind) == (row.prod_id, row.call_date, row.what.kind)
            && self.field == row.what.field
    }

    /// True if the values are those of the row. Spreadsheets write `TRUE` for `true`.
    #[must_use]
    pub fn has_values_of(&self, row: &DiscrepancyRow) -> bool {
        let is_truth = |text: &str| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
        let is_same = |own: &str, other: Option<&CompactString>| {
            let other = other.map_or("", |text| text.as_str());
            own == other || (is_truth(other) && own.eq_ignore_ascii_case(other))
        };
        is_same(&self.expected, row.what.expected.as_ref()) && is_same(&self.actual, row.what.actual.as_ref())
    }
}

/// A rule over discrepancies. `None` is any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The product id.
    pub prod_id: Option<i64>,
    /// The day in the details.
    pub call_date: Option<NaiveDate>,
    /// The kind.
    pub kind: Kind,
    /// The field.
    pub field: Option<CompactString>,
    /// The largest |delta|, in seconds. With it, discrepancies without a delta do not obey.
    pub most_s: Option<u64>,
}

impl Rule {
    /// True if the discrepancy obeys the rule.
    #[must_use]
    pub fn holds_for(&self, row: &DiscrepancyRow) -> bool {
        self.kind == row.what.kind
            && self.prod_id.is_none_or(|id| row.prod_id == Some(id))
            && self.call_date.is_none_or(|day| row.call_date == Some(day))
            && self.field.as_ref().is_none_or(|field| *field == row.what.field)
            && self.most_s.is_none_or(|most| row.what.delta.is_some_and(|d| d.unsigned_abs() <= most))
    }
}

/// What is wrong with a row of the file. `Display` says what to do, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryProblem {
    /// The decision is unknown.
    Decision(String),
    /// The kind is unknown.
    Kind(String),
    /// There is no such field.
    Field(String),
    /// The product is unknown.
    Product(String),
    /// No day in this column.
    Day {
        /// The column.
        column: &'static str,
        /// Its text.
        text: String,
    },
    /// A rule has an expected value.
    ExpectedInRule,
    /// The bound of a rule cannot be read.
    Bound(String),
}

impl fmt::Display for EntryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| mask_planned(&text.chars().take(40).collect::<String>(), &[]);
        match self {
            Self::Decision(word) => write!(
                f,
                "the decision {:?} is unknown; use accepted, disputed, corrected or written_off (接受, 争议, \
                 已更正, 核销)",
                shown(word)
            ),
            Self::Kind(word) if word.is_empty() => {
                write!(f, "the kind is missing; use {}", Kind::ALL.map(Kind::as_str).join(", "))
            }
            Self::Kind(word) => write!(
                f,
                "the kind {:?} is unknown; use {}",
                shown(word),
                Kind::ALL.map(Kind::as_str).join(", ")
            ),
            Self::Field(name) => write!(
                f,
                "the field {:?} is unknown; use one of {}, or a column of the ledger such as ledger_note",
                shown(name),
                FIELDS.into_iter().chain(OTHER_FIELDS).chain(MORE_FIELDS).collect::<Vec<_>>().join(", ")
            ),
            Self::Product(text) => write!(
                f,
                "the product {:?} is unknown; use its number, or a name such as voice-notification",
                shown(text)
            ),
            Self::Day { column, text } => {
                write!(f, "{column} is {:?}; write the day as 2026-11-16", shown(text))
            }
            Self::ExpectedInRule => f.write_str(
                "a row without call_id is a rule, which has no expected value; add the call_id, or leave \
                 expected empty",
            ),
            Self::Bound(text) => write!(
                f,
                "a row without call_id is a rule, and its bound {:?} cannot be read; write the largest \
                 difference in seconds into actual as <=2 or ±2, or add the call_id",
                shown(text)
            ),
        }
    }
}

/// The texts of a row in the order of [`COLUMNS`].
pub type EntryTexts<'a> = [&'a str; COLUMNS.len()];

impl Entry {
    /// What a row decides; `None` if it has no decision yet.
    ///
    /// # Errors
    ///
    /// A text of the row has no meaning. Rows without a decision are checked, too.
    pub fn parse(line: u64, texts: EntryTexts<'_>) -> Result<Option<Self>, EntryProblem> {
        let [call_id, product, call_date, kind, field, expected, actual, decision, reason, _, on, until, _] =
            texts;
        let prod_id = match product.trim() {
            "" => None,
            text => Some(ProductId::parse(text).ok_or_else(|| EntryProblem::Product(text.into()))?.0),
        };
        let call_date = day("call_date", call_date)?;
        let kind = kind_of(kind.trim())?;
        let field = field_of(field.trim())?;
        day("on", on)?;
        let until = day("until", until)?;
        let scope = if call_id.trim().is_empty() {
            if !expected.trim().is_empty() {
                return Err(EntryProblem::ExpectedInRule);
            }
            let field = Some(field).filter(|field| !field.is_empty());
            EntryScope::Rule(Rule { prod_id, call_date, kind, field, most_s: bound(actual.trim())? })
        } else {
            let (call_id, expected, actual) = (call_id.trim().into(), expected.into(), actual.into());
            EntryScope::One(Box::new(Named { call_id, prod_id, call_date, kind, field, expected, actual }))
        };
        if decision.trim().is_empty() {
            return Ok(None);
        }
        let decision =
            Decision::parse(decision).ok_or_else(|| EntryProblem::Decision(decision.trim().into()))?;
        let resolution = Resolution { decision, reason: reason.trim().into() };
        Ok(Some(Self { line, scope, resolution, until }))
    }
}

fn kind_of(word: &str) -> Result<Kind, EntryProblem> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word);
    kind.ok_or_else(|| EntryProblem::Kind(word.into()))
}

fn field_of(name: &str) -> Result<CompactString, EntryProblem> {
    let is_known = name.is_empty()
        || name.starts_with("ledger_")
        || FIELDS.contains(&name)
        || OTHER_FIELDS.contains(&name)
        || MORE_FIELDS.contains(&name);
    if is_known { Ok(name.into()) } else { Err(EntryProblem::Field(name.into())) }
}

/// The day in this column; `None` if it is empty. A time of day is ignored: spreadsheets add one.
fn day(column: &'static str, text: &str) -> Result<Option<NaiveDate>, EntryProblem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let date = text.split([' ', 'T']).next().unwrap_or_default();
    let date = date.replace(['/', '.', '年', '月'], "-").replace('日', "");
    let day = NaiveDate::parse_from_str(&date, "%Y-%m-%d").ok().filter(|_| date.len() <= 10);
    day.map(Some).ok_or_else(|| EntryProblem::Day { column, text: text.into() })
}

/// The bound of a rule in seconds: `<=2`, `≤2`, `±2`, `+-2` or `+/-2`; `None` if it is empty.
fn bound(text: &str) -> Result<Option<u64>, EntryProblem> {
    if text.is_empty() {
        return Ok(None);
    }
    let signs = ["<=", "≤", "±", "+-", "+/-"];
    let seconds = signs.into_iter().find_map(|sign| text.strip_prefix(sign)).map(str::trim);
    let seconds = seconds.map(|text| text.strip_suffix(['s', '秒']).unwrap_or(text).trim_end());
    let is_plain = |text: &&str| text.bytes().all(|b| b.is_ascii_digit());
    let seconds = seconds.filter(is_plain).and_then(|text| text.parse().ok());
    seconds.map(Some).ok_or_else(|| EntryProblem::Bound(text.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const ROW: EntryTexts<'static> = [
        "1^2",
        "voice-notification",
        "2026-11-16",
        "mismatch",
        "duration_s",
        "30",
        "31",
        "accepted",
        "rounded",
        "me",
        "2026-11-17",
        "2026-12-31",
        "T-1",
    ];

    fn with(column: &str, text: &'static str) -> EntryTexts<'static> {
        let mut row = ROW;
        row[COLUMNS.iter().position(|name| *name == column).unwrap()] = text;
        row
    }

    #[track_caller]
    fn wrong(row: EntryTexts<'_>, words: &str) {
        let problem = Entry::parse(2, row).unwrap_err().to_string();
        assert!(problem.contains(words), "`{words}` is not in: {problem}");
    }

    #[test]
    fn a_row_with_a_call_id_names_one_discrepancy() {
        let entry = Entry::parse(7, ROW).unwrap().unwrap();
        let EntryScope::One(named) = entry.scope else { unreachable!("{:?}", entry.scope) };
        assert_eq!((&*named.call_id, named.prod_id), ("1^2", Some(11_000_000_300_006)));
        assert_eq!((&*named.expected, &*named.actual), ("30", "31"));
        assert_eq!((entry.line, entry.resolution.decision), (7, Decision::Accepted));
        assert_eq!(entry.until.unwrap().to_string(), "2026-12-31");
    }

    #[test]
    fn a_row_without_a_decision_decides_nothing() {
        assert_eq!(Entry::parse(2, with("decision", " ")), Ok(None));
        let mut undecided = with("decision", "");
        undecided[3] = "mismatched";
        wrong(undecided, "the kind \"mismatched\" is unknown");
    }

    #[test]
    fn a_text_without_a_meaning_is_refused() {
        wrong(with("decision", "ok"), "use accepted, disputed, corrected or written_off");
        wrong(with("kind", ""), "the kind is missing; use amended, deferred");
        wrong(with("field", "duration"), "the field \"duration\" is unknown; use one of caller");
        wrong(with("prod_id", "1.1E+13"), "the product \"1.1E+13\" is unknown");
        wrong(with("call_date", "16.11."), "call_date is \"16.11.\"; write the day as 2026-11-16");
        wrong(with("on", "yesterday"), "on is \"yesterday\"");
        wrong(with("until", "2026-13-01"), "until is \"2026-13-01\"");
        wrong(with("call_id", ""), "a rule, which has no expected value");
        wrong(with("decision", "13812345678"), "138****5678");
    }

    #[test]
    fn a_day_is_read_as_spreadsheets_write_it() {
        for text in ["2026-11-06", "2026/11/6", "2026-11-06 00:00:00", "2026年11月6日", "2026.11.06"] {
            assert_eq!(day("on", text).unwrap().unwrap().to_string(), "2026-11-06", "{text}");
        }
    }

    #[test]
    fn columns_have_chinese_names_and_any_case() {
        for (header, name) in [("CallId", "call_id"), ("呼叫 ID", "call_id"), ("处理结果", "decision")]
        {
            assert_eq!(column_of(header).map(|at| COLUMNS[at]), Some(name), "{header}");
        }
        assert_eq!(column_of("message"), None);
        let all = COLUMNS.iter().chain(ALIASES.into_iter().flatten());
        let found: Vec<_> = all.clone().map(|name| column_of(name)).collect();
        assert_eq!(found.len(), all.count());
        assert!(found[..COLUMNS.len()].iter().copied().eq((0..COLUMNS.len()).map(Some)));
    }

    #[test]
    fn a_bound_needs_its_sign() {
        for text in ["<=2", "≤ 2", "±2", "+-2", "+/-2", "±2s", "±2 秒"] {
            assert_eq!(bound(text), Ok(Some(2)), "{text}");
        }
        for text in ["2", "-2", "±", "<=-2", "<2", "±2.5", "± +2", "±99999999999999999999"] {
            assert!(bound(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reading_panic(texts in prop::collection::vec(".{0,12}", COLUMNS.len())) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            if let Err(problem) = Entry::parse(2, texts.try_into().unwrap()) {
                prop_assert!(!problem.to_string().is_empty());
            }
        }
    }
}
