//! What Prometheus answers, and what is made of it.

use std::time::Duration;

use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use time::macros::datetime;

use super::fake::*;
use crate::fly::{
    AppName, CountedSpan, CountedTime, FlyProblem, InstanceMetrics, MetricReading, MetricWindow,
};
use crate::units::ByteSize;

/// From 08:00:00 to 08:01:00.
fn window() -> MetricWindow {
    MetricWindow::new(NOW, NOW + Duration::from_mins(1), Duration::from_secs(15))
}

/// Samples as seconds after 08:00 and values; a label `cpu_id` if there are several CPUs.
fn series(instance: &str, cpu: Option<&str>, samples: &[(f64, &str)]) -> Value {
    let start = NOW.unix_timestamp() as f64;
    let values: Vec<_> =
        samples.iter().map(|(second, value)| json!([start + second, value])).collect();
    let mut labels = json!({"app": "x", "instance": instance, "region": "ord", "host": "ab12"});
    if let Some(cpu) = cpu {
        labels["cpu_id"] = json!(cpu);
    }
    json!({"metric": labels, "values": values})
}

/// A series of one mode of a CPU.
fn of_mode(mode: &str, mut series: Value) -> Value {
    series["metric"]["mode"] = json!(mode);
    series
}

fn matrix(series: &[Value]) -> Answer {
    answer(200, &json!({"status": "success", "data": {"resultType": "matrix", "result": series}}))
}

fn app() -> AppName {
    AppName::parse("x").unwrap()
}

/// What is read if each of the five queries gets its series.
fn read(answers: [&[Value]; 5]) -> MetricReading<Vec<InstanceMetrics>> {
    let (mut fly, _) = prometheus("o", &answers.map(matrix));
    fly.read_instances(&app(), &window())
}

fn one(answers: [&[Value]; 5]) -> InstanceMetrics {
    match read(answers) {
        MetricReading::Known(mut instances) if instances.len() == 1 => instances.remove(0),
        other => panic!("{other:?}"),
    }
}

/// The growth of a counter from its first sample to its last.
fn total(counted: &CountedTime) -> Duration {
    counted.spans.iter().map(|span| span.counted).sum()
}

#[test]
fn each_metric_is_asked_for_over_the_window_with_the_scheme_of_macaroons() {
    let (mut fly, seen) =
        prometheus("my-org", &[matrix(&[]), matrix(&[]), matrix(&[]), matrix(&[]), matrix(&[])]);
    fly.read_instances(&app(), &window());
    let calls = seen.calls();
    let query = |call: &crate::fly::HttpCall, name: &str| {
        call.url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
    };
    let queries: Vec<_> = calls.iter().map(|call| query(call, "query")).collect();
    assert_eq!(
        queries,
        [
            r#"fly_instance_cpu_balance{app="x"}"#,
            r#"fly_instance_cpu_throttle{app="x"}"#,
            r#"fly_instance_cpu{app="x"}"#,
            r#"fly_instance_memory_mem_total{app="x"}"#,
            r#"fly_instance_memory_mem_available{app="x"}"#,
        ]
    );
    for call in &calls {
        let path = "https://api.fly.io/prometheus/my-org/api/v1/query_range?";
        assert!(call.url.as_str().starts_with(path), "{}", call.url);
        assert_eq!(call.headers[AUTHORIZATION], format!("FlyV1 {TOKEN}"));
        assert_eq!(query(call, "start"), "1764403200.000");
        assert_eq!(query(call, "end"), "1764403260.000");
        assert_eq!(query(call, "step"), "15.000");
    }
}

