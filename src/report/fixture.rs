//! Records made from a seed, for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use time::macros::datetime;
use uuid::Uuid;

use crate::record::{
    Actual, Budget, BudgetVerdict, Connections, Decision, Dimension, Ending, Evidence, FORMAT, Failure,
    Histogram, Host, Interval, Measurement, PlannedRequest, PlannedScenario, Provenance, Reason,
    RequestMeasurement, RunRecord, ScenarioMeasurement, ScenarioVerdict, Stage, Tally, Verdict,
};
use crate::units::Ratio;

/// How a made-up request behaves.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) scenario: String,
    pub(super) request: String,
    pub(super) budgets: Vec<&'static str>,
    pub(super) seconds: u64,
    pub(super) per_second: u64,
    pub(super) connections: u64,
    pub(super) base: Duration,
    pub(super) failing: f64,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            scenario: "tile-loader".to_owned(),
            request: "mock".to_owned(),
            budgets: vec!["p95 < 300ms", "errors < 0.5%"],
            seconds: 40,
            per_second: 20,
            connections: 8,
            base: Duration::from_millis(190),
            failing: 0.0,
        }
    }
}

/// The seconds the warm-up of a made-up run takes.
const WARMUP: u64 = 4;

/// A run of several scripts at the same time, with its intervals.
pub(super) fn run(scripts: &[Script]) -> (RunRecord, Vec<Interval>) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut intervals = Vec::new();
    let mut parts: Vec<(PlannedScenario, ScenarioMeasurement, ScenarioVerdict)> = Vec::new();
    for script in scripts {
        let seconds = seconds(script, &mut random);
        let measured = measured(script, &seconds);
        match parts.iter_mut().find(|(plan, ..)| plan.name == script.scenario) {
            Some((plan, scenario, verdict)) => {
                verdict.budgets.extend(judged(script, &measured));
                verdict.decision = Decision::over(verdict.budgets.iter().map(|budget| budget.decision));
                plan.requests.push(planned_request(script));
                scenario.requests.push(measured);
            }
            None => parts.push((planned(script), scenario(script, &measured), verdict(script, &measured))),
        }
        intervals.extend(seconds);
    }
    (record(parts), intervals)
}

/// The two scenarios of a rehearsal: one passes, one fails at the login page from time to time.
pub(super) fn rehearsal() -> (RunRecord, Vec<Interval>) {
    run(&[Script::default(), live(0.0)])
}

/// A live scenario of which a share is redirected to the login page.
pub(super) fn live(failing: f64) -> Script {
    Script {
        scenario: "tile-loader-live".to_owned(),
        request: "live".to_owned(),
        budgets: vec!["p95 < 800ms", "p99 < 1s", "errors = 0"],
        base: Duration::from_millis(430),
        per_second: 5,
        connections: 4,
        failing,
        ..Script::default()
    }
}

/// A run whose names, lines and evidence mean harm.
pub(super) fn hostile() -> (RunRecord, Vec<Interval>) {
    let script = "<script>alert(1)</script>";
    let long = format!("`|*_\u{1b}[31m\u{202e}\"'&{}", "x".repeat(10_000));
    let of = |scenario: &str, request: &str| Script {
        scenario: scenario.to_owned(),
        request: request.to_owned(),
        failing: 0.1,
        ..Script::default()
    };
    let (mut record, intervals) =
        run(&[of(script, script), of(script, &long), of(&long, "../../etc"), of("", "")]);
    let plan = &mut record.plan[0];
    plan.description = script.to_owned();
    plan.requests[0].headers.push(format!("X: {script}"));
    record.provenance.command.push(script.to_owned());
    record.verdict.scenarios[0].reasons.push(Reason { what: script.to_owned(), next: long });
    let evidence = Evidence {
        failure: Failure::Unexpected,
        phase: Some(Dimension::Body),
        expected: script.to_owned(),
        seen: script.to_owned(),
        count: 3,
    };
    record.measurement.scenarios[0].requests[0].measured.evidence.add(evidence);
    (record, intervals)
}

