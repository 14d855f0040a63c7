//! The engine against a scripted server, under paused time.

mod addresses;
mod answers;
mod blame;
mod certificates;
mod data;
mod early;
mod foreign_hosts;
mod further;
pub(in crate::engine) mod harness;
mod http2;
mod idle;
mod lawful_answers;
mod limits;
mod once;
mod own_failures;
mod peers;
mod redirects;
mod reuse;
mod samples;
mod shards;
mod sockets;
mod standstill;
mod sums;
mod tls;
mod tries;
mod warmup;

use std::rc::Rc;
use std::time::Duration;

use harness::{
    CONNECT, Script, ScriptedDial, Turn, Watcher, conduct, measure, millis, open, paused, scenario,
    watch_run,
};
use sums::assert_nothing_is_lost;

use super::assignment::{exchange_slots, lanes_for};
use super::stop_channel;
use crate::plan::{ConnectionReuse, HttpProtocol, LoadPlan, Shard, WarmupPlan};
use crate::record::{
    Dimension, EarlyEnd, Failure, Histogram, RunEnding, ScenarioMeasurement, StageMeasurement,
};
use crate::units::Quantile;

fn measured(scenario: &ScenarioMeasurement) -> &StageMeasurement {
    &scenario.requests[0].measured
}

fn histogram(stage: &StageMeasurement, dimension: Dimension) -> Histogram {
    stage.series.get(dimension).cloned().unwrap_or_default()
}

/// Checks that two durations are equal within the precision of the histogram and of tokio's
/// millisecond timer.
fn assert_close(actual: Option<Duration>, wanted: Duration) {
    let actual = actual.expect("a value");
    let off = actual.abs_diff(wanted);
    assert!(off <= wanted / 500 + millis(2), "{actual:?} instead of {wanted:?}");
}

#[test]
fn every_arrival_of_an_open_schedule_runs_and_is_counted() {
    let scenario = measure(open(20.0, 5, 4), Script::always(Turn::Answer(millis(40))));
    assert_eq!((scenario.planned, scenario.released, scenario.unreleased), (Some(100), 100, 0));
    let stage = measured(&scenario);
    assert_eq!((stage.tally.exchanges, stage.tally.ok), (100, 100));
    assert_close(stage.series.quantile(Dimension::Service, Quantile::P50), millis(40));
    assert_eq!(scenario.protocols, ["HTTP/1.1"]);
}

#[test]
fn one_stall_is_charged_to_every_request_it_delayed() {
    // One connection and 10 arrivals per second. The first answer takes a second, so the next nine
    // arrivals wait.
    let script = Script(vec![vec![Turn::Answer(millis(1_000)), Turn::Answer(millis(1))]]);
    let scenario = measure(open(10.0, 2, 1), script);
    let latency = histogram(measured(&scenario), Dimension::Latency);
    assert_eq!(latency.count(), 20);
    assert_close(latency.max(), millis(1_000) + CONNECT);
    assert_eq!(measured(&scenario).tally.ceilings[0].exceeded, 8);
    let wait = histogram(measured(&scenario), Dimension::Wait);
    assert_close(wait.max(), millis(900) + CONNECT);
}

#[test]
fn latency_is_exactly_lag_wait_setup_and_service() {
    let script = Script(vec![vec![Turn::Answer(millis(700)), Turn::Answer(millis(3))]]);
    let scenario = measure(open(7.0, 3, 1), script);
    assert_nothing_is_lost(measured(&scenario));
}

#[test]
fn a_connection_opened_for_an_exchange_is_part_of_its_latency() {
    let mut plan = open(5.0, 1, 2);
    plan.reuse = ConnectionReuse::Fresh;
    let scenario = measure(plan, Script::always(Turn::Answer(millis(10))));
    let stage = measured(&scenario);
    assert_eq!((stage.tally.fresh, scenario.connections.opened), (5, 5));
    assert_close(stage.series.quantile(Dimension::Setup, Quantile::P50), CONNECT);
    assert_close(stage.series.quantile(Dimension::Latency, Quantile::P50), CONNECT + millis(10));
}

