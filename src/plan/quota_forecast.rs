//! Whether the load of a scenario spends the CPU quota of the machines behind it.

use std::fmt;
use std::time::Duration;

use super::load_plan::LoadPlan;
use super::machine_plan::MachinePlan;
use super::scenario_plan::ScenarioPlan;
use super::schedule::Schedule;
use crate::record::cpu_quota::CpuQuota;
use crate::units::{Rate, duration_literal};

/// The steps in which the CPU use of a load is added up.
const STEP: Duration = Duration::from_secs(1);

/// What a scenario's load does to the CPU quota of its machines, from the starting balance on.
///
/// The machines are expected to share the load evenly. Boots, warm-ups, retries and redirects use
/// CPU time too, and are not counted: the balance may be spent earlier. A machine that was idle
/// before has saved more than the starting balance, and spends it later.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaForecast {
    machines: MachinePlan,
    cpu_per_request: Duration,
    /// The requests to these machines that one arrival sends.
    requests: u64,
    /// The highest rate of arrivals; `None` if the speed of the target decides.
    rate: Option<Rate>,
    /// When the balance is spent; `None` if it lasts.
    spent_after: Option<Duration>,
    lasts: Duration,
}

impl QuotaForecast {
    /// The forecast for a scenario; `None` if it sends these machines no requests.
    pub fn of(
        scenario: &ScenarioPlan,
        machines: MachinePlan,
        cpu_per_request: Duration,
    ) -> Option<Self> {
        let host = scenario.target.base_url.host_str();
        let https = scenario.requests.iter().filter_map(|request| request.http());
        let requests = https.filter(|http| http.url.host_str() == host).count() as u64;
        let requests = if scenario.draw.is_some() { requests.min(1) } else { requests };
        if requests == 0 || cpu_per_request.is_zero() {
            return None;
        }
        let open = match &scenario.load {
            // A single arrival has no rate.
            LoadPlan::Open { schedule, .. } if schedule.count() > 1 => Some(schedule),
            LoadPlan::Open { .. } | LoadPlan::Closed { .. } => None,
        };
        let share = scenario.shown.side_share();
        let cpu = cpu_per_request.as_secs_f64() * requests as f64 * share;
        let peak = open.and_then(|open| Rate::per_second(open.peak().as_per_second() * share).ok());
        Some(Self {
            spent_after: open.and_then(|schedule| spent_after(machines, schedule, cpu)),
            rate: peak,
            lasts: scenario.load.duration(),
            machines,
            cpu_per_request,
            requests,
        })
    }

    /// What happens during the run, if the balance does not last: `the quota of 2 shared-cpu-1x is
    /// spent after 57s at 20/s × 15ms`.
    pub fn spending(&self) -> Option<String> {
        let after = duration_literal(rounded(self.spent_after?));
        Some(format!("the quota of {} is spent after {after} at {}", self.machines, self.load()))
    }

    /// CPUs that the load needs and the machines lack, whatever their balance: `20/s × 150ms needs
    /// 3 CPUs, and 1 shared-cpu-1x has 1`.
    pub fn shortage(&self) -> Option<String> {
        let needed = self.rate?.as_per_second() * self.cpu_per_arrival();
        let cpus = u64::from(self.machines.size.cpus()) * u64::from(self.machines.count);
        let have = if self.machines.count == 1 { "has" } else { "have" };
        (needed > cpus as f64).then(|| {
            let needed = format!("{needed:.1}");
            let needed = needed.trim_end_matches(".0");
            format!("{} needs {needed} CPUs, and {} {have} {cpus}", self.load(), self.machines)
        })
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        let sustained = self.sustained_rate();
        let lower = sustained.map(|rate| format!("write a rate of at most {rate}"));
        let shorter = self
            .spent_after
            .filter(|after| *after >= STEP)
            .map(|after| format!("measure for less than {}", duration_literal(rounded(after))));
        let larger = "name more or larger machines if you have them".to_owned();
        let choices: Vec<_> = [lower, shorter, Some(larger)].into_iter().flatten().collect();
        choices.join(", or ")
    }

    /// The highest rate of arrivals, in two digits rounded down, that the quota serves for any
    /// length of time; `None` if there is no quota.
    pub fn sustained_rate(&self) -> Option<Rate> {
        let quota = CpuQuota::of_size(self.machines.size)?.of_machines(self.machines.count);
        let rate = quota.share() / self.cpu_per_arrival();
        let scale = 10_f64.powf(1.0 - rate.log10().floor());
        Rate::per_second((rate * scale).floor() / scale).ok()
    }

    fn cpu_per_arrival(&self) -> f64 {
        self.cpu_per_request.as_secs_f64() * self.requests as f64
    }

    /// `20/s × 15ms`, `20/s × 3 requests × 15ms`
    fn load(&self) -> String {
        let cpu = duration_literal(self.cpu_per_request);
        let rate = self.rate.map(|rate| format!("{rate} × ")).unwrap_or_default();
        match self.requests {
            1 => format!("{rate}{cpu}"),
            requests => format!("{rate}{requests} requests × {cpu}"),
        }
    }
}

