//! Checks that lag, wait, setup and service add up to the latency of each exchange, to the
//! nanosecond, for any behaviour of the target.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::harness::{
    Script, ScriptedDial, Turn, Watcher, following, millis, open, scenario, tried, watch_run,
};
use crate::engine::connection::dial::{DialFuture, Dialer, UrlOrigin};
use crate::engine::stop_channel;
use crate::engine::time::clock::{self, Instant};
use crate::engine::time::stepping_clock;
use crate::plan::{ConnectionReuse, LoadPlan, RetryPlan, ScenarioPlan, Schedule, WarmupPlan};
use crate::record::{Dimension, Failure, Stage};
use crate::recorder::recorded_exchanges::{self, RecordedExchange};
use crate::recorder::{ExchangeFailure, ExchangeParts, PartOutcome};
use crate::units::Rate;

const TO_B: &str = "HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 3\r\n\r\nsee";
const TO_OTHER: &str =
    "HTTP/1.1 307 No\r\nlocation: http://target.test:81/in\r\ncontent-length: 0\r\n\r\n";
const GONE: &str = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel";
const HINTED: &str = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\n\r\nhello";

/// Dials the scripted server with a look-up before and a TLS handshake after, and pauses between
/// them.
struct Phased {
    inner: ScriptedDial,
    dns: Duration,
    tls: Duration,
    pause: Duration,
    /// The index of the dial that fails in TLS.
    fails: Option<usize>,
}

impl Dialer for Phased {
    fn dial<'a>(
        &'a self,
        origin: &'a UrlOrigin,
        parts: &'a mut ExchangeParts,
        deadline: Instant,
    ) -> DialFuture<'a> {
        Box::pin(async move {
            let begun = clock::now();
            tokio::time::sleep(self.dns).await;
            parts.set_duration(Dimension::Dns, clock::now() - begun);
            tokio::time::sleep(self.pause).await;
            let dialled = self.inner.dial(origin, parts, deadline).await?;
            let begun = clock::now();
            tokio::time::sleep(self.tls).await;
            if self.fails == Some(self.inner.dialled.borrow().len()) {
                parts.set_failed(Dimension::Tls);
                parts.set_failed(Dimension::TlsFull);
                return Err(ExchangeFailure::in_phase(Failure::Tls, Dimension::Tls, "no"));
            }
            let took = clock::now() - begun;
            parts.set_duration(Dimension::Tls, took);
            parts.set_duration(Dimension::TlsFull, took);
            Ok(dialled)
        })
    }
}

fn turns() -> impl Strategy<Value = Turn> {
    let delay = || (0_u64..400).prop_map(millis);
    prop_oneof![
        6 => delay().prop_map(Turn::Answer),
        3 => (delay(), prop::sample::select(vec![TO_B, TO_OTHER, GONE, HINTED, "no HTTP\r\n\r\n"]))
            .prop_map(|(after, bytes)| Turn::Raw(after, bytes)),
        2 => (1_usize..6, 0_u64..60).prop_map(|(bytes, every)| Turn::Trickle { bytes, every: millis(every) }),
        1 => prop::sample::select(vec![CUT, UNTIL_CLOSE]).prop_map(Turn::RawThenClose),
        1 => (prop::sample::select(vec![CUT, UNTIL_CLOSE]), delay())
            .prop_map(|(head, close)| Turn::Late { head, close }),
        2 => delay().prop_map(Turn::AnswerThenCloseIdle),
        1 => (delay(), Just(GONE)).prop_map(|(apart, rest)| Turn::Rest { answer: HINTED, apart, rest }),
        1 => Just(Turn::Close),
        1 => Just(Turn::Hang),
    ]
}

/// Loads of up to about 150 arrivals.
pub(super) fn loads() -> impl Strategy<Value = LoadPlan> {
    let constant = (1_u32..400, 500_u64..4_000, prop::option::of(any::<u64>())).prop_map(
        |(tenths, milliseconds, seed)| {
            let rate = Rate::per_second(f64::from(tenths) / 10.0).unwrap();
            let regular = Schedule::constant(rate, millis(milliseconds));
            seed.map_or_else(|| regular.clone(), |seed| Schedule::poisson(seed, &regular))
        },
    );
    prop_oneof![
        3 => (constant, 1_u32..5, 0_u32..4).prop_map(|(schedule, connections, further)| LoadPlan::Open {
            schedule,
            connections,
            max_connections: connections + further,
        }),
        1 => (1_u32..5, 1_u64..60).prop_map(|(connections, iterations)| LoadPlan::Closed {
            connections,
            until: millis(3_000),
            iterations: Some(iterations),
        }),
    ]
}

