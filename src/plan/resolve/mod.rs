//! From scenarios and an environment to a plan.

mod action;
mod alert;
mod attached_file;
mod base_url;
mod body;
mod budgets;
mod capture;
mod data;
mod data_source;
mod draw;
mod duet;
mod expectation;
mod gate;
mod header;
mod http;
mod load;
pub(in crate::plan) mod machine;
mod pattern;
mod request;
mod route;
mod shard;
mod sql;
mod step;
mod target;
mod template_filler;
mod terms;
mod toml_text;
mod warnings;

use url::Url;

use crate::plan::capacity;
use crate::plan::environment::Environment;
use crate::plan::load_plan::LoadPlan;
use crate::plan::overrides::PlanOverrides;
use crate::plan::request_plan::{RequestAction, RequestPlan};
use crate::plan::run_plan::Plan;
use crate::plan::scenario_plan::{ConnectionReuse, CookiePolicy, ScenarioPlan, WarmupPlan};
use crate::plan::secrets::SecretSet;
use crate::plan::target_plan::TargetPlan;
use crate::record::{BaselineWindow, PlannedDuet, PlannedRequest, PlannedScenario};
use crate::scenario::file::TargetSection;
use crate::scenario::{
    CookieScope, Diagnostic, PlainText, Scenario, ScenarioErrors, ScenarioWarning, WarmupShape,
};
use base_url::{BaseUrl, base_url};
use template_filler::TemplateFiller;

impl Plan {
    /// Makes the plan of scenarios that run at the same time, with the environment read into them.
    ///
    /// The error holds every mistake of every scenario. The warnings are about scenarios that can
    /// run, but probably not as intended.
    pub fn resolve(
        scenarios: &[Scenario],
        environment: &Environment,
        overrides: &PlanOverrides,
    ) -> Result<(Self, Vec<ScenarioWarning>), ScenarioErrors> {
        let public = scenarios.iter().flat_map(Scenario::public_variables).collect();
        let (mut warnings, mut secrets, mut url_parts) = (Vec::new(), Vec::new(), Vec::new());
        let plans = scenarios.iter().enumerate().map(|(at, scenario)| {
            let mut filler = TemplateFiller::new(environment, &public);
            unique_name(&scenarios[..at], scenario, &mut filler);
            if overrides.every.is_none() {
                load::same_period(&scenarios[..at], scenario, &mut filler);
            }
            let duet = overrides.duet_seed.and_then(|seed| duet::planned(scenarios, at, seed));
            let plan = resolve_one((scenario, duet), overrides, &mut filler);
            filler.warnings.extend(gate::unknown_names(scenario, scenarios));
            if let Some(plan) = &plan {
                duet::check(scenario, plan, &mut filler);
            }
            secrets.append(&mut filler.secrets);
            url_parts.append(&mut filler.url_parts);
            warnings.extend(ScenarioWarning::all(
                &scenario.source,
                std::mem::take(&mut filler.warnings),
            ));
            match plan {
                Some(plan) if filler.diagnostics.is_empty() => Ok(plan),
                _ => Err(ScenarioErrors::of(&scenario.source, filler.diagnostics)),
            }
        });
        let mut plans = ScenarioErrors::gather(plans.collect::<Vec<_>>())?;
        let secrets = searched_secrets(secrets, url_parts, &plans);
        for plan in &mut plans {
            plan.secrets = secrets.clone();
        }
        let every =
            overrides.every.or_else(|| scenarios.iter().find_map(|scenario| scenario.load.every));
        let plan = Self {
            secrets,
            every,
            shard_plan: overrides.shard_plan,
            ..Self::from_scenarios(plans)
        };
        Ok((plan, warnings))
    }
}

/// The secrets that are searched for in what targets say: without those that the plans show.
fn searched_secrets(
    values: Vec<String>,
    url_parts: Vec<String>,
    plans: &[ScenarioPlan],
) -> SecretSet {
    let mut secrets = SecretSet::new(values);
    secrets.extend(&SecretSet::from_url_parts(url_parts));
    let shown = |plan: &ScenarioPlan| {
        let PlannedScenario { name, source, base_url, requests, .. } = &plan.shown;
        let requests = requests.iter().map(|request| request.name.clone());
        [name, source, base_url].into_iter().cloned().chain(requests).collect::<Vec<_>>()
    };
    let public: Vec<String> = plans.iter().flat_map(shown).collect();
    secrets.without_public(&public.iter().map(String::as_str).collect::<Vec<_>>())
}

fn cookies(scenario: &Scenario) -> CookiePolicy {
    match scenario.file.cookies.value() {
        None => CookiePolicy::Off,
        Some(CookieScope::Arrival) => CookiePolicy::Arrival,
        Some(CookieScope::Setup) => CookiePolicy::Setup,
    }
}

/// What a reader of the figures must know: what the command line changed, how the target is
/// reached, and that a load is closed.
fn caveats(scenario: &Scenario, target: &TargetPlan, load: &LoadPlan) -> Vec<String> {
    let overridden = scenario.overridden.iter().cloned();
    overridden.chain(target::caveats(target)).chain(closed(load)).collect()
}

/// The caveat of a closed load.
pub(super) const CLOSED_LOAD: &str = "the load is closed: a target that stalls gets fewer requests, \
                                      so the quantiles understate its stalls";

fn closed(load: &LoadPlan) -> Option<String> {
    matches!(load, LoadPlan::Closed { .. }).then(|| CLOSED_LOAD.to_owned())
}

