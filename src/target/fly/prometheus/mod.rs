//! Fly's Prometheus over the samples of the simulated machines, in Prometheus's HTTP format:
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>.

mod selector;

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::selector::SeriesSelector;
use super::api::{ApiAnswer, ApiCall, is_authorized, query_pairs, read_seconds};
use super::metrics::{METRICS, MetricName, MetricSample};
use super::world::FlyWorld;

/// How long a sample counts after it was taken, in simulated time: Prometheus's five minutes.
const LOOKBACK: Duration = Duration::from_mins(5);

/// Most points of a series in one answer, as in Prometheus.
const MOST_POINTS: f64 = 11_000.0;

/// Later moments are refused, so that sums of times cannot overflow.
const LATEST: Duration = Duration::from_secs(1 << 40);

/// The moments that a query asks for, as wall times since the Unix epoch.
struct QueryTimes {
    start: Duration,
    points: u32,
    step: Duration,
}

/// Answers a query: the path is `/prometheus/<org>/api/v1/query` or `…/query_range`.
pub(super) fn answer(path: &str, call: &ApiCall, world: &FlyWorld) -> ApiAnswer {
    route(path, call, world).unwrap_or_else(|error| error)
}

fn route(path: &str, call: &ApiCall, world: &FlyWorld) -> Result<ApiAnswer, ApiAnswer> {
    if !is_authorized(call.authorization(), &world.settings.token) {
        return Err(failure(StatusCode::UNAUTHORIZED, "unauthorized"));
    }
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let ["prometheus", org, "api", "v1", kind @ ("query" | "query_range")] = segments.as_slice()
    else {
        return Err(failure(StatusCode::NOT_FOUND, "no such path"));
    };
    if *org != world.settings.org {
        return Err(failure(
            StatusCode::FORBIDDEN,
            "the token does not belong to the organization",
        ));
    }
    let is_range = *kind == "query_range";
    let parameters = QueryParameters::read(call);
    let query = parameters.value("query").unwrap_or("");
    let selector = SeriesSelector::read(query).map_err(|error| bad_data(&error))?;
    let times = parameters.times(is_range, world)?;
    let result: Vec<Value> = all_series(&selector, world)
        .filter_map(|(machine, metric, labels)| {
            let points = points(machine, metric, &times, world);
            let first = points.first()?.clone();
            let metric = labels_json(metric, &labels);
            Some(if is_range {
                json!({ "metric": metric, "values": points })
            } else {
                json!({ "metric": metric, "value": first })
            })
        })
        .collect();
    let kind = if is_range { "matrix" } else { "vector" };
    let body = json!({
        "status": "success",
        "data": { "resultType": kind, "result": result },
    });
    Ok(ApiAnswer { status: StatusCode::OK, body: Some(body) })
}

/// The parameters of a query, from the URL and from a form in the body.
struct QueryParameters(Vec<(String, String)>);

impl QueryParameters {
    fn read(call: &ApiCall) -> Self {
        let mut pairs = call.query().to_vec();
        pairs.extend(query_pairs(&String::from_utf8_lossy(call.body())));
        Self(pairs)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn time(&self, name: &str) -> Result<Option<Duration>, ApiAnswer> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let time = read_time(text);
        time.map(Some).ok_or_else(|| bad_data(&format!("invalid parameter {name}: {text}")))
    }

