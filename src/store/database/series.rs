//! The runs of a period as series, from rollups of whole days where there are any.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::detailed::measured_runs;
use super::rollups::{RollupTable, series_name};
use super::series_index::read_index;
use super::{DatabaseError, schema};
use crate::history::{
    DayPart, HistoryFilter, HistoryScope, MeasuredRun, ScenarioSeries, SeriesDay, SeriesKey,
};
use crate::postgres::{PgSession, TransactionMode};
use crate::record::ConditionPool;

/// Number of runs from which no further day is read by the same statement.
const BATCH: usize = 500;

/// The runs of one part of a day.
type PartRuns = (DayPart, Vec<Uuid>);

/// Reads one series after the other, so that the histograms of only one are in memory.
struct SeriesReader<'a> {
    session: &'a mut PgSession,
    at: &'a str,
    scope: &'a HistoryScope,
    filter: &'a HistoryFilter,
    rollups: RollupTable,
    pool: ConditionPool,
}

/// Passes each series to the caller; see [`super::Database::each_series`].
pub(super) async fn each_series(
    (session, at): (&mut PgSession, &str),
    filter: &HistoryFilter,
    scope: &HistoryScope,
    mut each: impl FnMut(ScenarioSeries),
) -> Result<(), DatabaseError> {
    let mut transaction = session.begin(TransactionMode::ReadOnly).await?;
    let (version, _) = schema::readable_version(&mut transaction, at).await?;
    let rollups = RollupTable::find(&mut transaction, version).await?;
    let index = read_index(&mut transaction, filter, scope).await?;
    transaction.commit().await?;
    let pool = ConditionPool::default();
    let mut reader = SeriesReader { session, at, scope, filter, rollups, pool };
    for (key, parts) in index {
        each(reader.series(key, parts).await?);
    }
    Ok(())
}

impl SeriesReader<'_> {
    async fn series(
        &mut self,
        key: SeriesKey,
        parts: BTreeMap<DayPart, Vec<Uuid>>,
    ) -> Result<ScenarioSeries, DatabaseError> {
        let mut series = ScenarioSeries::new(key);
        let name = series_name(&series.key, self.filter, &self.scope.zone);
        let is_whole = |part: &DayPart| self.scope.is_whole(*part, self.filter.since);
        let whole: BTreeMap<_, _> = parts
            .iter()
            .filter(|(part, _)| is_whole(part))
            .map(|(part, ids)| (part.day, ids))
            .collect();
        let mut stored = self.rollups.read(self.session, &name, &whole).await?;
        let mut days: BTreeMap<DayPart, SeriesDay> = BTreeMap::new();
        let mut missing: Vec<PartRuns> = Vec::new();
        for (part, ids) in &parts {
            // Of a day that the period cuts nothing is stored.
            match stored.remove(&part.day) {
                Some(day) => drop(days.insert(*part, day)),
                None => missing.push((*part, ids.clone())),
            }
        }
        for batch in batches(missing) {
            let added = self.add_up(&series.key, &batch).await?;
            let whole = added.iter().filter(|(part, _)| is_whole(part)).map(|(_, day)| day);
            self.rollups.keep(self.session, &name, whole).await;
            days.extend(added);
        }
        for mut day in days.into_values() {
            day.share_conditions(&mut self.pool);
            series.add_day(day);
        }
        Ok(series)
    }

    /// Reads the runs of some parts of days and adds them up.
    async fn add_up(
        &mut self,
        key: &SeriesKey,
        batch: &[PartRuns],
    ) -> Result<Vec<(DayPart, SeriesDay)>, DatabaseError> {
        let ids: Vec<Uuid> = batch.iter().flat_map(|(_, ids)| ids).copied().collect();
        let mut transaction = self.session.begin(TransactionMode::ReadOnly).await?;
        let asked = (key.scenario.as_str(), ids.as_slice());
        let runs = measured_runs(&mut transaction, self.at, asked, &mut self.pool).await?;
        transaction.commit().await?;
        let mut runs: HashMap<Uuid, MeasuredRun> =
            runs.into_iter().map(|run| (run.run.id, run)).collect();
        let mut add = |(part, ids): &PartRuns| {
            let runs = ids.iter().filter_map(|id| runs.remove(id)).collect();
            (*part, SeriesDay::of(part.day, runs, &self.scope.zone))
        };
        Ok(batch.iter().map(&mut add).collect())
    }
}

/// The parts in order, together as many as one statement reads.
fn batches(missing: Vec<PartRuns>) -> Vec<Vec<PartRuns>> {
    let mut batches: Vec<Vec<PartRuns>> = Vec::new();
    let mut runs = BATCH;
    for part in missing {
        if runs >= BATCH {
            batches.push(Vec::new());
            runs = 0;
        }
        runs += part.1.len();
        if let Some(batch) = batches.last_mut() {
            batch.push(part);
        }
    }
    batches
}
