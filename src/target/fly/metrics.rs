//! Samples of the machines as Fly's Prometheus keeps them.
//!
//! CPU figures are in hundredths of a second, as Fly publishes them: queries of its dashboards
//! divide by 100. The balance is that of the whole machine, not of each vCPU.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::MachineShape;
use super::machine::Machine;

/// Between two samples of Fly's.
pub(super) const SAMPLE_EVERY: Duration = Duration::from_secs(15);

/// Samples kept of each app, so that a target that runs for days does not grow.
const KEPT: usize = 20_000;

/// Hundredths of a second in a second.
const CENTI: f64 = 100.0;

/// Memory that a running machine uses, in bytes.
const MEMORY_USED: f64 = 180.0 * 1024.0 * 1024.0;

/// The figures of one machine at one moment.
#[derive(Debug, Clone)]
pub(super) struct MetricSample {
    /// Simulated time since the start.
    pub(super) at: Duration,
    pub(super) machine: usize,
    /// `None` without a quota.
    balance: Option<f64>,
    throttled: f64,
    used: f64,
    idle: f64,
    memory_total: f64,
    memory_available: f64,
    concurrency: f64,
}

/// A metric: its name, and the value of its label `mode` if it has one.
pub(super) type MetricName = (&'static str, Option<&'static str>);

/// Every metric that is kept.
pub(super) const METRICS: [MetricName; 10] = [
    ("fly_instance_cpu_balance", None),
    ("fly_instance_cpu_throttle", None),
    ("fly_instance_cpu", Some("user")),
    ("fly_instance_cpu", Some("system")),
    ("fly_instance_cpu", Some("idle")),
    ("fly_instance_cpu", Some("steal")),
    ("fly_instance_memory_mem_total", None),
    ("fly_instance_memory_mem_available", None),
    ("fly_app_concurrency", None),
    ("fly_instance_up", None),
];

/// The samples so far, oldest first.
#[derive(Debug)]
pub(super) struct MetricHistory {
    /// Between two samples, in simulated time.
    every: Duration,
    samples: VecDeque<MetricSample>,
    next: Duration,
}

impl MetricHistory {
    /// No samples yet; the first ones are due at the start.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, samples: VecDeque::new(), next: Duration::ZERO }
    }

    /// When the next samples are due.
    pub(super) fn next_sample(&self) -> Duration {
        self.next
    }

    /// Takes the samples that are due. A machine that does not run has none.
    pub(super) fn take(&mut self, machines: &[Machine], loads: &[usize]) {
        for (index, machine) in machines.iter().enumerate().filter(|(_, machine)| machine.runs()) {
            let load = loads.get(index).copied().unwrap_or(0);
            self.samples.push_back(MetricSample::of(machine, index, load, self.next));
        }
        while self.samples.len() > KEPT {
            self.samples.pop_front();
        }
        self.next += self.every;
    }

    /// The samples of a machine, oldest first.
    pub(super) fn of_machine(&self, machine: usize) -> impl Iterator<Item = &MetricSample> {
        self.samples.iter().filter(move |sample| sample.machine == machine)
    }
}

impl MetricSample {
    fn of(machine: &Machine, index: usize, load: usize, at: Duration) -> Self {
        let times = machine.quota.times();
        let memory = MachineShape::of(&machine.config).memory_mb as f64 * 1024.0 * 1024.0;
        Self {
            at,
            machine: index,
            balance: machine.quota.balance(),
            throttled: times.throttled,
            used: times.used,
            idle: times.idle,
            memory_total: memory,
            memory_available: (memory - MEMORY_USED).max(0.0),
            concurrency: load as f64,
        }
    }

    /// The value of a metric; `None` if the machine has none.
    pub(super) fn value(&self, metric: MetricName) -> Option<f64> {
        match metric {
            ("fly_instance_cpu_balance", _) => self.balance.map(|balance| balance * CENTI),
            ("fly_instance_cpu_throttle", _) | ("fly_instance_cpu", Some("steal")) => {
                Some(self.throttled * CENTI)
            }
            ("fly_instance_cpu", Some("user")) => Some(self.used * 0.9 * CENTI),
            ("fly_instance_cpu", Some("system")) => Some(self.used * 0.1 * CENTI),
            ("fly_instance_cpu", Some("idle")) => Some(self.idle * CENTI),
            ("fly_instance_memory_mem_total", _) => Some(self.memory_total),
            ("fly_instance_memory_mem_available", _) => Some(self.memory_available),
            ("fly_app_concurrency", _) => Some(self.concurrency),
            ("fly_instance_up", _) => Some(1.0),
            _ => None,
        }
    }
}