/// A run that was planned and in which nothing was measured.
pub(super) fn empty() -> (RunRecord, Vec<Interval>) {
    run(&[Script { seconds: 0, connections: 0, ..Script::default() }])
}

/// Runs of every kind that a report must survive.
pub(super) fn all() -> Vec<(RunRecord, Vec<Interval>)> {
    let mock = Script::default;
    let several = ["mock", "health", "search", "tiles", "orders", "login", "facts", "seo"];
    let of_many = several.map(|request| Script { request: request.to_owned(), seconds: 8, ..mock() });
    let mut without_intervals = rehearsal();
    without_intervals.1.clear();
    let mut nothing = rehearsal().0;
    nothing.plan.clear();
    nothing.measurement.scenarios.clear();
    nothing.verdict.scenarios.clear();
    nothing.verdict.decision = Decision::Inconclusive;
    vec![
        rehearsal(),
        run(&[mock(), live(0.2)]),
        run(&[live(1.0)]),
        hostile(),
        empty(),
        without_intervals,
        (nothing, Vec::new()),
        run(&of_many),
        run(&[Script { seconds: 1, connections: 1, budgets: vec!["p99 < 300ms", "max < 1s"], ..mock() }]),
        run(&[Script { seconds: 1, per_second: 1, connections: 0, budgets: Vec::new(), ..mock() }]),
        run(&[Script { base: Duration::from_nanos(900), ..mock() }]),
        run(&[Script { base: Duration::from_secs(4_000), budgets: vec!["p95 < 30ms"], ..mock() }]),
    ]
}

fn seconds(script: &Script, random: &mut ChaCha8Rng) -> Vec<Interval> {
    let mut seconds = Vec::new();
    if script.connections > 0 {
        seconds.push(second(script, Stage::Cold, 0, script.connections, random));
        seconds.extend((1..WARMUP).map(|at| second(script, Stage::Warmup, at, script.connections, random)));
    }
    let measured = WARMUP..WARMUP + script.seconds;
    seconds.extend(measured.map(|at| second(script, Stage::Measured, at, script.per_second, random)));
    seconds
}

fn second(script: &Script, stage: Stage, start: u64, count: u64, random: &mut ChaCha8Rng) -> Interval {
    let mut interval = Interval {
        scenario: script.scenario.clone(),
        request: script.request.clone(),
        stage,
        start: Duration::from_secs(start),
        tally: Tally { ceilings: Vec::new(), ..Tally::default() },
        series: crate::record::Series::default(),
    };
    let slow = 1.0 + 0.35 * f64::from(u8::from(start % 19 == 11)) + 0.8 / (1.0 + start as f64);
    let mut series = BTreeMap::new();
    for _ in 0..count {
        exchange(script, slow, &mut interval, &mut series, random);
    }
    for (dimension, histogram) in &series {
        interval.series.add(*dimension, histogram);
    }
    interval
}

fn exchange(
    script: &Script,
    slow: f64,
    interval: &mut Interval,
    series: &mut BTreeMap<Dimension, Histogram>,
    random: &mut ChaCha8Rng,
) {
    interval.tally.exchanges += 1;
    if random.random::<f64>() < script.failing {
        *interval.tally.failures.entry(Failure::Redirected).or_default() += 1;
        return;
    }
    interval.tally.ok += 1;
    let tail = -random.random::<f64>().max(1e-9).ln();
    let first_byte = script.base.mul_f64((0.85 + 0.12 * tail) * slow);
    let body = script.base.mul_f64(0.03 + 0.01 * tail);
    let lag = Duration::from_micros(4 + random.random_range(0..40));
    let wait = if random.random::<f64>() < 0.7 {
        Duration::from_micros(12)
    } else {
        script.base.mul_f64(0.05 * tail)
    };
    let fresh = interval.stage == Stage::Cold;
    let phases =
        [1_300, 34_000, 61_000].map(|micros| Duration::from_micros(micros).mul_f64(1.0 + 0.2 * tail));
    let setup = if fresh { phases.iter().sum() } else { Duration::ZERO };
    let mut parts = vec![
        (Dimension::Latency, lag + wait + setup + first_byte + body),
        (Dimension::Lag, lag),
        (Dimension::Wait, wait),
        (Dimension::Service, first_byte + body),
        (Dimension::FirstByte, first_byte),
        (Dimension::Body, body),
    ];
    if fresh {
        interval.tally.fresh += 1;
        parts.push((Dimension::Setup, setup));
        parts.extend([Dimension::Dns, Dimension::Connect, Dimension::Tls].into_iter().zip(phases));
    }
    for (dimension, duration) in parts {
        series.entry(dimension).or_default().record(duration);
    }
}