fn plans() -> impl Strategy<Value = ScenarioPlan> {
    let timeouts = prop::sample::select(vec![(100_u64, 300_u64), (5_000, 1_000), (5_000, 5_000)]);
    let tries = prop::option::weighted(0.4, (1_u32..4, 0_u64..200));
    (loads(), any::<bool>(), 0_u32..3, (0_u32..5, 0_u64..9), timeouts, tries).prop_map(
        |(load, is_fresh, redirects, (connections, further), (first_byte, whole), tries)| {
            let mut plan = scenario(load);
            plan.reuse = if is_fresh { ConnectionReuse::Fresh } else { ConnectionReuse::Keep };
            plan.warmup = WarmupPlan { connections, requests: u64::from(connections) + further };
            let timeouts = &mut plan.target.timeouts;
            (timeouts.first_byte, timeouts.whole) = (millis(first_byte), millis(whole));
            let plan = if redirects > 0 { following(plan, redirects) } else { plan };
            match tries {
                Some((times, after)) => {
                    tried(plan, RetryPlan::Retry { times, after: millis(after) })
                }
                None => plan,
            }
        },
    )
}

prop_compose! {
    fn dials()(
        script in prop::collection::vec(prop::collection::vec(turns(), 1..6), 1..5),
        (dns, tls, pause) in (0_u64..30, 0_u64..30, 0_u64..3),
        fails in prop::option::weighted(0.3, 1_usize..4),
    ) -> Phased {
        let inner = ScriptedDial::new(Script(script));
        Phased { inner, dns: millis(dns), tls: millis(tls), pause: millis(pause), fails }
    }
}

impl std::fmt::Debug for Phased {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { dns, tls, pause, fails, .. } = self;
        write!(f, "Phased {{ dns: {dns:?}, tls: {tls:?}, pause: {pause:?}, fails: {fails:?} }}")
    }
}

/// Runs a plan and checks every exchange and every hop against the sum of its parts.
pub(super) fn hold<D: Dialer + 'static>(
    plan: ScenarioPlan,
    dial: D,
) -> Result<Vec<RecordedExchange>, TestCaseError> {
    recorded_exchanges::take_recorded();
    let run = || watch_run(plan, vec![dial], Watcher::default(), stop_channel().1);
    let (measurement, _) = stepping_clock::advancing_by(Duration::from_nanos(7), run);
    let seen = recorded_exchanges::take_recorded();
    let stages = measurement.scenarios[0]
        .requests
        .iter()
        .flat_map(|request| Stage::ALL.map(|stage| request.stage(stage).tally.exchanges));
    prop_assert_eq!(seen.len() as u64, stages.sum::<u64>());
    seen.iter().try_for_each(hold_one)?;
    Ok(seen)
}

fn hold_one(seen: &RecordedExchange) -> TestCaseResult {
    use Dimension::{
        Body, Connect, Dns, FirstByte, Lag, Latency, Service, Setup, Tls, TlsFull, Wait,
    };
    let (took, part) = (|part| seen.parts.duration(part), |part| seen.parts.get(part));
    if seen.ok {
        let blame = took(Lag) + took(Wait) + took(Setup) + took(Service);
        prop_assert_eq!(part(Latency), PartOutcome::Took(blame), "{:?}", seen);
        prop_assert_eq!(
            part(Service),
            PartOutcome::Took(took(FirstByte) + took(Body)),
            "{:?}",
            seen
        );
        prop_assert_eq!(part(Setup) != PartOutcome::Skipped, seen.fresh, "{:?}", seen);
        prop_assert!(
            Dimension::ALL.iter().all(|&part| seen.parts.get(part) != PartOutcome::Died),
            "{:?}",
            seen
        );
    } else {
        prop_assert_eq!(part(Latency), PartOutcome::Died, "{:?}", seen);
        prop_assert!(!matches!(part(Service), PartOutcome::Took(_)), "{:?}", seen);
    }
    match part(Setup) {
        PartOutcome::Took(setup) => {
            prop_assert_eq!(setup, took(Dns) + took(Connect) + took(Tls), "{:?}", seen);
        }
        PartOutcome::Skipped => {
            prop_assert!(
                [Dns, Connect, Tls].iter().all(|&phase| part(phase) == PartOutcome::Skipped)
            );
        }
        PartOutcome::Died => prop_assert!(!seen.ok),
    }
    if let PartOutcome::Took(full) = part(TlsFull) {
        prop_assert_eq!(full, took(Tls));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn the_parts_of_every_exchange_add_up_exactly(plan in plans(), dial in dials()) {
        hold(plan, dial)?;
    }
}

#[test]
fn time_between_the_phases_of_a_connection_belongs_to_the_last_phase() {
    let inner = ScriptedDial::new(Script::always(Turn::Answer(millis(20))));
    let dial = Phased { inner, dns: millis(7), tls: millis(11), pause: millis(3), fails: None };
    let seen = hold(open(1.0, 1, 1), dial).unwrap();
    let took = |part| seen[0].parts.duration(part).as_millis();
    assert_eq!((took(Dimension::Dns), took(Dimension::Connect)), (7, 5));
    assert!((14..=17).contains(&took(Dimension::Tls)), "{seen:?}");
}
