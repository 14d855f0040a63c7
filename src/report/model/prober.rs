//! How well the prober kept its schedule, and therefore how far to trust its figures.

use std::time::Duration;

use crate::record::{
    Ceiling, Dimension, Histogram, Measurement, RunRecord, ScenarioMeasurement, micros,
};
use crate::units::{Quantile, Ratio};

use super::{DurationQuantiles, ReportFact, request, words};

/// The prober is late if one arrival in a hundred lags by at least this share of what it is
/// measured against: the smallest ceiling, or the median latency if no budget has a ceiling.
const LATE: f64 = 0.05;

/// A lag from here on is compared with the ceiling even if it does not matter.
const NOTABLE: Duration = Duration::from_millis(1);

/// What lateness means for the verdict.
const MEANS: &str = "Lag only adds to latency: a pass holds all the same, and a breach that lag could \
                     explain is inconclusive, not a fail.";

/// How well the prober kept its schedule in the measured stage.
#[derive(Debug, Clone)]
pub(in crate::report) struct ProberView {
    /// Whether it kept its schedule throughout.
    pub(in crate::report) is_punctual: bool,
    /// Whether it kept its schedule and, if not, what that means.
    pub(in crate::report) sentence: String,
    /// Lag, hiccups and the time spent spinning.
    pub(in crate::report) facts: Vec<ReportFact>,
}

impl ProberView {
    /// How the prober did in a run; `None` if nothing shows it.
    pub(super) fn of(record: &RunRecord) -> Option<Self> {
        let run = &record.measurement;
        let lag = DurationQuantiles::of(Some(&lag(record)));
        let unreleased: u64 = run.scenarios.iter().map(ScenarioMeasurement::never_sent).sum();
        if lag.n == 0 && unreleased == 0 {
            return None;
        }
        let hiccups = DurationQuantiles::of(Some(&run.prober.hiccups));
        let (is_punctual, sentence) = judge(&lag, &hiccups, unreleased, &LatenessEffect::of(run));
        Some(Self { is_punctual, sentence, facts: facts(run, &lag, &hiccups) })
    }

    /// The sentence and all facts in one line.
    pub(in crate::report) fn one_line(&self) -> String {
        let facts: Vec<String> =
            self.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
        format!("{} Its {}.", self.sentence, facts.join("; "))
    }
}

/// The lag of every arrival. Hops are not arrivals.
fn lag(record: &RunRecord) -> Histogram {
    let mut all = Histogram::default();
    for scenario in &record.measurement.scenarios {
        let hops = request::hops(record.planned(&scenario.name));
        let own = scenario.requests.iter().filter(|request| !hops.contains(&request.name.as_str()));
        own.filter_map(|request| request.measured.series.get(Dimension::Lag))
            .for_each(|lag| all.add(lag));
    }
    all
}

/// What lag and standstills of the prober can do to the verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct LatenessEffect {
    /// Of the budget that loses the most: the exceedances, and how many of them would not be
    /// counted without the prober's own time.
    explained: Option<(u64, u64)>,
    /// The smallest ceiling on a duration that counts from the due time.
    ceiling: Option<Duration>,
    /// Whether a budget is about lag alone.
    judges_lag: bool,
    /// The smallest median latency of a request.
    median: Option<Duration>,
}

impl LatenessEffect {
    fn of(run: &Measurement) -> Self {
        use Dimension::{Fresh, Lag, Latency, Reused};
        let requests = || run.scenarios.iter().flat_map(|scenario| &scenario.requests);
        let counted = || {
            requests()
                .flat_map(|request| request.ceilings.iter().zip(&request.measured.tally.ceilings))
        };
        let explained = counted()
            .map(|(_, count)| {
                (count.exceeded, count.exceeded.saturating_sub(count.exceeded_without_lag))
            })
            .filter(|(_, explained)| *explained > 0)
            .max_by_key(|(_, explained)| *explained);
        let is_latency = |ceiling: &&Ceiling| matches!(ceiling.dimension, Latency | Fresh | Reused);
        let ceilings = counted().map(|(ceiling, _)| ceiling).filter(is_latency);
        let medians = requests()
            .filter_map(|request| request.measured.series.quantile(Latency, Quantile::P50));
        Self {
            explained,
            ceiling: ceilings.map(|ceiling| ceiling.limit).min(),
            judges_lag: counted().any(|(ceiling, _)| ceiling.dimension == Lag),
            median: medians.min(),
        }
    }

