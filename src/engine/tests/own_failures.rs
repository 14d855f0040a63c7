//! Failures on the prober's own side, at its proxy or by a panic, are counted once.

use std::cell::Cell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::harness::{
    Script, ScriptedDial, Turn, Watcher, conduct, millis, open, paused, scenario, watch_run,
};
use super::http2::always_answering;
use super::measured;
use crate::engine::connection::dial::{DialFuture, DialedConnection, Dialer, UrlOrigin};
use crate::engine::connection::wire::ByteStream;
use crate::engine::stop_channel;
use crate::engine::time::clock::Instant;
use crate::plan::{LoadPlan, ScenarioPlan};
use crate::record::{Failure, RunEnding, ScenarioMeasurement, StageMeasurement};
use crate::recorder::ExchangeParts;

/// Dials a scripted server, but panics on the first connection.
struct PanickingDial {
    inner: Box<dyn Dialer>,
    at: PanicPlace,
    dials: Cell<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PanicPlace {
    /// While it is opened.
    Dial,
    /// While its driver reads it, this long after it was opened.
    Read(Duration),
}

/// A connection that panics when it is read at a certain time.
struct PanickingStream {
    stream: Box<dyn ByteStream>,
    until: Pin<Box<Sleep>>,
}

impl AsyncRead for PanickingStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let polled @ Poll::Ready(_) = Pin::new(&mut self.stream).poll_read(cx, buf) {
            return polled;
        }
        ready!(self.until.as_mut().poll(cx));
        panic!("read")
    }
}

impl AsyncWrite for PanickingStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl ByteStream for PanickingStream {}

impl Dialer for PanickingDial {
    fn dial<'a>(
        &'a self,
        origin: &'a UrlOrigin,
        parts: &'a mut ExchangeParts,
        by: Instant,
    ) -> DialFuture<'a> {
        let is_first = self.dials.replace(self.dials.get() + 1) == 0;
        Box::pin(async move {
            assert!(!is_first || self.at != PanicPlace::Dial, "dial");
            let dialed = self.inner.dial(origin, parts, by).await?;
            let stream: Box<dyn ByteStream> = match self.at {
                PanicPlace::Read(after) if is_first => {
                    let until = Box::pin(tokio::time::sleep(after));
                    Box::new(PanickingStream { stream: dialed.stream, until })
                }
                _ => dialed.stream,
            };
            Ok(DialedConnection { stream, ..dialed })
        })
    }
}

/// Runs a plan whose first connection panics, against a server that takes 10 ms.
fn with_panic(plan: ScenarioPlan, at: PanicPlace) -> ScenarioMeasurement {
    panicking(plan, at, Box::new(ScriptedDial::new(Script::always(Turn::Answer(millis(10))))))
}

fn panicking(plan: ScenarioPlan, at: PanicPlace, inner: Box<dyn Dialer>) -> ScenarioMeasurement {
    let dial = PanickingDial { inner, at, dials: Cell::new(0) };
    let (run, _) = watch_run(plan, vec![dial], Watcher::default(), stop_channel().1);
    run.scenarios.into_iter().next().unwrap()
}

fn without_warmup(mut plan: ScenarioPlan) -> ScenarioPlan {
    (plan.warmup.connections, plan.warmup.requests) = (0, 0);
    plan
}

#[track_caller]
fn assert_names_defect(stage: &StageMeasurement) {
    let evidence = stage.evidence.by_count()[0];
    assert_eq!((evidence.failure, evidence.count), (Failure::Defect, 1));
    let place = "panic at src/engine/tests/own_failures.rs:";
    assert!(evidence.seen.starts_with(place), "{}", evidence.seen);
}

#[test]
fn a_panic_ends_one_exchange_as_a_defect_and_the_others_are_measured() {
    for at in [PanicPlace::Dial, PanicPlace::Read(Duration::ZERO), PanicPlace::Read(millis(5))] {
        let load = LoadPlan::Closed { connections: 1, until: millis(60_000), iterations: Some(10) };
        let scenario = with_panic(without_warmup(scenario(load)), at);
        assert_eq!((scenario.ended_by_defects(), scenario.never_sent()), (1, 0), "{at:?}");
        assert_eq!((scenario.released, measured(&scenario).tally.exchanges), (9, 9));
        assert_names_defect(measured(&scenario));
    }
}