#[test]
fn the_warm_up_is_recorded_separately_and_the_measured_stage_starts_on_open_connections() {
    let mut plan = open(10.0, 1, 4);
    plan.warmup = WarmupPlan { connections: 4, requests: 10 };
    let scenario = measure(plan, Script::always(Turn::Answer(millis(10))));
    let request = &scenario.requests[0];
    assert_eq!((request.cold.tally.exchanges, request.warmup.tally.exchanges), (4, 6));
    assert_eq!((request.cold.tally.fresh, request.warmup.tally.fresh), (4, 0));
    assert_eq!((request.measured.tally.exchanges, request.measured.tally.fresh), (10, 0));
    assert!(request.measured.series.get(Dimension::Connect).is_none());
    assert_eq!(scenario.released, 10);
}

#[test]
fn a_request_without_an_answer_times_out_and_exceeds_its_ceiling() {
    let scenario = measure(open(2.0, 1, 2), Script::always(Turn::Hang));
    let stage = measured(&scenario);
    assert_eq!(stage.tally.failed_by(Failure::TimedOut), 2);
    assert_eq!(stage.tally.ceilings[0].exceeded, 2);
    assert_eq!(stage.evidence.by_count()[0].phase, Some(Dimension::FirstByte));
    assert!(stage.series.get(Dimension::Latency).is_none());
}

#[test]
fn an_arrival_that_no_connection_takes_within_the_timeout_is_dropped_and_never_sent() {
    let dial = ScriptedDial::new(Script::always(Turn::Hang));
    let sent = Rc::clone(&dial.requests);
    let (measurement, _) =
        watch_run(open(2.0, 10, 1), vec![dial], Watcher::default(), stop_channel().1);
    let tally = &measured(&measurement.scenarios[0]).tally;
    assert_eq!(tally.exchanges, 20);
    assert_eq!(tally.failed_by(Failure::TimedOut), sent.borrow().len() as u64);
    assert_eq!(tally.failed_by(Failure::Dropped), 20 - tally.failed_by(Failure::TimedOut));
    assert_eq!(tally.failed_by(Failure::TimedOut), 3);
    assert_eq!(tally.ceilings[0].exceeded, 20);
}

#[test]
fn server_timings_of_the_target_are_recorded_next_to_what_was_measured() {
    const TOLD: &str = "HTTP/1.1 200 OK\r\nserver-timing: app;dur=31, db;desc=x\r\nServer-Timing: Cache;Dur=.5\r\n\
                        content-length: 0\r\n\r\n";
    const WRONG: &str = "HTTP/1.1 500 No\r\nserver-timing: app;dur=31\r\ncontent-length: 0\r\n\r\n";
    let turns =
        vec![Turn::Raw(millis(40), TOLD), Turn::Answer(millis(40)), Turn::Raw(millis(40), WRONG)];
    let scenario = measure(open(5.0, 1, 1), Script(vec![turns]));
    let stage = measured(&scenario);
    assert_eq!((stage.tally.exchanges, stage.tally.ok), (5, 2));
    let metrics = stage
        .server_timings
        .iter()
        .map(|(metric, took)| (metric, took.count(), took.max().unwrap()));
    let [("Cache", 1, cache), ("app", 1, app)] = metrics.collect::<Vec<_>>()[..] else {
        panic!("two metrics")
    };
    assert_eq!((cache.as_micros(), app.as_millis()), (500, 31));
}

#[test]
fn a_slow_body_is_distinguished_from_a_slow_first_byte() {
    let script = Script::always(Turn::Trickle { bytes: 10, every: millis(20) });
    let scenario = measure(open(2.0, 1, 2), script);
    let stage = measured(&scenario);
    assert_close(stage.series.quantile(Dimension::Body, Quantile::P50), millis(200));
    assert_close(stage.series.quantile(Dimension::FirstByte, Quantile::P50), millis(0));
    assert_eq!(stage.tally.body_bytes, 20);
}

#[test]
fn a_body_that_never_ends_times_out_in_the_body() {
    let script = Script::always(Turn::Trickle { bytes: 10_000, every: millis(100) });
    let scenario = measure(open(1.0, 1, 1), script);
    let evidence = measured(&scenario).evidence.clone();
    assert_eq!(evidence.by_count()[0].failure, Failure::TimedOut);
    assert_eq!(evidence.by_count()[0].phase, Some(Dimension::Body));
}

#[test]
fn an_answer_cut_short_is_an_error() {
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhel",
    ] {
        let scenario = measure(open(2.0, 1, 1), Script::always(Turn::RawThenClose(cut)));
        assert_eq!(measured(&scenario).tally.failed_by(Failure::Closed), 2, "{cut}");
    }
}