    fn times(&self, is_range: bool, world: &FlyWorld) -> Result<QueryTimes, ApiAnswer> {
        let now = world.wall_time(world.now());
        if !is_range {
            let start = self.time("time")?.unwrap_or(now);
            return Ok(QueryTimes { start, points: 1, step: Duration::from_secs(1) });
        }
        let missing = |name| bad_data(&format!("invalid parameter {name}: it is missing"));
        let start = self.time("start")?.ok_or_else(|| missing("start"))?;
        let end = self.time("end")?.unwrap_or(now);
        let step = self.value("step").ok_or_else(|| missing("step"))?;
        let step = read_seconds(step).filter(|step| !step.is_zero());
        let step = step.ok_or_else(|| bad_data("invalid parameter step: it must be above zero"))?;
        let span = end.checked_sub(start);
        let span = span.ok_or_else(|| bad_data("end timestamp must not be before start time"))?;
        let steps = (span.as_secs_f64() / step.as_secs_f64() + 1e-9).floor();
        if steps >= MOST_POINTS {
            return Err(bad_data(
                "exceeded maximum resolution of 11,000 points per timeseries; use a larger step",
            ));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and MOST_POINTS"
        )]
        let points = steps as u32 + 1;
        Ok(QueryTimes { start, points, step })
    }
}

type Labels = Vec<(&'static str, String)>;

/// The series that are selected: machine, metric and labels.
fn all_series<'a>(
    selector: &'a SeriesSelector,
    world: &'a FlyWorld,
) -> impl Iterator<Item = (usize, MetricName, Labels)> + 'a {
    let metrics = METRICS.into_iter().filter(|(name, _)| *name == selector.metric);
    metrics.flat_map(move |metric| {
        let machines = (0..world.machines.len()).map(move |machine| (machine, metric));
        machines.filter_map(move |(machine, metric)| {
            let labels = labels(machine, metric, world);
            selector.selects(&labels).then_some((machine, metric, labels))
        })
    })
}

fn labels(machine: usize, (_, mode): MetricName, world: &FlyWorld) -> Labels {
    let mut labels = vec![
        ("app", world.settings.app.clone()),
        ("instance", world.machines[machine].id.clone()),
        ("region", world.settings.region.clone()),
        ("host", "rehearsal".to_owned()),
    ];
    labels.extend(mode.map(|mode| ("mode", mode.to_owned())));
    labels
}

fn labels_json((name, _): MetricName, labels: &Labels) -> Value {
    let mut value = json!({ "__name__": name });
    for (label, text) in labels {
        value[*label] = json!(text);
    }
    value
}

/// Who reads metrics counts in real seconds, so CPU times shrink like all others.
fn time_scale((name, _): MetricName, world: &FlyWorld) -> f64 {
    if name.starts_with("fly_instance_cpu") { world.settings.scale.0 } else { 1.0 }
}

/// The last value before each moment, unless it is older than [`LOOKBACK`]. Moments before the
/// first sample have none.
fn points(machine: usize, metric: MetricName, times: &QueryTimes, world: &FlyWorld) -> Vec<Value> {
    let samples: Vec<&MetricSample> = world.metrics.of_machine(machine).collect();
    let point = |step: u32| {
        let wall = times.start + times.step * step;
        let moment = world.moment_of(wall)?;
        let before = samples.partition_point(|sample| sample.at <= moment);
        let sample = samples[..before].last().filter(|sample| sample.at + LOOKBACK > moment)?;
        let value = sample.value(metric)? / time_scale(metric, world);
        Some(json!([wall.as_secs_f64(), value.to_string()]))
    };
    (0..times.points).filter_map(point).collect()
}

/// A moment as Prometheus's parameters have it: seconds since the Unix epoch, or RFC 3339.
fn read_time(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        let time = Duration::try_from_secs_f64(seconds).ok();
        return time.filter(|time| *time < LATEST);
    }
    let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
    Some(Duration::from_nanos_u128(u128::try_from(nanos).ok()?))
}

fn bad_data(error: &str) -> ApiAnswer {
    failure(StatusCode::BAD_REQUEST, error)
}

fn failure(status: StatusCode, error: &str) -> ApiAnswer {
    let kind = if status == StatusCode::BAD_REQUEST { "bad_data" } else { "execution" };
    let body = json!({ "status": "error", "errorType": kind, "error": error });
    ApiAnswer { status, body: Some(body) }
}