fn unique_name(before: &[Scenario], scenario: &Scenario, filler: &mut TemplateFiller<'_>) {
    let Some(location) = scenario.file.name.location() else { return };
    if let Some(same) = before.iter().find(|other| other.name() == scenario.name()) {
        let problem = format!("two scenarios of this run are named `{}`", scenario.name());
        let remedy = format!("rename it; the other one is in {}", same.source.name());
        filler.diagnostics.push(Diagnostic::new(location.value.clone(), problem, remedy));
    }
}

fn resolve_one(
    (scenario, duet): (&Scenario, Option<PlannedDuet>),
    overrides: &PlanOverrides,
    filler: &mut TemplateFiller<'_>,
) -> Option<ScenarioPlan> {
    let written = scenario.file.target.value().cloned().unwrap_or_default();
    let mut load = load::resolve(scenario, overrides, filler);
    overrides.shard_plan.iter().for_each(|part| shard::look_at(scenario, part.shard, filler));
    let (mut base, is_wrong) = base_or_placeholder(scenario, &written, filler)?;
    let target = target::resolve(scenario, &mut base, overrides, filler);
    let data = data::read(scenario, filler);
    filler.allow_data(data);
    let steps = request::resolve(scenario, &base, filler);
    let plans = steps.iter().flat_map(|steps| &steps.requests).map(|(_, plan, _)| plan);
    let data = data::plan(scenario, load.as_mut(), &plans.collect::<Vec<_>>(), filler);
    let alert = alert::plan(scenario, target.as_ref().map(|target| &target.proxies), filler);
    let (load, mut target, steps) = (load?, target?, steps?);
    let (data, planned_data) = data.unzip();
    let streams = load::streams(scenario, target.protocol, filler)?;
    let [(shown_setup, setup), (shown, requests), (shown_teardown, teardown)] =
        [steps.setup, steps.requests, steps.teardown].map(request::with_hops_and_tries);
    if !written.base_url.is_written() {
        (base.shown, target.base_url) = where_steps_go(&shown, &requests, base.url);
    }
    let reuse = if scenario.load.fresh { ConnectionReuse::Fresh } else { ConnectionReuse::Keep };
    let draw = draw::words(scenario);
    let plan = ScenarioPlan {
        shown: PlannedScenario {
            name: scenario.name().to_owned(),
            description: scenario.file.description.value().map_or("", PlainText::as_str).to_owned(),
            source: scenario.source.name().to_owned(),
            base_url: base.shown,
            load: duet::load_words(load::words(scenario, &load), duet.as_ref()),
            warmup: load::warmup_words(scenario.warmup),
            caveats: caveats(scenario, &target, &load),
            setup: shown_setup,
            capacity: capacity::of(&load, streams, reuse, &shown, draw.as_ref()),
            stalls: gate::stalls(scenario, &load, &shown),
            gate: gate::policy(scenario),
            data: planned_data,
            draw,
            duet,
            requests: shown,
            teardown: shown_teardown,
        },
        alert,
        target,
        setup,
        requests,
        teardown,
        cookies: cookies(scenario),
        load,
        streams,
        reuse,
        warmup: warmup(scenario),
        secrets: SecretSet::default(),
        data,
        draw: draw::plan(scenario),
        machines: machine::plan(scenario),
        baseline: baseline_window(scenario),
        keeps_samples: false,
    };
    (!is_wrong).then(|| with_warnings(scenario, plan, overrides, filler))
}

/// The plan with its caveats; its warnings go to the filler.
fn with_warnings(
    scenario: &Scenario,
    plan: ScenarioPlan,
    overrides: &PlanOverrides,
    filler: &mut TemplateFiller<'_>,
) -> ScenarioPlan {
    filler.warnings.extend(warnings::of(scenario, &plan, overrides.adds_to_earlier));
    machine::with_caveat(plan)
}

fn warmup(scenario: &Scenario) -> WarmupPlan {
    let WarmupShape { connections, requests } = scenario.warmup;
    WarmupPlan { connections, requests }
}

fn baseline_window(scenario: &Scenario) -> BaselineWindow {
    let default = BaselineWindow::default();
    let Some(written) = scenario.file.baseline.value() else { return default };
    BaselineWindow {
        runs: written.runs.value().copied().unwrap_or(default.runs),
        since: written.since.value().map(|since| since.0),
    }
}

/// The base URL, and whether it is wrong. The requests are checked even then, with a placeholder,
/// so that all mistakes are reported at once.
fn base_or_placeholder(
    scenario: &Scenario,
    target: &TargetSection,
    filler: &mut TemplateFiller<'_>,
) -> Option<(BaseUrl, bool)> {
    let base = match target.base_url.located() {
        Some(_) => base_url(scenario, target, filler),
        None => BaseUrl::placeholder(),
    };
    match base {
        Some(base) => Some((base, false)),
        None => BaseUrl::placeholder().map(|base| (base, true)),
    }
}

/// Where the steps of a scenario without a base URL go, in words, and the first of their URLs.
fn where_steps_go(
    shown: &[PlannedRequest],
    requests: &[RequestPlan],
    otherwise: Url,
) -> (String, Url) {
    let mut places: Vec<String> = Vec::new();
    for request in requests {
        let location = match &request.action {
            // A placeholder has no meaning for a reader, so the URL is shown as it is written.
            RequestAction::Http(http) if http.url.origin() == otherwise.origin() => {
                let line = shown.get(request.index).map_or("", |shown| shown.line.as_str());
                line.split_once(' ').map_or(line, |(_, url)| url).to_owned()
            }
            RequestAction::Http(http) => http.url.origin().ascii_serialization(),
            RequestAction::Sql(sql) => sql.address.display_name(),
        };
        if !places.contains(&location) {
            places.push(location);
        }
    }
    let first = requests.iter().find_map(|request| request.http().map(|http| http.url.clone()));
    (places.join(", "), first.unwrap_or(otherwise))
}
