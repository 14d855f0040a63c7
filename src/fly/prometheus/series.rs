//! The answer to a range query: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;

use super::MetricWindow;

/// A value, and when it was true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricSample<T> {
    /// The step that the query was evaluated at.
    pub at: OffsetDateTime,
    /// The value.
    pub value: T,
}

/// One series of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSeries {
    /// The series' labels: `app`, `instance`, ….
    pub labels: BTreeMap<String, String>,
    /// Its samples in the order of time; all values are finite, in the metric's own unit.
    pub samples: Vec<MetricSample<f64>>,
    /// How many samples were left out: outside the window, or not finite.
    pub left_out: usize,
}

impl MetricSeries {
    /// A label's value; empty if the series has none.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// Reads the series of a range query. The error says in a clause what the answer lacks.
pub(super) fn read_matrix(
    answer: &Value,
    window: &MetricWindow,
) -> Result<Vec<MetricSeries>, String> {
    if answer.get("status").and_then(Value::as_str) == Some("error") {
        return Err("it reports an error with a status of success".to_owned());
    }
    let data = answer.get("data").ok_or("it lacks `data`")?;
    if data.get("resultType").and_then(Value::as_str) != Some("matrix") {
        return Err("`resultType` is not `matrix`".to_owned());
    }
    match data.get("result") {
        Some(Value::Array(series)) => {
            Ok(series.iter().map(|series| read_series(series, window)).collect())
        }
        Some(Value::Null) => Ok(Vec::new()),
        _ => Err("it lacks `result`".to_owned()),
    }
}

fn read_series(series: &Value, window: &MetricWindow) -> MetricSeries {
    let labels = series.get("metric").and_then(Value::as_object).into_iter().flatten();
    let labels = labels
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    let values = series.get("values").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut samples: Vec<_> = values
        .iter()
        .filter_map(read_sample)
        .filter(|sample| sample.value.is_finite() && window.contains(sample.at))
        .collect();
    samples.sort_by_key(|sample| sample.at);
    let left_out = values.len() - samples.len();
    MetricSeries { labels, samples, left_out }
}

/// The latest time that is read, in milliseconds since 1970: no clock shows the year 33,000.
const LATEST: f64 = 1e15;

/// `[1760073480.123, "42.5"]`; `NaN`, `+Inf` and `-Inf` are values too.
fn read_sample(pair: &Value) -> Option<MetricSample<f64>> {
    let [seconds, value] = pair.as_array()?.as_slice() else { return None };
    // To the millisecond, as Prometheus counts time.
    let milliseconds = (seconds.as_f64()? * 1e3).round();
    if milliseconds.abs() > LATEST {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole, and at most 10^15")]
    let nanoseconds = i128::from(milliseconds as i64) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?;
    Some(MetricSample { at, value: value.as_str()?.parse().ok()? })
}
