//! States, boots, warmth and effects.

use serde_json::json;

use super::{EXACT, Rehearsal, assert_near, error};

#[test]
fn a_stop_and_a_start_go_through_every_state_and_leave_their_events() {
    let mut fly = Rehearsal::new(EXACT);
    assert_eq!(fly.state(0), "started");
    fly.ok(0, "POST stop", &json!({}));
    assert_eq!(fly.state(0), "stopping");
    fly.pass(0.6);
    assert_eq!(fly.state(0), "stopped");
    assert_eq!(fly.ok(0, "POST start", &json!(null))["previous_state"], "stopped");
    assert_eq!(fly.state(0), "starting");
    fly.pass(0.3);
    assert_eq!(fly.state(0), "started");
    assert_eq!(
        fly.events(0),
        [
            "launch created user",
            "start started flyd",
            "stop stopping user",
            "exit stopped flyd",
            "start starting user",
            "start started flyd",
        ]
    );
}

#[test]
fn a_started_machine_listens_only_after_its_boot_and_its_check_says_so() {
    let mut fly = Rehearsal::new(EXACT);
    fly.ok(0, "POST restart", &json!(null));
    fly.pass(1.0);
    let machine = fly.ok(0, "GET ", &json!(null));
    assert_eq!(
        (&machine["state"], &machine["checks"][0]["status"]),
        (&json!("started"), &json!("critical"))
    );
    fly.pass(2.0);
    let machine = fly.ok(0, "GET ", &json!(null));
    assert_eq!(machine["checks"][0]["status"], "passing");
}

#[test]
fn a_boot_of_6_cpu_seconds_is_slowed_by_the_quota_of_one_shared_cpu_and_not_of_two() {
    for (size, seconds) in
        [("shared-cpu-1x", 17.6), ("shared-cpu-2x", 6.1), ("performance-1x", 6.1)]
    {
        let file = format!(
            "[[machine]]\nsize = \"{size}\"\nmemory_mb = 2048\nstate = \"stopped\"\n[work]\n\
             boot_cpu = \"6100ms\"\nrequest_cpu = \"0s\"\nwarming = 0\n\
             latency = \"constant:0ms\"\ncache_cost = \"0s\"\n"
        );
        let mut fly = Rehearsal::new(&file);
        assert_near(fly.latency(), seconds + 0.2, 0.05);
    }
}

#[test]
fn a_suspended_machine_resumes_warm_and_a_stopped_one_boots_cold() {
    let mut fly = Rehearsal::new(EXACT);
    assert_near(fly.latency(), 0.124 + 0.08, 1e-6);
    assert_near(fly.latency(), 0.124, 1e-6);
    fly.ok(0, "POST suspend", &json!(null));
    fly.pass(1.0);
    assert_eq!(fly.state(0), "suspended");
    assert_near(fly.latency(), 0.3 + 0.124, 1e-6);
    fly.ok(0, "POST stop", &json!(null));
    fly.pass(1.0);
    // Start, boot, and the first request at the factor 3 with an empty cache.
    assert_near(fly.latency(), 0.2 + 2.0 + 3.0 * 0.124 + 0.08, 1e-6);
    assert_near(fly.latency(), 2.5 * 0.124, 1e-6);
    assert_near(fly.latency(), 2.0 * 0.124, 1e-6);
    assert_near(fly.latency(), 1.5 * 0.124, 1e-6);
    assert_near(fly.latency(), 0.124, 1e-6);
}

#[test]
fn a_cache_that_is_too_old_is_filled_once_again() {
    let mut fly = Rehearsal::new(&format!("{EXACT}cache_seconds = 60\n[service]\nidle = \"1h\"\n"));
    fly.latency();
    fly.pass(59.0);
    assert_near(fly.latency(), 0.124, 1e-6);
    fly.pass(5.0);
    assert_near(fly.latency(), 0.204, 1e-6);
    assert_near(fly.latency(), 0.124, 1e-6);
}

#[test]
fn more_than_2_gb_cannot_be_suspended() {
    let mut fly = Rehearsal::new("[[machine]]\nsize = \"shared-cpu-2x\"\nmemory_mb = 4096\n");
    let answer = fly.call(0, "POST suspend");
    let (status, error) = error(&answer);
    assert_eq!(status, 412);
    assert!(error.contains("2048"), "{error}");
}

#[test]
fn an_update_makes_a_new_instance_and_boots_it_unless_it_is_told_not_to() {
    let mut fly = Rehearsal::new(EXACT);
    let before = fly.world.machines[0].instance_id.clone();
    let updated = fly.update(0, |config| config["env"]["A"] = json!("b"));
    assert_ne!(updated["instance_id"], json!(before));
    assert_eq!(
        (&updated["state"], &updated["config"]["env"]["A"]),
        (&json!("replacing"), &json!("b"))
    );
    fly.pass(0.8);
    assert_eq!(fly.state(0), "started");
    fly.pass(3.0);
    let config = fly.world.machines[0].config.clone();
    fly.ok(0, "POST ", &json!({ "config": config, "skip_launch": true }));
    fly.pass(1.0);
    assert_eq!(fly.state(0), "stopped");
}

#[test]
fn an_update_makes_a_fresh_balance_and_a_restart_keeps_the_old_one() {
    let mut fly = Rehearsal::new(EXACT);
    let balance = |fly: &Rehearsal| fly.world.machines[0].quota.balance().unwrap();
    for boots in 1..=2 {
        fly.ok(0, "POST restart", &json!(null));
        fly.pass(3.0);
        assert_near(balance(&fly), 5.0 - f64::from(boots) * (2.0 - 3.0 / 16.0), 0.1);
    }
    fly.update(0, |config| config["image"] = json!("registry.fly.io/rehearsal:2"));
    assert_near(balance(&fly), 5.0, 1e-9);
    fly.pass(3.0);
    fly.update(0, |config| {
        config["guest"] = json!({"cpu_kind": "shared", "cpus": 2, "memory_mb": 1024});
    });
    assert_near(balance(&fly), 10.0, 1e-9);
}

#[test]
fn an_effect_changes_the_requests_of_the_configurations_that_it_names() {
    let file = format!(
        "[[machine]]\nbalance = \"100s\"\n{EXACT}[[effect]]\nmemory_mb = 2048\nlatency = \"-60ms\"\n\
         [[effect]]\nenv = {{ HEAVY = \"1\" }}\nrequest_cpu = \"40ms\"\n"
    );
    let mut fly = Rehearsal::new(&file);
    let mut warm = |change: fn(&mut serde_json::Value)| {
        fly.update(0, change);
        fly.pass(5.0);
        (0..6).map(|_| fly.latency()).last().unwrap()
    };
    assert_near(warm(|config| config["env"]["OTHER"] = json!("1")), 0.124, 1e-6);
    assert_near(warm(|config| config["guest"]["memory_mb"] = json!(2048)), 0.064, 1e-6);
    assert_near(warm(|config| config["env"]["HEAVY"] = json!("1")), 0.1, 1e-6);
}