#[test]
fn a_panic_between_two_exchanges_is_found_by_the_next_one() {
    let over_1 = Box::new(ScriptedDial::new(Script::always(Turn::Answer(millis(10)))));
    for inner in [over_1 as Box<dyn Dialer>, always_answering()] {
        let (plan, at) = (without_warmup(open(2.0, 3, 1)), PanicPlace::Read(millis(250)));
        let scenario = panicking(plan, at, inner);
        assert_eq!((scenario.ended_by_defects(), scenario.unreleased), (1, 1));
        assert_eq!((scenario.released, measured(&scenario).tally.ok), (5, 5));
        assert_eq!(scenario.connections.reopened_after_idle_close, 0);
        assert_names_defect(measured(&scenario));
    }
}

#[test]
fn a_panic_in_the_warmup_is_evidence_of_the_warmup() {
    for at in [PanicPlace::Dial, PanicPlace::Read(millis(5))] {
        let mut plan = open(10.0, 1, 1);
        (plan.warmup.connections, plan.warmup.requests) = (1, 1);
        let scenario = with_panic(plan, at);
        assert_eq!((scenario.ended_by_defects(), measured(&scenario).tally.ok), (0, 10));
        let request = &scenario.requests[0];
        // No connection was opened, so the exchange is not a cold one.
        assert_names_defect(if at == PanicPlace::Dial { &request.warmup } else { &request.cold });
    }
}

fn dead_proxy() -> ScriptedDial {
    ScriptedDial::failing(Failure::Proxy)
}

fn by_dead_proxy(plan: ScenarioPlan) -> ScenarioMeasurement {
    let (measurement, _) =
        watch_run(plan, vec![dead_proxy()], Watcher::default(), stop_channel().1);
    measurement.scenarios.into_iter().next().unwrap()
}

/// Checks that all due arrivals ended at the proxy.
fn assert_all_ended_at_proxy(scenario: &ScenarioMeasurement, due: u64) {
    assert_eq!((scenario.released, scenario.unreleased), (0, due));
    assert_eq!((scenario.ended_at_proxy(), scenario.never_sent()), (due, 0));
    assert_eq!((measured(scenario).tally.exchanges, scenario.abandoned), (0, 0));
}

#[test]
fn a_closed_load_counts_each_iteration_that_ends_at_the_proxy_once() {
    let load = LoadPlan::Closed { connections: 2, until: millis(60_000), iterations: Some(100) };
    assert_all_ended_at_proxy(&by_dead_proxy(scenario(load)), 100);
}

#[test]
fn a_flow_of_several_failed_steps_is_one_arrival() {
    let mut flow = open(10.0, 2, 2);
    let (mut second, shown) = (flow.requests[0].clone(), flow.shown.requests[0].clone());
    second.index = 1;
    flow.requests.push(second);
    flow.shown.requests.push(shown);
    let scenario = by_dead_proxy(flow);
    assert_all_ended_at_proxy(&scenario, 20);
    assert_eq!(scenario.requests[1].measured.evidence.by_count()[0].count, 20);
}

#[test]
fn an_interrupted_load_counts_what_ended_at_the_proxy_once() {
    let (stopper, stop) = stop_channel();
    let mut watcher = Watcher::default();
    let measurement = paused(async {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(millis(2_250)).await;
            stopper.request_stop();
            std::future::pending::<()>().await;
        });
        conduct(open(10.0, 60, 10), vec![dead_proxy()], &mut watcher, stop).await.unwrap()
    });
    assert_eq!(measurement.ending, RunEnding::Interrupted);
    let scenario = &measurement.scenarios[0];
    assert!((22..=24).contains(&scenario.unreleased), "{}", scenario.unreleased);
    assert_all_ended_at_proxy(scenario, scenario.unreleased);
}