/// `20/s × 15ms CPU a request; the quota serves 8.3/s for any time, and its starting balance is
/// spent after 57s`
impl fmt::Display for QuotaForecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} CPU a request", self.load())?;
        let Some(sustained) = self.sustained_rate() else {
            return f.write_str("; these CPUs have no quota");
        };
        write!(f, "; the quota serves {sustained} for any time")?;
        match (self.rate, self.spent_after) {
            (None, _) => Ok(()),
            (Some(_), Some(after)) => {
                let after = duration_literal(rounded(after));
                write!(f, ", and its starting balance is spent after {after}")
            }
            (Some(_), None) => {
                let lasts = duration_literal(rounded(self.lasts));
                write!(f, ", and its starting balance lasts for this run of {lasts}")
            }
        }
    }
}

/// When a schedule has spent the starting balance of new machines. `cpu` is the CPU time of one
/// arrival, in seconds.
fn spent_after(machines: MachinePlan, schedule: &Schedule, cpu: f64) -> Option<Duration> {
    let quota = CpuQuota::of_size(machines.size)?.of_machines(machines.count);
    let whole = schedule.duration();
    let mut due = 0;
    let steps = (0..).map(|step: u32| STEP.saturating_mul(step)).take_while(|at| *at < whole);
    let uses = steps.map(|at| {
        let end = (at + STEP).min(whole);
        let until = schedule.count_before(end);
        let arrivals = until.saturating_sub(due);
        due = until;
        (
            end.saturating_sub(at),
            Duration::try_from_secs_f64(arrivals as f64 * cpu).unwrap_or(Duration::MAX),
        )
    });
    quota.time_spent_by(uses, quota.starting_balance())
}

/// A duration in whole seconds, and a short one in whole milliseconds.
fn rounded(duration: Duration) -> Duration {
    if duration < Duration::from_secs(10) {
        return Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    }
    Duration::from_secs(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::planned;

    const CPU: Duration = Duration::from_millis(15);

    fn machines(size: &str, count: u32) -> MachinePlan {
        MachinePlan { size: size.parse().unwrap(), count, cpu_per_request: None }
    }

    fn forecast(load: &str, machines: MachinePlan, cpu: Duration) -> QuotaForecast {
        let text = format!("[[request]]\nname = \"a\"\npath = \"/\"\n[load]\n{load}\n");
        QuotaForecast::of(&planned(&text, "").scenarios[0], machines, cpu).unwrap()
    }

    #[test]
    fn a_load_above_the_quota_spends_the_balance_in_mid_run() {
        let load = "arrival_rate = \"20/s\"\nduration = \"90s\"";
        let one = forecast(load, machines("shared-cpu-1x", 1), CPU);
        assert_eq!(
            one.spending().unwrap(),
            "the quota of 1 shared-cpu-1x is spent after 21s at 20/s × 15ms"
        );
        assert_eq!(
            one.remedy(),
            "write a rate of at most 4.1/s, or measure for less than 21s, or name more or larger \
             machines if you have them"
        );
        let two = forecast(load, machines("shared-cpu-1x", 2), CPU);
        assert_eq!(
            two.to_string(),
            "20/s × 15ms CPU a request; the quota serves 8.3/s for any time, and its starting \
             balance is spent after 57s"
        );
        assert_eq!(two.shortage(), None);
    }

    #[test]
    fn a_short_run_a_low_rate_and_own_cpus_spend_nothing() {
        let long = "arrival_rate = \"20/s\"\nduration = \"90s\"";
        for (load, size) in [
            ("arrival_rate = \"20/s\"\nduration = \"20s\"", "shared-cpu-1x"),
            ("arrival_rate = \"4/s\"\nduration = \"1h\"", "shared-cpu-1x"),
            (long, "shared-cpu-8x"),
            (long, "performance-1x"),
        ] {
            assert_eq!(forecast(load, machines(size, 1), CPU).spending(), None, "{load} {size}");
        }
        let own = forecast(long, machines("performance-1x", 1), CPU);
        assert_eq!(own.to_string(), "20/s × 15ms CPU a request; these CPUs have no quota");
    }

    #[test]
    fn a_ramp_spends_the_balance_only_when_its_rate_is_high() {
        let load = "start_rate = \"1/s\"\nstages = [{ duration = \"60s\", rate = \"1/s\" }, \
                    { duration = \"0s\", rate = \"20/s\" }, { duration = \"60s\", rate = \"20/s\" }]";
        let spending = forecast(load, machines("shared-cpu-1x", 1), CPU).spending().unwrap();
        // 60 s at 1/s save 2.85 s, so that 7.85 s last for 33 s.
        assert!(spending.contains("is spent after 1m 33s"), "{spending}");
    }

    #[test]
    fn more_cpu_than_the_machines_have_is_a_shortage_whatever_their_quota() {
        let load = "arrival_rate = \"20/s\"\nduration = \"90s\"";
        let slow = Duration::from_millis(150);
        let one = forecast(load, machines("performance-2x", 1), slow);
        assert_eq!(
            one.shortage().unwrap(),
            "20/s × 150ms needs 3 CPUs, and 1 performance-2x has 2"
        );
        assert_eq!(forecast(load, machines("performance-4x", 1), slow).shortage(), None);
    }

    #[test]
    fn a_closed_load_and_a_single_arrival_have_no_rate_to_judge() {
        for load in ["connections = 4\nduration = \"90s\"", "once = true"] {
            let forecast = forecast(load, machines("shared-cpu-1x", 1), CPU);
            assert_eq!((forecast.spending(), forecast.shortage()), (None, None));
            assert_eq!(
                forecast.to_string(),
                "15ms CPU a request; the quota serves 4.1/s for any time"
            );
        }
    }
}
