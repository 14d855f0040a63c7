//! Plans that warm a target up: its first requests, and the curve at a low rate after them.

use std::time::Duration;

use super::load_plan::LoadPlan;
use super::resolve::CLOSED_LOAD;
use super::resolve::machine::quota_caveat;
use super::scenario_plan::{ScenarioPlan, WarmupPlan};
use super::schedule::Schedule;
use crate::units::{Rate, duration_literal};

impl ScenarioPlan {
    /// The same plan that sends each request once, one after the other on a new connection, and
    /// waits up to `limit` for each answer: a machine may have to boot first.
    ///
    /// Its setup waits as long. The samples are kept.
    #[must_use]
    pub fn as_first_request(&self, limit: Duration) -> Self {
        let load = LoadPlan::Closed { connections: 1, until: limit, iterations: Some(1) };
        let mut plan = self.with_kept_load(load, "closed, 1 connection, 1 arrival".to_owned());
        let timeouts = &mut plan.target.timeouts;
        (timeouts.first_byte, timeouts.whole) = (limit, limit);
        plan
    }

    /// The same plan at a low constant rate for at most `limit`, without a warm-up. It opens a
    /// connection only if all others are in use. The samples are kept.
    #[must_use]
    pub fn as_curve(&self, rate: Rate, limit: Duration) -> Self {
        let most = self.curve_connections(rate);
        let schedule = Schedule::constant(rate, limit);
        let duration = duration_literal(schedule.duration());
        let load = LoadPlan::Open { schedule, connections: 1, max_connections: most };
        let noun = if most == 1 { "connection" } else { "connections" };
        self.with_kept_load(
            load,
            format!("open, {rate} constant for {duration}, up to {most} {noun}"),
        )
    }

    /// As many connections as can be in use before requests time out, but not more than the
    /// scenario itself allows.
    fn curve_connections(&self, rate: Rate) -> u32 {
        let in_use = rate.as_per_second() * self.target.timeouts.whole.as_secs_f64();
        let allowed = self.load.max_connections().max(1);
        (1..allowed).find(|&connections| f64::from(connections) >= in_use).unwrap_or(allowed)
    }

    /// Another load, whose samples are kept. Each arrival sends every request, also those of a mix:
    /// a request that is rarely drawn would take too long to warm up. Caveats of the scenario's own
    /// load are replaced by those of this one.
    fn with_kept_load(&self, load: LoadPlan, words: String) -> Self {
        let mut plan = Self {
            load,
            warmup: WarmupPlan { connections: 0, requests: 0 },
            keeps_samples: true,
            ..self.clone()
        };
        plan.shown.load = words;
        "none".clone_into(&mut plan.shown.warmup);
        (plan.draw, plan.shown.draw) = (None, None);
        let of_own_load = quota_caveat(self);
        let is_kept =
            |caveat: &String| caveat != CLOSED_LOAD && Some(caveat) != of_own_load.as_ref();
        plan.shown.caveats.retain(is_kept);
        plan.shown.caveats.extend(quota_caveat(&plan));
        (plan.shown.capacity, plan.shown.stalls, plan.shown.duet) = (None, None, None);
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::planned;

    const TEXT: &str = "[[request]]\nname = \"a\"\npath = \"/\"\n[load]\narrival_rate = \"60/s\"\n\
         duration = \"9s\"\nconnections = 4\nmax_connections = 12\n";

    #[test]
    fn the_first_request_has_a_new_connection_and_time_to_wait_for_a_boot() {
        let plan = planned(TEXT, "").scenarios.remove(0).as_first_request(Duration::from_secs(90));
        assert_eq!((plan.load.arrivals(), plan.load.max_connections()), (Some(1), 1));
        assert_eq!(plan.target.timeouts.whole, Duration::from_secs(90));
        assert_eq!((plan.warmup.requests, plan.keeps_samples), (0, true));
    }

    #[test]
    fn a_curve_has_as_many_connections_as_its_rate_can_use_and_the_scenario_allows() {
        let scenario = planned(TEXT, "").scenarios.remove(0);
        let rate = |per_second| Rate::per_second(per_second).unwrap();
        let slow = scenario.as_curve(rate(0.5), Duration::from_mins(1));
        assert_eq!((slow.load.connections(), slow.load.max_connections()), (1, 5));
        assert_eq!(slow.load.arrivals(), Some(30));
        assert_eq!(slow.shown.load, "open, 30/min constant for 1m, up to 5 connections");
        let fast = scenario.as_curve(rate(20.0), Duration::from_mins(1));
        assert_eq!(fast.load.max_connections(), 12);
    }

    #[test]
    fn a_curve_is_warned_of_the_quota_that_its_own_rate_spends() {
        let text =
            format!("{TEXT}[machine]\nsize = \"shared-cpu-1x\"\ncpu_per_request = \"40ms\"\n")
                .replace("9s", "90s");
        let scenario = planned(&text, "").scenarios.remove(0);
        let caveats = |rate, minutes| {
            let rate = Rate::per_second(rate).unwrap();
            scenario.as_curve(rate, Duration::from_mins(minutes)).shown.caveats
        };
        assert!(scenario.shown.caveats[0].contains("60/s"), "{:?}", scenario.shown.caveats);
        assert_eq!(caveats(1.0, 1), [""; 0]);
        let [fast] = &caveats(20.0, 1)[..] else { panic!("one caveat is expected") };
        assert!(fast.contains("20/s × 40ms"), "{fast}");
        assert_eq!(scenario.as_first_request(Duration::from_mins(1)).shown.caveats, [""; 0]);
    }
}
