//! The fields that a ledger may have, and the column names that are recognized for each.

use crate::ledger_values::{is_invisible, narrow};

/// A field of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Field {
    CallId,
    ProdId,
    CalledAt,
    QueryDate,
    Caller,
    Callee,
    CallerShowNumber,
    CalleeShowNumber,
    State,
    Answered,
    DurationS,
    StartedAt,
    EndedAt,
    /// The account under which a call is asked. No header names it by itself: see
    /// [`Field::is_account`].
    Account,
}

/// Number of fields.
pub const FIELD_COUNT: usize = 14;

/// The names of one field.
struct Names {
    field: Field,
    name: &'static str,
    /// Its other names in version 0.1 of the contract, section 3.
    aliases: &'static [&'static str],
    /// Names that ledgers use for it, among them those of the provider's callbacks and requests.
    synonyms: &'static [&'static str],
    /// Names that may mean it. They are never read as the field, but a note suggests it.
    hints: &'static [&'static str],
}

/// Every field, in the order of [`Field`].
const FIELDS: [Names; FIELD_COUNT] = [
    Names {
        field: Field::CallId,
        name: "call_id",
        aliases: &["呼叫ID", "通话ID"],
        synonyms: &["通话编号", "呼叫编号", "通话唯一ID"],
        hints: &[],
    },
    Names {
        field: Field::ProdId,
        name: "prod_id",
        aliases: &["product", "产品ID"],
        synonyms: &["产品", "product_id"],
        hints: &["产品编号", "产品名称", "产品类型", "product_name"],
    },
    Names {
        field: Field::CalledAt,
        name: "called_at",
        aliases: &["gmt_create", "created_at", "呼叫时间"],
        synonyms: &["originate_time", "拨打时间", "发起时间", "外呼时间"],
        hints: &["call_time", "dial_time", "time", "date", "时间", "拨号时间", "通话时间"],
    },
    Names {
        field: Field::QueryDate,
        name: "query_date",
        aliases: &["查询日期"],
        synonyms: &[],
        hints: &["呼叫日期", "通话日期"],
    },
    Names {
        field: Field::Caller,
        name: "caller",
        aliases: &["主叫号码"],
        synonyms: &["主叫", "caller_number", "caller_num"],
        hints: &["from"],
    },
    Names {
        field: Field::Callee,
        name: "callee",
        aliases: &["被叫号码"],
        synonyms: &["被叫", "CalledNumber", "called_num", "callee_number", "callee_num"],
        hints: &["to", "called", "phone", "phone_number", "mobile", "手机号", "手机号码", "电话", "电话号码"],
    },
    Names {
        field: Field::CallerShowNumber,
        name: "caller_show_number",
        aliases: &["主叫显号"],
        synonyms: &["caller_show_num"],
        hints: &["主叫显示号码"],
    },
    Names {
        field: Field::CalleeShowNumber,
        name: "callee_show_number",
        aliases: &["被叫显号"],
        synonyms: &["callee_show_num", "CalledShowNumber", "called_show_num"],
        hints: &["被叫显示号码", "外显号码"],
    },
    Names {
        field: Field::State,
        name: "state",
        aliases: &["通话状态"],
        synonyms: &["status_code", "state_code", "状态码"],
        hints: &["status", "call_status", "状态", "呼叫状态", "通话结果"],
    },
    Names {
        field: Field::Answered,
        name: "answered",
        aliases: &["是否接通"],
        synonyms: &["是否接听"],
        hints: &[],
    },
    Names {
        field: Field::DurationS,
        name: "duration_s",
        aliases: &["duration", "通话时长"],
        synonyms: &["时长"],
        hints: &["talk_time", "bill_seconds", "billsec"],
    },
    Names {
        field: Field::StartedAt,
        name: "started_at",
        aliases: &["start_date", "开始时间"],
        synonyms: &["start_time", "通话开始时间"],
        hints: &["answer_time", "接通时间", "接听时间", "应答时间"],
    },
    Names {
        field: Field::EndedAt,
        name: "ended_at",
        aliases: &["end_date", "结束时间"],
        synonyms: &["end_time", "通话结束时间"],
        hints: &["hangup_time", "挂断时间"],
    },
    Names {
        field: Field::Account, name: "account", aliases: &["账号", "云账号"], synonyms: &[], hints: &[]
    },
];

