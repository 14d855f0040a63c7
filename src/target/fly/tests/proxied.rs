//! The proxy: routing, autostart, autostop and pins.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::super::request::{RequestEnd, RequestWork};
use super::{EXACT, REFUSED, Rehearsal, assert_near};

const TWO: &str =
    "[[machine]]\n[[machine]]\nstate = \"stopped\"\n[service]\nsoft_limit = 2\nhard_limit = 3\n";

#[test]
fn a_request_that_finds_no_machine_starts_one_and_waits_for_its_boot() {
    let mut fly = Rehearsal::new(&format!("[[machine]]\nstate = \"stopped\"\n{EXACT}"));
    let (first, second) = (fly.admit(), fly.admit());
    let (end, seconds) = fly.finish(first);
    assert_near(seconds, 0.2 + 2.0 + 3.0 * 0.124 + 0.08, 0.02);
    let RequestEnd::Served { worked } = end else { panic!("{end:?}") };
    assert_near(worked.as_secs_f64(), 3.0 * 0.124 + 0.08, 0.02);
    assert!(matches!(fly.finish(second).0, RequestEnd::Served { .. }));
    assert_eq!(fly.events(0)[2], "start starting proxy");
}

#[test]
fn without_autostart_a_stopped_app_answers_503_at_once() {
    let mut fly =
        Rehearsal::new("[[machine]]\nstate = \"stopped\"\n[service]\nautostart = false\n");
    let (free, pinned) = (fly.admit(), fly.admit_pinned(0));
    assert_eq!(fly.finish(free), (REFUSED, 0.0));
    assert_eq!(fly.finish(pinned).0, RequestEnd::Refused(StatusCode::BAD_GATEWAY));
}

#[test]
fn more_requests_in_flight_than_the_soft_limit_pull_in_a_cold_start() {
    let mut fly = Rehearsal::new(&format!("{TWO}{EXACT}"));
    let requests: Vec<u64> = (0..3).map(|_| fly.admit()).collect();
    assert_eq!(fly.state(1), "starting");
    let seconds: Vec<f64> = requests.iter().map(|request| fly.finish(*request).1).collect();
    assert!(seconds[0] < 0.3, "{seconds:?}");
    assert!(seconds.iter().sum::<f64>() > 2.2, "the third waited for the boot: {seconds:?}");
}

#[test]
fn a_pin_reaches_its_machine_and_starts_it() {
    let mut fly = Rehearsal::new(&format!("{TWO}{EXACT}"));
    let request = fly.admit_pinned(1);
    assert_eq!(fly.state(1), "starting");
    assert!(fly.finish(request).1 > 2.0);
    assert_eq!(fly.world.machines[1].served, 1);
    let unknown = fly.world.admit(Some("nobody"), RequestWork::Nothing).0;
    assert_eq!(fly.finish(unknown), (REFUSED, 0.0));
}

#[test]
fn requests_above_every_hard_limit_wait_for_a_place() {
    let mut fly = Rehearsal::new(&format!("{EXACT}[service]\nsoft_limit = 1\nhard_limit = 2\n"));
    fly.latency();
    let requests: Vec<u64> = (0..4).map(|_| fly.admit()).collect();
    assert_eq!(fly.world.load(0), 2);
    let mut last = 0.0;
    for request in requests {
        fly.finish(request);
        last = fly.now();
    }
    assert_near(last, 0.204 + 2.0 * 0.128, 0.01);
}

#[test]
fn a_stop_breaks_the_requests_in_progress() {
    let mut fly = Rehearsal::new(EXACT);
    let request = fly.admit();
    fly.pass(0.05);
    fly.ok(0, "POST stop", &json!(null));
    assert_eq!(fly.finish(request), (RequestEnd::Refused(StatusCode::BAD_GATEWAY), 0.0));
}

#[test]
fn a_cordoned_machine_gets_no_request_until_it_is_uncordoned() {
    let mut fly = Rehearsal::new(EXACT);
    fly.ok(0, "POST cordon", &json!(null));
    let request = fly.admit();
    assert_eq!(fly.finish(request).0, REFUSED);
    fly.ok(0, "POST uncordon", &json!(null));
    assert!(fly.latency() < 0.3);
}

