//! Following redirects, over in-memory streams and under paused time.

use std::rc::Rc;

use super::harness::{
    CONNECT, Script, ScriptedDial, Turn, Watcher, following, millis, open, watch_run,
};
use super::sums::assert_nothing_is_lost;
use super::{assert_close, measured};
use crate::engine::stop_channel;
use crate::expect::{Expectation, ExpectationSet, ResponseCheck};
use crate::plan::{ConnectionReuse, ScenarioPlan, WarmupPlan};
use crate::record::{Dimension, Failure, RequestMeasurement, ScenarioMeasurement};
use crate::units::Quantile;

const TO_B: &str = "HTTP/1.1 302 Found\r\nlocation: /b?c=d\r\ncontent-length: 3\r\n\r\nsee";
const TO_OTHER: &str =
    "HTTP/1.1 307 No\r\nlocation: http://other.test:81/in\r\ncontent-length: 0\r\n\r\n";
const TO_EVIL: &str =
    "HTTP/1.1 302 No\r\nlocation: https://evil.test/x?token=1\r\ncontent-length: 0\r\n\r\n";
const NOWHERE: &str = "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n";

/// What was measured, which requests the server read, and which origins were dialled.
struct Followed {
    scenario: ScenarioMeasurement,
    requests: Vec<String>,
    dialled: Vec<String>,
}

fn follow(scenario: ScenarioPlan, script: Vec<Vec<Turn>>) -> Followed {
    let dial = ScriptedDial::new(Script(script));
    let (requests, dialled) = (Rc::clone(&dial.requests), Rc::clone(&dial.dialled));
    let (measurement, _) = watch_run(scenario, vec![dial], Watcher::default(), stop_channel().1);
    let scenario = measurement.scenarios.into_iter().next().unwrap();
    Followed { scenario, requests: requests.take(), dialled: dialled.take() }
}

/// The hops of the first request.
fn hops(scenario: &ScenarioMeasurement) -> Vec<&RequestMeasurement> {
    scenario.requests[1..].iter().collect()
}

fn raw(after: u64, bytes: &'static str) -> Turn {
    Turn::Raw(millis(after), bytes)
}

fn expecting(mut scenario: ScenarioPlan, written: &str, check: ResponseCheck) -> ScenarioPlan {
    let expectation = Expectation { written: written.to_owned(), check };
    let max_body = ExpectationSet::DEFAULT_MAX_BODY;
    scenario.requests[0].expectations = ExpectationSet::new(vec![expectation], max_body);
    scenario
}

#[test]
fn a_redirect_is_followed_and_its_hops_are_timed_in_addition_to_the_whole() {
    let script = vec![vec![raw(20, TO_B), Turn::Answer(millis(70))]];
    let Followed { scenario, requests, dialled } = follow(following(open(1.0, 1, 1), 2), script);
    assert!(
        requests[0].starts_with("GET / HTTP/1.1\r\n")
            && requests[1].starts_with("GET /b?c=d HTTP/1.1\r\n")
    );
    assert_eq!((requests.len(), dialled.len()), (2, 1));

    let whole = measured(&scenario);
    assert_eq!((whole.tally.exchanges, whole.tally.ok, whole.tally.body_bytes), (1, 1, 8));
    let p50 = |stage: &crate::record::StageMeasurement, dimension| {
        stage.series.quantile(dimension, Quantile::P50)
    };
    assert_close(p50(whole, Dimension::Latency), millis(90) + CONNECT);
    assert_close(p50(whole, Dimension::FirstByte), millis(90));
    assert_nothing_is_lost(whole);

    let [first, second, third] = hops(&scenario)[..] else { panic!("three hops") };
    assert_close(p50(&first.measured, Dimension::Latency), millis(20) + CONNECT);
    assert_close(p50(&second.measured, Dimension::Latency), millis(70));
    assert_close(p50(&second.measured, Dimension::FirstByte), millis(70));
    assert_eq!((first.measured.tally.fresh, second.measured.tally.fresh), (1, 0));
    assert_eq!((first.measured.tally.ok, second.measured.tally.ok), (1, 1));
    assert_eq!(third.measured.tally.exchanges, 0);
}

#[test]
fn only_server_timings_of_the_last_answer_are_recorded() {
    const ON: &str = "HTTP/1.1 302 Found\r\nlocation: /b\r\nserver-timing: gate;dur=1\r\ncontent-length: 0\r\n\r\n";
    const AT_LAST: &str =
        "HTTP/1.1 200 OK\r\nserver-timing: app;dur=2\r\ncontent-length: 0\r\n\r\n";
    let script = vec![vec![raw(20, ON), raw(20, AT_LAST)]];
    let Followed { scenario, .. } = follow(following(open(1.0, 1, 1), 2), script);
    let metrics: Vec<_> =
        measured(&scenario).server_timings.iter().map(|(metric, _)| metric).collect();
    assert_eq!(metrics, ["app"]);
}

