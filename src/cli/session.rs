//! One run from its plan to its record, for `run` and `demo`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::baseline::RunBaseline;
use super::console::{Console, OutputFormat};
use super::continuation::{ContinuationClaim, ContinuedRun};
use super::exit::CommandError;
use super::gate::HistoryPlace;
use super::live::LiveObserver;
use super::log::{self, PROGRAMS_ONLY};
use super::outputs::{FinishedRun, ReportSelection};
use super::provenance::{self, CommitLookup};
use super::rendezvous::FleetMember;
use super::run_time::new_run_id;
use super::signals::RunSignals;
use super::{earlier_run, guard, learned_limits, source, tags};
use crate::engine::{self, Engine, clock};
use crate::plan::{LoadConsent, PacingMode, Plan, SecretSet, ShardPlan};
use crate::record::{
    Decision, FORMAT, Measurement, RunProvenance, RunRecord, ShardRecord, ShardSharing,
};
use crate::store::{self, RunDraft, RunFolder};
use crate::verdict::{self, VerdictContext};

/// Maximum number of characters of evidence kept, counted after secrets are redacted.
const MAX_EVIDENCE_CHARS: usize = 200;

/// How a run is executed and printed, in addition to its plan.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub(super) struct RunFlags {
    /// What to print on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: OutputFormat,
    /// The reports to write into the run's folder
    #[arg(long, value_enum, default_value = "all")]
    report: ReportSelection,
    /// The folder to create run folders in
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    runs_dir: PathBuf,
    /// The commit of the software under test [default: the one checked out in the working
    /// directory, except in tollgate's own repository]
    #[arg(long, value_name = "HASH", visible_alias = "commit")]
    git_commit: Option<String>,
    #[command(flatten)]
    tags: tags::Flags,
    /// Allow more than 100 requests per second to a host that is not this machine
    #[arg(long, help_heading = "Load")]
    yes_load_this_host: bool,
    /// Wait for due times with timers alone, without spinning: saves up to 6 % of a core per
    /// sending thread, and sends some tens of microseconds later
    #[arg(long, help_heading = "Load")]
    no_spin: bool,
}

impl RunFlags {
    /// Where results are printed.
    pub(super) fn console(&self) -> Console {
        Console { output: self.output }
    }

    /// The reports that the run's folder gets.
    pub(super) fn reports(&self) -> ReportSelection {
        self.report
    }

    /// These flags, with one more tag for the run.
    pub(super) fn tagged(mut self, key: &str, value: String) -> Self {
        self.tags = self.tags.with(key, value);
        self
    }

    /// These flags; the run's environment is `name` if they name none.
    pub(super) fn or_environment(mut self, name: &str) -> Self {
        self.tags = self.tags.or_environment(name);
        self
    }

    /// The consent to send a host that is not this machine more than 100 requests per second.
    pub(super) fn consent(&self) -> LoadConsent {
        LoadConsent::of_flag(self.yes_load_this_host)
    }

    /// The commit that was given.
    pub(super) fn commit(&self) -> Option<&str> {
        self.git_commit.as_deref()
    }

    /// The tags that were given.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        self.tags.tags()
    }

    /// The folder that run folders are created in.
    pub(super) fn runs_dir(&self) -> &Path {
        &self.runs_dir
    }

    /// How the engine waits for due times.
    pub(super) fn pacing(&self) -> PacingMode {
        if self.no_spin { PacingMode::Sleep } else { PacingMode::Spin }
    }
}

/// What a run refers to: earlier runs, and those of other machines.
#[derive(Clone, Copy, Default)]
pub(super) struct ReferencedRuns<'a> {
    /// The run whose evidence counts too.
    pub(super) continued: Option<&'a ContinuedRun>,
    /// The run to compare with.
    pub(super) baseline: Option<&'a RunBaseline>,
    /// Where the runs are that give relative budgets their limits; `None` to read none.
    pub(super) history: Option<HistoryPlace<'a>>,
    /// This machine as one of several at a rendezvous.
    pub(super) member: Option<&'a FleetMember>,
}

