//! The run as metrics of OpenTelemetry, in OTLP's protobuf encoding
//! (<https://opentelemetry.io/docs/specs/otlp/>).
//!
//! Sums and histograms are cumulative since the start of the run: Prometheus refuses others.

mod exponential;
mod messages;

use prost::Message as _;
use time::OffsetDateTime;

use crate::record::{BudgetVerdict, Decision, RequestMeasurement, RunRecord, Stage};

use super::ci::CiContext;
use super::words;
use exponential::exponential_point;
use messages::{
    AggregationTemporality, ExponentialHistogram, ExponentialPoint, ExportRequest, ExportResponse,
    Gauge, InstrumentationScope, KeyValue, Metric, MetricData, NumberPoint, NumberValue, Resource,
    ResourceMetrics, ScopeMetrics, Sum,
};

/// Renders a run as the body of a POST to `/v1/metrics`. `attributes` are added to those of the
/// resource and replace them.
pub fn otlp_metrics(
    record: &RunRecord,
    ci: &CiContext,
    attributes: &[(String, String)],
) -> Vec<u8> {
    let version = record.provenance.tollgate.clone();
    let scope = InstrumentationScope { name: "tollgate".to_owned(), version };
    let scope_metrics =
        vec![ScopeMetrics { scope: Some(scope), metrics: PointWriter::new(record).metrics(ci) }];
    let resource = Resource { attributes: resource_attributes(record, attributes) };
    let all = ResourceMetrics { resource: Some(resource), scope_metrics };
    ExportRequest { resource_metrics: vec![all] }.encode_to_vec()
}

/// What a collector rejected, in a clause, from the body of its answer; `None` if it took all. An
/// answer that is not OTLP's says nothing.
pub fn otlp_rejection(answer: &[u8]) -> Option<String> {
    let partial = ExportResponse::decode(answer).ok()?.partial_success?;
    let why = words::display(&partial.error_message, words::LINE);
    match (partial.rejected_data_points, why.as_str()) {
        (0, "") => None,
        (0, why) => Some(format!("the collector warns: {why}")),
        (points, "") => Some(format!("the collector rejected {points} of the points")),
        (points, why) => Some(format!("the collector rejected {points} of the points: {why}")),
    }
}

/// Which run, machine and version the metrics are from. Keys are those of OpenTelemetry's semantic
/// conventions where there is one.
fn resource_attributes(record: &RunRecord, given: &[(String, String)]) -> Vec<KeyValue> {
    let from = &record.provenance;
    let mut own: Vec<(String, String)> = [
        ("service.name", "tollgate"),
        ("service.version", &from.tollgate),
        ("host.name", &from.host.name),
        ("host.arch", &from.host.arch),
        ("os.type", &from.host.os),
        ("tollgate.run.id", &record.id.to_string()),
        ("vcs.ref.head.revision", from.git_commit.as_deref().unwrap_or_default()),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    own.extend(from.tags.iter().map(|(key, value)| (format!("tollgate.tag.{key}"), value.clone())));
    own.retain(|(key, value)| !value.is_empty() && !given.iter().any(|(given, _)| given == key));
    own.iter().chain(given).map(|(key, value)| KeyValue::text(key, value)).collect()
}

/// Makes the points of one run, which share their times.
struct PointWriter<'a> {
    record: &'a RunRecord,
    /// Start and end of the run, in nanoseconds since 1970.
    times: (u64, u64),
}

impl<'a> PointWriter<'a> {
    fn new(record: &'a RunRecord) -> Self {
        let nanos = |at: OffsetDateTime| u64::try_from(at.unix_timestamp_nanos()).unwrap_or(0);
        let start = nanos(record.provenance.started);
        let elapsed = u64::try_from(record.measurement.elapsed.as_nanos()).unwrap_or(u64::MAX);
        Self { record, times: (start, start.saturating_add(elapsed)) }
    }

