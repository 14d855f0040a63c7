//! Limits as other tools write them, and the budgets that say the same.
//!
//! k6's thresholds (`http_req_duration: ['p(95)<300']`, Grafana's documentation of k6, "Metrics"
//! and "Thresholds") and artillery's (`http.response_time.p95: 300`) are in milliseconds or shares
//! without a unit.

/// What a metric of another tool measures.
#[derive(Clone, Copy, PartialEq)]
enum ForeignMetric {
    /// The latency, or the part of it with this name.
    Timed(&'static str),
    /// The share of failures.
    Failures,
    /// The share of successes.
    Successes,
}

use ForeignMetric::{Failures, Successes, Timed};

/// Metrics of other tools. The first name that a limit begins with counts, so a name stands before
/// every shorter one that it begins with.
const METRICS: [(&str, ForeignMetric); 22] = [
    ("http_req_duration", Timed("")),
    ("http_req_waiting", Timed("(first_byte)")),
    ("http_req_connecting", Timed("(connect)")),
    ("http_req_tls_handshaking", Timed("(tls)")),
    ("http_req_receiving", Timed("(body)")),
    ("http_req_blocked", Timed("(wait)")),
    ("http_req_failed", Failures),
    ("http.response_time", Timed("")),
    ("iteration_duration", Timed("")),
    ("response_time", Timed("")),
    ("success_rate", Successes),
    ("success", Successes),
    ("availability", Successes),
    ("checks", Successes),
    ("error_rate", Failures),
    ("errorrate", Failures),
    ("failure_rate", Failures),
    ("failures", Failures),
    ("failed", Failures),
    ("maxerrorrate", Failures),
    ("latency", Timed("")),
    ("duration", Timed("")),
];

/// What to write instead of a limit in another tool's notation; `None` for an unknown notation.
pub(super) fn remedy(text: &str) -> Option<String> {
    let lower = text.trim().trim_matches(['\'', '"']).to_lowercase();
    if lower.is_empty() {
        return None;
    }
    let (subject, sign, limit) = split(&lower);
    let (metric, aggregate) = metric(subject);
    let limit = limit.trim().trim_end_matches(['\'', '"', ']']);
    let budget = match metric {
        Timed(part) => timed(part, aggregate, sign, limit)?,
        Failures => format!("errors < {}", share(limit, false)?),
        Successes => format!("errors < {}", share(limit, true)?),
    };
    // Not `str::parse`, which asks for a remedy again.
    let budget = super::parse(&budget).ok()?;
    Some(if is_mean(aggregate) {
        format!("a mean hides the slow requests: write `{budget}`")
    } else {
        format!("write `{budget}`")
    })
}

/// The parts of a limit: what is limited, the sign, and the value.
fn split(text: &str) -> (&str, &str, &str) {
    let signs = ["<=", ">=", "==", "≤", "≥", "<", ">", "="];
    // Signs of two characters come first, so that they win at the same place.
    let places = signs.iter().filter_map(|&sign| Some((text.find(sign)?, sign)));
    let first = places.min_by_key(|&(at, _)| at);
    if let Some((at, sign)) = first {
        return (text[..at].trim(), sign, &text[at + sign.len()..]);
    }
    // artillery writes `p95: 300`.
    match text.rsplit_once(':') {
        Some((subject, limit)) if limit.trim().starts_with(|c: char| c.is_ascii_digit()) => {
            (subject.trim(), "<", limit)
        }
        _ => (text, "", ""),
    }
}

/// What is measured, and which value of it: `p(95)`, `avg`, or nothing.
fn metric(subject: &str) -> (ForeignMetric, &str) {
    let known = METRICS.iter().find_map(|(name, metric)| {
        let rest = subject.strip_prefix(name)?;
        // k6 selects by tags in braces.
        let rest = rest.split_once('}').map_or(rest, |(_, after)| after);
        Some((*metric, rest.trim_start_matches([':', '.', ' ', '[', '\'', '"']).trim()))
    });
    known.unwrap_or((Timed(""), subject))
}

fn is_mean(aggregate: &str) -> bool {
    matches!(aggregate, "avg" | "mean" | "average")
}

fn timed(part: &str, aggregate: &str, sign: &str, limit: &str) -> Option<String> {
    let is_named_alone = sign.is_empty() && limit.is_empty();
    if !is_named_alone && !matches!(sign, "<" | "<=" | "≤") {
        return None;
    }
    let measure = match aggregate {
        "max" | "maximum" => "max".to_owned(),
        "med" | "median" | "avg" | "mean" | "average" => "p50".to_owned(),
        "" if is_named_alone || !part.is_empty() || !limit.is_empty() => "p95".to_owned(),
        other => format!("p{}", percent(other)?),
    };
    let limit = match limit.parse::<f64>() {
        Ok(_) => format!("{limit}ms"),
        Err(_) if is_named_alone => "300ms".to_owned(),
        Err(_) => limit.to_owned(),
    };
    Some(format!("{measure}{part} < {limit}"))
}

/// The percentage of a quantile: `p(95)`, `p95`, `percentile(95)`, `95th`.
fn percent(aggregate: &str) -> Option<&str> {
    let words = ["percentile", "perc", "p", "q"];
    let rest = words.iter().find_map(|word| aggregate.strip_prefix(word)).unwrap_or(aggregate);
    let rest = rest.trim_start_matches('(').trim_end_matches(')').trim_end_matches("th").trim();
    (rest.starts_with(|c: char| c.is_ascii_digit()) && rest.parse::<f64>().is_ok()).then_some(rest)
}

/// The share of failures that a limit allows.
fn share(limit: &str, is_of_successes: bool) -> Option<String> {
    if limit.is_empty() {
        return Some("1%".to_owned());
    }
    let (number, scale) = match limit.strip_suffix('%') {
        Some(percent) => (percent.trim(), 1.0),
        None => (limit, 100.0),
    };
    let percent = number.parse::<f64>().ok()? * scale;
    let allowed = if is_of_successes { 100.0 - percent } else { percent };
    let digits = format!("{allowed:.4}");
    Some(format!("{}%", digits.trim_end_matches('0').trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_another_tool_is_answered_with_the_budget_that_says_the_same() {
        for (typed, budget) in [
            ("p(95)<300", "p95 < 300ms"),
            ("p(95) < 300ms", "p95 < 300ms"),
            ("p(99.9)<=1.5s", "p99.9 < 1s 500ms"),
            ("p95<300", "p95 < 300ms"),
            ("p95<=300ms", "p95 < 300ms"),
            ("max<300", "max < 300ms"),
            ("med<200", "p50 < 200ms"),
            ("http_req_duration", "p95 < 300ms"),
            ("http_req_duration: p(95)<300", "p95 < 300ms"),
            ("http_req_duration:['p(95)<300']", "p95 < 300ms"),
            ("http_req_duration{status:200}: max<500", "max < 500ms"),
            ("http_req_duration<300", "p95 < 300ms"),
            ("http_req_waiting: p(99)<200", "p99(first_byte) < 200ms"),
            ("http_req_failed: rate<0.01", "errors < 1%"),
            ("http_req_failed", "errors < 1%"),
            ("checks: rate>0.99", "errors < 1%"),
            ("success_rate >= 99.5%", "errors < 0.5%"),
            ("http.response_time.p95: 250", "p95 < 250ms"),
            ("p99: 250", "p99 < 250ms"),
            ("latency < 300ms", "p95 < 300ms"),
            ("maxErrorRate: 1%", "errors < 1%"),
        ] {
            assert_eq!(remedy(typed), Some(format!("write `{budget}`")), "{typed}");
        }
        for typed in ["avg<300", "http_req_duration: avg<300", "mean < 300ms"] {
            let remedy = remedy(typed).unwrap();
            assert_eq!(remedy, "a mean hides the slow requests: write `p50 < 300ms`", "{typed}");
        }
    }

    #[test]
    fn anything_else_is_left_to_the_parser() {
        for typed in
            ["", "<", "p", "p95 >", "p95 > 300", "p999 < 1s", "é", "q < 1s", "p(é)<1", "p95<é"]
        {
            assert_eq!(remedy(typed), None, "{typed}");
        }
    }
}