    /// What lag is measured against, and its name.
    fn scale(&self) -> Option<(Duration, &'static str)> {
        let median = self.median.map(|median| (median, "the median latency"));
        self.ceiling.map(|ceiling| (ceiling, "the smallest ceiling")).or(median)
    }

    /// `0.86 % of the smallest ceiling (300 ms)`.
    fn share(&self, lag: Duration) -> Option<(f64, String)> {
        let (scale, name) = self.scale().filter(|(scale, _)| !scale.is_zero())?;
        let share = lag.as_secs_f64() / scale.as_secs_f64();
        let ratio = Ratio::of(micros::whole(lag), micros::whole(scale).max(1));
        let shown = if share <= 1.0 {
            format!("{} of {name} ({})", words::share(ratio), words::time(Some(scale)))
        } else {
            format!("more than {name} ({})", words::time(Some(scale)))
        };
        Some((share, shown))
    }
}

/// Whether the prober was punctual enough, and the sentence that says so. It was if its own time
/// explains no exceedance and one arrival in a hundred lagged by less than [`LATE`] at most: then
/// lateness cannot matter.
fn judge(
    lag: &DurationQuantiles,
    hiccups: &DurationQuantiles,
    unreleased: u64,
    effect: &LatenessEffect,
) -> (bool, String) {
    let [p99, max] = [lag.p99, lag.max].map(Option::unwrap_or_default);
    let [most, longest] = [p99, max].map(|lag| words::time(Some(lag)));
    if unreleased > 0 {
        let never = words::plural(unreleased, "arrival");
        let sentence = format!(
            "The prober did not keep its schedule: {never} never went out, so the run cannot pass."
        );
        return (false, sentence);
    }
    let few = latest_of_few(lag.n, &longest);
    let share = effect.share(if few.is_some() { max } else { p99 });
    let is_late = share.as_ref().is_some_and(|(share, _)| *share >= LATE);
    let mostly = format!("99 % of the arrivals went out within {most} of their due times");
    let mostly = few.unwrap_or(mostly);
    let against = share.map(|(_, shown)| format!(", {shown}")).unwrap_or_default();
    match effect.explained {
        Some(explained) => (false, late(&(mostly + &against), hiccups, max, explained)),
        None if is_late && effect.ceiling.is_some() => {
            (false, format!("The prober was late: {mostly}{against}. It explains no exceedance."))
        }
        None if is_late && effect.judges_lag => {
            (true, format!("A budget judges the prober's lag: {mostly}{against}."))
        }
        None if is_late => {
            (true, format!("No budget depends on the prober's lag: {mostly}{against}."))
        }
        None if p99.max(max) < NOTABLE => {
            (true, format!("The prober kept its schedule: {mostly}."))
        }
        None => (true, format!("The prober kept its schedule: {mostly}{against}.")),
    }
}

/// The sentence for lateness that explains exceedances: how many of how many.
fn late(
    mostly: &str,
    hiccups: &DurationQuantiles,
    max: Duration,
    (over, explained): (u64, u64),
) -> String {
    let stalled =
        hiccups.max.filter(|longest| *longest > max).map_or_else(String::new, |longest| {
            format!(", and it stalled for up to {}", words::time(Some(longest)))
        });
    format!(
        "The prober was late: {mostly}{stalled}. That explains {} of {} over a ceiling. {MEANS}",
        words::count(explained),
        words::plural(over, "request"),
    )
}

