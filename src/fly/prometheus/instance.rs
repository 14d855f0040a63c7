//! What Fly measured about one machine, in units.
//!
//! Fly documents `fly_instance_cpu_balance` as a gauge, and `fly_instance_cpu` and
//! `fly_instance_cpu_throttle` as counters, all in hundredths of a second of CPU time; memory is in
//! bytes. Throttled and stolen time add up over a machine's CPUs, so that two throttled CPUs can
//! count two seconds in one. A counter starts at zero again when a machine boots.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

use super::MetricReading;
use super::series::{MetricSample, MetricSeries};
use crate::fly::error::FlyError;
use crate::units::ByteSize;

/// Fly's clock ticks per second.
const TICKS: f64 = 100.0;

/// One machine's figures over a window.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceMetrics {
    /// The machine's id.
    pub instance: String,
    /// CPU time that the machine may still use above its baseline, at each step.
    pub balance: MetricReading<Vec<MetricSample<Duration>>>,
    /// When, and how long, the quota held the machine's CPUs back.
    pub throttled: MetricReading<CountedTime>,
    /// When, and how long, the CPUs wanted to run and could not, for whatever reason. Throttled
    /// time is a part of it; the rest is other machines of the host.
    pub stolen: MetricReading<CountedTime>,
    /// When, and how long, the CPUs worked for the machine: every mode except waiting and stolen
    /// time.
    pub used: MetricReading<CountedTime>,
    /// When the CPUs counted any time, waiting included: while the machine ran and was sampled.
    pub running: MetricReading<CountedTime>,
    /// Memory of the machine, at each step.
    pub memory_total: MetricReading<Vec<MetricSample<ByteSize>>>,
    /// Memory that its processes could still get, at each step.
    pub memory_available: MetricReading<Vec<MetricSample<ByteSize>>>,
}

/// Growth of a counter of time.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedTime {
    /// The first sample. What the counter did before it is not known.
    pub from: OffsetDateTime,
    /// The last sample. What the counter did after it is not known.
    pub to: OffsetDateTime,
    /// The stretches in which it grew, in the order of time.
    pub spans: Vec<CountedSpan>,
}

/// Growth between two samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedSpan {
    /// The earlier sample.
    pub from: OffsetDateTime,
    /// The later sample.
    pub to: OffsetDateTime,
    /// By how much the counter grew; may exceed the time between the samples.
    pub counted: Duration,
}

/// The answer to each query.
pub(super) struct MetricAnswers {
    pub(super) balance: Result<Vec<MetricSeries>, FlyError>,
    pub(super) throttle: Result<Vec<MetricSeries>, FlyError>,
    /// Every mode of the CPUs.
    pub(super) cpu: Result<Vec<MetricSeries>, FlyError>,
    pub(super) memory_total: Result<Vec<MetricSeries>, FlyError>,
    pub(super) memory_available: Result<Vec<MetricSeries>, FlyError>,
}

/// Sorts series by machine. Not known if no answer has a sample.
pub(super) fn collect(answers: &MetricAnswers) -> MetricReading<Vec<InstanceMetrics>> {
    let all = [
        &answers.balance,
        &answers.throttle,
        &answers.cpu,
        &answers.memory_total,
        &answers.memory_available,
    ];
    let mut instances: Vec<&str> = all
        .iter()
        .flat_map(|answer| answer.iter().flatten())
        .filter(|series| !series.samples.is_empty())
        .map(|series| series.label("instance"))
        .filter(|instance| !instance.is_empty())
        .collect();
    instances.sort_unstable();
    instances.dedup();
    if instances.is_empty() {
        let error = all.iter().find_map(|answer| answer.as_ref().err());
        let because = error.map_or_else(|| NO_SAMPLE.to_owned(), ToString::to_string);
        return MetricReading::not_known(because);
    }
    MetricReading::Known(instances.into_iter().map(|name| one(name, answers)).collect())
}

/// Why there is no figure if every query was answered.
const NO_SAMPLE: &str = "Fly's Prometheus has no sample of it in this time; samples may arrive \
                         minutes late";

