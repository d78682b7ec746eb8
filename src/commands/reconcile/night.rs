//! The night of a run among the nights before it, and what the store keeps of it.

use std::path::absolute;

use super::context::RunContext;
use crate::error::Result;
use crate::output::Paths;
use crate::run_figures::{KeptFigures, nights, series};
use crate::store::RunFigures;
use reconcile_core::calendar::day_of;
use reconcile_core::totals::Totals;
use reconcile_core::traffic::Traffic;
use reconcile_core::trend::{Night, NightFigures, Trend};

/// The night of a run.
pub(super) struct TonightsFigures {
    /// The trend that ends with this night.
    pub(super) trend: Trend,
    series: String,
    kept: KeptFigures,
}

impl TonightsFigures {
    /// The night of this run. Its duration ends now.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be read.
    pub(super) fn new(
        run: &RunContext<'_>,
        totals: &Totals,
        at_stake_s: u64,
        traffic: &Traffic,
        is_complete: bool,
    ) -> Result<Self> {
        let account = match run.accounts.as_slice() {
            [only] => only.account.name.as_deref(),
            _ => None,
        };
        let series = series(&run.settings.inputs, account);
        let history = run.store.run_history(run.scope(), &series)?;
        let duration = run.store.moment().wall - history.started_at;
        let duration_s = duration.num_seconds().max(0).unsigned_abs();
        let day = day_of(history.ledger_since);
        let own = figures(totals, at_stake_s, traffic, duration_s);
        let others = nights(&history.others);
        // Another run over this ledger may have taken longer.
        let same_day = others.iter().find(|night| night.day == day);
        let longest = same_day.and_then(|night| night.figures.duration_s).max(own.duration_s);
        let tonight = Night {
            day,
            run_id: run.scope().run_id.clone(),
            is_complete,
            figures: NightFigures { duration_s: longest, ..own },
        };
        let kept = KeptFigures { day: Some(day), summary: None, night: own };
        Ok(Self { trend: Trend::new(others, tonight), series, kept })
    }

    /// Notes it in the store, with the path of the run's summary.
    ///
    /// # Errors
    ///
    /// Exit 6 when the store cannot be written.
    pub(super) fn note(&self, run: &RunContext<'_>, paths: &Paths) -> Result<()> {
        let summary = match &paths.published_to {
            Some(_) => Some(paths.summary.clone()),
            None => absolute(&paths.summary).ok(),
        };
        let summary = summary.and_then(|path| path.into_os_string().into_string().ok());
        let kept = KeptFigures { summary, ..self.kept.clone() };
        let noted = RunFigures { series: self.series.clone(), figures: kept.to_json()? };
        run.store.note_figures(run.scope(), &noted)
    }
}

fn figures(totals: &Totals, at_stake_s: u64, traffic: &Traffic, duration_s: u64) -> NightFigures {
    let headline = totals.headline();
    NightFigures {
        calls: Some(totals.calls),
        agree: Some(headline.agree),
        differ: Some(headline.differ),
        not_compared: Some(headline.not_compared),
        missing: Some(headline.missing),
        waiting: Some(headline.waiting),
        failed: Some(headline.failed),
        unusable_rows: Some(headline.unusable_rows),
        at_stake_s: Some(at_stake_s),
        duration_s: Some(duration_s),
        requests: Some(traffic.requests),
    }
}
