//! This machine as a member of a rendezvous: it registers, waits for the others, and keeps in
//! touch.

use std::cell::RefCell;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::super::exit::{CommandError, ExitStatus};
use super::super::log;
use super::super::outputs::FinishedRun;
use super::super::provenance;
use super::super::run_time::new_run_id;
use super::super::shard;
use super::super::signals::RunSignals;
use super::RendezvousRequest;
use super::link::{FleetLink, LinkEnds};
use super::patience::PatientDatabase;
use super::refusal::{self, at};
use crate::engine::{StopHandle, clock};
use crate::fleet;
use crate::plan::{Plan, Shard, ShardPlan};
use crate::record::ShardClock;
use crate::store::{
    Database, DatabaseError, JoinRefusal, JoinedShard, RendezvousNews, RendezvousTerms,
    ShardCandidate, ShardMember, StoreMark, UploadLimits,
};
use crate::units::format_duration;

/// How often a waiting machine asks for news.
const POLL: Duration = Duration::from_millis(500);

/// How long a database may be out of reach while machines wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a run is tried to be stored whose upload failed; a merge waits as long.
const UPLOAD_PATIENCE: Duration = Duration::from_mins(1);

/// How long a waiting machine that is alive is silent at most, unless its database is slow.
const LIVELY: Duration = Duration::from_secs(2);

/// How a machine's attempt to take part ended.
pub(in crate::cli) enum JoinEnd {
    /// It takes part.
    Member(Box<FleetMember>),
    /// The command ends, without having sent anything.
    Ended(ExitStatus),
    /// Its shard was started before, and is not started again.
    Repeated(ExitStatus),
}

/// This machine as a member of a rendezvous. If it is dropped before its run ended, the others
/// learn that it gave up.
pub(in crate::cli) struct FleetMember {
    /// The shard of this machine, and the start that all agreed on.
    pub(in crate::cli) plan: ShardPlan,
    terms: RendezvousTerms,
    token: Uuid,
    request: RendezvousRequest,
    state: RefCell<MemberState>,
}

enum MemberState {
    /// The run has not begun. `None` if the database is out of reach.
    Waiting(Option<Database>),
    /// A thread keeps in touch.
    Running(LinkEnds),
    Ended,
}

impl RendezvousRequest {
    /// Registers this machine and waits until all are there. `plan` is the plan of any shard.
    pub(in crate::cli) fn join(
        self,
        plan: &Plan,
        flags: shard::Flags,
        signals: &RunSignals,
    ) -> Result<JoinEnd, CommandError> {
        let here = provenance::here(None, &plan.secrets);
        let lasts = plan.scenarios.iter().map(|scenario| scenario.load.duration()).max();
        let terms = RendezvousTerms {
            name: self.name.clone(),
            shards: self.of,
            plan: fleet::digest_plan(plan.scenarios.iter().map(|scenario| &scenario.shown)),
            tollgate: here.tollgate,
            lasts: whole_millis(lasts.unwrap_or_default()),
        };
        let candidate = ShardCandidate {
            shard: self.shard.map(|shard| shard.index + 1),
            token: new_run_id(clock::wall_clock()),
            host: here.host.name,
            lead: self.lead(plan),
            wait: self.wait,
        };
        signals.say_without_run("Stopping: leaving the rendezvous (signal again to end at once)");
        let mut database = PatientDatabase::open(&self.address, signals, self.wait)?;
        let since = clock::now();
        loop {
            let join = |database: &mut Database| database.join_rendezvous(&terms, &candidate);
            let refusal = match database.call(self.wait, join)? {
                Ok(shard) => {
                    let (request, token) = (self, candidate.token);
                    return WaitingMember { request, terms, shard, token, database }.wait(signals);
                }
                Err(refusal) => refusal,
            };
            // A machine that was started again meets its own place, until that is free.
            let may_be_dead = matches!(&refusal, JoinRefusal::Taken(holder)
                if holder.silence > LIVELY);
            let is_over = clock::now() - since > 2 * JoinedShard::WAITING_SILENCE;
            if !may_be_dead || is_over || signals.stops_within(POLL) {
                let judge = |run| verdict_of(&mut database, run);
                return Ok(JoinEnd::Repeated(refusal::refuse(&refusal, &terms, flags, judge)?));
            }
        }
    }
}

