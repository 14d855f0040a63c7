//! What Fly's metrics say about an attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use super::app_machines::StoppableClock;
use crate::engine::clock;
use crate::fly::{
    AppName, CountedTime, FetchTransport, FlyEnvironment, InstanceMetrics, MetricReading,
    MetricSample, MetricWindow, PrometheusClient, SystemCallClock,
};
use crate::record::session::{Attempt, CpuReading, QuotaReading, TimeSpan};
use crate::units::ByteSize;

/// How far apart the metrics are read. Fly collects them every 15 s.
const STEP: Duration = Duration::from_secs(15);

/// How long to wait for the last metrics at the end of a session.
const COLLECTION_DELAY: Duration = Duration::from_secs(20);

/// Reads the metrics of attempts.
pub(super) struct QuotaMeter<'a> {
    client: Option<PrometheusClient<FetchTransport, StoppableClock<'a>>>,
    app: Option<AppName>,
    /// How long to wait for metrics to be collected, and how far apart they are.
    pace: MetricPace,
}

/// How fast metrics come. Simulated machines are faster than Fly.
#[derive(Debug, Clone, Copy)]
pub(super) struct MetricPace {
    pub(super) step: Duration,
    pub(super) delay: Duration,
}

impl Default for MetricPace {
    fn default() -> Self {
        Self { step: STEP, delay: COLLECTION_DELAY }
    }
}

impl<'a> QuotaMeter<'a> {
    /// A meter of an app; without an app, nothing is known.
    pub(super) fn new(
        environment: Option<&FlyEnvironment>,
        app: Option<&AppName>,
        pace: MetricPace,
        is_stopped: Box<dyn Fn() -> bool + 'a>,
    ) -> Self {
        let client = environment.map(|environment| {
            let clock = SystemCallClock::with_stop(is_stopped);
            PrometheusClient::new(environment, FetchTransport, clock)
        });
        Self { client, app: app.cloned(), pace }
    }

    /// How long to wait for the metrics of what has just ended.
    pub(super) fn delay(&self) -> Duration {
        if self.client.is_some() { self.pace.delay } else { Duration::ZERO }
    }

    /// The reading of the machines in an attempt. The window reaches one step further on both
    /// sides, so that it holds a sample from before the attempt and one from after it.
    ///
    /// If the attempt before it was throttled until its end, the first sample of this one also
    /// counts the end of that one. The window then begins with this sample.
    pub(super) fn read(&mut self, attempt: &Attempt, earlier: Option<&Attempt>) -> QuotaReading {
        let (Some(client), Some(app)) = (&mut self.client, &self.app) else {
            return QuotaReading::NotKnown("no Fly app is named".to_owned());
        };
        let (started, step) = (attempt.started, self.pace.step);
        let to = (started + attempt.took + step).min(clock::wall_clock());
        let from = match earlier {
            Some(earlier)
                if ends_throttled(earlier, step)
                    && started < earlier.started + earlier.took + step =>
            {
                (started + step).min(to - step)
            }
            _ => started - step,
        };
        let window = MetricWindow::new(from, to, step);
        match client.read_instances(app, &window) {
            MetricReading::NotKnown { because } => QuotaReading::NotKnown(because),
            MetricReading::Known(instances) => {
                let readings: BTreeMap<String, CpuReading> = instances
                    .into_iter()
                    .filter_map(|instance| {
                        let reading = cpu_reading(&instance)?;
                        Some((instance.instance, reading))
                    })
                    .collect();
                if readings.is_empty() {
                    QuotaReading::NotKnown("Fly has no CPU metrics of this time yet".to_owned())
                } else {
                    QuotaReading::Known(readings)
                }
            }
        }
    }
}

/// Whether the quota held back any machine of an attempt in the last step of its time.
fn ends_throttled(attempt: &Attempt, step: Duration) -> bool {
    let QuotaReading::Known(readings) = &attempt.quota else { return false };
    let end = attempt.started + attempt.took;
    let mut spans = readings.values().flat_map(|reading| &reading.throttled_spans);
    spans.any(|span| span.to > end - step)
}

/// The reading of one machine; `None` if Fly does not say whether it was throttled.
fn cpu_reading(metrics: &InstanceMetrics) -> Option<CpuReading> {
    let throttled = metrics.throttled.known()?;
    let balance = |pick: fn(&[MetricSample<Duration>]) -> Option<&MetricSample<Duration>>| {
        metrics.balance.known().and_then(|samples| pick(samples)).map(|sample| micros(sample.value))
    };
    let spans = throttled.spans.iter().filter(|span| !span.counted.is_zero());
    Some(CpuReading {
        throttled: throttled.total(),
        throttled_spans: spans.map(|span| TimeSpan { from: span.from, to: span.to }).collect(),
        balance_before_us: balance(<[_]>::first),
        balance_after_us: balance(<[_]>::last),
        used_us: metrics.used.known().map(|used| micros(used.total())),
        steal_us: metrics.stolen.known().map(|stolen: &CountedTime| micros(stolen.total())),
        memory_available: memory_share(metrics),
    })
}

/// The smallest share of the memory that was available.
fn memory_share(metrics: &InstanceMetrics) -> Option<f64> {
    let total = metrics.memory_total.known()?.last()?.value;
    let samples: &Vec<MetricSample<ByteSize>> = metrics.memory_available.known()?;
    let least = samples.iter().map(|sample| sample.value.0).min()?;
    (total.0 > 0).then(|| least as f64 / total.0 as f64)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::record::session::{CurveEnd, StartKind};

    /// An attempt of a minute that was throttled from one second to another.
    fn throttled(from: u64, to: u64) -> Attempt {
        let started = datetime!(2026-11-29 04:00 UTC);
        let at = |second| started + Duration::from_secs(second);
        let reading = CpuReading {
            throttled: Duration::from_secs(to - from),
            throttled_spans: vec![TimeSpan { from: at(from), to: at(to) }],
            balance_before_us: None,
            balance_after_us: None,
            used_us: None,
            steal_us: None,
            memory_available: None,
        };
        Attempt {
            number: 1,
            round: 1,
            configuration: 0,
            started,
            first_due: None,
            took: Duration::from_mins(1),
            machines_before: Vec::new(),
            machines_after: Vec::new(),
            machine: None,
            start: StartKind::Unknown,
            first: Vec::new(),
            curve: Vec::new(),
            curve_end: CurveEnd::Skipped,
            steady: None,
            quota: QuotaReading::Known(BTreeMap::from([("m1".to_owned(), reading)])),
            problem: None,
        }
    }

    #[test]
    fn only_throttling_in_the_last_step_can_reach_into_the_next_attempt() {
        for (from, to, reaches) in
            [(15, 30, false), (30, 45, false), (40, 55, true), (60, 75, true)]
        {
            assert_eq!(ends_throttled(&throttled(from, to), STEP), reaches, "{from} to {to}");
        }
        let unknown = QuotaReading::NotKnown("no token".to_owned());
        assert!(!ends_throttled(&Attempt { quota: unknown, ..throttled(40, 55) }, STEP));
    }
}