fn one(instance: &str, answers: &MetricAnswers) -> InstanceMetrics {
    InstanceMetrics {
        instance: instance.to_owned(),
        balance: gauge(&answers.balance, instance, ticks),
        throttled: counter(&answers.throttle, instance, |_| true),
        stolen: counter(&answers.cpu, instance, |mode| mode == STEAL),
        used: counter(&answers.cpu, instance, |mode| !WAITING.contains(&mode)),
        running: counter(&answers.cpu, instance, |_| true),
        memory_total: gauge(&answers.memory_total, instance, bytes),
        memory_available: gauge(&answers.memory_available, instance, bytes),
    }
}

/// Clock ticks as time; a negative count is none.
fn ticks(count: f64) -> Duration {
    Duration::try_from_secs_f64(count / TICKS).unwrap_or_default()
}

/// A size; a negative one is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and sizes beyond 2^64 become the largest"
)]
fn bytes(value: f64) -> ByteSize {
    ByteSize(value.max(0.0) as u64)
}

/// The series of one machine that have samples.
fn series_of<'a>(
    answer: &'a Result<Vec<MetricSeries>, FlyError>,
    instance: &str,
) -> Result<Vec<&'a MetricSeries>, String> {
    let series = answer.as_ref().map_err(ToString::to_string)?;
    let is_its =
        |series: &&MetricSeries| series.label("instance") == instance && !series.samples.is_empty();
    let its: Vec<_> = series.iter().filter(is_its).collect();
    if its.is_empty() { Err(NO_SAMPLE.to_owned()) } else { Ok(its) }
}

/// A machine that moved to another host has a series for each; the later one of a time counts.
fn gauge<V: Copy>(
    answer: &Result<Vec<MetricSeries>, FlyError>,
    instance: &str,
    unit: impl Fn(f64) -> V,
) -> MetricReading<Vec<MetricSample<V>>> {
    let series = match series_of(answer, instance) {
        Ok(series) => series,
        Err(because) => return MetricReading::not_known(because),
    };
    let samples = series.iter().flat_map(|series| &series.samples);
    let by_time: BTreeMap<_, _> = samples.map(|sample| (sample.at, unit(sample.value))).collect();
    let samples = by_time.into_iter().map(|(at, value)| MetricSample { at, value });
    MetricReading::Known(samples.collect())
}

/// The mode of a CPU that wants to run and cannot.
const STEAL: &str = "steal";

/// The modes of a CPU that does not work.
const WAITING: [&str; 3] = ["idle", "iowait", STEAL];

/// Adds the growth of a machine's series of some modes, one for each CPU and mode.
fn counter(
    answer: &Result<Vec<MetricSeries>, FlyError>,
    instance: &str,
    is_counted: impl Fn(&str) -> bool,
) -> MetricReading<CountedTime> {
    let series = match series_of(answer, instance) {
        Ok(series) => series,
        Err(because) => return MetricReading::not_known(because),
    };
    let of_modes = series.into_iter().filter(|series| is_counted(series.label("mode")));
    let series: Vec<_> = of_modes.collect();
    let times = || series.iter().flat_map(|series| &series.samples).map(|sample| sample.at);
    let (Some(from), Some(to)) = (times().min(), times().max()) else {
        return MetricReading::not_known(NO_SAMPLE);
    };
    if from == to {
        let because = "there is one sample in this time, and a counter needs two";
        return MetricReading::not_known(because);
    }
    let mut grown = BTreeMap::<(OffsetDateTime, OffsetDateTime), f64>::new();
    for pair in series.iter().flat_map(|series| series.samples.windows(2)) {
        let [earlier, later] = pair else { continue };
        *grown.entry((earlier.at, later.at)).or_default() += growth(earlier.value, later.value);
    }
    let spans = grown.into_iter().filter(|(_, count)| *count > 0.0);
    let spans = spans.map(|((from, to), count)| CountedSpan { from, to, counted: ticks(count) });
    MetricReading::Known(CountedTime { from, to, spans: spans.collect() })
}

/// A counter that fell was set to zero in between.
fn growth(earlier: f64, later: f64) -> f64 {
    if later >= earlier { later - earlier } else { later.max(0.0) }
}
