//! The target's `Server-Timing` report (<https://www.w3.org/TR/server-timing/>).

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// The header's name.
pub const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The maximum number of metrics that are read from one response.
const METRICS: usize = 16;

/// The longest name of a metric, in characters; longer ones are ignored. Shown names are shortened
/// only after redaction, which could not find a part of a secret.
const LONGEST_NAME: usize = 1 << 10;

/// The longest duration that is accepted: the largest that a histogram can hold.
const LONGEST: Duration = Duration::from_hours(1);

/// One metric of a response, with its duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTimingMetric<'a> {
    /// Its name, a token of RFC 9110.
    pub name: &'a str,
    /// Its `dur`, which the header gives in milliseconds.
    pub duration: Duration,
    /// The whole line of the header.
    pub line: &'a str,
}

/// The metrics with a duration among the first 16 metrics of the headers, in their order.
///
/// As the specification requires, the first of several `dur` counts, and unknown parameters are
/// ignored. A metric is left out if its `dur` is missing, not a number, negative, or above an hour.
/// A line that is not UTF-8 is left out too. Malformed input ends its metric: the next one starts
/// after the next comma.
pub fn server_timings(headers: &HeaderMap) -> impl Iterator<Item = ServerTimingMetric<'_>> {
    let lines = headers
        .get_all(SERVER_TIMING)
        .into_iter()
        .filter_map(|line| std::str::from_utf8(line.as_bytes()).ok());
    let metrics = lines.flat_map(|line| split(line, ',').map(move |metric| (line, metric)));
    let named = metrics.filter(|(_, metric)| !blank_trimmed(metric).is_empty());
    named.take(METRICS).filter_map(|(line, metric)| {
        let (name, duration) = read(metric)?;
        Some(ServerTimingMetric { name, duration, line })
    })
}

/// The name and the duration of one metric.
fn read(metric: &str) -> Option<(&str, Duration)> {
    let mut parts = split(metric, ';').map(blank_trimmed);
    let name = parts.next().filter(|name| is_token(name) && name.len() <= LONGEST_NAME)?;
    let value = parts.find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        blank_trimmed(key).eq_ignore_ascii_case("dur").then(|| blank_trimmed(value))
    })?;
    Some((name, milliseconds(&unquoted(value)?)?))
}

/// A duration in milliseconds, as text.
fn milliseconds(text: &str) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(number / 1e3).ok().filter(|duration| *duration <= LONGEST)
}

/// Splits a text at a character outside quotes. Unclosed quotes contain the rest of the text.
fn split(text: &str, at: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return c == at && !quoted,
        }
        false
    })
}

/// A token as it is, or the content of a quoted string; `None` if it is neither.
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut content = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(content),
            '\\' => content.push(characters.next()?),
            c => content.push(c),
        }
    }
}

