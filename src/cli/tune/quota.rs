//! What Fly's metrics say about an attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

use super::app_machines::StoppableClock;
use crate::engine::clock;
use crate::fly::{
    AppName, CountedSpan, CountedTime, FetchTransport, FlyEnvironment, InstanceMetrics,
    MetricReading, MetricSample, MetricWindow, PrometheusClient, SystemCallClock,
};
use crate::record::micros;
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
    pub(super) fn read(&mut self, attempt: &Attempt) -> QuotaReading {
        let (Some(client), Some(app)) = (&mut self.client, &self.app) else {
            return QuotaReading::NotKnown("no Fly app is named".to_owned());
        };
        let (started, step) = (attempt.started, self.pace.step);
        let ended = started + attempt.took;
        let (from, to) = (started - step, (ended + step).min(clock::wall_clock()));
        let window = MetricWindow::new(from, to, step);
        match client.read_instances(app, &window) {
            MetricReading::NotKnown { because } => QuotaReading::NotKnown(because),
            MetricReading::Known(instances) => {
                let readings: BTreeMap<String, CpuReading> = instances
                    .into_iter()
                    .filter_map(|instance| {
                        let reading = cpu_reading(&instance, (started, ended))?;
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

/// Whether growth between two samples belongs to an attempt: at least half of the time between them
/// does. Samples are one step apart, so the rest may be that of a neighbouring attempt.
fn belongs(span: &CountedSpan, (started, ended): (OffsetDateTime, OffsetDateTime)) -> bool {
    let middle = span.from + (span.to - span.from) / 2;
    (started..=ended).contains(&middle)
}

/// The reading of one machine; `None` if Fly does not say whether it was throttled.
fn cpu_reading(
    metrics: &InstanceMetrics,
    attempt: (OffsetDateTime, OffsetDateTime),
) -> Option<CpuReading> {
    let throttled = metrics.throttled.known()?;
    let balance = |pick: fn(&[MetricSample<Duration>]) -> Option<&MetricSample<Duration>>| {
        metrics
            .balance
            .known()
            .and_then(|samples| pick(samples))
            .map(|sample| micros::whole(sample.value))
    };
    let own = throttled.spans.iter().filter(|span| belongs(span, attempt));
    let spans: Vec<&CountedSpan> = own.filter(|span| !span.counted.is_zero()).collect();
    Some(CpuReading {
        throttled: spans.iter().map(|span| span.counted).sum(),
        throttled_spans: spans
            .iter()
            .map(|span| TimeSpan { from: span.from, to: span.to })
            .collect(),
        balance_before_us: balance(<[_]>::first),
        balance_after_us: balance(<[_]>::last),
        used_us: metrics.used.known().map(|used| micros::whole(used.total())),
        steal_us: metrics.stolen.known().map(|stolen: &CountedTime| micros::whole(stolen.total())),
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

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn growth_belongs_to_the_attempt_that_has_most_of_its_time() {
        let started = datetime!(2026-11-29 04:00 UTC);
        let at = |second: i64| started + time::Duration::seconds(second);
        let attempt = (started, at(60));
        for (from, to, is_own) in [
            (-15, 0, false),
            (-10, 5, false),
            (-5, 10, true),
            (30, 45, true),
            (50, 65, true),
            (55, 70, false),
            (60, 75, false),
        ] {
            let (from, to) = (at(from), at(to));
            let span = CountedSpan { from, to, counted: Duration::from_secs(1) };
            assert_eq!(belongs(&span, attempt), is_own, "{from} to {to}");
        }
    }
}
