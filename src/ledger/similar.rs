//! Finds the fields that a header may mean although it is none of their names.

use super::header_text::distance;
use reconcile_core::ledger_field::{Field, normalized, without_notes};

/// Shortest name in ASCII that is searched for in a header: shorter ones are in many words.
const SHORTEST_PART: usize = 6;

/// The fields among `fields` whose names are most similar to this header; empty if it is not
/// similar to any.
pub(super) fn similar_fields(header: &str, fields: &[Field]) -> Vec<Field> {
    let bare: String = without_notes(header).0.chars().filter(|c| c.is_alphanumeric()).collect();
    if bare.is_empty() {
        return Vec::new();
    }
    let distances: Vec<(usize, Field)> =
        fields.iter().filter_map(|field| Some((distance_to(&bare, *field)?, *field))).collect();
    let Some(least) = distances.iter().map(|(distance, _)| *distance).min() else { return Vec::new() };
    distances.into_iter().filter(|(distance, _)| *distance == least).map(|(_, field)| field).collect()
}

/// How far a header is from the nearest name of a field; `None` if it is not similar to any.
fn distance_to(bare: &str, field: Field) -> Option<usize> {
    if field.hints().iter().any(|hint| normalized(hint) == bare) {
        return Some(0);
    }
    field.known_headers().filter_map(|known| distance_to_name(bare, &normalized(known))).min()
}

fn distance_to_name(bare: &str, known: &str) -> Option<usize> {
    let (length, known_length) = (bare.chars().count(), known.chars().count());
    let is_ascii = known.is_ascii();
    let found = distance(bare, known);
    let limit = match (is_ascii, known_length) {
        (true, ..4) | (false, ..4) => 0,
        (true, 4..8) | (false, _) => 1,
        (true, _) => 2,
    };
    if found <= limit {
        return Some(found);
    }
    // Such as `call_duration` or `通话时长秒`.
    let (shortest, longest_rest) = if is_ascii { (SHORTEST_PART, 6) } else { (4, 2) };
    let is_part = known_length >= shortest && (bare.starts_with(known) || bare.ends_with(known));
    length.checked_sub(known_length).filter(|rest| is_part && *rest <= longest_rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_similar_header_suggests_its_field() {
        let fields: Vec<Field> = Field::all().collect();
        for (header, wanted) in [
            ("calle", vec![Field::Caller, Field::Callee]),
            ("calee", vec![Field::Callee]),
            ("durration", vec![Field::DurationS]),
            ("call_duration", vec![Field::DurationS]),
            ("通话时长(分钟)", vec![Field::DurationS]),
            ("通话时长秒", vec![Field::DurationS]),
            ("status", vec![Field::State]),
            ("statuscode.", vec![Field::State]),
            ("start_tme", vec![Field::StartedAt]),
            ("calls.call_id", vec![Field::CallId]),
            ("客户被叫号码", vec![Field::Callee]),
            ("called at (UTC)", vec![Field::CalledAt]),
        ] {
            assert_eq!(similar_fields(header, &fields), wanted, "{header}");
        }
        for header in
            ["", "dept", "备注", "out_id", "cost", "产品线", "被叫归属地", "status_msg", "remark", "city"]
        {
            assert_eq!(similar_fields(header, &fields), [], "{header}");
        }
    }
}