fn blank_trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Whether a text is a token (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn names_and_micros(lines: &[&str]) -> Vec<(String, u64)> {
        let lines = lines.iter().map(|line| (SERVER_TIMING, HeaderValue::from_str(line).unwrap()));
        let headers: HeaderMap = lines.collect();
        let micros =
            |metric: ServerTimingMetric| u64::try_from(metric.duration.as_micros()).unwrap();
        server_timings(&headers).map(|metric| (metric.name.to_owned(), micros(metric))).collect()
    }

    fn one(line: &str) -> Option<u64> {
        names_and_micros(&[line]).first().map(|(_, micros)| *micros)
    }

    #[test]
    fn several_lines_hold_several_metrics_each() {
        let lines = ["db;dur=53, app;dur=47.2", "cache;desc=\"Cache Read\";dur=.5,total;dur=123"];
        let all = [("db", 53_000), ("app", 47_200), ("cache", 500), ("total", 123_000)];
        assert_eq!(names_and_micros(&lines), all.map(|(name, micros)| (name.to_owned(), micros)));
    }

    #[test]
    fn parameters_come_in_any_order_and_case_and_the_first_dur_counts() {
        for line in [
            "app;dur=2",
            "app ; DUR = 2",
            "\tapp;desc=x;dur=2;dur=9",
            "app;x;dur=\"2\"",
            "app;dur=2.000;desc=\"\"",
            "app;desc=\"für\";dur=2",
            "app;desc=dur;dur=2e0",
        ] {
            assert_eq!(one(line), Some(2_000), "{line}");
        }
    }

    #[test]
    fn quoted_descriptions_hold_commas_semicolons_quotes_and_backslashes() {
        let line = r#"a;desc="x, y;dur=1; \"z\", \\";dur=2, b;dur=3"#;
        assert_eq!(names_and_micros(&[line]), [("a".to_owned(), 2_000), ("b".to_owned(), 3_000)]);
    }

    #[test]
    fn a_metric_without_a_plausible_duration_is_left_out_and_the_next_one_is_read() {
        for metric in [
            "miss",
            "app;desc=x",
            "app;dur",
            "app;dur=",
            "app;dur=-1",
            "app;dur=NaN",
            "app;dur=inf",
            "app;dur=1e300",
            "app;dur=3600001",
            "app;dur=1ms",
            "app;dur=\"1",
            "app;dur=\"1\"2",
            "a b;dur=1",
            "a/b;dur=1",
            ";dur=1",
            "\"app\";dur=1",
        ] {
            assert_eq!(one(metric), None, "{metric}");
            let behind = names_and_micros(&[metric, "next;dur=4"]);
            assert_eq!(behind, [("next".to_owned(), 4_000)], "{metric}");
        }
        assert_eq!(one(", ,a/b;dur=1,,next;dur=4,"), Some(4_000));
    }

    #[test]
    fn only_the_first_sixteen_metrics_are_read() {
        let many = "m;dur=1,".repeat(400);
        assert_eq!(names_and_micros(&["none", &many]).len(), METRICS - 1);
        assert_eq!(names_and_micros(&[&format!("{};dur=1", "x".repeat(LONGEST_NAME + 1))]), []);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_give_only_valid_metrics(
            lines in proptest::collection::vec(proptest::collection::vec(0_u8.., 0..200), 0..6),
        ) {
            let lines = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
            let headers: HeaderMap = lines.map(|line| (SERVER_TIMING, line)).collect();
            well_formed(&headers)?;
        }

        #[test]
        fn anything_like_metrics_is_read_within_its_bounds(
            lines in proptest::collection::vec("([a-z]{0,3}|;|,|=|\"|\\\\|dur|desc|[0-9.eE+-]{1,5}| |\t){0,60}", 0..6),
        ) {
            let lines = lines.iter().map(|line| HeaderValue::from_str(line).unwrap());
            let headers: HeaderMap = lines.map(|line| (SERVER_TIMING, line)).collect();
            well_formed(&headers)?;
        }

        #[test]
        fn well_formed_metrics_are_read_unchanged(
            metrics in proptest::collection::vec(("[!#a-zA-Z0-9_.-]{1,40}", 0_u32..3_600_000, "\\PC{0,20}"), 1..16),
        ) {
            let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            let line = metrics.iter().map(|(name, millis, description)| {
                format!("{name};desc=\"{}\";dur={millis}", escaped(description))
            });
            let line = line.collect::<Vec<_>>().join(", ");
            let written = metrics.iter().map(|(name, millis, _)| (name.clone(), u64::from(*millis) * 1_000));
            proptest::prop_assert_eq!(names_and_micros(&[&line]), written.collect::<Vec<_>>());
        }
    }

    fn well_formed(headers: &HeaderMap) -> Result<(), proptest::test_runner::TestCaseError> {
        let metrics: Vec<_> = server_timings(headers).collect();
        proptest::prop_assert!(metrics.len() <= METRICS);
        for ServerTimingMetric { name, duration, line } in metrics {
            proptest::prop_assert!(is_token(name) && duration <= LONGEST && line.contains(name));
        }
        Ok(())
    }
}