/// The exit code of the verdict on a stored run. Its user may have the right to write only.
fn verdict_of(database: &mut PatientDatabase<'_>, run: Uuid) -> ExitStatus {
    match database.call(PATIENCE, |database| database.fetch_run(&run.to_string())) {
        Ok(stored) => stored.record.verdict.decision.into(),
        Err(error) => {
            let why = log::redact(&error.to_string());
            tracing::warn!("WARNING: the verdict on this shard cannot be read: {why}");
            ExitStatus::Inconclusive
        }
    }
}

/// The duration in whole milliseconds, as the database keeps it.
fn whole_millis(duration: Duration) -> Duration {
    Duration::from_millis(
        u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX),
    )
}

/// A machine that is registered and waits for the others.
struct WaitingMember<'a> {
    request: RendezvousRequest,
    terms: RendezvousTerms,
    /// Counted from 1.
    shard: u32,
    token: Uuid,
    database: PatientDatabase<'a>,
}

impl WaitingMember<'_> {
    fn wait(mut self, signals: &RunSignals) -> Result<JoinEnd, CommandError> {
        let RendezvousTerms { name, shards, .. } = self.terms.clone();
        tracing::info!("Shard {} of {shards} at the rendezvous `{name}`", self.shard);
        let mut present = 0;
        let starts = loop {
            let news = self.ask()?;
            if !news.is_member {
                return Err(CommandError::internal(format!(
                    "this machine lost its shard at the rendezvous `{name}`: it was out of touch for too long; nothing was sent"
                )));
            }
            if let Some(starts) = news.starts {
                if news.present < shards {
                    tracing::warn!(
                        "WARNING: {} of {shards} machines came in time, and the run starts without the others, so it cannot pass",
                        news.present
                    );
                }
                break starts;
            }
            if news.present != present {
                present = news.present;
                tracing::info!("{present} of {shards} machines are there; waiting for the others");
            }
            if news.stop.is_some() {
                tracing::info!("The whole run ends before it started: it was stopped");
                return Ok(self.give_up());
            }
            if signals.stops_within(POLL) {
                return Ok(self.give_up());
            }
        };
        let since = clock::now();
        let own = || (clock::wall_clock(), clock::now() - since);
        let measured = self.database.call(PATIENCE, |database| database.compare_clocks(own))?;
        let clock = measured.ok_or_else(|| {
            CommandError::internal("the database does not say what time it is; nothing was sent")
        })?;
        Ok(JoinEnd::Member(Box::new(self.begin(starts, clock)?)))
    }

    /// Frees the shard before the start.
    fn give_up(self) -> JoinEnd {
        if let Some(mut database) = self.database.into_database() {
            let _out_of_reach = database.leave_rendezvous(&self.terms.name, self.token);
        }
        JoinEnd::Ended(ExitStatus::Inconclusive)
    }

    fn ask(&mut self) -> Result<RendezvousNews, DatabaseError> {
        let member = ShardMember { shard: self.shard, token: self.token, run: None };
        self.database.call(PATIENCE, |database| database.ask_rendezvous(&self.terms.name, &member))
    }

    fn begin(self, start: OffsetDateTime, clock: ShardClock) -> Result<FleetMember, CommandError> {
        let Self { request, terms, shard, token, database } = self;
        let shard = Shard { index: shard - 1, of: terms.shards };
        let plan = ShardPlan { shard, start, clock: Some(clock) };
        let state = RefCell::new(MemberState::Waiting(database.into_database()));
        let member = FleetMember { plan, terms, token, request, state };
        let ahead = start - plan.common_clock(clock::wall_clock());
        let Ok(ahead) = Duration::try_from(ahead) else {
            return Err(CommandError::internal(format!(
                "the start of the rendezvous `{}`, {}, passed before this machine learned of it; use a longer --lead",
                member.terms.name,
                at(start)
            )));
        };
        let (at, ahead) = (at(start), format_duration(Duration::from_secs(ahead.as_secs())));
        tracing::info!(
            "Measuring starts at {at}, in {ahead}; this machine's clock is {}",
            clock.words()
        );
        if clock.is_vague() {
            tracing::warn!(
                "WARNING: this shard may start more than 5 ms apart from the others: the database is too far away, or busy"
            );
        }
        Ok(member)
    }
}