/// Runs a plan and writes the run to its folder, with what changed since the baseline. The caller
/// prints it.
pub(super) fn execute(
    plan: &Plan,
    flags: &RunFlags,
    signals: &RunSignals,
    referenced: ReferencedRuns<'_>,
) -> Result<FinishedRun, CommandError> {
    log::add_secrets(&plan.secrets);
    let commit = look_up_commit(flags, referenced.continued);
    let plan = &*match (referenced.continued, &referenced.history) {
        (Some(earlier), _) => earlier.adopt_limits(plan),
        (None, Some(place)) => learned_limits::learn(plan, &flags.tags(), place),
        (None, None) => Cow::Borrowed(plan),
    };
    guard::check(plan)?;
    let engine = Engine::prepare(plan)?;
    let draft = draft(plan, flags, commit.finish());
    let claim = referenced.continued.map(|earlier| earlier.claim(&draft)).transpose()?;
    let folder = match RunFolder::create(&flags.runs_dir, &draft) {
        Ok(folder) => folder,
        Err(error) => {
            // The error that ends the run is the first one.
            let _ignored = claim.map(ContinuationClaim::release);
            return Err(CommandError::internal(format!(
                "{error}; nothing was sent; name a writable folder with --runs-dir"
            )));
        }
    };
    log_start(&draft, folder.path());
    let (stopper, stop) = engine::stop_channel();
    let link = referenced.member.map(|member| member.keep_in_touch(draft.id, stopper.clone()));
    let decides = referenced.member.is_some_and(FleetMember::decides);
    let mut observer = LiveObserver::new(folder, plan, link.transpose()?.filter(|_| decides));
    let measured = signals.during(stopper, || engine.run(&mut observer, stop));
    observer.clear();
    let timelines = std::mem::take(&mut observer.timelines);
    let earlier = referenced.continued.map(ContinuedRun::evidence).unwrap_or_default();
    let context = VerdictContext { timelines, earlier, ..VerdictContext::default() };
    let mut record = judge(draft, redact_evidence(measured?, &plan.secrets), &context);
    if let Some(baseline) = referenced.baseline {
        record.comparison = Some(Box::new(baseline.compare(&record)));
    }
    // The verdict is printed even if its record cannot be written.
    let mut unwritten = observer.folder.finish(&record).err();
    let folder = observer.folder.path();
    if let Some(claim) = claim.filter(|_| !record.measurement.has_measured()) {
        unwritten = unwritten.or(claim.release().err());
    }
    if record.verdict.decision == Decision::Fail {
        // The search may read many records, so the run is stored before it.
        let comparisons = earlier_run::comparisons(&record, &flags.runs_dir);
        if !comparisons.is_empty() {
            let context = VerdictContext { comparisons, ..context };
            record.verdict = verdict::judge_in_context(&record.plan, &record.measurement, &context);
            unwritten = unwritten.or_else(|| store::complete_folder(folder, &record).err());
        }
    }
    log_verdict(&record, folder);
    Ok(FinishedRun::new(record, folder, flags.report).unwritten_for(unwritten))
}

/// Starts to look the run's commit up. An extension does not ask git again: the answer may have
/// changed meanwhile, or come too late.
fn look_up_commit(flags: &RunFlags, continued: Option<&ContinuedRun>) -> CommitLookup {
    match continued.and_then(ContinuedRun::extended_provenance) {
        Some(first) => CommitLookup::known(first.git_commit.clone()),
        None => CommitLookup::start(flags.git_commit.clone().filter(|commit| !commit.is_empty())),
    }
}

fn draft(plan: &Plan, flags: &RunFlags, commit: Option<String>) -> RunDraft {
    let id = new_run_id(clock::wall_clock());
    let redacted =
        |(key, value): (String, String)| (key, plan.secrets.redact_tokens(&value).into_owned());
    let tags = flags.tags.tags().into_iter().map(redacted).collect();
    let provenance = RunProvenance { tags, ..provenance::here(commit, &plan.secrets) };
    let sharing = plan.shard_plan.map(|ShardPlan { shard, start, clock }| {
        let host = provenance.host.name.clone();
        ShardSharing {
            of: shard.of,
            start,
            parts: vec![ShardRecord { shard: shard.index + 1, run: id, host, clock }],
            lost: Vec::new(),
        }
    });
    RunDraft {
        format: FORMAT,
        id,
        provenance,
        plan: plan.scenarios.iter().map(|scenario| scenario.shown.clone()).collect(),
        measurement: Measurement { sharing, ..plan.empty_measurement() },
    }
}

