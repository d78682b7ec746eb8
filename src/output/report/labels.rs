//! The words of the report by their codes, for its tables and its script.

use std::collections::BTreeMap;

use serde::Serialize;

use super::texts::text;
use crate::output::lang::Lang;
use crate::texts;
use reconcile_core::amended::MORE_FIELDS;
use reconcile_core::compared::FIELDS;
use reconcile_core::detail::Outcome;
use reconcile_core::discrepancy::Kind;
use reconcile_core::product::ProductId;
use reconcile_core::resolution::DecisionCounts;
use reconcile_core::status::Status;

type Words = BTreeMap<String, &'static str>;

/// The words by group and code. The groups of values have the names of their fields.
#[derive(Debug, Serialize)]
pub(super) struct Labels {
    kind: Words,
    field: Words,
    product: Words,
    pub(super) status: Words,
    outcome: Words,
    answered: Words,
    source: Words,
    hangup_by: Words,
    resolution: Words,
}

/// Other values of a record or a lookup. The key of the text begins with `field_`.
const OF_LOOKUPS: [&str; 10] = [
    "product",
    "outcome",
    "day_asked",
    "day_found",
    "attempts",
    "fetched_at",
    "source",
    "request_id",
    "error_code",
    "error_message",
];

impl Labels {
    /// All words in one language. `products` are the names that the summary has.
    pub(super) fn new<'a>(lang: Lang, products: impl Iterator<Item = &'a str>) -> Self {
        let words = |pairs: &[(&str, &'static str)]| -> Words {
            pairs.iter().map(|(code, key)| ((*code).to_owned(), text(lang, key))).collect()
        };
        let product = |name: &'a str| {
            let label = texts::product(lang, ProductId::parse(name)?)?;
            Some((name.to_owned(), label))
        };
        Self {
            kind: Kind::ALL.map(|kind| (kind.as_str().to_owned(), texts::kind(lang, kind))).into(),
            field: fields(lang),
            product: products.filter_map(product).collect(),
            status: Status::ALL
                .map(|status| (status.as_str().to_owned(), texts::status(lang, status)))
                .into(),
            outcome: Outcome::ALL
                .map(|outcome| (outcome.as_str().to_owned(), texts::outcome(lang, outcome)))
                .into(),
            answered: words(&[("true", "yes"), ("false", "no")]),
            source: words(&[
                ("store", "source_store"),
                ("asked", "source_asked"),
                ("receipt", "source_receipt"),
            ]),
            resolution: DecisionCounts::default()
                .by_word()
                .map(|(word, _)| (word.to_owned(), texts::decision(lang, word)))
                .into(),
            hangup_by: words(&[("caller", "party_caller"), ("callee", "party_callee")]),
        }
    }
}

fn fields(lang: Lang) -> Words {
    let of_calls = FIELDS.into_iter().chain(["call_id", "prod_id", "query_date", "call_date"]);
    let of_calls =
        of_calls.chain(MORE_FIELDS).filter_map(|code| Some((code.to_owned(), texts::field(lang, code)?)));
    let more = OF_LOOKUPS.map(|code| (code.to_owned(), text(lang, &format!("field_{code}"))));
    of_calls.chain(more).collect()
}