#[test]
fn an_idle_app_is_stopped_and_one_with_requests_is_not() {
    let mut fly = Rehearsal::new(&format!("{EXACT}[service]\nidle = \"5m\"\n"));
    for _ in 0..10 {
        fly.pass(120.0);
        fly.latency();
    }
    assert_eq!(fly.state(0), "started");
    fly.pass(299.0);
    assert_eq!(fly.state(0), "started");
    fly.pass(2.0);
    assert_eq!(fly.state(0), "stopped");
    assert_eq!(fly.events(0)[2], "stop stopping proxy");
}

#[test]
fn surplus_machines_are_stopped_one_at_a_time_and_never_below_the_minimum() {
    let mut fly = Rehearsal::new(
        "[[machine]]\ncount = 3\n[service]\nidle = \"5m\"\n\
         min_machines_running = 1\nautostop = \"suspend\"\n",
    );
    let states = |fly: &Rehearsal| [0, 1, 2].map(|machine| fly.state(machine));
    for _ in 0..31 {
        fly.pass(10.0);
        fly.latency();
    }
    assert_eq!(states(&fly), ["started", "started", "suspended"], "low load needs no second one");
    fly.pass(299.0);
    assert_eq!(states(&fly), ["started", "suspended", "suspended"]);
    fly.pass(10_000.0);
    assert_eq!(states(&fly), ["started", "suspended", "suspended"]);
}

#[test]
fn a_machine_that_requests_itself_is_stopped_all_the_same() {
    let mut fly =
        Rehearsal::new(&format!("{EXACT}[service]\nidle = \"5m\"\nself_ping = \"60s\"\n"));
    fly.pass(290.0);
    assert!(fly.world.machines[0].quota.times().used > 0.01, "it has requested itself");
    fly.pass(20.0);
    assert_eq!(fly.state(0), "stopped");
    fly.pass(600.0);
    assert_eq!(fly.state(0), "stopped", "nothing in it runs that could wake it");
}

#[test]
fn with_autostop_off_an_idle_app_runs_on() {
    let mut fly = Rehearsal::new("[service]\nautostop = \"off\"\n");
    fly.pass(100_000.0);
    assert_eq!(fly.state(0), "started");
}

#[test]
fn a_request_whose_client_is_gone_frees_its_place() {
    let mut fly = Rehearsal::new(&format!("{EXACT}[service]\nsoft_limit = 1\nhard_limit = 1\n"));
    let (gone, next) = (fly.admit(), fly.admit());
    assert_eq!(fly.world.load(0), 1);
    assert!(fly.world.forget(gone));
    assert!(fly.finish(next).1 < 0.3);
    assert!(!fly.world.forget(gone));
}

#[test]
fn a_private_address_leads_past_the_cordon_and_the_limits_and_keeps_nothing_awake() {
    let mut fly = Rehearsal::new(&format!(
        "{EXACT}[service]\nidle = \"5m\"\nsoft_limit = 1\nhard_limit = 1\n"
    ));
    fly.ok(0, "POST cordon", &json!(null));
    let page = RequestWork::Page(Duration::ZERO);
    let requests = [0, 1].map(|_| fly.world.admit_privately(0, page).unwrap());
    assert_eq!(fly.world.load(0), 0, "the proxy does not know them");
    for request in requests {
        assert!(matches!(fly.finish(request).0, RequestEnd::Served { .. }));
    }
    fly.pass(10_000.0);
    assert_eq!(fly.state(0), "started", "the proxy does not stop what it does not know");
    fly.ok(0, "POST uncordon", &json!(null));
    assert!(fly.world.admit_privately(0, page).is_some());
    fly.pass(2.0);
    assert_eq!(fly.state(0), "stopped");
    assert_eq!(fly.world.admit_privately(0, page), None);
    assert_eq!(fly.world.admit_privately(7, page), None);
}