    fn metrics(&self, ci: &CiContext) -> Vec<Metric> {
        vec![
            gauge(
                "tollgate.gate",
                "1",
                "1 for what the exit code says, else 0",
                self.states(&[], ci.gate),
            ),
            gauge("tollgate.verdict", "1", "1 for the verdict, else 0", self.verdicts()),
            gauge(
                "tollgate.budget.exceeded",
                "{exchange}",
                "Judged exchanges that exceed a budget, failures included",
                self.budgets(),
            ),
            self.exchanges(),
            self.durations(),
        ]
    }

    /// The verdict on each scenario and on each of its budgets.
    fn verdicts(&self) -> Vec<NumberPoint> {
        let mut points = Vec::new();
        for scenario in &self.record.verdict.scenarios {
            let attributes = [("tollgate.scenario", scenario.scenario.as_str())];
            points.extend(self.states(&attributes, scenario.decision));
        }
        self.for_each_budget(|attributes, verdict| {
            points.extend(self.states(attributes, verdict.decision));
        });
        points
    }

    /// One point for each possible decision, 1 for the one that was made.
    fn states(&self, attributes: &[(&str, &str)], made: Decision) -> Vec<NumberPoint> {
        let point = |decision: Decision| {
            let attributes = [attributes, &[("tollgate.decision", decision.name())]].concat();
            self.number(&attributes, u64::from(decision == made))
        };
        Decision::ALL.into_iter().map(point).collect()
    }

    fn budgets(&self) -> Vec<NumberPoint> {
        let mut points = Vec::new();
        self.for_each_budget(|attributes, verdict| {
            points.push(self.number(attributes, verdict.exceeded));
        });
        points
    }

    /// Every budget of every request, with the attributes of its points.
    fn for_each_budget(&self, mut each: impl FnMut(&[(&str, &str)], &BudgetVerdict)) {
        for scenario in &self.record.verdict.scenarios {
            for verdict in &scenario.budgets {
                let budget = verdict.budget.to_string();
                let attributes = [
                    ("tollgate.scenario", scenario.scenario.as_str()),
                    request(&verdict.request),
                    ("tollgate.budget", &budget),
                ];
                each(&attributes, verdict);
            }
        }
    }

    fn exchanges(&self) -> Metric {
        let mut data_points = Vec::new();
        self.for_each_stage(|attributes, request, stage| {
            for (outcome, count) in request.stage(stage).tally.outcomes() {
                let attributes = [attributes, &[("tollgate.outcome", outcome)]].concat();
                data_points.push(self.number(&attributes, count));
            }
        });
        let sum = Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic: true,
        };
        metric(
            "tollgate.exchanges",
            "{exchange}",
            "Exchanges by outcome and stage",
            MetricData::Sum(sum),
        )
    }

    fn durations(&self) -> Metric {
        let mut data_points = Vec::new();
        self.for_each_stage(|attributes, request, stage| {
            for (dimension, histogram) in request.stage(stage).series.iter() {
                let attributes = [attributes, &[("tollgate.dimension", dimension.name())]].concat();
                data_points.push(ExponentialPoint {
                    attributes: texts(&attributes),
                    start_time_unix_nano: self.times.0,
                    time_unix_nano: self.times.1,
                    ..exponential_point(histogram)
                });
            }
        });
        let histogram = ExponentialHistogram {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
        };
        metric(
            "tollgate.duration",
            "s",
            "Durations of the parts of ok exchanges, by stage",
            MetricData::ExponentialHistogram(histogram),
        )
    }

    /// Every stage of every request in which there were exchanges.
    fn for_each_stage(&self, mut each: impl FnMut(&[(&str, &str)], &RequestMeasurement, Stage)) {
        for scenario in &self.record.measurement.scenarios {
            for measured in &scenario.requests {
                for stage in Stage::ALL {
                    let attributes = [
                        ("tollgate.scenario", scenario.name.as_str()),
                        request(&measured.name),
                        ("tollgate.stage", stage.name()),
                    ];
                    if measured.stage(stage).tally.exchanges > 0 {
                        each(&attributes, measured, stage);
                    }
                }
            }
        }
    }

    fn number(&self, attributes: &[(&str, &str)], value: u64) -> NumberPoint {
        NumberPoint {
            start_time_unix_nano: self.times.0,
            time_unix_nano: self.times.1,
            attributes: texts(attributes),
            value: Some(NumberValue::Int(i64::try_from(value).unwrap_or(i64::MAX))),
        }
    }
}