#[test]
fn what_is_not_http_is_an_error() {
    for garbage in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "\0\0\0\0\r\n\r\n"] {
        let scenario = measure(open(2.0, 1, 1), Script::always(Turn::RawThenClose(garbage)));
        assert_eq!(measured(&scenario).tally.failed_by(Failure::Malformed), 2, "{garbage:?}");
    }
}

#[test]
fn bytes_beyond_the_stated_length_never_become_the_next_answer() {
    let longer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n";
    let scenario = measure(open(5.0, 2, 1), Script::always(Turn::Raw(millis(1), longer)));
    let tally = &measured(&scenario).tally;
    assert_eq!(tally.failed_by(Failure::Status), 0);
    assert_eq!(tally.exchanges, 10);
}

#[test]
fn a_connection_closed_while_idle_costs_a_counted_reconnect_and_no_error() {
    let dial = ScriptedDial::new(Script::always(Turn::AnswerThenCloseIdle(millis(50))));
    let sent = Rc::clone(&dial.requests);
    let (measurement, _) =
        watch_run(open(5.0, 2, 1), vec![dial], Watcher::default(), stop_channel().1);
    let scenario = &measurement.scenarios[0];
    assert_eq!((measured(scenario).tally.ok, measured(scenario).tally.failed()), (10, 0));
    assert_eq!(scenario.connections.opened, 10);
    assert_eq!(scenario.connections.reopened_after_idle_close, 9);
    assert_eq!(sent.borrow().len(), 10);
}

#[test]
fn a_connection_closed_after_the_request_was_read_is_an_error_and_nothing_is_sent_twice() {
    let dial = ScriptedDial::new(Script::always(Turn::Close));
    let sent = Rc::clone(&dial.requests);
    let (measurement, _) =
        watch_run(open(5.0, 2, 1), vec![dial], Watcher::default(), stop_channel().1);
    assert_eq!(measured(&measurement.scenarios[0]).tally.failed_by(Failure::Closed), 10);
    assert_eq!(sent.borrow().len(), 10);
}

#[test]
fn every_refused_connection_is_counted_as_refused() {
    let (measurement, _) = watch_run(
        open(5.0, 2, 2),
        vec![ScriptedDial::refusing()],
        Watcher::default(),
        stop_channel().1,
    );
    let scenario = &measurement.scenarios[0];
    let tally = &measured(scenario).tally;
    assert_eq!((tally.exchanges, tally.ok, tally.failed_by(Failure::Refused)), (10, 0, 10));
    assert_eq!((scenario.connections.opened, scenario.connections.failed), (0, 10));
}

#[test]
fn an_unexpected_status_keeps_the_connection_and_enters_no_quantile() {
    let gone = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
    let scenario = measure(open(5.0, 2, 1), Script::always(Turn::Raw(millis(1), gone)));
    let stage = measured(&scenario);
    assert_eq!(stage.tally.failed_by(Failure::Status), 10);
    assert_eq!(scenario.connections.opened, 1);
    assert!(stage.series.get(Dimension::Latency).is_none());
    assert!(stage.evidence.by_count()[0].seen.contains("410"));
}

#[test]
fn the_closed_model_sends_again_when_answered_and_stops_after_its_iterations() {
    let closed = |until, iterations| LoadPlan::Closed { connections: 3, until, iterations };
    let by_time =
        measure(scenario(closed(millis(1_000), None)), Script::always(Turn::Answer(millis(100))));
    assert_eq!(by_time.planned, None);
    assert!((27..=33).contains(&measured(&by_time).tally.ok), "{}", measured(&by_time).tally.ok);
    assert_eq!(by_time.released, measured(&by_time).tally.ok);

    let by_count =
        measure(scenario(closed(millis(60_000), Some(7))), Script::always(Turn::Answer(millis(1))));
    assert_eq!(measured(&by_count).tally.ok, 7);
}

#[test]
fn the_requests_of_an_arrival_follow_one_another_each_due_when_the_last_was_done() {
    let mut plan = open(2.0, 2, 1);
    plan.requests.push(plan.requests[0].clone());
    plan.requests[1].index = 1;
    plan.shown.requests.push(plan.shown.requests[0].clone());
    let scenario = measure(plan, Script::always(Turn::Answer(millis(100))));
    for request in &scenario.requests {
        assert_eq!(request.measured.tally.ok, 4);
    }
    assert_close(
        scenario.requests[1].measured.series.quantile(Dimension::Latency, Quantile::P50),
        millis(100),
    );
}