#[test]
fn without_a_redirect_no_hop_is_recorded() {
    let Followed { scenario, .. } =
        follow(following(open(5.0, 1, 1), 2), vec![vec![Turn::Answer(millis(5))]]);
    assert_eq!(measured(&scenario).tally.ok, 5);
    assert!(hops(&scenario).iter().all(|hop| hop.measured.tally.exchanges == 0));
}

#[test]
fn a_redirect_is_not_followed_unless_the_scenario_allows_it() {
    let Followed { scenario, requests, .. } = follow(open(5.0, 1, 1), vec![vec![raw(5, TO_B)]]);
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Redirected), 5);
    assert_eq!(requests.len(), 5);

    let expected = ResponseCheck::Status(vec![http::StatusCode::FOUND]);
    let plan = expecting(open(5.0, 1, 1), "status = 302", expected);
    assert_eq!(measured(&follow(plan, vec![vec![raw(5, TO_B)]]).scenario).tally.ok, 5);
}

#[test]
fn a_loop_ends_at_the_limit_and_names_the_next_url() {
    let Followed { scenario, requests, .. } =
        follow(following(open(2.0, 1, 1), 3), vec![vec![raw(5, TO_B)]]);
    let stage = measured(&scenario);
    assert_eq!((stage.tally.failed_by(Failure::Redirected), stage.tally.exchanges), (2, 2));
    assert_eq!(requests.len(), 8);
    let evidence = stage.evidence.by_count()[0];
    assert_eq!(evidence.expected, "redirects = 3");
    assert_eq!(evidence.seen, "302 redirect to http://target.test/b");
    let outcomes: Vec<_> = hops(&scenario).iter().map(|hop| hop.measured.tally.ok).collect();
    assert_eq!(outcomes, [2, 2, 2, 0]);
    assert_eq!(hops(&scenario)[3].measured.tally.failed_by(Failure::Redirected), 2);
}

#[test]
fn a_host_that_is_not_allowed_gets_no_request() {
    let Followed { scenario, dialled, .. } =
        follow(following(open(2.0, 1, 1), 3), vec![vec![raw(5, TO_EVIL)]]);
    let stage = measured(&scenario);
    assert_eq!(stage.tally.failed_by(Failure::Redirected), 2);
    let seen = &stage.evidence.by_count()[0].seen;
    assert_eq!(
        seen,
        "302 redirect to https://evil.test/x, a host that `allow_hosts` does not name"
    );
    assert_eq!(dialled, ["target.test:80"]);
    assert!(hops(&scenario).iter().all(|hop| hop.measured.tally.exchanges == 0));
}

fn to_other(mut scenario: ScenarioPlan) -> Followed {
    scenario.target.allowed_hosts = vec!["other.test".to_owned()];
    let script = vec![vec![raw(5, TO_OTHER)], vec![Turn::Answer(millis(10))]];
    follow(following(scenario, 1), script)
}

#[test]
fn the_connection_to_another_origin_is_kept_for_the_next_exchange() {
    let Followed { scenario, requests, dialled } = to_other(open(5.0, 1, 1));
    assert_eq!(measured(&scenario).tally.ok, 5);
    assert_eq!(dialled, ["target.test:80", "other.test:81"]);
    assert!(requests[1].contains("host: other.test:81\r\n"));
    assert_eq!((measured(&scenario).tally.fresh, scenario.connections.opened), (1, 2));
    assert_nothing_is_lost(measured(&scenario));
}

#[test]
fn with_fresh_connections_every_hop_opens_one() {
    let mut plan = open(5.0, 1, 1);
    plan.reuse = ConnectionReuse::Fresh;
    // Connections are dialled in turn: the script's second one goes to the other origin only the
    // first time.
    let mut script = vec![];
    for _ in 0..5 {
        script.extend([vec![raw(5, TO_OTHER)], vec![Turn::Answer(millis(10))]]);
    }
    plan.target.allowed_hosts = vec!["other.test".to_owned()];
    let Followed { scenario, dialled, .. } = follow(following(plan, 1), script);
    assert_eq!(measured(&scenario).tally.ok, 5);
    assert_eq!(dialled, ["target.test:80", "other.test:81"].repeat(5));
    let whole = measured(&scenario);
    assert_close(whole.series.quantile(Dimension::Setup, Quantile::P50), CONNECT * 2);
}

