//! `reconcile diff`: which discrepancies of two runs are new, resolved, changed or unchanged.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::answer::{answer, open_store, table};
use crate::cli::DiffArgs;
use crate::diff::{
    self, Change, ChangesCsv, GroupCounts, ListedRow, NumberChange, Run, Side, SummaryChanges, arrow,
};
use crate::error::Result;
use crate::exit::Exit;
use crate::place::folder_of;
use crate::shown::shown;
use crate::words::{count, plural};

/// The answer. With `--json` these are the keys.
#[derive(Serialize)]
struct Answer {
    before: RunAnswer,
    after: RunAnswer,
    #[serde(flatten)]
    total: GroupCounts,
    /// Discrepancies of A that B could not see.
    not_compared: u64,
    by_kind_and_field: Vec<Group>,
    largest_new: Vec<ListedRow>,
    /// Absent unless both runs have a summary.
    #[serde(flatten)]
    summaries: Option<SummaryChanges>,
    notes: Vec<String>,
}

/// One of the two runs.
#[derive(Serialize)]
struct RunAnswer {
    file: String,
    run_id: Option<String>,
    started_at: Option<String>,
    input: Option<String>,
    discrepancies: u64,
    seconds_at_stake: u64,
}

/// The counts of a kind and field.
#[derive(Serialize)]
struct Group {
    kind: String,
    field: String,
    #[serde(flatten)]
    counts: GroupCounts,
}

/// Compares two runs by their files. The store says where those of a run id are.
///
/// # Errors
///
/// Exit 2 when a file cannot be read, is none of a run, or has changed since its summary, or when
/// there is no such run; exit 6 when a file cannot be written, or the store cannot be read.
pub fn diff(args: &DiffArgs) -> Result<Exit> {
    let (mut before, mut after) = (open_run(&args.before, args)?, open_run(&args.after, args)?);
    if let Some(to) = &args.to {
        [&before, &after].into_iter().try_for_each(|run| run.check_target(to))?;
    }
    let folder = args.to.as_deref().map(folder_of);
    let side_before = Side::read(&mut before.discrepancies, folder)?;
    let side_after = Side::read(&mut after.discrepancies, folder)?;
    let changes = args.to.as_deref().map(|to| ChangesCsv::create(to, &side_before, &side_after));
    let mut changes = changes.transpose()?;
    let (summary_before, summary_after) = (before.summary.as_ref(), after.summary.as_ref());
    let has_receipts = diff::may_have_receipts(summary_after);
    let comparison = diff::compare(&side_before, (&side_after, has_receipts), changes.as_mut())?;
    changes.map_or(Ok(()), ChangesCsv::finish)?;
    let mut notes = diff::notes((&side_before, summary_before), (&side_after, summary_after));
    notes.extend(diff::note_on_unseen(comparison.not_compared));
    let groups = comparison.counts.groups.into_iter();
    let groups =
        groups.map(|((kind, field), counts)| Group { kind: shown(&kind), field: shown(&field), counts });
    let found = Answer {
        before: RunAnswer::new(&before.path, summary_before, &side_before),
        after: RunAnswer::new(&after.path, summary_after, &side_after),
        total: comparison.counts.total,
        not_compared: comparison.not_compared,
        by_kind_and_field: groups.collect(),
        largest_new: comparison.largest_new,
        summaries: summary_before.zip(summary_after).map(|(a, b)| SummaryChanges::new(a, b)),
        notes,
    };
    answer(args.json, &found, || found.lines())?;
    let is_worse = [Change::New, Change::Changed].iter().any(|change| found.total.of(*change).rows > 0);
    Ok(if args.exit_code && is_worse { Exit::Discrepancies } else { Exit::Success })
}

/// The run with this path, or with this id.
fn open_run(name: &Path, args: &DiffArgs) -> Result<Run> {
    let Some(id) = diff::run_id(name) else { return Run::open(name) };
    let store = args.store.location();
    diff::open_run(&id, open_store(&store)?.as_ref(), &store.to_string())
}

impl RunAnswer {
    fn new(path: &Path, summary: Option<&Value>, side: &Side) -> Self {
        let text = |key: &str| summary.and_then(|summary| summary[key].as_str()).map(shown);
        Self {
            file: shown(&path.display().to_string()),
            run_id: text("run_id"),
            started_at: text("started_at"),
            input: text("input"),
            discrepancies: side.rows,
            seconds_at_stake: side.seconds,
        }
    }