impl FleetMember {
    /// Tells the others of this machine's run, and asks for news for as long as it lasts. `stopper`
    /// ends it if another machine ends the whole run. An error means that nobody could find the
    /// run, so nothing should be sent.
    pub(in crate::cli) fn keep_in_touch(
        &self,
        run: Uuid,
        stopper: StopHandle,
    ) -> Result<LinkEnds, CommandError> {
        let MemberState::Waiting(database) = self.state.replace(MemberState::Ended) else {
            return Err(CommandError::internal("a member of a rendezvous runs once"));
        };
        let member =
            ShardMember { shard: self.plan.shard.index + 1, token: self.token, run: Some(run) };
        let mut database = database.map_or_else(|| Database::open(&self.request.address), Ok)?;
        database.ask_rendezvous(&self.terms.name, &member)?;
        let link = FleetLink::new(
            (self.request.address.clone(), database),
            self.terms.name.clone(),
            member,
            stopper,
        );
        let ends = link.spawn().map_err(CommandError::internal)?;
        self.state.replace(MemberState::Running(ends.clone()));
        Ok(ends)
    }

    /// The name of the rendezvous.
    pub(in crate::cli) fn name(&self) -> &str {
        &self.terms.name
    }

    /// Whether this machine decides for all that the run ends: one only, since each decision errs
    /// with the stated rate.
    pub(in crate::cli) fn decides(&self) -> bool {
        self.plan.shard.index == 0
    }

    /// Stores this machine's run, whose upload failed, for as long as the merge waits for it.
    /// Returns whether it is stored.
    pub(in crate::cli) fn store_again(
        &self,
        run: &FinishedRun,
        signals: &RunSignals,
    ) -> Result<bool, CommandError> {
        tracing::info!("Trying to store the run again, since the others need it");
        let stored = PatientDatabase::reopen(&self.request.address, signals)
            .call(UPLOAD_PATIENCE, |database| {
                database.store_run(&run.record, &run.folder, UploadLimits::GENEROUS)
            });
        let Ok(stored) = stored else { return Ok(false) };
        StoreMark::mark_stored(&run.folder, stored.store, clock::wall_clock())?;
        tracing::info!("Stored in {}", self.request.address.display_name());
        Ok(true)
    }

    /// Tells the others that this machine's run is stored, and whether it measured its part.
    pub(in crate::cli) fn finish(&self, run: Uuid, measured: bool) {
        if let MemberState::Running(ends) = self.state.replace(MemberState::Ended)
            && !ends.finish(Some((run, measured)))
        {
            tracing::warn!(
                "WARNING: the rendezvous `{}` did not learn that this shard ended; its run is stored",
                self.terms.name
            );
        }
    }
}

impl Drop for FleetMember {
    fn drop(&mut self) {
        match self.state.replace(MemberState::Ended) {
            MemberState::Waiting(Some(mut database)) => {
                let _out_of_reach = database.leave_rendezvous(&self.terms.name, self.token);
            }
            MemberState::Running(ends) => {
                let _out_of_reach = ends.finish(None);
            }
            MemberState::Waiting(None) | MemberState::Ended => {}
        }
    }
}
