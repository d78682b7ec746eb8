//! The fields that a ledger may have, and the column names that are recognized for each.

use super::header_text::{distance, normalized};

/// A field of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
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
}

/// Number of fields.
pub(super) const FIELD_COUNT: usize = 13;

/// Every field with its name and its aliases, in the order of [`Field`]. Source: contract,
/// section 3.
const FIELDS: [(Field, &str, &[&str]); FIELD_COUNT] = [
    (Field::CallId, "call_id", &["呼叫ID", "通话ID"]),
    (Field::ProdId, "prod_id", &["product", "产品ID"]),
    (Field::CalledAt, "called_at", &["gmt_create", "created_at", "呼叫时间"]),
    (Field::QueryDate, "query_date", &["查询日期"]),
    (Field::Caller, "caller", &["主叫号码"]),
    (Field::Callee, "callee", &["被叫号码"]),
    (Field::CallerShowNumber, "caller_show_number", &["主叫显号"]),
    (Field::CalleeShowNumber, "callee_show_number", &["被叫显号"]),
    (Field::State, "state", &["通话状态"]),
    (Field::Answered, "answered", &["是否接通"]),
    (Field::DurationS, "duration_s", &["duration", "通话时长"]),
    (Field::StartedAt, "started_at", &["start_date", "开始时间"]),
    (Field::EndedAt, "ended_at", &["end_date", "结束时间"]),
];

impl Field {
    /// The field with exactly this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        FIELDS.iter().find(|(_, known, _)| *known == name).map(|(field, ..)| *field)
    }

    /// The field for a header, by name or alias.
    pub(super) fn of_header(header: &str) -> Option<Self> {
        let header = normalized(header);
        FIELDS
            .iter()
            .find(|(_, name, aliases)| {
                normalized(name) == header || aliases.iter().any(|alias| normalized(alias) == header)
            })
            .map(|(field, ..)| *field)
    }

    /// The name of the field with the most similar name.
    pub(super) fn nearest_name(name: &str) -> &'static str {
        let near = FIELDS.iter().map(|(_, known, _)| *known).min_by_key(|known| distance(known, name));
        near.unwrap_or_default()
    }

    /// The name of the field.
    pub(super) fn name(self) -> &'static str {
        FIELDS[self as usize].1
    }

    /// The name and the aliases of the field.
    pub(super) fn known_headers(self) -> impl Iterator<Item = &'static str> {
        let (_, name, aliases) = FIELDS[self as usize];
        std::iter::once(name).chain(aliases.iter().copied())
    }
}

/// The names of all fields.
#[must_use]
pub fn field_names() -> [&'static str; FIELD_COUNT] {
    FIELDS.map(|(_, name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_alias_is_recognized() {
        for (at, (field, name, aliases)) in FIELDS.iter().enumerate() {
            assert_eq!((*field as usize, field.name()), (at, *name));
            for header in std::iter::once(name).chain(aliases.iter()) {
                assert_eq!(Field::of_header(header), Some(*field), "{header}");
            }
        }
        assert_eq!(Field::of_header("gmtCreate"), Some(Field::CalledAt));
    }
}