#[test]
fn a_balance_and_memory_are_read_in_their_units() {
    let balance = [series("m1", None, &[(0.0, "500"), (15.0, "12.5"), (30.0, "-1")])];
    let total = [series("m1", None, &[(0.0, "1073741824")])];
    let metrics = one([&balance, &[], &[], &total, &[]]);
    let balance = metrics.balance.known().unwrap();
    let seconds: Vec<f64> = balance.iter().map(|sample| sample.value.as_secs_f64()).collect();
    assert_eq!(seconds, [5.0, 0.125, 0.0]);
    assert_eq!(balance[1].at, datetime!(2025-11-29 08:00:15 UTC));
    assert_eq!(metrics.memory_total.known().unwrap()[0].value, ByteSize(1 << 30));
    let MetricReading::NotKnown { because } = &metrics.memory_available else { panic!() };
    assert!(because.starts_with("Fly's Prometheus has no sample of it in this time"), "{because}");
}

#[test]
fn throttled_time_is_the_growth_of_its_counter_between_samples() {
    let throttle = [series("m1", None, &[(0.0, "1000"), (15.0, "1000"), (30.0, "1750")])];
    let throttled = one([&[], &throttle, &[], &[], &[]]).throttled;
    let throttled = throttled.known().unwrap();
    let second = |second| NOW + Duration::from_secs(second);
    let expected =
        CountedSpan { from: second(15), to: second(30), counted: Duration::from_millis(7_500) };
    assert_eq!(throttled.spans, [expected]);
    assert_eq!((throttled.from, throttled.to), (second(0), second(30)));
    assert_eq!(total(throttled), Duration::from_millis(7_500));
}

#[test]
fn a_counter_that_starts_again_counts_from_zero() {
    let throttle = [series("m1", None, &[(0.0, "9000"), (15.0, "9100"), (30.0, "40")])];
    let throttled = one([&[], &throttle, &[], &[], &[]]).throttled;
    assert_eq!(total(throttled.known().unwrap()), Duration::from_millis(1_400));
}

#[test]
fn stolen_and_used_time_are_added_over_the_cpus_of_a_machine() {
    let stolen_0 = series("m1", Some("0"), &[(0.0, "0"), (15.0, "100"), (30.0, "100")]);
    let stolen_1 = series("m1", Some("1"), &[(0.0, "50"), (15.0, "250"), (30.0, "250")]);
    let grows = |by: &str| series("m1", Some("0"), &[(0.0, "0"), (30.0, by)]);
    let cpu = [
        of_mode("steal", stolen_0),
        of_mode("steal", stolen_1),
        of_mode("user", grows("70")),
        of_mode("system", grows("30")),
        of_mode("idle", grows("2600")),
        of_mode("iowait", grows("100")),
    ];
    let metrics = one([&[], &[], &cpu, &[], &[]]);
    let stolen = metrics.stolen.known().unwrap();
    assert_eq!((stolen.spans.len(), total(stolen)), (1, Duration::from_secs(3)));
    assert_eq!(total(metrics.used.known().unwrap()), Duration::from_secs(1));
}

#[test]
fn values_that_are_not_finite_and_samples_outside_the_window_are_left_out() {
    let samples = [
        (-300.0, "1"),
        (0.0, "NaN"),
        (15.0, "+Inf"),
        (30.0, "-Inf"),
        (45.0, "7"),
        (61.0, "8"),
        (50.0, "not a number"),
        (1e300, "9"),
    ];
    let answers = [matrix(&[series("m1", None, &samples)])];
    let (mut fly, _) = prometheus("o", &answers);
    let series = fly.query_range("q", &window()).unwrap();
    assert_eq!((series[0].samples.len(), series[0].samples[0].value), (1, 7.0));
    assert_eq!((series[0].left_out, series[0].label("instance")), (7, "m1"));
    let one_sample = [series_of_one()];
    let MetricReading::NotKnown { because } = one([&[], &one_sample, &[], &[], &[]]).throttled
    else {
        panic!()
    };
    assert_eq!(because, "there is one sample in this time, and a counter needs two");
}

fn series_of_one() -> Value {
    series("m1", None, &[(0.0, "1")])
}