fn measured(script: &Script, seconds: &[Interval]) -> RequestMeasurement {
    let mut request = RequestMeasurement::new(script.request.clone(), Vec::new());
    for second in seconds {
        request.stage_mut(second.stage).add(second);
    }
    for stage in Stage::ALL {
        let stage = request.stage_mut(stage);
        let failures: BTreeMap<Failure, u64> = stage.tally.failures.clone();
        for (failure, count) in failures {
            stage.evidence.add(Evidence {
                failure,
                phase: None,
                expected: "status = 200".to_owned(),
                seen: "302 redirect to /auth/login".to_owned(),
                count,
            });
        }
    }
    request
}

fn judged(script: &Script, measured: &RequestMeasurement) -> Vec<BudgetVerdict> {
    script.budgets.iter().map(|text| budget_verdict(text.parse().unwrap(), measured)).collect()
}

/// The value of a rank, failures above all.
fn ranked(histogram: &Histogram, rank: u64) -> Actual {
    histogram.at_rank(rank).map_or(Actual::Unbounded, Actual::At)
}

/// A verdict that looks like a true one; the rule that decides it is none.
fn budget_verdict(budget: Budget, request: &RequestMeasurement) -> BudgetVerdict {
    let tally = &request.measured.tally;
    let histogram = request.measured.series.get(Dimension::Latency).cloned().unwrap_or_default();
    let (actual, exceeded) = match budget {
        Budget::Quantile { quantile, ceiling, .. } => (
            Some(ranked(&histogram, Histogram::rank_of(quantile, histogram.count() + tally.failed()))),
            over(&histogram, ceiling) + tally.failed(),
        ),
        Budget::Max { ceiling, .. } => {
            (histogram.max().map(Actual::At), over(&histogram, ceiling) + tally.failed())
        }
        Budget::Errors(_) | Budget::Dropped(_) => (None, tally.failed()),
    };
    let allowed = budget.allowed();
    let seen = Ratio::of(exceeded, tally.exchanges);
    #[expect(clippy::match_same_arms, reason = "in the order in which they are asked")]
    let decision = match (tally.exchanges, allowed) {
        (0, _) => Decision::Inconclusive,
        (_, None) if exceeded == 0 => Decision::Pass,
        (_, None) => Decision::Fail,
        (n, Some(allowed)) if n as f64 * allowed.as_f64() < 3.0 => Decision::Inconclusive,
        (_, Some(allowed)) if seen < allowed => Decision::Pass,
        _ => Decision::Fail,
    };
    let spread = |by: f64| {
        actual.map(|value| match value {
            Actual::At(value) => Actual::At(value.mul_f64(by)),
            other => other,
        })
    };
    BudgetVerdict {
        request: request.name.clone(),
        budget,
        decision,
        judged: tally.exchanges,
        exceeded,
        allowed,
        exceedance: allowed.map(|_| {
            (
                Ratio::new(seen.as_f64() * 0.8).unwrap(),
                Ratio::new((seen.as_f64() * 1.2 + 0.001).min(1.0)).unwrap(),
            )
        }),
        actual,
        interval: allowed.and_then(|_| Some((spread(0.97)?, spread(1.04)?))),
        of_successes: match budget {
            Budget::Quantile { quantile, .. } => histogram.quantile(quantile),
            _ => None,
        },
        reason: reason(decision, exceeded, tally.exchanges),
    }
}

fn over(histogram: &Histogram, ceiling: Duration) -> u64 {
    histogram.steps().filter(|(value, _)| *value >= ceiling).map(|(_, count)| count).sum()
}

