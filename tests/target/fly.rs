//! The rehearsal of Fly over a real connection; its rules are tested inside the crate.

use serde_json::{Value, json};
use tollgate::target::{BackgroundTarget, TargetSettings};

use super::{Answer, Client, host};

/// Fast enough that a boot of 2 s takes 20 ms.
const FILE: &str =
    "scale = 100.0\n[work]\nlatency = \"constant:100ms\"\n[faults]\nrate_limits = false\n";

const MACHINES: &str = "/v1/apps/rehearsal/machines";
const TOKEN: &str = "authorization: Bearer rehearsal-token\r\n";

fn start(file: &str) -> BackgroundTarget {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fly.toml");
    std::fs::write(&path, file).unwrap();
    let settings = TargetSettings::from_flags(&["--fly", path.to_str().unwrap()]).unwrap();
    BackgroundTarget::start(&settings).unwrap()
}

fn worked(answer: &Answer) -> f64 {
    let header = answer.header("server-timing").unwrap();
    header.strip_prefix("app;dur=").unwrap().parse().unwrap()
}

#[test]
fn a_stopped_machine_is_started_by_the_request_that_needs_it() {
    let target = start(FILE);
    let mut client = Client::connect(&target);
    let machine = client.get_with(MACHINES, TOKEN).json()[0].clone();
    let path = format!("{MACHINES}/{}", machine["id"].as_str().unwrap());
    let warm = client.get("/app?mock=1");
    assert_eq!((warm.status, warm.header("server")), (200, Some("Fly/rehearsal")));
    assert!(warm.header("fly-request-id").unwrap().ends_with("-ord"));

    assert_eq!(client.post(&format!("{path}/stop"), TOKEN, "{}").json(), json!({"ok": true}));
    let instance = machine["instance_id"].as_str().unwrap();
    let wait = format!("{path}/wait?state=stopped&instance_id={instance}&timeout=10");
    assert_eq!(client.get_with(&wait, TOKEN).json()["ok"], true);

    let cold = client.get("/app?mock=1");
    assert_eq!(cold.status, 200);
    assert!(cold.body.contains("data-testid=\"tile-ops-metrics\""));
    assert!(worked(&cold) > worked(&warm), "{} {}", worked(&cold), worked(&warm));
    let events = client.get_with(&format!("{path}/events"), TOKEN).json();
    let line = |event: &Value| (event["status"].clone(), event["source"].clone());
    assert_eq!(line(&events[0]), (json!("started"), json!("flyd")));
    assert_eq!(line(&events[1]), (json!("starting"), json!("proxy")));
    target.stop().unwrap();
}

#[test]
fn api_metrics_and_app_share_one_port_and_only_the_first_two_need_the_token() {
    let target = start(FILE);
    let mut client = Client::connect(&target);
    let balance = "/prometheus/personal/api/v1/query?query=fly_instance_cpu_balance";
    assert_eq!(client.get(MACHINES).json()["error"], "unauthorized");
    assert_eq!(client.get(balance).status, 401);
    let balance = client.get_with(balance, TOKEN).json();
    assert_eq!(balance["data"]["result"][0]["metric"]["app"], "rehearsal");
    assert_eq!(client.get("/plain").status, 200);
    assert_eq!(client.get("/v1x").status, 404);
    let environment: Vec<&str> = target.fly_environment().iter().map(|(name, _)| *name).collect();
    assert_eq!(
        environment,
        ["FLY_FLAPS_BASE_URL", "FLY_PROMETHEUS_URL", "FLY_API_TOKEN", "FLY_ORG", "FLY_APP"]
    );
    assert!(target.fly_environment()[0].1.ends_with(host(&target)));
    target.stop().unwrap();
}

#[test]
fn a_body_that_is_too_large_is_413() {
    let target = start(FILE);
    let mut client = Client::connect(&target);
    let large = "x".repeat(70_000);
    let answer = client.post(&format!("{MACHINES}/any/stop"), TOKEN, &large);
    assert_eq!(answer.status, 413);
    target.stop().unwrap();
}

#[test]
fn a_file_that_is_wrong_or_absent_is_a_mistake_of_usage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fly.toml");
    std::fs::write(&path, "[work]\nboot = \"2s\"\n").unwrap();
    for (path, says) in
        [(path, "2:1: unknown field `boot`"), (folder.path().join("none"), "none: ")]
    {
        let settings = TargetSettings::from_flags(&["--fly", path.to_str().unwrap()]).unwrap();
        let error = BackgroundTarget::start(&settings).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains(says), "{error}");
    }
    let both = TargetSettings::from_flags(&["--fly", "demo", "--mock-latency", "constant:1ms"]);
    assert!(both.unwrap_err().to_string().contains("--mock-latency"));
}
