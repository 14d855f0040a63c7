//! Steps that run once, before and after the load, and cookies.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::super::observer::Observer;
use super::super::once::{OnceSteps, SetupEnd, unmeasured};
use super::super::time::clock;
use super::super::{StopHandle, StopSignal, StopUrgency, stop_channel};
use super::harness::{
    Script, ScriptedDial, Turn, Watcher, conduct_after, following, measure, millis, open, paused,
};
use crate::engine::connection::dial::Dialer;
use crate::plan::{CookiePolicy, Plan, RetryPlan, ScenarioPlan};
use crate::record::{Failure, Measurement, RunEnding, StepRecord};

const OK: Turn = Turn::Answer(Duration::from_millis(20));
const REFUSES: Turn =
    Turn::Raw(Duration::from_millis(20), "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n");
const SIGNS_IN: Turn = Turn::Raw(
    Duration::from_millis(30),
    "HTTP/1.1 200 OK\r\nset-cookie: sid=first\r\ncontent-length: 0\r\n\r\n",
);

/// Two arrivals with a setup `log in` and a teardown `log out`.
fn logged_in(cookies: CookiePolicy) -> ScenarioPlan {
    let mut plan = ScenarioPlan { cookies, ..open(2.0, 1, 1) };
    let named = |name: &str| {
        let mut shown = plan.shown.requests[0].clone();
        name.clone_into(&mut shown.name);
        shown
    };
    (plan.shown.setup, plan.shown.teardown) = (vec![named("log in")], vec![named("log out")]);
    (plan.setup, plan.teardown) = (plan.requests.clone(), plan.requests.clone());
    plan
}

/// What happened in a run around its load.
struct RunResult {
    measurement: Measurement,
    /// The heads of the requests that the server received.
    requests: Vec<String>,
    took: Duration,
}

impl RunResult {
    fn setup(&self) -> &[StepRecord] {
        &self.measurement.scenarios[0].setup
    }

    fn teardown(&self) -> &[StepRecord] {
        &self.measurement.scenarios[0].teardown
    }

    /// The header `cookie` of each request; empty without one.
    fn cookies(&self) -> Vec<&str> {
        let mut cookies = Vec::new();
        for request in &self.requests {
            let line = request.lines().find_map(|line| line.strip_prefix("cookie: "));
            cookies.push(line.unwrap_or_default());
        }
        cookies
    }
}

/// Runs setup, load and teardown against a server that does these turns in each.
fn run(plan: ScenarioPlan, [setup, load, teardown]: [Vec<Turn>; 3]) -> RunResult {
    run_until(plan, [setup, load, teardown], stop_channel(), &[])
}

/// The same, with a signal after each of these times in milliseconds.
fn run_until(
    plan: ScenarioPlan,
    [setup, load, teardown]: [Vec<Turn>; 3],
    (stopper, stop): (StopHandle, StopSignal),
    signals: &[u64],
) -> RunResult {
    let log = Rc::new(RefCell::new(Vec::new()));
    let dial = |turns: Vec<Turn>| {
        let mut dial = ScriptedDial::new(Script(vec![turns]));
        dial.requests = Rc::clone(&log);
        dial
    };
    let phases = RefCell::new(vec![dial(teardown), dial(setup)]);
    let took = Cell::new(Duration::ZERO);
    let measurement = paused(async {
        let start = clock::now();
        let signals: Vec<_> = signals.iter().map(|&at| start + millis(at)).collect();
        tokio::task::spawn_local(async move {
            for at in signals {
                tokio::time::sleep_until(at).await;
                stopper.request_stop();
            }
            std::future::pending::<()>().await;
        });
        let dialer = |_: usize| -> Box<dyn Dialer> { Box::new(phases.borrow_mut().pop().unwrap()) };
        let plan = Plan::from_scenarios(vec![plan]);
        let mut watcher = Watcher::default();
        let observer: &mut dyn Observer = &mut Watcher::default();
        let mut once = OnceSteps::new(&plan, &dialer).unwrap();
        let end = once.set_up(observer, stop.clone()).await;
        let begins = end == SetupEnd::Ready;
        let mut measurement = if begins {
            let state = once.states().remove(0);
            conduct_after(state, plan.clone(), dial(load), &mut watcher, stop.clone())
                .await
                .unwrap()
        } else {
            unmeasured(&plan, end, start)
        };
        once.tear_down(begins, observer, stop).await;
        once.record_in(&mut measurement);
        took.set(clock::now() - start);
        measurement
    });
    let requests = log.borrow().clone();
    RunResult { measurement, requests, took: took.get() }
}

fn failed_by(step: &StepRecord) -> Option<Failure> {
    step.failed.as_ref().map(|evidence| evidence.failure)
}

