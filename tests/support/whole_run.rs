//! Runs scenarios as one run of the engine, without the program around it.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tollgate::engine::{Continuation, Engine, Observer, RunProgress, stop_channel};
use tollgate::plan::{Environment, Plan, PlanOverrides};
use tollgate::record::{Failure, Interval, Measurement};
use tollgate::scenario::Scenario;

/// Watches a run and does nothing.
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn settled(
        &mut self,
        _: &Interval,
    ) -> Result<Continuation, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Continuation::Continue)
    }

    fn progress(&mut self, _: &RunProgress) {}
}

/// Runs the scenarios as one run on a separate thread, so that a hang is detected.
pub(crate) fn measure(scenarios: &[Scenario], bound: Duration) -> Measurement {
    let resolved = Plan::resolve(scenarios, &Environment::new([]), &PlanOverrides::default());
    let (plan, _) = resolved.unwrap_or_else(|errors| panic!("{errors}"));
    let (done, finished) = sync_channel(1);
    std::thread::spawn(move || {
        let measured = Engine::prepare(&plan).unwrap().run(&mut Nobody, stop_channel().1).unwrap();
        done.send(measured).unwrap();
    });
    finished
        .recv_timeout(bound)
        .unwrap_or_else(|error| panic!("the prober hangs or has panicked: {error}"))
}

/// Whether the machine was so busy that the prober stood still. Such a run proves nothing about a
/// target.
pub(crate) fn is_disturbed(measured: &Measurement) -> bool {
    let requests = measured.scenarios.iter().flat_map(|scenario| &scenario.requests);
    let mut seen = requests.flat_map(|request| request.measured.evidence.by_count());
    seen.any(|seen| seen.failure == Failure::Prober)
}
