//! The plan of each step: the scenario at another rate.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Args;
use super::step_run::MeasuredStep;
use crate::cli::exit::CommandError;
use crate::cli::quick::{self, ComposeContext, UrlScenarios};
use crate::cli::{continuation, log};
use crate::plan::{BlockNeeds, Environment, Plan, PlanOverrides, SecretSet};
use crate::scenario::ScenarioWarning;
use crate::tune::rate_search::{SearchBounds, SearchStep};
use crate::units::{Rate, duration_literal};
use crate::verdict::binomial::ErrorRate;
use crate::verdict::evidence::fewest_blocks_at;

/// The scenario of a search, from which the plans of all its steps are made.
pub(super) struct StepPlans<'a> {
    args: &'a Args,
    scenarios: UrlScenarios,
    environment: Environment,
}

impl<'a> StepPlans<'a> {
    /// The plans of a search up to its limit.
    pub(super) fn new(
        args: &'a Args,
        environment: BTreeMap<String, String>,
    ) -> Result<Self, CommandError> {
        let urls = quick::urls(std::slice::from_ref(&args.source));
        let around = ComposeContext {
            duration: Some(args.step_duration),
            every: None,
            target: Vec::new(),
            taken: BTreeSet::new(),
            shared: quick::shared_overrides(None, &args.connection, &args.addresses),
            variables: &environment,
            is_duet: false,
        };
        let flags = args.quick.for_search((!urls.is_empty()).then_some(args.max_rate));
        let scenarios = flags.compose(&urls, &around)?;
        log::add_secrets(&SecretSet::new(scenarios.variables.values().cloned()));
        let variables = environment.into_iter().chain(scenarios.variables.clone());
        let environment = Environment::new(variables);
        Ok(Self { args, scenarios, environment })
    }

    /// The plan at one rate. It repeats nothing, whatever the file says.
    pub(super) fn resolve(
        &self,
        rate: Rate,
        duration: Duration,
    ) -> Result<(Plan, Vec<ScenarioWarning>), CommandError> {
        let args = self.args;
        let overrides = PlanOverrides {
            adds_to_earlier: true,
            ..args.quick.plan_overrides(&args.connection, &args.addresses, Some(duration))
        };
        let resolved = self
            .scenarios
            .read_at(&args.source, rate, duration)
            .and_then(|scenario| Plan::resolve(&[scenario], &self.environment, &overrides));
        let (mut plan, warnings) = resolved?;
        (plan.pacing, plan.consent) = (args.run.pacing(), args.run.consent());
        Ok((plan, warnings))
    }

    /// The plan of a step. A step that continues the one before has blocks as long as that one's.
    pub(super) fn step(
        &self,
        step: &SearchStep,
        earlier: Option<&MeasuredStep>,
    ) -> Result<Plan, CommandError> {
        let (mut plan, _) = self.resolve(step.rate, step.duration)?;
        if let Some(earlier) = earlier.filter(|_| step.continues) {
            continuation::adopt_horizons(&earlier.run.record, &mut plan);
        }
        Ok(plan)
    }

    /// Refuses steps that are too short to prove a budget, even if they are measured longer.
    pub(super) fn check_blocks(&self, bounds: &SearchBounds) -> Result<(), CommandError> {
        let (plan, _) = self.resolve(bounds.lowest(), bounds.step())?;
        let error_rate = ErrorRate::STATED.shared_by(bounds.most_steps());
        let times = 1.0 + bounds.continuation().div_duration_f64(bounds.step());
        for scenario in &plan.scenarios {
            let budgets = scenario.shown.requests.iter().flat_map(|request| &request.budgets);
            for budget in budgets {
                let needed = budget.allowed().and_then(|share| fewest_blocks_at(share, error_rate));
                let needs = BlockNeeds::of(scenario, budget);
                let planned = needs.as_ref().and_then(|needs| needs.planned);
                let (Some(needed), Some(needs), Some(planned)) = (needed, needs, planned) else {
                    continue;
                };
                if (planned as f64 * times) < needed as f64 {
                    let time = needs.time(needed).as_secs_f64().ceil();
                    let time = Duration::try_from_secs_f64(time).unwrap_or(Duration::MAX);
                    return Err(CommandError::usage(format!(
                        "error: steps of {} cannot prove `{budget}` at {}: of {} verdicts that share an \
                         error rate, each needs {needed} blocks of {}\nwrite --step-duration {} or more",
                        duration_literal(bounds.step()),
                        bounds.lowest(),
                        bounds.most_steps(),
                        duration_literal(needs.length),
                        duration_literal(time),
                    )));
                }
            }
        }
        Ok(())
    }
}