#[test]
fn setup_and_teardown_run_once_around_the_load_and_enter_no_figure() {
    let ran = run(logged_in(CookiePolicy::Off), [vec![OK], vec![OK], vec![OK]]);
    assert_eq!(ran.requests.len(), 4);
    assert_eq!(ran.measurement.ending, RunEnding::Complete);
    let measured = &ran.measurement.scenarios[0].requests;
    assert_eq!(measured.len(), 1);
    assert_eq!(measured[0].measured.tally.exchanges, 2);
    for (steps, name) in [(ran.setup(), "log in"), (ran.teardown(), "log out")] {
        assert_eq!((steps.len(), steps[0].name.as_str()), (1, name));
        assert_eq!((steps[0].tries, steps[0].took), (1, millis(25)));
        assert_eq!(steps[0].failed, None);
    }
}

#[test]
fn cookies_of_the_setup_are_sent_by_every_arrival_and_by_the_tear_down() {
    let sets = "HTTP/1.1 200 OK\r\nset-cookie: own=2\r\ncontent-length: 0\r\n\r\n";
    let load = vec![Turn::Raw(millis(10), sets), OK];
    let ran = run(logged_in(CookiePolicy::Setup), [vec![SIGNS_IN], load, vec![OK]]);
    // What an arrival is given itself ends with it.
    assert_eq!(ran.cookies(), ["", "sid=first", "sid=first", "sid=first"]);
}

#[test]
fn with_cookies_of_the_arrival_only_the_teardown_continues_those_of_the_setup() {
    let ran = run(logged_in(CookiePolicy::Arrival), [vec![SIGNS_IN], vec![OK], vec![OK]]);
    assert_eq!(ran.cookies(), ["", "", "", "sid=first"]);
}

#[test]
fn without_cookies_none_are_sent() {
    let ran = run(logged_in(CookiePolicy::Off), [vec![SIGNS_IN], vec![SIGNS_IN], vec![OK]]);
    assert_eq!(ran.cookies(), [""; 4]);
}

#[test]
fn each_arrival_starts_without_cookies_and_keeps_its_own_over_steps_redirects_and_tries() {
    let mut plan = following(open(2.0, 1, 1), 1);
    plan.cookies = CookiePolicy::Arrival;
    let mut second = plan.requests[0].clone();
    second.http_mut().redirects = 0;
    second.index = plan.shown.requests.len();
    second.tries = RetryPlan::Retry { times: 1, after: millis(1) };
    for name in ["second", "second, each try"] {
        let mut shown = plan.shown.requests[0].clone();
        name.clone_into(&mut shown.name);
        plan.shown.requests.push(shown);
    }
    plan.requests.push(second);
    let leads =
        "HTTP/1.1 302 Found\r\nlocation: /in\r\nset-cookie: a=1\r\ncontent-length: 0\r\n\r\n";
    let refuses = "HTTP/1.1 500 No\r\nset-cookie: b=2\r\nset-cookie: a=; Max-Age=0\r\ncontent-length: 0\r\n\r\n";
    let arrival = [Turn::Raw(millis(5), leads), OK, Turn::Raw(millis(5), refuses), OK];
    plan.setup.clear();
    let ran = run(plan, [vec![OK], [arrival, arrival].concat(), vec![OK]]);
    assert_eq!(ran.cookies(), ["", "a=1", "a=1", "b=2", "", "a=1", "a=1", "b=2"]);
    assert_eq!(ran.measurement.scenarios[0].requests[0].measured.tally.ok, 2);
}

#[test]
fn a_failed_setup_measures_nothing_and_what_was_set_up_is_torn_down() {
    let mut plan = logged_in(CookiePolicy::Off);
    let (mut more, mut shown) = (plan.setup[0].clone(), plan.shown.setup[0].clone());
    (more.index, shown.name) = (1, "make".to_owned());
    plan.setup.push(more);
    plan.shown.setup.push(shown);
    let ran = run(plan, [vec![OK, REFUSES], vec![OK], vec![OK]]);
    assert_eq!(ran.measurement.ending, RunEnding::SetupFailed("scripted".to_owned()));
    assert!(ran.measurement.ended_in_warmup());
    assert_eq!(ran.requests.len(), 3);
    assert_eq!(
        ran.setup().iter().map(failed_by).collect::<Vec<_>>(),
        [None, Some(Failure::Status)]
    );
    assert_eq!(ran.teardown().iter().map(failed_by).collect::<Vec<_>>(), [None]);
    assert_eq!(ran.measurement.scenarios[0].requests[0].measured.tally.exchanges, 0);
}

#[test]
fn a_failed_teardown_step_does_not_keep_the_others_from_running() {
    let mut plan = logged_in(CookiePolicy::Off);
    let (mut more, mut shown) = (plan.teardown[0].clone(), plan.shown.teardown[0].clone());
    (more.index, shown.name) = (1, "remove".to_owned());
    plan.teardown.push(more);
    plan.shown.teardown.push(shown);
    let ran = run(plan, [vec![OK], vec![OK], vec![REFUSES, OK]]);
    let outcomes: Vec<_> = ran.teardown().iter().map(failed_by).collect();
    assert_eq!(outcomes, [Some(Failure::Status), None]);
    assert_eq!(ran.measurement.ending, RunEnding::Complete);
}

