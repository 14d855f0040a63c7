//! Waits until the shards of a rendezvous are stored, and fetches them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use super::super::exit::{CommandError, ExitStatus};
use super::super::run_time::new_run_id;
use super::super::signals::RunSignals;
use super::patience::PatientDatabase;
use super::refusal::at;
use crate::engine::clock;
use crate::postgres::DatabaseAddress;
use crate::record::{LostShard, RunEnding};
use crate::store::{self, Database, DatabaseError, FetchedRun, RendezvousState, StoreMark};

/// How often the state is read.
const POLL: Duration = Duration::from_secs(1);

/// How long a database may be out of reach.
const PATIENCE: Duration = Duration::from_mins(1);

/// What waiting for the shards led to.
pub(in crate::cli) enum Collected {
    /// The shards that are there, to be merged here.
    Shards(CollectedShards),
    /// The folder of the merged run: another has merged.
    Merged(PathBuf),
    /// The command ends: it was interrupted, or no shard is there.
    Nothing(ExitStatus),
}

/// The shards of a rendezvous.
pub(in crate::cli) struct CollectedShards {
    /// The folders of those that are stored.
    pub(in crate::cli) folders: Vec<PathBuf>,
    /// Those that are not.
    pub(in crate::cli) lost: Vec<LostShard>,
    /// Who claimed to merge them.
    pub(in crate::cli) token: Uuid,
}

/// How a merge waits for the shards.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cli) struct CollectOptions {
    /// How long to wait for the first machine; `None` for the usual time.
    pub(in crate::cli) wait: Option<Duration>,
    /// Whether the machines are asked to end now.
    pub(in crate::cli) stop: bool,
}

/// Waits until every shard of a rendezvous is stored or lost, and fetches those that are there.
pub(in crate::cli) fn collect(
    address: &DatabaseAddress,
    name: &str,
    options: CollectOptions,
    runs_dir: &Path,
    signals: &RunSignals,
) -> Result<Collected, CommandError> {
    let mut collector = Collector {
        name,
        database: PatientDatabase::open(address, signals, PATIENCE)?,
        token: new_run_id(clock::wall_clock()),
        runs_dir,
        stops: options.stop,
        signals,
        said: String::new(),
    };
    signals.say_without_run(
        "Stopping: no longer waiting for the shards (signal again to end at once)",
    );
    let (wait, began) = (options.wait.unwrap_or(super::WAIT), clock::now());
    if options.stop {
        collector.stop()?;
    }
    loop {
        match collector.state()? {
            None if clock::now() - began > wait => return Err(nobody_came(name)),
            None => collector.say(format!("Waiting for machines at the rendezvous `{name}`")),
            Some(state) => {
                if let Some(collected) = collector.try_to_finish(&state)? {
                    return Ok(collected);
                }
            }
        }
        if signals.stops_within(POLL) {
            tracing::warn!(
                "WARNING: interrupted, so nothing was merged; `tollgate merge --rendezvous {name}` merges the shards \
                 once they are stored"
            );
            return Ok(Collected::Nothing(ExitStatus::Inconclusive));
        }
    }
}

fn nobody_came(name: &str) -> CommandError {
    CommandError::usage(format!(
        "error: no machine came to the rendezvous `{name}`; check the name, and that `tollgate run --rendezvous {name}` \
         uses the same database"
    ))
}

fn waiting_line(state: &RendezvousState, awaited: usize) -> String {
    let of = state.terms.shards;
    match (awaited, state.starts) {
        (0, _) => {
            "All shards have ended; another process has claimed the merge, for at most two minutes"
                .to_owned()
        }
        (_, None) => format!("{} of {of} machines are there", state.shards.len()),
        (_, Some(_)) => {
            format!("{} of {of} shards are stored; waiting for {awaited}", state.stored.len())
        }
    }
}

struct Collector<'a> {
    name: &'a str,
    database: PatientDatabase<'a>,
    /// Stands for this process.
    token: Uuid,
    runs_dir: &'a Path,
    /// Whether the machines were asked to end.
    stops: bool,
    signals: &'a RunSignals,
    /// The last line that was printed.
    said: String,
}