#[test]
fn machines_are_told_apart_and_those_without_a_sample_are_left_out() {
    let balance = [series("m2", None, &[(0.0, "1")]), series("m1", None, &[(0.0, "2")])];
    let empty = [series("m3", None, &[])];
    let MetricReading::Known(instances) = read([&balance, &empty, &[], &[], &[]]) else { panic!() };
    let names: Vec<_> = instances.iter().map(|metrics| metrics.instance.as_str()).collect();
    assert_eq!(names, ["m1", "m2"]);
}

#[test]
fn a_figure_that_cannot_be_read_is_not_known_for_a_reason() {
    let no_sample = "Fly's Prometheus has no sample of it in this time";
    for (organisation, answers, expected) in [
        (
            "",
            vec![],
            "cannot read metrics of Fly's Prometheus: FLY_ORG is not set; `fly orgs list`",
        ),
        (
            "o",
            vec![error(401, "something went wrong resolving organization")],
            "cannot read metrics of Fly's Prometheus: Fly refuses the token (HTTP 401: something \
             went wrong resolving organization); metrics belong to an organisation: check FLY_ORG",
        ),
        ("o", vec![error(403, "")], "cannot read metrics of Fly's Prometheus: Fly refuses"),
        ("o", vec![error(404, "no org")], "cannot read metrics of Fly's Prometheus: Fly does not"),
        ("o", vec![matrix(&[]); 5], no_sample),
        ("o", vec![text(200, "<html>"); 5], "cannot read metrics of Fly's Prometheus: the answer"),
    ] {
        let (mut fly, seen) = prometheus(organisation, &answers);
        let MetricReading::NotKnown { because } = fly.read_instances(&app(), &window()) else {
            panic!("{expected}")
        };
        assert!(because.starts_with(expected), "{because}");
        assert!(!because.contains("Zebra"));
        assert_eq!(seen.lines().len(), answers.len(), "{because}");
        if answers.len() < 5 {
            // Nobody waits for it again.
            assert_eq!(fly.read_instances(&app(), &window()), MetricReading::NotKnown { because });
            assert_eq!(seen.lines().len(), answers.len());
        }
    }
}

#[test]
fn one_metric_that_fails_leaves_the_others() {
    let balance = matrix(&[series("m1", None, &[(0.0, "1")])]);
    let refused = error(422, "bad query");
    let answers = [balance, refused, matrix(&[]), matrix(&[]), matrix(&[])];
    let (mut fly, _) = prometheus("o", &answers);
    let MetricReading::Known(instances) = fly.read_instances(&app(), &window()) else { panic!() };
    assert!(instances[0].balance.known().is_some());
    let MetricReading::NotKnown { because } = &instances[0].throttled else { panic!() };
    assert!(because.contains("bad query"), "{because}");
}

#[test]
fn an_answer_in_another_form_is_an_error() {
    for (body, why) in [
        (json!({"status": "success"}), "it lacks `data`"),
        (json!({"status": "error", "error": "x"}), "it reports an error"),
        (json!({"data": {"resultType": "vector", "result": []}}), "`resultType` is not `matrix`"),
        (json!({"data": {"resultType": "matrix"}}), "it lacks `result`"),
    ] {
        let (mut fly, _) = prometheus("o", &[answer(200, &body)]);
        let error = fly.query_range("q", &window()).unwrap_err();
        assert!(matches!(error.problem(), FlyProblem::NotJson { .. }));
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_long_window_gets_a_longer_step_than_asked_for() {
    let (mut fly, seen) = prometheus("o", &[matrix(&[])]);
    let end = NOW + Duration::from_hours(240);
    fly.query_range("q", &MetricWindow::new(NOW, end, Duration::from_secs(15))).unwrap();
    let url = seen.calls()[0].url.to_string();
    assert!(url.ends_with("step=86.400"), "{url}");
    let backwards = MetricWindow::new(end, NOW, Duration::ZERO);
    assert_eq!(backwards, MetricWindow::new(end, end, Duration::from_millis(100)));
}