/// How sure a header names its field. The smallest is the surest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// A name of version 0.1.
    Exact,
    /// A name of version 0.1 with a note in brackets, such as a unit.
    WithNote,
    /// A synonym.
    Synonym,
}

impl Field {
    /// The fields with times.
    pub const TIMES: [Self; 4] = [Self::CalledAt, Self::QueryDate, Self::StartedAt, Self::EndedAt];

    /// The field with exactly this name.
    pub fn named(name: &str) -> Option<Self> {
        FIELDS.iter().find(|names| names.name == name).map(|names| names.field)
    }

    /// True for a header that names the account. Most ledgers mean another account by it, so it is
    /// a field only where it is asked for.
    pub fn is_account(header: &str) -> bool {
        let (bare, _) = without_notes(header);
        Self::Account.known_headers().any(|known| normalized(known) == bare)
    }

    /// The field for a header, by name, alias or synonym; never the account.
    pub fn of_header(header: &str) -> Option<Self> {
        Self::matching(header).map(|(field, _)| field)
    }

    /// The field for a header, and how sure this is; never the account. Notes in brackets are
    /// ignored, unless they say that the values are in another unit or time zone.
    pub fn matching(header: &str) -> Option<(Self, Match)> {
        if let Some(field) = find_contract(&normalized(header)) {
            return Some((field, Match::Exact));
        }
        let (field, found, notes) = Self::without_notes(header)?;
        (!notes.iter().any(|note| field.is_contradicted_by(note))).then_some((field, found))
    }

    /// The field whose name a header has, with a note that the values are in another unit or zone.
    pub fn in_other_unit(header: &str) -> Option<Self> {
        let (field, _, notes) = Self::without_notes(header)?;
        notes.iter().any(|note| field.is_contradicted_by(note)).then_some(field)
    }

    /// The field for a header without its notes, and these notes.
    fn without_notes(header: &str) -> Option<(Self, Match, Vec<String>)> {
        let (bare, notes) = without_notes(header);
        let synonym = || Some((find_synonym(&bare)?, Match::Synonym));
        let contract = find_contract(&bare).map(|field| (field, Match::WithNote));
        contract.or_else(synonym).map(|(field, found)| (field, found, notes))
    }

    /// True if a note in brackets says that the values are not in the unit of the field.
    fn is_contradicted_by(self, note: &str) -> bool {
        match self {
            Self::DurationS => OTHER_UNITS.contains(&note),
            Self::CalledAt | Self::QueryDate | Self::StartedAt | Self::EndedAt => {
                let zone = note.strip_prefix("utc").or_else(|| note.strip_prefix("gmt"));
                zone.is_some_and(|zone| !PROVIDER_ZONE.contains(&zone))
            }
            _ => false,
        }
    }

    /// The name of the field.
    pub fn name(self) -> &'static str {
        FIELDS[self as usize].name
    }

    /// All fields, in the order of [`Field`].
    pub fn all() -> impl Iterator<Item = Self> {
        FIELDS.iter().map(|names| names.field)
    }

    /// The names, aliases and synonyms of the field.
    pub fn known_headers(self) -> impl Iterator<Item = &'static str> {
        let Names { name, aliases, synonyms, .. } = FIELDS[self as usize];
        std::iter::once(name).chain(aliases.iter().copied()).chain(synonyms.iter().copied())
    }

    /// Names that may mean the field.
    pub fn hints(self) -> &'static [&'static str] {
        FIELDS[self as usize].hints
    }
}

/// True for a text that names a unit of a duration other than seconds.
pub fn is_other_unit(text: &str) -> bool {
    OTHER_UNITS.contains(&normalized(text).as_str())
}

/// Units of a duration other than seconds, normalized.
const OTHER_UNITS: [&str; 19] = [
    "分",
    "分钟",
    "m",
    "min",
    "mins",
    "minute",
    "minutes",
    "ms",
    "毫秒",
    "millisecond",
    "milliseconds",
    "h",
    "hour",
    "hours",
    "小时",
    "hh:mm:ss",
    "mm:ss",
    "时:分:秒",
    "分:秒",
];