#[test]
fn a_signal_during_the_setup_lets_its_step_end_and_tears_down() {
    let plan = logged_in(CookiePolicy::Off);
    let slow = Turn::Answer(millis(800));
    let turns = [vec![slow], vec![OK], vec![OK]];
    let ran = run_until(plan, turns, stop_channel(), &[100]);
    assert_eq!(ran.measurement.ending, RunEnding::Interrupted);
    assert_eq!(ran.requests.len(), 2);
    assert_eq!((failed_by(&ran.setup()[0]), ran.teardown().len()), (None, 1));
}

#[test]
fn a_signal_before_the_setup_sends_nothing() {
    for drains in [true, false] {
        let turns = [vec![OK], vec![OK], vec![OK]];
        let (stopper, stop) = stop_channel();
        let stopper = if drains { stopper } else { stopper.with_first(StopUrgency::Drop) };
        stopper.request_stop();
        let ran = run_until(logged_in(CookiePolicy::Off), turns, (stopper, stop), &[]);
        assert_eq!((ran.requests.len(), ran.setup().len(), ran.teardown().len()), (0, 0, 0));
        assert_eq!(ran.measurement.ending, RunEnding::Interrupted);
    }
}

#[test]
fn after_a_signal_the_teardown_may_take_ten_seconds() {
    let mut plan = logged_in(CookiePolicy::Off);
    let every = Duration::from_secs(1);
    plan.teardown[0].tries = RetryPlan::Poll { every, within: Duration::from_hours(1) };
    let mut tries = plan.shown.teardown[0].clone();
    tries.hop_of = Some("log out".to_owned());
    plan.shown.teardown.push(tries);
    let turns = [vec![OK], vec![OK], vec![REFUSES]];
    let ran = run_until(plan, turns, stop_channel(), &[300]);
    assert!((10..12).contains(&ran.took.as_secs()), "{:?}", ran.took);
    assert!(ran.teardown().is_empty());
}

#[test]
fn a_second_signal_ends_the_run_without_the_tear_down() {
    let plan = logged_in(CookiePolicy::Off);
    let turns = [vec![OK], vec![Turn::Hang], vec![OK]];
    let signals = &[300, 400];
    let ran = run_until(plan, turns, stop_channel(), signals);
    assert!(ran.took < Duration::from_secs(1), "{:?}", ran.took);
    assert!(ran.teardown().is_empty());
}

#[test]
fn without_a_drain_a_signal_drops_what_waits_and_tears_down() {
    for (setup, load) in [(OK, Turn::Hang), (Turn::Answer(millis(60_000)), OK)] {
        let (stopper, stop) = stop_channel();
        let turns = [vec![setup], vec![load], vec![OK]];
        let plan = logged_in(CookiePolicy::Off);
        let ran = run_until(plan, turns, (stopper.with_first(StopUrgency::Drop), stop), &[300]);
        assert!(ran.took < Duration::from_secs(1), "{:?}", ran.took);
        assert_eq!(ran.measurement.ending, RunEnding::Interrupted);
        assert_eq!(ran.teardown().iter().map(failed_by).collect::<Vec<_>>(), [None]);
    }
}

#[test]
fn a_step_of_the_setup_is_tried_again_as_often_as_it_says() {
    let mut plan = logged_in(CookiePolicy::Off);
    plan.setup[0].tries = RetryPlan::Retry { times: 3, after: millis(100) };
    let mut tries = plan.shown.setup[0].clone();
    tries.hop_of = Some("log in".to_owned());
    plan.shown.setup.push(tries);
    let ran = run(plan, [vec![REFUSES, REFUSES, OK], vec![OK], vec![OK]]);
    let step = &ran.setup()[0];
    assert_eq!((step.tries, step.took, failed_by(step)), (3, millis(265), None));
}

#[test]
fn a_step_that_is_cut_off_between_two_tries_counts_those_that_were_sent() {
    let mut plan = logged_in(CookiePolicy::Off);
    plan.setup[0].tries = RetryPlan::Retry { times: 3, after: millis(100) };
    let mut tries = plan.shown.setup[0].clone();
    tries.hop_of = Some("log in".to_owned());
    plan.shown.setup.push(tries);
    let turns = [vec![REFUSES, REFUSES, OK], vec![OK], vec![OK]];
    let ran = run_until(plan, turns, stop_channel(), &[200]);
    let step = &ran.setup()[0];
    assert_eq!((step.tries, failed_by(step)), (2, Some(Failure::Prober)));
    assert_eq!(ran.teardown().len(), 1);
}

#[test]
fn a_scenario_without_such_steps_measures_as_before() {
    let scenario = measure(open(2.0, 1, 1), Script::always(OK));
    assert_eq!((scenario.setup.len(), scenario.teardown.len()), (0, 0));
    assert_eq!(scenario.requests[0].measured.tally.ok, 2);
}