#[test]
fn intervals_come_in_order_and_add_up_to_the_totals() {
    let dial = ScriptedDial::new(Script(vec![vec![
        Turn::Answer(millis(2_500)),
        Turn::Answer(millis(30)),
    ]]));
    let mut plan = open(10.0, 6, 2);
    plan.warmup = WarmupPlan { connections: 1, requests: 3 };
    let (measurement, watcher) = watch_run(plan, vec![dial], Watcher::default(), stop_channel().1);
    assert!(watcher.intervals.is_sorted_by_key(|interval| interval.start));
    let request = &measurement.scenarios[0].requests[0];
    for stage in crate::record::Stage::ALL {
        let mut sum = StageMeasurement::default();
        watcher
            .intervals
            .iter()
            .filter(|interval| interval.stage == stage)
            .for_each(|interval| sum.add(interval));
        assert_eq!(sum.tally, request.stage(stage).tally);
        assert_eq!(sum.series, request.stage(stage).series);
    }
}

#[test]
fn lanes_divide_the_arrivals_exactly() {
    let dials =
        (0..3).map(|_| ScriptedDial::new(Script::always(Turn::Answer(millis(20))))).collect();
    let (measurement, watcher) =
        watch_run(open(50.0, 4, 9), dials, Watcher::default(), stop_channel().1);
    let scenario = &measurement.scenarios[0];
    assert_eq!((scenario.released, measured(scenario).tally.ok), (200, 200));
    let seconds =
        watcher.intervals.iter().map(|interval| interval.tally.exchanges).collect::<Vec<_>>();
    assert_eq!(seconds, [50, 50, 50, 50]);
}

#[test]
fn an_interrupted_run_finishes_what_is_in_progress_and_reports_the_interruption() {
    let (stopper, stop) = stop_channel();
    let mut watcher = Watcher::default();
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(400))));
    let measurement = paused(async {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(millis(2_250)).await;
            stopper.request_stop();
            std::future::pending::<()>().await;
        });
        conduct(open(10.0, 60, 10), vec![dial], &mut watcher, stop).await.unwrap()
    });
    assert_eq!(measurement.ending, RunEnding::Interrupted);
    let scenario = &measurement.scenarios[0];
    assert_eq!(scenario.released, measured(scenario).tally.ok);
    assert!((22..=24).contains(&scenario.released), "{}", scenario.released);
    assert_eq!((scenario.unreleased, scenario.abandoned), (0, 0));
}

#[test]
fn a_stop_after_the_schedule_has_ended_sends_no_more_of_what_is_queued() {
    let (stopper, stop) = stop_channel();
    let mut watcher = Watcher::default();
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(400))));
    let sent = Rc::clone(&dial.requests);
    let measurement = paused(async {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(millis(1_500)).await;
            stopper.request_stop();
            std::future::pending::<()>().await;
        });
        conduct(open(20.0, 1, 1), vec![dial], &mut watcher, stop).await.unwrap()
    });
    let scenario = &measurement.scenarios[0];
    assert!(sent.borrow().len() <= 5, "{}", sent.borrow().len());
    assert_eq!(measured(scenario).tally.exchanges, sent.borrow().len() as u64);
    assert_eq!((scenario.released, scenario.unreleased), (20, 0));
    assert_eq!(scenario.abandoned, 20 - sent.borrow().len() as u64);
}

#[test]
fn a_second_interruption_drops_what_is_in_progress_and_counts_it() {
    let (stopper, stop) = stop_channel();
    let mut watcher = Watcher::default();
    let dial = ScriptedDial::new(Script::always(Turn::Hang));
    let measurement = paused(async {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(millis(1_050)).await;
            stopper.request_stop();
            tokio::time::sleep(millis(100)).await;
            stopper.request_stop();
            std::future::pending::<()>().await;
        });
        conduct(open(10.0, 60, 4), vec![dial], &mut watcher, stop).await.unwrap()
    });
    let scenario = &measurement.scenarios[0];
    assert_eq!(measured(scenario).tally.exchanges, 0);
    assert_eq!(scenario.abandoned, scenario.released);
    assert!(measurement.elapsed < millis(2_000));
}

