//! The discrepancies of one row of the ledger, with the rules behind them.

use serde::Serialize;

use reconcile_core::discrepancy::{Discrepancy, Kind};

/// A row of the ledger with its discrepancies; without a ledger, line 0.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) discrepancies: Vec<ExplainedDiscrepancy>,
}

/// A discrepancy with the rule behind it.
#[derive(Debug, Serialize)]
pub(super) struct ExplainedDiscrepancy {
    pub(super) kind: String,
    pub(super) field: String,
    pub(super) expected: Option<String>,
    pub(super) actual: Option<String>,
    pub(super) delta: Option<i64>,
    pub(super) message: String,
    /// Empty for a kind that this version does not know.
    pub(super) rule: &'static str,
}

impl Row {
    /// A row of the ledger.
    pub(super) fn new(line: u64, discrepancies: Vec<Discrepancy>) -> Self {
        Self { line, discrepancies: discrepancies.into_iter().map(Into::into).collect() }
    }

    /// The lines for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let heading = match self.line {
            0 if self.discrepancies.iter().any(|found| is_of_other_call(&found.kind)) => {
                "\ndiscrepancies of a call that the ledger does not name:".into()
            }
            0 => "\ndiscrepancies without a ledger (--input adds one):".into(),
            line => format!("\ndiscrepancies of ledger line {line}:"),
        };
        let mut lines = vec![heading];
        if self.discrepancies.is_empty() {
            lines.push("  none".into());
        }
        lines.extend(self.discrepancies.iter().flat_map(ExplainedDiscrepancy::lines));
        lines
    }
}

impl From<Discrepancy> for ExplainedDiscrepancy {
    fn from(d: Discrepancy) -> Self {
        Self {
            kind: d.kind.as_str().to_owned(),
            rule: d.kind.rule(),
            delta: d.delta,
            field: d.field,
            expected: d.expected.map(Into::into),
            actual: d.actual.map(Into::into),
            message: d.message.to_string(),
        }
    }
}

/// Whether rows of this kind may be about calls that the ledger does not name.
pub(super) fn is_of_other_call(kind: &str) -> bool {
    [Kind::Amended, Kind::MissingInLedger].iter().any(|known| known.as_str() == kind)
}

/// The rule of a kind; empty if this version does not know it.
pub(super) fn rule_of(kind: &str) -> &'static str {
    Kind::ALL.into_iter().find(|known| known.as_str() == kind).map_or("", Kind::rule)
}

impl ExplainedDiscrepancy {
    fn lines(&self) -> Vec<String> {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        let (expected, actual) = (value(&self.expected), value(&self.actual));
        let kind = [self.kind.as_str(), &self.field].join(" ");
        let kind = kind.trim_end();
        vec![
            format!("  {kind}: expected {expected}, actual {actual}; {}", self.message),
            format!("    rule: {}", self.rule),
        ]
    }
}