/// Removes secrets from the evidence of a measurement, then shortens it.
pub(super) fn redact_evidence(mut measurement: Measurement, secrets: &SecretSet) -> Measurement {
    measurement.rewrite_evidence(
        |text| secrets.redact(text).chars().take(MAX_EVIDENCE_CHARS).collect(),
        |row| redact_row(row, secrets),
    );
    measurement
}

/// Removes secrets from a kept row, then control characters, which a secret may contain.
fn redact_row(row: &str, secrets: &SecretSet) -> String {
    secrets.redact(row).chars().map(|c| if c.is_control() { '·' } else { c }).collect()
}

/// The record of a run with its verdict. The draft names the shards of the run.
pub(super) fn judge(
    draft: RunDraft,
    measurement: Measurement,
    context: &VerdictContext,
) -> RunRecord {
    let RunDraft { format, id, provenance, plan, measurement: Measurement { sharing, .. } } = draft;
    let mut measurement = Measurement { sharing, ..measurement };
    verdict::add_block_figures(&plan, &mut measurement, &context.timelines);
    let verdict = verdict::judge_in_context(&plan, &measurement, context);
    let mut record = RunRecord {
        format,
        id,
        provenance,
        plan,
        measurement,
        verdict,
        gate: None,
        comparison: None,
    };
    record.comparison = verdict::compare_duet(&record).map(Box::new);
    record
}

/// Completes the folder of an interrupted run from the intervals that were written.
pub(super) fn recover(folder: &Path, draft: RunDraft) -> Result<RunRecord, CommandError> {
    let measurement = draft.measurement.clone();
    store::create_missing_intervals(folder)?;
    let timelines = source::read_timelines(folder)?;
    let context = VerdictContext { timelines, ..VerdictContext::default() };
    let record = judge(draft, measurement, &context);
    store::complete_folder(folder, &record)?;
    Ok(record)
}

fn log_start(draft: &RunDraft, folder: &Path) {
    let run = draft.id.to_string();
    for scenario in &draft.plan {
        tracing::info!(
            target: PROGRAMS_ONLY,
            run,
            scenario = scenario.name,
            url = scenario.base_url,
            load = scenario.load,
            warmup = scenario.warmup,
            folder = %folder.display(),
            "run started"
        );
    }
    if let Some(sharing) = &draft.measurement.sharing {
        let shards: Vec<_> = sharing.parts.iter().map(|part| part.shard.to_string()).collect();
        let (shard, of, start) = (shards.join(", "), sharing.of, sharing.start_text());
        tracing::info!(
            run,
            shard,
            of,
            start,
            "Shard {shard} of {of}: warming up; measuring starts at {start}"
        );
    }
}

pub(super) fn log_verdict(record: &RunRecord, folder: &Path) {
    let run = record.id.to_string();
    for scenario in &record.verdict.scenarios {
        for budget in &scenario.budgets {
            tracing::debug!(
                target: PROGRAMS_ONLY,
                run,
                scenario = scenario.scenario,
                request = budget.request,
                budget = %budget.budget,
                verdict = budget.decision.name(),
                judged = budget.judged,
                exceeded = budget.exceeded,
                "{}",
                budget.reason.what
            );
        }
        let verdict = scenario.decision.name();
        tracing::info!(target: PROGRAMS_ONLY, run, scenario = scenario.scenario, verdict, "verdict of the scenario");
    }
    let verdict = record.verdict.decision.name();
    tracing::info!(target: PROGRAMS_ONLY, run, verdict, folder = %folder.display(), "verdict");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_with_a_control_character_is_redacted_in_a_kept_row() {
        let secrets = SecretSet::new(["top\tsecret\u{1b}value".to_owned()]);
        let row = "key=top\tsecret\u{1b}value other=a\u{1b}[31m";
        assert_eq!(redact_row(row, &secrets), "key=••• other=a·[31m");
    }
}
