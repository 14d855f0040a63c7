//! What Fly's metrics say about an attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

use crate::cli::fly_access::StoppableClock;
use crate::engine::clock;
use crate::fly::{
    AppName, CountedSpan, CountedTime, FetchTransport, FlyEnvironment, InstanceMetrics,
    MetricReading, MetricSample, MetricWindow, PrometheusClient, SystemCallClock,
};
use crate::record::micros;
use crate::record::session::{Attempt, CpuReading, QuotaReading, TimeSpan};
use crate::units::ByteSize;

/// How far apart Fly's samples are.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(15);

/// Values read per sample. Prometheus repeats a sample until the next one, so the moment at which
/// the value changes shows when it was taken.
const VALUES_PER_SAMPLE: u32 = 15;

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
    /// How far apart samples are.
    pub(super) interval: Duration,
    /// How long the last ones take to arrive.
    pub(super) delay: Duration,
}

impl MetricPace {
    /// That of simulated machines whose samples are this far apart.
    pub(super) fn of_simulation(interval: Duration) -> Self {
        Self { interval, delay: interval * 2 }
    }

    /// How far apart values are read.
    fn step(&self) -> Duration {
        (self.interval / VALUES_PER_SAMPLE).max(MetricWindow::SHORTEST_STEP)
    }
}

impl Default for MetricPace {
    fn default() -> Self {
        Self { interval: SAMPLE_INTERVAL, delay: COLLECTION_DELAY }
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

    /// How long machines must rest after an attempt and before one, so that a sample separates what
    /// they do in it from everything else. Zero if no metrics can be read.
    pub(super) fn rest(&self) -> Duration {
        let is_readable = self.app.is_some()
            && self.client.as_ref().is_some_and(PrometheusClient::names_organisation);
        if is_readable { self.pace.interval + self.pace.step() * 2 } else { Duration::ZERO }
    }

    /// The reading of the machines in an attempt.
    pub(super) fn read(&mut self, attempt: &Attempt) -> QuotaReading {
        let (Some(client), Some(app)) = (&mut self.client, &self.app) else {
            return QuotaReading::NotKnown("no Fly app is named".to_owned());
        };
        let times = AttemptTimes::new(attempt, self.pace.interval);
        let (from, to) = (times.from - self.pace.interval, times.last_sample());
        let window = MetricWindow::new(from, to.min(clock::wall_clock()), self.pace.step());
        match client.read_instances(app, &window) {
            MetricReading::NotKnown { because } => QuotaReading::NotKnown(because),
            MetricReading::Known(instances) => read_instances(&instances, attempt, &times),
        }
    }
}

/// The readings of all machines. Not known if the samples end before the attempt does: Prometheus
/// repeats the last one for minutes, and a counter that is repeated seems to stand still.
fn read_instances(
    instances: &[InstanceMetrics],
    attempt: &Attempt,
    times: &AttemptTimes,
) -> QuotaReading {
    let is_own = |metrics: &&InstanceMetrics| {
        attempt.machine.as_ref().is_none_or(|own| *own == metrics.instance)
    };
    if !instances.iter().filter(is_own).any(|metrics| times.are_covered_by(metrics)) {
        return QuotaReading::NotKnown(
            "Fly has no samples yet of the end of this attempt; they can arrive minutes late"
                .to_owned(),
        );
    }
    let reading =
        |metrics: &InstanceMetrics| Some((metrics.instance.clone(), cpu_reading(metrics, times)?));
    let readings: BTreeMap<String, CpuReading> = instances.iter().filter_map(reading).collect();
    if readings.is_empty() {
        return QuotaReading::NotKnown("Fly does not say whether CPUs were held back".to_owned());
    }
    QuotaReading::Known(readings)
}

/// When the machines worked for an attempt.
#[derive(Debug, Clone, Copy)]
struct AttemptTimes {
    from: OffsetDateTime,
    to: OffsetDateTime,
    /// How far apart samples are.
    interval: Duration,
}

impl AttemptTimes {
    fn new(attempt: &Attempt, interval: Duration) -> Self {
        let from = attempt.cold_from.unwrap_or(attempt.started);
        Self { from, to: attempt.started + attempt.took, interval }
    }

    /// The latest time at which the sample that shows the end of the attempt is taken.
    fn last_sample(&self) -> OffsetDateTime {
        self.to + self.interval
    }