impl Collector<'_> {
    fn state(&mut self) -> Result<Option<RendezvousState>, DatabaseError> {
        self.database.call(PATIENCE, |database| database.rendezvous_state(self.name))
    }

    /// Asks the machines to end now, unless all have ended.
    fn stop(&mut self) -> Result<(), CommandError> {
        if self.state()?.is_some_and(|state| state.is_over()) {
            tracing::info!(
                "The run of the rendezvous `{}` is over, so there is nothing to stop",
                self.name
            );
            return Ok(());
        }
        let stop =
            |database: &mut Database| database.stop_rendezvous(self.name, &RunEnding::Interrupted);
        if self.database.call(PATIENCE, stop)? { Ok(()) } else { Err(nobody_came(self.name)) }
    }

    fn claim(&mut self, state: &RendezvousState) -> Result<bool, DatabaseError> {
        let claim = (self.token, state.merged.map(|run| run.id));
        self.database.call(PATIENCE, |database| database.claim_merge(self.name, claim))
    }

    fn say(&mut self, line: String) {
        if line != self.said {
            tracing::info!("{line}");
            self.said = line;
        }
    }

    /// What is to be merged, or was merged by another; `None` to go on waiting.
    fn try_to_finish(
        &mut self,
        state: &RendezvousState,
    ) -> Result<Option<Collected>, CommandError> {
        // A shard that was stored later makes another merge worthwhile.
        if let Some(run) = state.merged.filter(|run| run.parts >= state.stored.len()) {
            return Ok(Some(Collected::Merged(self.fetch(run.id)?)));
        }
        if self.stops && state.starts.is_none() && state.shards.is_empty() {
            tracing::info!("The machines have left before the start, so nothing was measured");
            return Ok(Some(Collected::Nothing(ExitStatus::Inconclusive)));
        }
        let awaited = state.awaited(self.database.in_touch()).len();
        if awaited == 0 && self.claim(state)? {
            return self.finish(state).map(Some);
        }
        self.say(waiting_line(state, awaited));
        Ok(None)
    }

    /// Fetches the shards that are there, and names those that are not.
    fn finish(&mut self, state: &RendezvousState) -> Result<Collected, CommandError> {
        let lost: Vec<_> = state.lost().into_iter().map(|shard| lost_shard(state, shard)).collect();
        for shard in &lost {
            let (number, of, why) = (shard.shard, state.terms.shards, shard.words());
            tracing::warn!("WARNING: shard {number} of {of} is missing: {why}");
        }
        if state.stored.is_empty() {
            tracing::warn!("WARNING: no shard is stored, so there is nothing to judge");
            return Ok(Collected::Nothing(ExitStatus::Inconclusive));
        }
        self.signals.say_without_run("Finishing the merge first (signal again to end at once)");
        let mut folders = Vec::new();
        for shard in &state.shards {
            if let Some(run) = shard.run.filter(|run| state.stored.contains(run)) {
                folders.push(self.fetch(run)?);
                if !self.claim(state)? {
                    return Err(CommandError::internal(format!(
                        "another process took over the merge of `{}`, because this one was too slow; \
                         merge again to see what it made",
                        self.name
                    )));
                }
            }
        }
        Ok(Collected::Shards(CollectedShards { folders, lost, token: self.token }))
    }

    /// The folder of a run, which is restored from the database unless it is here.
    fn fetch(&mut self, run: Uuid) -> Result<PathBuf, CommandError> {
        let runs_dir = self.runs_dir;
        Ok(self.database.call(PATIENCE, |database| {
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

fn lost_shard(state: &RendezvousState, shard: u32) -> LostShard {
    let Some(joined) = state.shards.iter().find(|joined| joined.shard == shard) else {
        let why = "no machine was there for it".to_owned();
        return LostShard { shard, host: None, why, can_be_stored: false };
    };
    let what = match (joined.run, joined.ended) {
        (None, Some(_)) => "gave up before it sent anything",
        (None, None) => "fell silent before it sent anything",
        (Some(_), Some(_)) => "did not store its run (`tollgate sync` there stores it)",
        (Some(_), None) => "was cut off",
    };
    let why = format!("{what}, and was last heard of at {}", at(joined.seen));
    let can_be_stored = joined.run.is_some() && joined.ended.is_some();
    LostShard { shard, host: Some(joined.host.clone()), why, can_be_stored }
}