fn request(name: &str) -> (&'static str, &str) {
    ("tollgate.request", name)
}

fn texts(attributes: &[(&str, &str)]) -> Vec<KeyValue> {
    attributes.iter().map(|(key, value)| KeyValue::text(key, value)).collect()
}

fn gauge(name: &str, unit: &str, description: &str, data_points: Vec<NumberPoint>) -> Metric {
    metric(name, unit, description, MetricData::Gauge(Gauge { data_points }))
}

fn metric(name: &str, unit: &str, description: &str, data: MetricData) -> Metric {
    Metric {
        name: name.to_owned(),
        description: description.to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
    }
}

#[cfg(test)]
mod tests {
    use super::messages::PartialSuccess;
    use super::*;
    use crate::record::{Dimension, Histogram};
    use crate::report::fixture;

    fn decoded(record: &RunRecord, attributes: &[(String, String)]) -> ResourceMetrics {
        let ci = CiContext { gate: Decision::Pass, folder: "runs/a".to_owned() };
        let bytes = otlp_metrics(record, &ci, attributes);
        ExportRequest::decode(bytes.as_slice()).unwrap().resource_metrics.remove(0)
    }

    #[test]
    fn the_histograms_of_latency_count_what_each_stage_measured() {
        for (record, _) in fixture::all() {
            let metrics = decoded(&record, &[]).scope_metrics.remove(0).metrics;
            let durations = metrics.iter().find(|metric| metric.name == "tollgate.duration");
            let Some(MetricData::ExponentialHistogram(histogram)) = &durations.unwrap().data else {
                panic!("{durations:?}")
            };
            let is_latency = |point: &&ExponentialPoint| {
                point.attributes.contains(&KeyValue::text("tollgate.dimension", "latency"))
            };
            let points = histogram.data_points.iter().filter(is_latency);
            let counted: u64 = points.map(|point| point.count).sum();
            let requests = record.measurement.scenarios.iter().flat_map(|all| &all.requests);
            let series = requests.flat_map(|one| Stage::ALL.map(|stage| one.stage(stage)));
            let series = series.filter(|stage| stage.tally.exchanges > 0);
            let latency = Dimension::Latency;
            let series = series.filter_map(|stage| stage.series.get(latency));
            assert_eq!(counted, series.map(Histogram::count).sum::<u64>());
        }
    }

    #[test]
    fn a_collector_says_which_points_it_rejected() {
        let answer = |rejected_data_points, why: &str| {
            let error_message = why.to_owned();
            let partial_success = Some(PartialSuccess { rejected_data_points, error_message });
            otlp_rejection(&ExportResponse { partial_success }.encode_to_vec())
        };
        assert_eq!(otlp_rejection(b""), None);
        assert_eq!(otlp_rejection(b"{\"partialSuccess\":{}}"), None);
        assert_eq!(answer(0, ""), None);
        let rejected = "the collector rejected 7 of the points: too\u{FFFD}old";
        assert_eq!(answer(7, "too\nold").as_deref(), Some(rejected));
    }

    #[test]
    fn given_attributes_replace_those_of_the_run() {
        let (record, _) = fixture::rehearsal();
        let given = [("service.name".to_owned(), "shop".to_owned())];
        let attributes = decoded(&record, &given).resource.unwrap().attributes;
        let named: Vec<_> =
            attributes.iter().filter(|attribute| attribute.key == "service.name").collect();
        assert_eq!(named, [&KeyValue::text("service.name", "shop")]);
        assert!(attributes.iter().any(|attribute| attribute.key == "tollgate.run.id"));
    }
}