    /// The growth of a counter that belongs to the attempt: the samples that show it were taken
    /// after it began, and at the latest one interval after its end. Machines rest for longer than
    /// an interval on both sides of an attempt, so that growth outside it does not count.
    fn own<'a>(&self, counted: &'a CountedTime) -> impl Iterator<Item = &'a CountedSpan> {
        let times = *self;
        let is_own = move |sampled| times.from < sampled && sampled <= times.last_sample();
        counted.spans.iter().filter(move |span| is_own(span.to))
    }

    /// How much a counter grew.
    fn growth(&self, counted: &CountedTime) -> Duration {
        self.own(counted).map(|span| span.counted).sum()
    }

    /// When a counter may have grown: what a sample shows happened since the one before it.
    fn spans(&self, counted: &CountedTime) -> Vec<TimeSpan> {
        let mut spans: Vec<TimeSpan> = Vec::new();
        for sampled in self.own(counted).map(|span| span.to) {
            let from = (sampled - self.interval).clamp(self.from, self.to);
            let to = sampled.min(self.to);
            match spans.last_mut().filter(|last| from <= last.to) {
                Some(last) => last.to = to,
                None => spans.push(TimeSpan { from, to }),
            }
        }
        spans
    }

    /// Whether samples reach to the end of the attempt. CPUs count time until then, at least as
    /// idle. If that is not known, the time of the last balance has to do.
    fn are_covered_by(&self, metrics: &InstanceMetrics) -> bool {
        let last = match (metrics.running.known(), metrics.balance.known()) {
            (Some(running), _) => running.spans.last().map(|span| span.to),
            (None, Some(balance)) => balance.last().map(|sample| sample.at),
            (None, None) => None,
        };
        last.is_some_and(|last| last > self.to - self.interval)
    }
}

/// The reading of one machine; `None` if Fly does not say whether it was throttled.
fn cpu_reading(metrics: &InstanceMetrics, times: &AttemptTimes) -> Option<CpuReading> {
    let throttled = metrics.throttled.known()?;
    let balance: &[MetricSample<Duration>] = metrics.balance.known().map_or(&[], Vec::as_slice);
    let before = balance.iter().rev().find(|sample| sample.at <= times.from).or(balance.first());
    let in_micros = |sample: &MetricSample<Duration>| micros::whole(sample.value);
    let grown = |counted: &CountedTime| micros::whole(times.growth(counted));
    Some(CpuReading {
        throttled: times.growth(throttled),
        throttled_spans: times.spans(throttled),
        balance_before_us: before.map(in_micros),
        balance_after_us: balance.last().map(in_micros),
        used_us: metrics.used.known().map(grown),
        steal_us: metrics.stolen.known().map(grown),
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

    const STARTED: OffsetDateTime = datetime!(2026-11-29 04:00 UTC);

    /// An attempt of a minute.
    fn attempt() -> AttemptTimes {
        AttemptTimes { from: STARTED, to: at(60), interval: Duration::from_secs(15) }
    }

    fn at(second: i64) -> OffsetDateTime {
        STARTED + time::Duration::seconds(second)
    }

    /// A counter that grew by 100 ms before each of these samples.
    fn counter(seconds: &[i64]) -> CountedTime {
        let span = |second: &i64| CountedSpan {
            from: at(second - 1),
            to: at(*second),
            counted: Duration::from_millis(100),
        };
        CountedTime { from: at(-15), to: at(75), spans: seconds.iter().map(span).collect() }
    }

    #[test]
    fn growth_counts_from_the_first_sample_after_the_start() {
        for (sampled, is_own) in
            [(-3, false), (0, false), (1, true), (60, true), (75, true), (76, false)]
        {
            let grown = attempt().growth(&counter(&[sampled]));
            assert_eq!(grown, Duration::from_millis(if is_own { 100 } else { 0 }), "{sampled} s");
        }
    }

    #[test]
    fn spans_reach_back_to_the_sample_before_and_join_where_they_touch() {
        let spans = attempt().spans(&counter(&[7, 37, 52, 67]));
        let joined = |from, to| TimeSpan { from: at(from), to: at(to) };
        assert_eq!(spans, [joined(0, 7), joined(22, 60)]);
    }

    #[test]
    fn samples_that_end_before_the_attempt_do_not_cover_it() {
        let known = |seconds: &[i64]| InstanceMetrics {
            instance: "m".to_owned(),
            balance: MetricReading::NotKnown { because: String::new() },
            throttled: MetricReading::Known(counter(&[])),
            stolen: MetricReading::Known(counter(&[])),
            used: MetricReading::Known(counter(&[])),
            running: MetricReading::Known(counter(seconds)),
            memory_total: MetricReading::NotKnown { because: String::new() },
            memory_available: MetricReading::NotKnown { because: String::new() },
        };
        assert!(attempt().are_covered_by(&known(&[10, 25, 50])));
        assert!(!attempt().are_covered_by(&known(&[10, 25, 40])));
        assert!(!attempt().are_covered_by(&known(&[])));
    }
}