/// How late the latest arrival was, for fewer than a hundred; `None` otherwise.
fn latest_of_few(n: u64, longest: &str) -> Option<String> {
    match n {
        1 => Some(format!("the arrival went out {longest} after it was due")),
        2..100 => Some(format!("the latest of {n} requests went out {longest} after it was due")),
        _ => None,
    }
}

fn facts(
    run: &Measurement,
    lag: &DurationQuantiles,
    hiccups: &DurationQuantiles,
) -> Vec<ReportFact> {
    let fact = |name, value| ReportFact { name, value };
    let mut facts = vec![fact("lag", figures(lag))];
    if hiccups.n > 0 {
        facts.push(fact("hiccups", figures(hiccups)));
        facts.push(fact("spinning", format!("{} of a core", words::share(spun(run)))));
    }
    facts
}

fn figures(quantiles: &DurationQuantiles) -> String {
    let [p50, p99, max] = [quantiles.p50, quantiles.p99, quantiles.max].map(words::time);
    match quantiles.n {
        1 => max,
        2..100 => format!("p50 {p50}, max {max}"),
        _ => format!("p50 {p50}, p99 {p99}, max {max}"),
    }
}

/// Mean share of a core spent spinning on each participating machine.
fn spun(run: &Measurement) -> Ratio {
    let machines = run.sharing.as_ref().map_or(1, |sharing| sharing.parts.len().max(1));
    let measured = run.elapsed.saturating_sub(run.measured_from).as_nanos() * machines as u128;
    let of = |nanos: u128| u64::try_from(nanos / 1_000).unwrap_or(u64::MAX);
    Ratio::of(of(run.prober.spun.as_nanos()), of(measured).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::CeilingCount;
    use crate::report::fixture;

    fn seen(alter: impl FnOnce(&mut RunRecord)) -> ProberView {
        let (mut record, _) = fixture::rehearsal();
        alter(&mut record);
        ProberView::of(&record).unwrap()
    }

    fn lagging(millis: u64, count: u64) -> impl FnOnce(&mut RunRecord) {
        move |record| {
            let mut lag = Histogram::default();
            (0..count).for_each(|_| lag.record(Duration::from_millis(millis)));
            record.measurement.scenarios[0].requests[0].measured.series.add(Dimension::Lag, &lag);
        }
    }

    #[test]
    fn a_prober_that_keeps_its_schedule_says_so_in_one_sentence() {
        let punctual = seen(|_| {});
        assert!(punctual.is_punctual);
        assert_eq!(
            punctual.sentence,
            "The prober kept its schedule: 99 % of the arrivals went out within 43 µs of their due times."
        );
        let names: Vec<&str> = punctual.facts.iter().map(|fact| fact.name).collect();
        assert_eq!(names, ["lag", "hiccups", "spinning"]);
        assert_eq!(punctual.facts[2].value, "3.1 % of a core");
    }

    #[test]
    fn lateness_is_reported_where_it_can_matter_and_with_its_figures() {
        let counted = |without_lag: u64| {
            move |record: &mut RunRecord| {
                let request = &mut record.measurement.scenarios[0].requests[0];
                let limit = Duration::from_millis(300);
                request.ceilings = vec![Ceiling { dimension: Dimension::Latency, limit }];
                request.measured.tally.ceilings = vec![CeilingCount {
                    judged: 100,
                    exceeded: 9,
                    exceeded_without_lag: without_lag,
                    ..CeilingCount::default()
                }];
            }
        };
        let late = seen(|record| {
            counted(9)(record);
            lagging(20, 50)(record);
        });
        assert!(!late.is_punctual);
        assert!(late.sentence.starts_with("The prober was late: "), "{}", late.sentence);
        assert!(late.sentence.contains(" of the smallest ceiling ("), "{}", late.sentence);
        let explains = seen(counted(7));
        assert!(!explains.is_punctual);
        assert!(
            explains.sentence.contains("That explains 2 of 9 requests over a ceiling."),
            "{}",
            explains.sentence
        );
        assert!(explains.sentence.ends_with(MEANS));
        let dropped = seen(|record| record.measurement.scenarios[0].unreleased = 3);
        assert!(dropped.sentence.contains("3 arrivals never went out"), "{}", dropped.sentence);
    }

    #[test]
    fn lateness_that_cannot_matter_is_not_called_late() {
        let hiccup = |record: &mut RunRecord| {
            record.measurement.prober.hiccups.record(Duration::from_millis(300));
        };
        for harmless in [seen(lagging(2, 50)), seen(lagging(20, 1)), seen(hiccup)] {
            assert!(harmless.is_punctual, "{}", harmless.sentence);
            assert!(
                harmless.sentence.starts_with("The prober kept its schedule: "),
                "{}",
                harmless.sentence
            );
        }
    }

    #[test]
    fn few_requests_report_the_latest_and_no_percentile() {
        let of = |micros: &[u64]| {
            let mut lag = Histogram::default();
            for micros in micros {
                lag.record(Duration::from_micros(*micros));
            }
            let (lag, hiccups) = (DurationQuantiles::of(Some(&lag)), DurationQuantiles::default());
            let ceiling = Some(Duration::from_millis(20));
            let effect = LatenessEffect { ceiling, ..LatenessEffect::default() };
            (judge(&lag, &hiccups, 0, &effect).1, figures(&lag))
        };
        let (late, lag) = of(&[1_520]);
        assert_eq!(
            late,
            "The prober was late: the arrival went out 1.52 ms after it was due, 7.6 % of the smallest ceiling (20 ms). It explains no exceedance."
        );
        assert_eq!(lag, "1.52 ms");
        let (kept, lag) = of(&[40, 900, 60]);
        assert_eq!(
            kept,
            "The prober kept its schedule: the latest of 3 requests went out 900 µs after it was due."
        );
        assert_eq!(lag, "p50 60 µs, max 900 µs");
        assert!(of(&[40; 100]).0.contains("99 % of the arrivals"));
    }

    #[test]
    fn without_a_ceiling_lag_is_compared_with_the_median() {
        let effect =
            LatenessEffect { median: Some(Duration::from_millis(2)), ..LatenessEffect::default() };
        let lag = DurationQuantiles {
            n: 200,
            p50: Some(Duration::from_micros(50)),
            p99: Some(Duration::from_millis(3)),
            max: Some(Duration::from_millis(9)),
            ..DurationQuantiles::default()
        };
        assert_eq!(
            judge(&lag, &DurationQuantiles::default(), 0, &effect).1,
            "No budget depends on the prober's lag: 99 % of the arrivals went out within 3 ms of their due times, more than the median latency (2 ms)."
        );
        let lag_budget = LatenessEffect { judges_lag: true, ..effect };
        let (is_punctual, sentence) = judge(&lag, &DurationQuantiles::default(), 0, &lag_budget);
        assert!(is_punctual && sentence.starts_with("A budget judges"), "{sentence}");
    }

    #[test]
    fn a_record_without_hiccups_reports_its_lag_alone() {
        let old =
            seen(|record| record.measurement.prober = crate::record::ProberMeasurement::default());
        assert!(old.is_punctual);
        assert_eq!(old.facts.len(), 1);
        assert!(ProberView::of(&fixture::empty().0).is_none());
    }

    #[test]
    fn spinning_is_averaged_over_machines() {
        let shared = seen(|record| {
            let (sharing, spun) = (fixture::sharing(3, 1..=3), record.measurement.prober.spun * 3);
            (record.measurement.sharing, record.measurement.prober.spun) = (Some(sharing), spun);
        });
        assert_eq!(shared.facts[2].value, "3.1 % of a core");
    }
}
