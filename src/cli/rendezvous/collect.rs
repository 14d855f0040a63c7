//! Waits until the shards of a rendezvous are stored, and fetches them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use super::super::exit::{CommandError, ExitStatus};
use super::super::run_time::new_run_id;
use super::super::signals::RunSignals;
use super::patience::PatientDatabase;
use super::refusal::at;
use crate::engine::clock::{self, Instant};
use crate::postgres::DatabaseAddress;
use crate::record::RunEnding;
use crate::store::{self, Database, DatabaseError, FetchedRun, RendezvousState, StoreMark};

/// How often the state is read.
const POLL: Duration = Duration::from_secs(1);

/// How long a database may be out of reach.
const PATIENCE: Duration = Duration::from_mins(1);

/// What waiting for the shards led to.
pub(in crate::cli) enum Collected {
    /// The folders of the shards that are there, to be merged here.
    Shards(Vec<PathBuf>),
    /// The folder of the merged run: another has merged.
    Merged(PathBuf),
    /// The command ends: it was interrupted, or no shard is there.
    Nothing(ExitStatus),
}

/// Waits until every shard of a rendezvous is stored or lost, and fetches those that are there.
/// With `stop`, it asks them to end now.
pub(in crate::cli) fn collect(
    address: &DatabaseAddress,
    name: &str,
    (wait, stop): (Option<Duration>, bool),
    runs_dir: &Path,
    signals: &RunSignals,
) -> Result<Collected, CommandError> {
    let mut collector = Collector {
        name,
        database: PatientDatabase::open(address, PATIENCE)?,
        token: new_run_id(clock::wall_clock()),
        began: clock::now(),
        said: String::new(),
    };
    if stop {
        let stop =
            |database: &mut Database| database.stop_rendezvous(name, &RunEnding::Interrupted);
        collector.database.call(stop)?;
    }
    loop {
        match collector.state()? {
            None if clock::now() - collector.began > wait.unwrap_or(super::WAIT) => {
                return Err(CommandError::usage(format!(
                    "error: no machine came to the rendezvous `{name}`; check the name, and that `tollgate run --rendezvous {name}` \
                     uses the same database"
                )));
            }
            None => collector.say(format!("Waiting for machines at the rendezvous `{name}`")),
            Some(RendezvousState { merged: Some(run), .. }) => {
                return Ok(Collected::Merged(collector.fetch(run, runs_dir)?));
            }
            Some(state) => {
                let awaited = state.awaited();
                if awaited.is_empty() && collector.claim()? {
                    return collector.finish(&state, runs_dir);
                }
                collector.say(waiting_line(&state, awaited.len()));
            }
        }
        if signals.stops_within(POLL) {
            tracing::info!(
                "The shards go on; `tollgate merge --rendezvous {name}` waits for them again"
            );
            return Ok(Collected::Nothing(ExitStatus::Inconclusive));
        }
    }
}

fn waiting_line(state: &RendezvousState, awaited: usize) -> String {
    let of = state.terms.shards;
    match (awaited, state.starts) {
        (0, _) => "All shards have ended; another process merges them".to_owned(),
        (_, None) => format!("{} of {of} machines are there", state.shards.len()),
        (_, Some(_)) => {
            format!("{} of {of} shards are stored; waiting for {awaited}", state.stored.len())
        }
    }
}

struct Collector<'a> {
    name: &'a str,
    database: PatientDatabase,
    /// Stands for this process.
    token: Uuid,
    began: Instant,
    /// The last line that was printed.
    said: String,
}

impl Collector<'_> {
    fn state(&mut self) -> Result<Option<RendezvousState>, DatabaseError> {
        self.database.call(|database| database.rendezvous_state(self.name))
    }

    fn claim(&mut self) -> Result<bool, DatabaseError> {
        self.database.call(|database| database.claim_merge(self.name, self.token))
    }

    fn say(&mut self, line: String) {
        if line != self.said {
            tracing::info!("{line}");
            self.said = line;
        }
    }

    /// Fetches the shards that are there, and names those that are not.
    fn finish(
        &mut self,
        state: &RendezvousState,
        runs_dir: &Path,
    ) -> Result<Collected, CommandError> {
        for lost in state.lost() {
            tracing::warn!("WARNING: {}", lost_line(state, lost));
        }
        if state.stored.is_empty() {
            tracing::warn!("WARNING: no shard is stored, so there is nothing to judge");
            return Ok(Collected::Nothing(ExitStatus::Inconclusive));
        }
        let mut folders = Vec::new();
        for shard in &state.shards {
            if let Some(run) = shard.run.filter(|run| state.stored.contains(run)) {
                folders.push(self.fetch(run, runs_dir)?);
                self.claim()?;
            }
        }
        Ok(Collected::Shards(folders))
    }

    /// The folder of a run, which is restored from the database unless it is here.
    fn fetch(&mut self, run: Uuid, runs_dir: &Path) -> Result<PathBuf, CommandError> {
        Ok(self.database.call(|database| {
            let FetchedRun { identity, record, .. } = database.fetch_run(&run.to_string())?;
            let folder = store::restore_folder(runs_dir, &record, |folder| {
                let add = |interval| Ok::<_, DatabaseError>(folder.add(&interval)?);
                database.intervals(&record, add)
            })?;
            StoreMark::mark_stored(&folder, identity, clock::wall_clock())?;
            Ok(folder)
        })?)
    }
}

fn lost_line(state: &RendezvousState, shard: u32) -> String {
    let of = state.terms.shards;
    match state.shards.iter().find(|joined| joined.shard == shard) {
        None => format!("shard {shard} of {of} is missing: no machine came for it"),
        Some(joined) => {
            let what = match (joined.run, joined.ended) {
                (None, _) => "sent nothing",
                (Some(_), Some(_)) => "did not store its run (`tollgate sync` there does)",
                (Some(_), None) => "was cut off",
            };
            let (host, seen) = (&joined.host, at(joined.seen));
            format!(
                "shard {shard} of {of} is missing: {host} {what}, and was last heard of at {seen}"
            )
        }
    }
}