#[test]
fn only_a_few_connections_to_other_origins_are_kept() {
    let to = |port: &'static str| {
        let answer = format!(
            "HTTP/1.1 302 No\r\nlocation: http://target.test:{port}/\r\ncontent-length: 0\r\n\r\n"
        );
        raw(1, Box::leak(answer.into_boxed_str()))
    };
    // Four redirects to four ports: no connection is kept long enough to be used again.
    let script =
        vec![vec![to("81")], vec![to("82")], vec![to("83")], vec![Turn::Answer(millis(1))]];
    let script = [script.clone(), script[1..].to_vec()].concat();
    let Followed { scenario, dialled, .. } = follow(following(open(2.0, 1, 1), 3), script);
    assert_eq!(measured(&scenario).tally.ok, 2);
    let other = ["target.test:81", "target.test:82", "target.test:83"];
    assert_eq!(dialled, [["target.test:80"].as_slice(), &other, &other].concat());
}

#[test]
fn a_redirect_without_a_usable_url_is_final_and_judged() {
    let Followed { scenario, .. } =
        follow(following(open(2.0, 1, 1), 3), vec![vec![raw(5, NOWHERE)]]);
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Status), 2);

    let expected = ResponseCheck::Status(vec![http::StatusCode::FOUND]);
    let plan = expecting(following(open(2.0, 1, 1), 3), "status = 302", expected);
    assert_eq!(measured(&follow(plan, vec![vec![raw(5, NOWHERE)]]).scenario).tally.ok, 2);
}

#[test]
fn expectations_see_the_final_url() {
    let at_b = || ResponseCheck::FinalUrl("http://target.test/b?c=d".parse().unwrap());
    let script = || vec![vec![raw(5, TO_B), Turn::Answer(millis(5))]];
    let plan = expecting(following(open(1.0, 1, 1), 1), "final_url = \"/b?c=d\"", at_b());
    assert_eq!(measured(&follow(plan, script()).scenario).tally.ok, 1);
    let start = ResponseCheck::FinalUrl("http://target.test/".parse().unwrap());
    let plan = expecting(following(open(1.0, 1, 1), 1), "final_url = \"/\"", start);
    assert_eq!(measured(&follow(plan, script()).scenario).tally.failed_by(Failure::Unexpected), 1);
}

#[test]
fn a_refused_redirect_of_a_sensitive_answer_does_not_show_its_url() {
    let mut plan = following(open(1.0, 1, 1), 1);
    plan.requests[0].expectations = ExpectationSet::default().with_sensitivity(true);
    let Followed { scenario, .. } = follow(plan, vec![vec![raw(5, TO_B), raw(5, TO_B)]]);
    assert_eq!(measured(&scenario).evidence.by_count()[0].seen, "302 redirect");
}

#[test]
fn the_whole_chain_shares_one_timeout() {
    let script = vec![vec![raw(400, TO_B)]];
    let mut plan = following(open(1.0, 1, 1), 9);
    plan.target.timeouts.whole = millis(1_000);
    let Followed { scenario, requests, .. } = follow(plan, script);
    assert_eq!(measured(&scenario).tally.failed_by(Failure::TimedOut), 1);
    assert_eq!(requests.len(), 3);
    assert_eq!(hops(&scenario)[2].measured.tally.failed_by(Failure::TimedOut), 1);
    assert_eq!(hops(&scenario)[3].measured.tally.exchanges, 0);
}

#[test]
fn a_hop_that_cannot_be_reached_fails_the_exchange_in_its_phase() {
    let mut plan = following(open(2.0, 1, 1), 1);
    plan.target.allowed_hosts = vec!["other.test".to_owned()];
    let script = vec![vec![raw(5, TO_OTHER)], vec![Turn::Close]];
    let Followed { scenario, .. } = follow(plan, script);
    assert_eq!(measured(&scenario).tally.failed_by(Failure::Closed), 2);
    assert!(measured(&scenario).series.get(Dimension::FirstByte).is_none());
    let [first, second] = hops(&scenario)[..] else { panic!("two hops") };
    assert_eq!((first.measured.tally.ok, second.measured.tally.failed_by(Failure::Closed)), (2, 2));
    assert_eq!(first.measured.series.get(Dimension::FirstByte).unwrap().count(), 2);
}

#[test]
fn hops_of_the_warm_up_are_recorded_separately() {
    let mut plan = following(open(2.0, 1, 1), 1);
    plan.warmup = WarmupPlan { connections: 1, requests: 3 };
    let script = vec![[raw(5, TO_B), Turn::Answer(millis(5))].repeat(5)];
    let Followed { scenario, .. } = follow(plan, script);
    let [first, second] = hops(&scenario)[..] else { panic!("two hops") };
    assert_eq!((first.cold.tally.ok, first.warmup.tally.ok, first.measured.tally.ok), (1, 2, 2));
    assert_eq!((second.cold.tally.ok, second.warmup.tally.ok, second.measured.tally.ok), (0, 3, 2));
    let whole = &scenario.requests[0];
    assert_eq!((whole.cold.tally.ok, whole.warmup.tally.ok, whole.measured.tally.ok), (1, 2, 2));
}