#[test]
fn an_interruption_while_warming_up_measures_nothing() {
    let (stopper, stop) = stop_channel();
    stopper.request_stop();
    let mut plan = open(10.0, 60, 4);
    plan.warmup = WarmupPlan { connections: 4, requests: 1_000 };
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(50))));
    let (measurement, _) = watch_run(plan, vec![dial], Watcher::default(), stop);
    assert_eq!(measurement.ending, RunEnding::Interrupted);
    let request = &measurement.scenarios[0].requests[0];
    assert_eq!(request.measured.tally.exchanges, 0);
    assert!(request.cold.tally.exchanges >= 4);
    assert_eq!(measurement.scenarios[0].unreleased, 0);
}

#[test]
fn the_observer_can_end_a_run() {
    let watcher = Watcher { stop_after: Some(2), ..Watcher::default() };
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(5))));
    let (measurement, _) = watch_run(open(10.0, 60, 4), vec![dial], watcher, stop_channel().1);
    assert_eq!(measurement.ending, RunEnding::TargetDown("told to".to_owned()));
    assert!(measurement.elapsed < millis(4_000));
}

#[test]
fn a_clear_proof_ends_a_run_and_the_exchanges_in_progress_are_still_answered() {
    let proof = EarlyEnd { after: millis(2_000), planned: Duration::from_mins(1), breach: None };
    let watcher = Watcher { stop_after: Some(2), proof: Some(proof.clone()), ..Watcher::default() };
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(700))));
    let (measurement, _) = watch_run(open(10.0, 60, 40), vec![dial], watcher, stop_channel().1);
    assert_eq!(measurement.ending, RunEnding::ProvenEarly(proof));
    let scenario = &measurement.scenarios[0];
    let tally = &scenario.requests[0].measured.tally;
    assert!(measurement.elapsed < millis(5_000) && scenario.abandoned == 0);
    assert_eq!((tally.ok, scenario.unreleased), (scenario.released, 0));
}

/// How many arrivals a run of 1,000 a second owes if it ends while its thread is busy this long.
fn owed_at_the_end(busy: Duration) -> u64 {
    let watcher = Watcher { stop_after: Some(2), busy, ..Watcher::default() };
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(5))));
    let (measurement, _) = watch_run(open(1_000.0, 60, 9), vec![dial], watcher, stop_channel().1);
    assert!(measurement.scenarios[0].released >= 2_000);
    measurement.scenarios[0].unreleased
}

#[test]
fn an_arrival_that_has_just_become_due_as_the_run_ends_is_not_owed() {
    assert_eq!(owed_at_the_end(millis(5)), 0);
    let owed = owed_at_the_end(millis(300));
    assert!((285..=300).contains(&owed), "{owed}");
}

#[test]
fn an_observer_that_fails_ends_the_run_at_once() {
    let mut watcher = Watcher { fail_after: Some(1), ..Watcher::default() };
    let dial = ScriptedDial::new(Script::always(Turn::Answer(millis(5))));
    let error =
        paused(conduct(open(10.0, 60, 4), vec![dial], &mut watcher, stop_channel().1)).unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    assert_eq!(watcher.intervals.len(), 1);
}

#[test]
fn lanes_are_filled_with_slots_and_no_connection_is_split() {
    let mut plan = open(40_000.0, 1, 16);
    (plan.target.protocol, plan.streams) = (HttpProtocol::Negotiated, 8);
    assert_eq!((exchange_slots(&plan), lanes_for(&plan, Shard::WHOLE, 8)), (16, 1));
    plan.target.protocol = HttpProtocol::Http2;
    assert_eq!((exchange_slots(&plan), lanes_for(&plan, Shard::WHOLE, 8)), (128, 4));
    (plan.load, plan.streams) = (open(40_000.0, 1, 1).load, 200);
    assert_eq!((exchange_slots(&plan), lanes_for(&plan, Shard::WHOLE, 8)), (200, 1));
    plan.reuse = ConnectionReuse::Fresh;
    assert_eq!(exchange_slots(&plan), 1);
    let mut plan = open(40_000.0, 1, 32);
    if let LoadPlan::Open { max_connections, .. } = &mut plan.load {
        *max_connections = 6_400;
    }
    assert_eq!((exchange_slots(&plan), lanes_for(&plan, Shard::WHOLE, 8)), (6_400, 1));
}
