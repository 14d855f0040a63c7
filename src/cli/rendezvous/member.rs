//! This machine as a member of a rendezvous: it registers, waits for the others, and keeps in touch.

use std::cell::RefCell;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::super::exit::{CommandError, ExitStatus};
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
    Database, DatabaseError, RendezvousNews, RendezvousTerms, ShardCandidate, ShardMember,
};
use crate::units::format_duration;

/// How often a waiting machine asks for news.
const POLL: Duration = Duration::from_millis(500);

/// How long a database may be out of reach while machines wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a machine's attempt to take part ended.
pub(in crate::cli) enum JoinEnd {
    /// It takes part.
    Member(Box<FleetMember>),
    /// The command ends, without having sent anything.
    Ended(ExitStatus),
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
    /// The run has not begun.
    Waiting(Database),
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
            lasts: lasts.unwrap_or_default(),
        };
        let candidate = ShardCandidate {
            shard: self.shard.map(|shard| shard.index + 1),
            token: new_run_id(clock::wall_clock()),
            host: here.host.name,
            lead: self.lead(plan),
            wait: self.wait,
        };
        let mut database = PatientDatabase::open(&self.address, PATIENCE)?;
        match database.call(|database| database.join_rendezvous(&terms, &candidate))? {
            Err(refusal) => Ok(JoinEnd::Ended(refusal::refuse(&refusal, &terms, flags)?)),
            Ok(shard) => {
                WaitingMember { request: self, terms, shard, token: candidate.token, database }
                    .wait(signals)
            }
        }
    }
}

/// A machine that is registered and waits for the others.
struct WaitingMember {
    request: RendezvousRequest,
    terms: RendezvousTerms,
    /// Counted from 1.
    shard: u32,
    token: Uuid,
    database: PatientDatabase,
}

impl WaitingMember {
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
                break starts;
            }
            if news.present != present {
                present = news.present;
                tracing::info!("{present} of {shards} machines are there; waiting for the others");
            }
            if signals.stops_within(POLL) {
                let leave = |database: &mut Database| database.leave_rendezvous(&name, self.token);
                let _out_of_reach = leave(&mut self.database.into_database());
                return Ok(JoinEnd::Ended(ExitStatus::Inconclusive));
            }
        };
        let compare = |database: &mut Database| database.compare_clocks(clock::wall_clock);
        let measured = self.database.call(compare)?;
        Ok(JoinEnd::Member(Box::new(self.begin(starts, measured)?)))
    }

    fn ask(&mut self) -> Result<RendezvousNews, DatabaseError> {
        let member = ShardMember { shard: self.shard, token: self.token, run: None };
        self.database.call(|database| database.ask_rendezvous(&self.terms.name, &member))
    }

    fn begin(
        self,
        start: OffsetDateTime,
        measured: Option<ShardClock>,
    ) -> Result<FleetMember, CommandError> {
        let Self { request, terms, shard, token, database } = self;
        let shard = Shard { index: shard - 1, of: terms.shards };
        let plan = ShardPlan { shard, start, clock: measured };
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
        let clock = measured.map_or_else(
            || "this machine's clock was set meanwhile, so it is not corrected".to_owned(),
            |clock| format!("this machine's clock is {}", clock.words()),
        );
        tracing::info!(
            "Measuring starts at {}, in {}; {clock}",
            at(start),
            format_duration(Duration::from_secs(ahead.as_secs()))
        );
        if measured.is_none_or(ShardClock::is_vague) {
            tracing::warn!(
                "WARNING: this shard may start more than 5 ms apart from the others: the database is too far away, or busy"
            );
        }
        Ok(member)
    }
}

impl FleetMember {
    /// Starts to ask for news for as long as the run lasts. `stopper` ends it if another machine
    /// ends the whole run.
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

    /// Tells the others that this machine's run is stored.
    pub(in crate::cli) fn end(&self, run: Uuid) {
        if let MemberState::Running(ends) = self.state.replace(MemberState::Ended)
            && !ends.end(Some(run))
        {
            tracing::warn!(
                "WARNING: the rendezvous `{}` could not be told that this shard ended, so the merge waits longer",
                self.terms.name
            );
        }
    }
}

impl Drop for FleetMember {
    fn drop(&mut self) {
        match self.state.replace(MemberState::Ended) {
            MemberState::Waiting(mut database) => {
                let _out_of_reach = database.leave_rendezvous(&self.terms.name, self.token);
            }
            MemberState::Running(ends) => {
                let _out_of_reach = ends.end(None);
            }
            MemberState::Ended => {}
        }
    }
}
