//! The first sheet: what the night was, its result in numbers, and their control.

use chrono::{DateTime, Utc};
use rust_xlsxwriter::{Format, Worksheet, XlsxError};

use super::cells::{Formats, MAX_TEXT, Place, write_integer, write_text, write_time};
use crate::output::headline;
use crate::output::lang::Lang;
use crate::output::summary::{Rechecked, Summary};
use crate::shown::shown;
use crate::texts::{self, NightText, bridge_step, category, night_text, tie_out_numbers, tie_out_rule};
use reconcile_core::calendar::provider_local;
use reconcile_core::since::SinceLast;

/// Widths of the columns in characters. Further ones have the last one's.
const WIDTHS: [f64; 3] = [36.0, 24.0, 20.0];

/// A value of the sheet.
enum Value {
    Text(String),
    Count(i64),
    Minutes(f64),
    Time(DateTime<Utc>),
}

impl Value {
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn count(n: u64) -> Self {
        Self::Count(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

/// A row of the sheet.
struct Row {
    values: Vec<Value>,
    is_bold: bool,
}

/// The content of the sheet.
pub(super) struct Night {
    lang: Lang,
    /// Start of the run.
    pub(super) started_at: DateTime<Utc>,
    rows: Vec<Row>,
}

impl Night {
    /// The sheet of this run, in the language of the report.
    pub(super) fn new(summary: &Summary<'_>) -> Self {
        let mut night = Self::empty(summary.lang, summary.provenance.started_at);
        if summary.provenance.sandbox {
            night.bold([night.words(NightText::Sandbox)]);
        }
        night.bold([Value::text(headline::sentence(summary.lang, summary.totals, summary.trend))]);
        night.add_run(summary);
        night.add_headline(summary);
        night.add_bridge(summary);
        night.add_kinds(summary);
        night.add_decisions(summary);
        night.add_since_last(summary);
        night.add_rechecked(summary);
        night.add_receipts(summary);
        night.add_limits(summary);
        night.add_tie_out(summary);
        night
    }

    /// A sheet without a row.
    pub(super) fn empty(lang: Lang, started_at: DateTime<Utc>) -> Self {
        Self { lang, started_at, rows: Vec::new() }
    }

    /// Adds a note on cells of a sheet that were cut.
    pub(super) fn note_cut(&mut self, sheet: &str, cells: u64) {
        self.note(texts::cut_cells(self.lang, sheet, cells, MAX_TEXT));
    }

    /// Adds a note on columns that have no room.
    pub(super) fn note_missing_columns(&mut self, columns: usize, most: usize) {
        self.note(texts::missing_columns(self.lang, columns, most));
    }

    /// The finished sheet.
    ///
    /// # Errors
    ///
    /// The sheet has no room for a value.
    pub(super) fn sheet(&self, formats: &Formats) -> Result<Worksheet, XlsxError> {
        let mut sheet = Worksheet::new();
        sheet.set_name(night_text(self.lang, NightText::SheetName))?;
        let last = WIDTHS[WIDTHS.len() - 1];
        for (at, width) in (0..5).zip(WIDTHS.into_iter().chain(std::iter::repeat(last))) {
            sheet.set_column_width(at, width)?;
        }
        for (row, at) in self.rows.iter().zip(0..) {
            for (value, column) in row.values.iter().zip(0..) {
                write_value(&mut sheet, Place { row: at, column }, value, formats)?;
                if row.is_bold {
                    sheet.set_cell_format(at, column, &formats.bold)?;
                }
            }
        }
        Ok(sheet)
    }

    fn add_run(&mut self, summary: &Summary<'_>) {
        let provenance = summary.provenance;
        let complete = if summary.complete() { NightText::Yes } else { NightText::No };
        let lines = [
            (NightText::Ledger, Value::text(&provenance.input)),
            (NightText::LedgerDigest, Value::text(&provenance.input_sha256)),
            (NightText::Run, Value::text(&provenance.run_id)),
            (NightText::Started, Value::Time(provenance.started_at)),
            (NightText::Version, Value::text(provenance.version)),
            (NightText::MaskedNumbers, Value::text(provenance.mask.name())),
            (NightText::Complete, self.words(complete)),
        ];
        let reason = summary
            .incomplete_because
            .map(|because| (NightText::Reason, Value::text(shown(&texts::incomplete(self.lang, because)))));
        for (label, value) in lines.into_iter().chain(reason) {
            self.add([self.words(label), value]);
        }
    }

    fn add_headline(&mut self, summary: &Summary<'_>) {
        self.heading(&[NightText::Headline, NightText::Code, NightText::Calls]);
        for (code, calls) in summary.totals.headline().categories() {
            self.add([Value::text(category(self.lang, code)), Value::text(code), Value::count(calls)]);
        }
    }

    fn add_bridge(&mut self, summary: &Summary<'_>) {
        self.heading(&[
            NightText::Bridge,
            NightText::Code,
            NightText::Calls,
            NightText::Seconds,
            NightText::Minutes,
        ]);
        for (code, amount) in summary.figures.bridge.steps() {
            let (name, seconds) = (bridge_step(self.lang, code), amount.seconds());
            #[allow(clippy::cast_precision_loss, reason = "a tenth of a minute is precise enough")]
            let minutes = Value::Minutes(seconds as f64 / 60.0);
            let counts = [Value::count(amount.calls), Value::Count(seconds), minutes];
            self.add([Value::text(name), Value::text(code)].into_iter().chain(counts));
        }
    }

    fn add_kinds(&mut self, summary: &Summary<'_>) {
        self.heading(&[NightText::Kinds, NightText::Code, NightText::Rows, NightText::SecondsAtStake]);
        for (kind, rows) in &summary.totals.discrepancies {
            let at_stake_s = summary.figures.at_stake_s.get(kind).copied().unwrap_or(0);
            let names = [Value::text(texts::kind(self.lang, *kind)), Value::text(kind.as_str())];
            self.add(names.into_iter().chain([*rows, at_stake_s].map(Value::count)));
        }
    }

    /// Adds the discrepancies by decision, if there is a file of resolutions.
    fn add_decisions(&mut self, summary: &Summary<'_>) {
        let Some(left_over) = summary.left_over else { return };
        self.heading(&[NightText::Decisions, NightText::Code, NightText::Rows]);
        for (code, rows) in summary.totals.decisions.by_word() {
            let name = texts::decision(self.lang, code);
            self.add([Value::text(name), Value::text(code), Value::count(rows)]);
        }
        let entries = [
            (NightText::Stale, "stale", left_over.stale.len() as u64),
            (NightText::Expired, "expired", left_over.expired.len() as u64),
            (NightText::Unused, "unused", left_over.unused.len() as u64),
            (NightText::SettledSeconds, "settled_s", summary.figures.settled_s),
        ];
        self.add_counts(entries);
    }

    fn add_since_last(&mut self, summary: &Summary<'_>) {
        let SinceLast { new, recurring, resolved } = summary.since_last;
        self.heading(&[NightText::SinceLast, NightText::Code, NightText::Rows]);
        self.add_counts([
            (NightText::New, "new", new),
            (NightText::Recurring, "recurring", recurring),
            (NightText::Resolved, "resolved", resolved),
        ]);
    }

    /// Adds the records that were looked at again, if there are any.
    fn add_rechecked(&mut self, summary: &Summary<'_>) {
        let Rechecked { asked, failed, changed, lost } = summary.rechecked;
        if asked + failed + changed + lost == 0 {
            return;
        }
        self.heading(&[NightText::Rechecked, NightText::Code, NightText::Calls]);
        self.add_counts([
            (NightText::Asked, "asked", asked),
            (NightText::Failed, "failed", failed),
            (NightText::Changed, "changed", changed),
            (NightText::Lost, "lost", lost),
        ]);
    }

    /// Adds the receipts, if there are any.
    fn add_receipts(&mut self, summary: &Summary<'_>) {
        let Some(receipts) = summary.receipts else { return };
        self.heading(&[NightText::Receipts, NightText::Code, NightText::Numbers]);
        let names =
            [NightText::ReceiptsRead, NightText::Unreadable, NightText::Answered, NightText::MissingInLedger];
        self.add_counts(names.into_iter().zip(receipts.numbers()).map(|(name, (code, n))| (name, code, n)));
    }

    fn add_counts(&mut self, counts: impl IntoIterator<Item = (NightText, &'static str, u64)>) {
        for (name, code, n) in counts {
            self.add([self.words(name), Value::text(code), Value::count(n)]);
        }
    }

    /// Adds a sentence for each limit.
    fn add_limits(&mut self, summary: &Summary<'_>) {
        if !summary.limits.is_empty() {
            self.heading(&[NightText::LimitTitle]);
        }
        for measured in summary.limits {
            self.add([Value::text(texts::limit(self.lang, measured))]);
        }
    }

    fn add_tie_out(&mut self, summary: &Summary<'_>) {
        self.heading(&[NightText::TieOut, NightText::Numbers, NightText::AddsUp]);
        for line in summary.tie_out {
            let adds_up = self.words(if line.adds_up { NightText::Yes } else { NightText::No });
            let rule = Value::text(tie_out_rule(self.lang, line.rule));
            let numbers = Value::text(tie_out_numbers(self.lang, &line.numbers));
            self.add([rule, numbers, adds_up]);
        }
    }

    /// Adds an empty row and the titles of a table.
    fn heading(&mut self, titles: &[NightText]) {
        self.add([]);
        self.bold(titles.iter().map(|title| self.words(*title)).collect::<Vec<_>>());
    }

    fn note(&mut self, text: String) {
        self.add([self.words(NightText::Note), Value::Text(text)]);
    }

    fn words(&self, text: NightText) -> Value {
        Value::text(night_text(self.lang, text))
    }

    fn add(&mut self, values: impl IntoIterator<Item = Value>) {
        self.rows.push(Row { values: values.into_iter().collect(), is_bold: false });
    }

    fn bold(&mut self, values: impl IntoIterator<Item = Value>) {
        self.rows.push(Row { values: values.into_iter().collect(), is_bold: true });
    }
}

fn write_value(sheet: &mut Worksheet, at: Place, value: &Value, formats: &Formats) -> Result<(), XlsxError> {
    match value {
        Value::Text(text) => write_text(sheet, at, text).map(drop),
        Value::Count(n) => write_integer(sheet, at, *n).map(drop),
        Value::Minutes(minutes) => with_format(sheet, at, *minutes, &formats.minutes),
        Value::Time(instant) => {
            let local = provider_local(*instant);
            write_time(sheet, at, local, &formats.time, || local.to_string()).map(drop)
        }
    }
}

fn with_format(sheet: &mut Worksheet, at: Place, number: f64, format: &Format) -> Result<(), XlsxError> {
    sheet.write_number_with_format(at.row, at.column, number, format).map(drop)
}
