//! Prometheus over the samples.

use serde_json::{Value, json};

use super::super::api::ApiAnswer;
use super::super::prometheus;
use super::{EXACT, Rehearsal, api_call, assert_near};

fn query(fly: &Rehearsal, org: &str, kind: &str, parameters: &[(&str, &str)]) -> ApiAnswer {
    let form =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let path = format!("/prometheus/{org}/api/v1/{kind}");
    let call = api_call("GET", &format!("{path}?{form}"), &Value::Null, "");
    prometheus::answer(&path, &call, &fly.world)
}

fn range(fly: &Rehearsal, selector: &str, seconds: u64) -> Vec<(Value, Vec<f64>)> {
    let end = (1_700_000_000 + seconds).to_string();
    let parameters = [("query", selector), ("start", "1700000000"), ("end", &end), ("step", "15")];
    let body = query(fly, "personal", "query_range", &parameters).body.unwrap();
    assert_eq!(
        (&body["status"], &body["data"]["resultType"]),
        (&json!("success"), &json!("matrix"))
    );
    let series = body["data"]["result"].as_array().unwrap().iter();
    let value = |point: &Value| point[1].as_str().unwrap().parse().unwrap();
    let values = |one: &Value| one["values"].as_array().unwrap().iter().map(value).collect();
    series.map(|one| (one["metric"].clone(), values(one))).collect()
}

#[test]
fn the_balance_and_the_throttled_time_are_hundredths_of_cpu_seconds() {
    let mut fly = Rehearsal::new(&format!(
        "[[machine]]\nstate = \"stopped\"\n{}",
        EXACT.replace("2s", "6100ms")
    ));
    let request = fly.admit();
    fly.finish(request);
    fly.pass(60.0 - fly.now());
    let id = fly.id(0);
    let balance = range(
        &fly,
        &format!("fly_instance_cpu_balance{{app=\"rehearsal\",instance=\"{id}\"}}"),
        60,
    );
    let (labels, values) = &balance[0];
    assert_eq!(
        (&labels["__name__"], &labels["instance"], &labels["region"]),
        (&json!("fly_instance_cpu_balance"), &json!(id), &json!("ord"))
    );
    assert!(values[0] < 1e-9, "at 15 s the balance is spent");
    let throttled = &range(&fly, "fly_instance_cpu_throttle", 60)[0].1;
    // 11.5 s of the boot, and the 12 ms of the first page, 15 times.
    assert_near(*throttled.last().unwrap(), 1_168.0, 1.0);
    let steal = &range(&fly, "fly_instance_cpu{mode=\"steal\"}", 60)[0].1;
    assert_eq!(steal, throttled);
    assert_eq!(range(&fly, "fly_instance_cpu{mode=~\"user|system\"}", 60).len(), 2);
}

#[test]
fn a_machine_that_does_not_run_has_no_new_samples() {
    let mut fly = Rehearsal::new("");
    fly.pass(30.0);
    fly.ok(0, "POST stop", &Value::Null);
    fly.pass(1_000.0);
    let values = &range(&fly, "fly_instance_memory_mem_total", 900)[0].1;
    assert_near(values[0], 1_073_741_824.0, 0.5);
    assert_eq!(values.len(), 22, "the last sample counts for five minutes");
}

#[test]
fn there_are_no_samples_from_before_a_machine_existed() {
    let mut fly = Rehearsal::new("");
    fly.pass(40.0);
    let earlier = [("start", "1699999000"), ("end", "1700000040"), ("step", "10")];
    let parameters = [&earlier[..], &[("query", "fly_instance_up")]].concat();
    let body = query(&fly, "personal", "query_range", &parameters).body.unwrap();
    let values = body["data"]["result"][0]["values"].as_array().unwrap();
    assert_eq!(values[0][0], json!(1_700_000_000.0));
    assert_eq!(values.len(), 5);
    let before = [("query", "fly_instance_up"), ("time", "1699999999")];
    let body = query(&fly, "personal", "query", &before).body.unwrap();
    assert_eq!(body["data"]["result"], json!([]));
}

#[test]
fn a_performance_cpu_has_no_balance() {
    let mut fly = Rehearsal::new("[[machine]]\nsize = \"performance-1x\"\nmemory_mb = 2048\n");
    fly.pass(30.0);
    assert!(range(&fly, "fly_instance_cpu_balance", 30).is_empty());
}

#[test]
fn an_instant_query_answers_the_last_value() {
    let mut fly = Rehearsal::new("");
    fly.pass(100.0);
    let body = query(&fly, "personal", "query", &[("query", "fly_instance_up")]).body.unwrap();
    assert_eq!(body["data"]["resultType"], "vector");
    assert_eq!(body["data"]["result"][0]["value"][1], "1");
}

#[test]
fn wrong_queries_are_refused_in_prometheus_form() {
    let fly = Rehearsal::new("");
    let times = [("start", "1700000000"), ("end", "1700000060")];
    for (org, kind, parameters, status) in [
        ("other", "query", vec![("query", "up")], 403),
        ("personal", "series", vec![("query", "up")], 404),
        ("personal", "query", vec![("query", "rate(up[1m])")], 400),
        ("personal", "query_range", vec![("query", "up")], 400),
        ("personal", "query", vec![("query", "up"), ("time", "1e19")], 400),
        ("personal", "query_range", [&times[..], &[("query", "up"), ("step", "0")]].concat(), 400),
        (
            "personal",
            "query_range",
            [&times[..], &[("query", "up"), ("step", "1ms")]].concat(),
            400,
        ),
    ] {
        let answer = query(&fly, org, kind, &parameters);
        assert_eq!(answer.status.as_u16(), status, "{org} {kind} {parameters:?}");
        assert_eq!(answer.body.unwrap()["status"], "error");
    }
}

#[test]
fn simulated_time_that_runs_faster_is_still_reported_in_wall_time() {
    let mut fly = Rehearsal::new("scale = 10.0\n[service]\nautostop = \"off\"");
    fly.pass(600.0);
    let values = &range(&fly, "fly_instance_up", 60)[0].1;
    assert_eq!(values.len(), 5, "600 simulated seconds are 60 real ones");
}