    fn line(&self, name: &str) -> String {
        let of = [("run", &self.run_id), ("of", &self.started_at), ("over", &self.input)];
        let of = of.into_iter().filter_map(|(word, text)| Some(format!(", {word} {}", text.as_ref()?)));
        format!(
            "{name}: {}{}: {}, {} at stake",
            self.file,
            of.collect::<String>(),
            plural(self.discrepancies, "discrepancy"),
            plural(self.seconds_at_stake, "second")
        )
    }
}

impl Answer {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.before.line("A"), self.after.line("B")];
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        let totals = Change::ALL.map(|change| {
            let counts = self.total.of(change);
            let seconds = match change {
                Change::New => counts.seconds_after,
                Change::Resolved => counts.seconds_before,
                _ => {
                    return (
                        change.as_str(),
                        format!(
                            "{}, at stake {} s",
                            count(counts.rows),
                            arrow(counts.seconds_before, counts.seconds_after)
                        ),
                    );
                }
            };
            (change.as_str(), format!("{}, at stake {} s", count(counts.rows), count(seconds)))
        });
        lines.push("\ndiscrepancies:".into());
        lines.extend(indented(&totals));
        let groups = self.by_kind_and_field.iter().map(Group::line);
        section(&mut lines, "by kind and field:", groups);
        section(&mut lines, "largest new:", self.largest_new.iter().map(listed_line));
        let Some(summaries) = &self.summaries else { return lines };
        section(&mut lines, "headline:", changed_lines(&summaries.headline));
        section(&mut lines, "tie-out:", changed_lines(&summaries.tie_out));
        let patterns = summaries.patterns.iter().filter(|pattern| pattern.rows_before != pattern.rows_after);
        let patterns = patterns.map(|pattern| {
            let rows = arrow(pattern.rows_before, pattern.rows_after);
            format!("{}: {rows} discrepancies", pattern.pattern)
        });
        section(&mut lines, "patterns:", patterns);
        lines
    }
}

impl Group {
    fn line(&self) -> String {
        let name = [self.kind.as_str(), &self.field].join(" ");
        let counts = Change::ALL.map(|change| (change, self.counts.of(change)));
        let rows = counts.iter().filter(|(_, counts)| counts.rows > 0);
        let rows: Vec<String> =
            rows.map(|(change, counts)| format!("{} {}", count(counts.rows), change.as_str())).collect();
        let before = counts.iter().map(|(_, counts)| counts.seconds_before).sum();
        let after = counts.iter().map(|(_, counts)| counts.seconds_after).sum();
        format!("{}: {}; at stake {} s", name.trim_end(), rows.join(", "), arrow(before, after))
    }
}

/// A new discrepancy in one line.
fn listed_line(row: &ListedRow) -> String {
    let value = |value: &String| if value.is_empty() { "-".to_owned() } else { value.clone() };
    let name = [row.kind.as_str(), &row.field].join(" ");
    let line = row.ledger_line.map(|line| format!("line {line}, ")).unwrap_or_default();
    format!(
        "{line}call {}, {}: expected {}, actual {}; {} s",
        value(&row.call_id),
        name.trim_end(),
        value(&row.expected),
        value(&row.actual),
        count(row.seconds_at_stake)
    )
}

/// The numbers that changed.
fn changed_lines(numbers: &[NumberChange]) -> impl Iterator<Item = String> {
    let changed: Vec<(&str, String)> = numbers
        .iter()
        .filter(|number| number.before != number.after)
        .map(|number| (number.name, arrow(number.before, number.after)))
        .collect();
    table(&changed).into_iter()
}

fn indented(pairs: &[(&str, String)]) -> impl Iterator<Item = String> {
    table(pairs).into_iter().map(|line| format!("  {line}"))
}

/// Adds a heading with its lines, unless there are none.
fn section(lines: &mut Vec<String>, heading: &str, of: impl Iterator<Item = String>) {
    let of: Vec<String> = of.map(|line| format!("  {line}")).collect();
    if !of.is_empty() {
        lines.push(format!("\n{heading}"));
        lines.extend(of);
    }
}