/// The provider's time zone after `UTC` or `GMT`, normalized.
const PROVIDER_ZONE: [&str; 4] = ["+8", "+08", "+0800", "+08:00"];

/// A header in the form in which headers are compared: lower case, without full-width characters,
/// white space, `_`, `-`, quotes and invisible characters.
pub fn normalized(header: &str) -> String {
    header.chars().map(narrow).filter(|c| is_compared(*c)).flat_map(char::to_lowercase).collect()
}

fn is_compared(c: char) -> bool {
    let is_mark = matches!(c, '_' | '-' | '`' | '\'' | '"');
    !is_mark && !c.is_whitespace() && !c.is_control() && !is_invisible(c)
}

/// A normalized header without its notes in brackets, and these notes, normalized.
pub fn without_notes(header: &str) -> (String, Vec<String>) {
    let (mut bare, mut notes, mut note): (_, _, Option<String>) = (String::new(), Vec::new(), None);
    for c in normalized(header).chars() {
        match (c, &mut note) {
            ('(' | '[' | '【', None) => note = Some(String::new()),
            (')' | ']' | '】', Some(_)) => notes.extend(note.take()),
            (_, Some(note)) => note.push(c),
            (_, None) => bare.push(c),
        }
    }
    notes.extend(note);
    (bare, notes)
}

fn find_contract(header: &str) -> Option<Field> {
    let is_known = |names: &&Names| {
        normalized(names.name) == header || names.aliases.iter().any(|alias| normalized(alias) == header)
    };
    FIELDS.iter().find(is_known).map(|names| names.field).filter(|field| *field != Field::Account)
}

fn find_synonym(header: &str) -> Option<Field> {
    let is_known = |names: &&Names| names.synonyms.iter().any(|synonym| normalized(synonym) == header);
    FIELDS.iter().find(is_known).map(|names| names.field)
}

/// The names of all fields.
#[must_use]
pub fn field_names() -> [&'static str; FIELD_COUNT] {
    FIELDS.map(|names| names.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_alias_is_recognized() {
        for (at, names) in FIELDS.iter().enumerate() {
            assert_eq!((names.field as usize, names.field.name()), (at, names.name));
            if names.field == Field::Account {
                continue;
            }
            for header in std::iter::once(&names.name).chain(names.aliases) {
                assert_eq!(Field::matching(header), Some((names.field, Match::Exact)), "{header}");
            }
            for header in names.synonyms {
                assert_eq!(Field::matching(header), Some((names.field, Match::Synonym)), "{header}");
            }
            for header in names.hints {
                assert_eq!(Field::matching(header), None, "{header}");
            }
        }
        assert_eq!(Field::of_header("gmtCreate"), Some(Field::CalledAt));
    }

    #[test]
    fn an_account_is_a_field_only_where_it_is_asked_for() {
        for header in ["account", "Account", "账号", "云账号", "云账号（主）"] {
            assert!(Field::is_account(header), "{header}");
            assert_eq!((Field::matching(header), Field::in_other_unit(header)), (None, None), "{header}");
        }
        assert!(!Field::is_account("account_manager"));
        assert_eq!(Field::named("account"), Some(Field::Account));
    }

    #[test]
    fn a_note_in_brackets_is_ignored() {
        for (header, field) in [
            ("通话时长(秒)", Field::DurationS),
            ("通话时长（秒）", Field::DurationS),
            ("时长(秒)", Field::DurationS),
            ("duration [s]", Field::DurationS),
            ("Call ID (required)", Field::CallId),
            ("called_at (UTC+8)", Field::CalledAt),
            ("被叫（手机）", Field::Callee),
            ("`call_id`", Field::CallId),
        ] {
            assert_eq!(Field::of_header(header), Some(field), "{header}");
        }
    }

    #[test]
    fn another_unit_or_zone_is_not_the_field() {
        for header in
            ["通话时长(分钟)", "duration (min)", "duration(ms)", "start_time (UTC)", "called_at(GMT-5)"]
        {
            assert_eq!(Field::of_header(header), None, "{header}");
            assert!(Field::in_other_unit(header).is_some(), "{header}");
        }
        assert_eq!(Field::in_other_unit("duration(s)"), None);
    }
}
