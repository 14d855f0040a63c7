//! One run from its plan to its record; shared by `run` and `demo`.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::console::{Console, Output};
use super::exit::{Exit, Problem};
use super::live::Live;
use super::log::{self, LIFE};
use super::signals::Signals;
use super::{guard, provenance, tags};
use crate::engine::{self, Engine};
use crate::plan::{Pacing, Plan, PlannedPart, Secrets};
use crate::record::{FORMAT, Measurement, Part, Provenance, RunRecord, Sharing};
use crate::store::{self, Draft, RunFolder};
use crate::verdict;

/// The most characters of evidence that are kept, once secrets are blotted out.
const EVIDENCE_SHOWN: usize = 200;

/// How a run is to be carried out, beside its plan.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Settings {
    /// What is printed on stdout
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
    /// The folder that run folders are made in
    #[arg(long, value_name = "DIR", default_value = "reports/runs")]
    runs_dir: PathBuf,
    /// The commit of what is probed [default: the one checked out here]
    #[arg(long, value_name = "HASH")]
    git_commit: Option<String>,
    #[command(flatten)]
    tags: tags::Flags,
    /// Allow more than 100 requests a second to a host that is not this machine
    #[arg(long, help_heading = "Load")]
    yes_load_this_host: bool,
    /// Wait for due times by timers alone, without spinning: saves up to 6 % of a core for each thread that sends, and
    /// sends some tens of microseconds later
    #[arg(long, help_heading = "Load")]
    no_spin: bool,
}

impl Settings {
    /// Where results go.
    pub(super) fn console(&self) -> Console {
        Console { output: self.output }
    }

    /// The commit of what is probed, where it was given.
    pub(super) fn commit(&self) -> Option<&str> {
        self.git_commit.as_deref()
    }

    /// How due times are waited for.
    pub(super) fn pacing(&self) -> Pacing {
        if self.no_spin { Pacing::Sleep } else { Pacing::Spin }
    }
}

/// A run that was carried out and kept.
pub(super) struct Kept {
    pub(super) record: RunRecord,
    pub(super) folder: PathBuf,
}

/// Carries out a plan and keeps the run; what is shown of it is up to the caller.
pub(super) fn carry_out(
    plan: &Plan,
    settings: &Settings,
    signals: &Signals,
) -> Result<Kept, Problem> {
    log::hide(&plan.secrets);
    guard::check(plan, settings.yes_load_this_host)?;
    let engine = Engine::prepare(plan)?;
    let draft = draft(plan, settings);
    let folder = RunFolder::create(&settings.runs_dir, &draft)?;
    tell_start(&draft, folder.path());
    let mut live = Live::new(folder, plan);
    let (stopper, stop) = engine::stop_channel();
    let measured = signals.during(stopper, || engine.run(&mut live, stop));
    live.clear();
    let record = judged(draft, cleaned(measured?, &plan.secrets));
    live.folder.finish(&record)?;
    let folder = live.folder.path().to_owned();
    tell_verdict(&record, &folder);
    Ok(Kept { record, folder })
}

fn draft(plan: &Plan, settings: &Settings) -> Draft {
    let id = Uuid::now_v7();
    let commit = settings.git_commit.clone().filter(|commit| !commit.is_empty());
    let shown = |(key, value): (String, String)| (key, plan.secrets.blot(&value).into_owned());
    let tags = settings.tags.tags().into_iter().map(shown).collect();
    let provenance = Provenance { tags, ..provenance::now(commit, &plan.secrets) };
    let sharing = plan.part.map(|PlannedPart { shard, start }| {
        let host = provenance.host.name.clone();
        Sharing { of: shard.of, start, parts: vec![Part { shard: shard.index + 1, run: id, host }] }
    });
    Draft {
        format: FORMAT,
        id,
        provenance,
        plan: plan.scenarios.iter().map(|scenario| scenario.shown.clone()).collect(),
        measurement: Measurement { sharing, ..plan.nothing_measured() },
    }
}

/// Takes out of a measurement what must not be shown.
fn cleaned(mut measurement: Measurement, secrets: &Secrets) -> Measurement {
    measurement.rewrite_evidence(|text| secrets.blot(text).chars().take(EVIDENCE_SHOWN).collect());
    measurement
}

/// The record of a run, with its verdict; how it was shared is known from its draft.
pub(super) fn judged(draft: Draft, measurement: Measurement) -> RunRecord {
    let Draft { format, id, provenance, plan, measurement: Measurement { sharing, .. } } = draft;
    let measurement = Measurement { sharing, ..measurement };
    let verdict = verdict::judge(&plan, &measurement);
    RunRecord { format, id, provenance, plan, measurement, verdict }
}

/// Completes the folder of a run that was cut off, as far as its intervals were written.
pub(super) fn completed(folder: &Path, draft: Draft) -> Result<RunRecord, Problem> {
    let measurement = draft.measurement.clone();
    let record = judged(draft, measurement);
    store::complete(folder, &record)?;
    Ok(record)
}

fn tell_start(draft: &Draft, folder: &Path) {
    let run = draft.id.to_string();
    for scenario in &draft.plan {
        tracing::info!(
            target: LIFE,
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
        let (shard, of, start) = (shards.join(", "), sharing.of, sharing.start_shown());
        tracing::info!(
            run,
            shard,
            of,
            start,
            "Shard {shard} of {of}: warming up; measuring starts at {start}"
        );
    }
}

pub(super) fn tell_verdict(record: &RunRecord, folder: &Path) {
    let run = record.id.to_string();
    for scenario in &record.verdict.scenarios {
        for budget in &scenario.budgets {
            tracing::debug!(
                target: LIFE,
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
        tracing::info!(target: LIFE, run, scenario = scenario.scenario, verdict, "verdict of the scenario");
    }
    let verdict = record.verdict.decision.name();
    tracing::info!(target: LIFE, run, verdict, folder = %folder.display(), "verdict");
}

impl Kept {
    /// The verdict's exit code.
    pub(super) fn exit(&self) -> Exit {
        self.record.verdict.decision.into()
    }
}