fn reason(decision: Decision, exceeded: u64, judged: u64) -> Reason {
    let (what, next) = match decision {
        Decision::Pass => (format!("{exceeded} of {judged} exceeded"), ""),
        Decision::Fail => (
            format!("{exceeded} of {judged} requests exceeded it, more than the budget allows"),
            "look at the failures and the slowest phase below, mend them and run again",
        ),
        Decision::Inconclusive => (
            format!("{judged} requests cannot decide it"),
            "measure for longer: 299 requests with none over would pass it",
        ),
    };
    Reason { what, next: next.to_owned() }
}

fn planned(script: &Script) -> PlannedScenario {
    PlannedScenario {
        name: script.scenario.clone(),
        description: "The dashboard's tile loader with sample data.".to_owned(),
        source: format!("scenarios/{}.toml", script.scenario),
        base_url: "https://operators.example.com".to_owned(),
        load: format!("open, {}/s constant for {}s, up to 16 connections", script.per_second, script.seconds),
        warmup: format!("{} connections, {} requests", script.connections, script.connections * WARMUP),
        caveats: Vec::new(),
        requests: vec![planned_request(script)],
    }
}

fn planned_request(script: &Script) -> PlannedRequest {
    PlannedRequest {
        name: script.request.clone(),
        line: "GET /app?mock=1".to_owned(),
        headers: vec![
            "User-Agent: Shopify POS/HotDashSyntheticCheck".to_owned(),
            "X-Hotdash-Synthetic: ${SYNTHETIC_CHECK_TOKEN}".to_owned(),
        ],
        expectations: vec!["status = 200".to_owned(), "body contains \"tile-sales-pulse\"".to_owned()],
        budgets: script.budgets.iter().map(|text| text.parse().unwrap()).collect(),
        hop_of: None,
    }
}

fn scenario(script: &Script, measured: &RequestMeasurement) -> ScenarioMeasurement {
    ScenarioMeasurement {
        name: script.scenario.clone(),
        requests: vec![measured.clone()],
        planned: Some(measured.measured.tally.exchanges),
        released: measured.measured.tally.exchanges,
        unreleased: 0,
        abandoned: 0,
        connections: Connections { opened: script.connections, ..Connections::default() },
        protocols: vec!["HTTP/1.1 over TLSv1_3".to_owned()],
    }
}

fn verdict(script: &Script, measured: &RequestMeasurement) -> ScenarioVerdict {
    let budgets = judged(script, measured);
    ScenarioVerdict {
        scenario: script.scenario.clone(),
        decision: Decision::over(budgets.iter().map(|budget| budget.decision)),
        budgets,
        reasons: Vec::new(),
    }
}

fn record(parts: Vec<(PlannedScenario, ScenarioMeasurement, ScenarioVerdict)>) -> RunRecord {
    let (mut plan, mut scenarios, mut verdicts) = (Vec::new(), Vec::new(), Vec::new());
    for (planned, scenario, verdict) in parts {
        plan.push(planned);
        scenarios.push(scenario);
        verdicts.push(verdict);
    }
    RunRecord {
        format: FORMAT,
        id: Uuid::from_u128(0x0199_d1f0_7a3c_7000_8000_0000_0000_0001),
        provenance: Provenance {
            started: datetime!(2025-10-12 02:45:10 UTC),
            tollgate: "0.1.0".to_owned(),
            host: Host {
                name: "probe-1".to_owned(),
                os: "linux".to_owned(),
                arch: "x86_64".to_owned(),
                cores: 2,
            },
            command: ["tollgate", "run", "scenarios/tile-loader.toml"].map(str::to_owned).to_vec(),
            git_commit: Some("4f0c2d9".to_owned()),
        },
        plan,
        measurement: Measurement {
            scenarios,
            measured_from: Duration::from_secs(WARMUP),
            elapsed: Duration::from_millis(44_720),
            ending: Ending::Complete,
        },
        verdict: Verdict {
            decision: Decision::over(verdicts.iter().map(|verdict| verdict.decision)),
            rule: "exact binomial".to_owned(),
            confidence: Ratio::new(0.95).unwrap(),
            scenarios: verdicts,
        },
    }
}
