//! The client of Fly's APIs against the rehearsal of Fly, over real sockets.

use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;
use tollgate::fly::{
    AppName, FetchTransport, FlyEnvironment, FlyProblem, LeaseNonce, MachineId, MachineState,
    MachineUpdate, MachinesClient, MetricReading, MetricWindow, PrometheusClient, StartKind,
    SystemCallClock, WaitGoal, WaitState, last_start,
};
use tollgate::target::{BackgroundTarget, TargetSettings};

use super::host;

type Fly = MachinesClient<FetchTransport, SystemCallClock<fn() -> bool>>;

/// The demo's token and organisation.
const TOKEN: &str = "rehearsal-token";
const ORGANISATION: &str = "personal";

const LIMIT: Duration = Duration::from_mins(1);

fn rehearsal() -> BackgroundTarget {
    BackgroundTarget::start(&TargetSettings::from_flags(&["--fly", "demo"]).unwrap()).unwrap()
}

fn environment(target: &BackgroundTarget, token: &str) -> FlyEnvironment {
    let base = format!("http://{}", host(target));
    FlyEnvironment::read(|name| match name {
        "FLY_API_TOKEN" => Some(token.to_owned()),
        "FLY_FLAPS_BASE_URL" => Some(base.clone()),
        "FLY_PROMETHEUS_URL" => Some(format!("{base}/prometheus")),
        "FLY_ORG" => Some(ORGANISATION.to_owned()),
        _ => None,
    })
    .unwrap()
}

fn client(target: &BackgroundTarget, token: &str, app: &str) -> Fly {
    let (environment, app) = (environment(target, token), AppName::parse(app).unwrap());
    MachinesClient::new(&environment, app, FetchTransport, SystemCallClock::new())
}

fn only_machine(fly: &mut Fly) -> MachineId {
    MachineId::parse(&fly.list_machines().unwrap()[0].id).unwrap()
}

fn reach(fly: &mut Fly, id: &MachineId, state: WaitState) {
    fly.wait(id, &WaitGoal::new(state), LIMIT).unwrap();
}

#[test]
fn a_machine_is_stopped_started_suspended_and_resumed() {
    let target = rehearsal();
    let mut fly = client(&target, TOKEN, "rehearsal");
    let id = only_machine(&mut fly);
    fly.stop(&id).unwrap();
    reach(&mut fly, &id, WaitState::Stopped);
    fly.start(&id).unwrap();
    reach(&mut fly, &id, WaitState::Started);
    let booted = last_start(&fly.machine(&id).unwrap().events);
    assert_eq!((booted.kind, booted.is_certain), (StartKind::Booted, true), "{booted:?}");
    fly.suspend(&id).unwrap();
    reach(&mut fly, &id, WaitState::Suspended);
    fly.start(&id).unwrap();
    reach(&mut fly, &id, WaitState::Started);
    let resumed = last_start(&fly.machine(&id).unwrap().events);
    assert_eq!((resumed.kind, resumed.is_certain), (StartKind::Resumed, false), "{resumed:?}");
    // It is there already.
    fly.start(&id).unwrap();
    fly.restart(&id).unwrap();
    fly.wait_settled(&id, LIMIT).unwrap();
    let restarted = last_start(&fly.machine(&id).unwrap().events);
    assert_eq!(restarted.kind, StartKind::Booted, "{restarted:?}");
}

#[test]
fn an_update_under_a_lease_keeps_the_rest_of_the_configuration() {
    let target = rehearsal();
    let mut fly = client(&target, TOKEN, "rehearsal");
    let id = only_machine(&mut fly);
    let lease = fly.acquire_lease(&id, LIMIT, "test").unwrap();
    let before = fly.machine(&id).unwrap();
    let config = before.config.clone().unwrap();
    let update = MachineUpdate {
        config: config.patched(&json!({"guest": {"memory_mb": 2048}})).unwrap(),
        current_version: before.instance_id.clone(),
        skip_launch: false,
    };
    let mut other = client(&target, TOKEN, "rehearsal");
    let held = other.update(&id, &update).unwrap_err();
    let FlyProblem::LeaseHeld { owner, until } = held.problem() else { panic!("{held}") };
    assert_eq!((owner.is_some(), *until), (true, lease.expires_at), "{held}");
    let after = fly.update(&id, &update).unwrap();
    assert_ne!(after.instance_id, before.instance_id);
    fly.wait(&id, &WaitGoal::of_version(WaitState::Started, &after), LIMIT).unwrap();
    let changed = fly.machine(&id).unwrap();
    assert_eq!(changed.state, MachineState::Started);
    assert_eq!(changed.config.unwrap().as_json()["guest"]["memory_mb"], 2048);
    let stale = fly.update(&id, &update).unwrap_err();
    assert!(matches!(stale.problem(), FlyProblem::PreconditionFailed { .. }), "{stale}");
    // A later process goes on with the nonce that this one wrote down.
    let nonce = lease.nonce.unwrap();
    other.adopt_lease(&id, LeaseNonce::parse(nonce.as_str()).unwrap());
    other.suspend(&id).unwrap();
    reach(&mut other, &id, WaitState::Suspended);
    other.release_lease(&id).unwrap();
    assert_eq!(fly.show_lease(&id).unwrap(), None);
}

#[test]
fn a_wrong_token_app_or_machine_is_named() {
    let target = rehearsal();
    let refused = client(&target, "wrong", "rehearsal").list_machines().unwrap_err();
    assert!(matches!(refused.problem(), FlyProblem::TokenRefused { .. }), "{refused}");
    let missing = client(&target, TOKEN, "other").list_machines().unwrap_err();
    assert!(matches!(missing.problem(), FlyProblem::NotFound { .. }), "{missing}");
    let mut fly = client(&target, &format!("FlyV1 {TOKEN}"), "rehearsal");
    let missing = fly.machine(&MachineId::parse("0").unwrap()).unwrap_err();
    assert!(matches!(missing.problem(), FlyProblem::NotFound { .. }), "{missing}");
}

#[test]
fn the_balance_of_a_machine_is_read_in_seconds() {
    let target = rehearsal();
    let from = OffsetDateTime::now_utc() - LIMIT;
    let app = AppName::parse("rehearsal").unwrap();
    let environment = environment(&target, TOKEN);
    let mut fly = PrometheusClient::new(&environment, FetchTransport, SystemCallClock::new());
    for _ in 0..300 {
        let window = MetricWindow::new(from, OffsetDateTime::now_utc(), Duration::from_millis(500));
        if let MetricReading::Known(instances) = fly.read_instances(&app, &window) {
            let balance = instances[0].balance.known().unwrap();
            let seconds = balance[0].value.as_secs_f64();
            // A fresh balance of 5 s, at four times the speed.
            assert!((1.2..=2.0).contains(&seconds), "{seconds}");
            return;
        }
        // The rehearsal takes its next sample.
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("there is still no sample after a minute");
}
