//! What a comparison counts, and `Totals`, its form in Python.

use std::collections::BTreeMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use reconcile_core::bridge::Bridge;
use reconcile_core::call_result::CallResult;
use reconcile_core::compared::{FIELDS, FieldCounts};
use reconcile_core::discrepancy::{DiscrepancyRow, Kind};
use reconcile_core::figures::GroupFigures;
use reconcile_core::ledger_row::{InvalidRow, LedgerRow};
use reconcile_core::merge::Merge;
use reconcile_core::status::{FailureKind, Status};
use reconcile_core::tie_out;
use serde::{Deserialize, Serialize};

use crate::error::exceptions::TieOutError;

/// Serde's own `FIELDS` would hide the core's.
const COMPARED_FIELDS: usize = FIELDS.len();

/// The counts of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    totals: reconcile_core::totals::Totals,
    all: GroupFigures,
    bridge: Bridge,
    at_stake_s: BTreeMap<Kind, u64>,
    fields: [FieldCounts; COMPARED_FIELDS],
}

impl Counts {
    /// Counts a call. `discrepancies` are all of its own and of its later rows.
    pub(crate) fn add_call(&mut self, row: &LedgerRow, call: &CallResult, discrepancies: u64) {
        let CallResult { lookup, compared, own_s } = call;
        let failure = lookup.failure.as_ref();
        self.totals.rows += 1;
        self.totals.add_call(lookup.status, discrepancies, compared.is_compared());
        self.totals.exhausted += u64::from(failure.is_some_and(|f| f.kind == FailureKind::Exhausted));
        self.all.add(row, lookup.detail.as_ref().filter(|_| lookup.status == Status::Found));
        self.bridge.add_call(*own_s, row.expected.duration_s, lookup);
        self.fields.iter_mut().zip(compared.fields).for_each(|(counts, result)| counts.add(result));
    }

    /// Counts a later row of a call.
    pub(crate) fn add_later_row(&mut self, duration_s: Option<i64>) {
        self.totals.rows += 1;
        self.totals.duplicates += 1;
        self.bridge.add_later_row(duration_s);
    }

    /// Counts an unusable row.
    pub(crate) fn add_invalid_row(&mut self, row: &InvalidRow) {
        self.totals.rows += 1;
        self.totals.invalid += 1;
        self.bridge.add_unusable_row(row);
    }

    /// Counts a discrepancy.
    pub(crate) fn add_discrepancy(&mut self, row: &DiscrepancyRow) {
        self.totals.add_discrepancy(row.what.kind, row.decision());
        let sum = self.at_stake_s.entry(row.what.kind).or_default();
        *sum = sum.saturating_add(row.seconds_at_stake());
    }

    fn merge(&mut self, other: &Self) {
        let Self { totals, all, bridge, at_stake_s, fields } = other.clone();
        self.totals.merge(totals);
        self.all.merge(all);
        self.bridge.merge(bridge);
        for (kind, seconds) in at_stake_s {
            self.at_stake_s.entry(kind).or_default().merge(seconds);
        }
        self.fields.merge(fields);
    }

    /// The counts under their names in the summary.
    fn summary(&self) -> serde_json::Value {
        let t = &self.totals;
        let by_kind = |counts: &BTreeMap<Kind, u64>| -> BTreeMap<&str, u64> {
            Kind::ALL.iter().map(|kind| (kind.as_str(), counts.get(kind).copied().unwrap_or(0))).collect()
        };
        serde_json::json!({
            "rows": t.rows,
            "invalid": t.invalid,
            "duplicates": t.duplicates,
            "calls": t.calls,
            "found": t.found,
            "not_found": t.not_found,
            "pending": t.pending,
            "failed": t.failed,
            "exhausted": t.exhausted,
            "deferred": t.deferred,
            "clean": t.clean,
            "with_discrepancies": t.with_discrepancies,
            "not_compared": t.not_compared,
            "headline": t.headline(),
            "bridge": self.bridge,
            "fields": FIELDS.iter().zip(self.fields).collect::<BTreeMap<_, _>>(),
            "discrepancies": by_kind(&t.discrepancies),
            "discrepancies_total": t.discrepancies_total(),
            "at_stake_s": by_kind(&self.at_stake_s),
            "at_stake_total_s": self.at_stake_s.values().fold(0, |sum: u64, s| sum.saturating_add(*s)),
            "answered": self.all.answered,
            "duration_s": self.all.duration_s,
            "billable_minutes": self.all.billable_minutes,
        })
    }
}

/// The counts of one or several comparisons. They can be added and pickled.
#[pyclass(module = "reconcile", eq, skip_from_py_object)]
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) counts: Counts,
}

#[pymethods]
impl Totals {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Adds the counts of another part of the ledger.
    fn merge(&mut self, other: &Bound<'_, Self>) -> PyResult<()> {
        // `a.merge(a)` is no other part, but adds up all the same.
        let other =
            other.try_borrow().map(|other| other.counts.clone()).unwrap_or_else(|_| self.counts.clone());
        self.counts.merge(&other);
        Ok(())
    }

    fn __add__(&self, other: &Bound<'_, Self>) -> PyResult<Self> {
        let mut sum = self.clone();
        sum.counts.merge(&other.try_borrow()?.counts);
        Ok(sum)
    }

    /// The counts under their names in summary.json.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let loads = py.import("json")?.getattr("loads")?;
        Ok(loads.call1((self.counts.summary().to_string(),))?.cast_into()?)
    }

    /// The lines of the tie-out: dicts with rule, numbers and foots. Raises TieOutError if one does
    /// not add up.
    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let lines = PyList::empty(py);
        for line in tie_out::of_totals(&self.counts.totals) {
            let (rule, numbers) = (line.rule.as_str(), line.numbers.to_string());
            if !line.adds_up {
                return Err(TieOutError::new_err(format!(
                    "{rule} does not add up: {numbers}; check that each row was counted once"
                )));
            }
            let dict = PyDict::new(py);
            dict.set_item("rule", rule)?;
            dict.set_item("numbers", numbers)?;
            dict.set_item("foots", true)?;
            lines.append(dict)?;
        }
        Ok(lines)
    }

    fn __repr__(&self) -> String {
        let t = &self.counts.totals;
        format!("Totals(rows={}, calls={}, discrepancies={})", t.rows, t.calls, t.discrepancies_total())
    }

    fn __getstate__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let state =
            serde_json::to_vec(&self.counts).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &state))
    }

    fn __setstate__(&mut self, state: &[u8]) -> PyResult<()> {
        self.counts = serde_json::from_slice(state).map_err(|error| {
            PyValueError::new_err(format!(
                "no totals of this version of reconcile ({error}); count them again"
            ))
        })?;
        Ok(())
    }
}
