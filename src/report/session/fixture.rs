//! A session generated from a seed, for tests: three configurations, five rounds, one attempt that
//! failed, one that was throttled, one with an unknown start, and hostile names.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use time::macros::datetime;
use uuid::Uuid;

use crate::record::session::*;
use crate::record::{Decision, Dimension, Failure, Histogram, HostFacts};
use crate::units::Ratio;

/// Names that a report must not trip over: markup, right-to-left with a direction mark, emoji.
pub(in crate::report) const NAMES: [&str; 3] =
    ["as it is", "<script>alert(1)</script> 2 GB | `x`", "שני מעבדים \u{202e}🚀 two CPUs"];

const ROUNDS: u32 = 5;
const CURVE: usize = 80;

/// The session. Its third configuration has a name of several hundred letters.
pub(in crate::report) fn session() -> SessionRecord {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let attempts: Vec<Attempt> =
        (1..=ROUNDS * 3).map(|number| attempt(number, &mut random)).collect();
    let mut record = SessionRecord {
        format: SESSION_FORMAT,
        id: Uuid::from_u128(0x01a2_0dcf_d5c5_7429_8ac9_c143_21ee_1ce8),
        name: "staging warm-up".to_owned(),
        provenance: provenance(),
        plan: plan(),
        attempts,
        added_machines: Vec::new(),
        ending: Some(SessionEnding::Complete),
        conclusion: None,
    };
    record.conclusion = Some(conclusion(&record));
    record.attempts.iter_mut().for_each(label);
    record
}

/// Labels the samples of an attempt as a conclusion does.
fn label(attempt: &mut Attempt) {
    let is_known = attempt.start == StartKind::Booted;
    let before = if is_known { SampleHeat::Cold } else { SampleHeat::Unknown };
    attempt.first.iter_mut().for_each(|sample| sample.heat = Some(before));
    let steady_from = if attempt.problem.is_some() { usize::MAX } else { steady_from(attempt) };
    for (at, sample) in attempt.curve.iter_mut().enumerate() {
        sample.heat = Some(if at < steady_from { before } else { SampleHeat::Warm });
    }
}

fn steady_from(attempt: &Attempt) -> usize {
    36 + attempt.number as usize % 7
}

/// A session before its first attempt.
pub(in crate::report) fn empty() -> SessionRecord {
    SessionRecord { attempts: Vec::new(), ending: None, conclusion: None, ..session() }
}

/// A session whose texts are all `text`.
pub(in crate::report) fn saying(text: &str) -> SessionRecord {
    let mut record = session();
    let text = text.to_owned();
    record.name.clone_from(&text);
    record.ending = Some(SessionEnding::Failed(text.clone()));
    record.provenance.command = vec![text.clone()];
    record.provenance.git_commit = Some(text.clone());
    record.provenance.host.name.clone_from(&text);
    record.provenance.tags.insert(text.clone(), text.clone());
    let plan = &mut record.plan;
    plan.app = Some(text.clone());
    for field in [&mut plan.scenario, &mut plan.base_url, &mut plan.steady_load] {
        field.clone_from(&text);
    }
    for it in &mut plan.configurations {
        for field in [&mut it.name, &mut it.hypothesis, &mut it.change, &mut it.size] {
            field.clone_from(&text);
        }
    }
    for attempt in &mut record.attempts {
        attempt.problem = attempt.problem.as_ref().map(|_| text.clone());
        for machine in attempt.machines_before.iter_mut().chain(&mut attempt.machines_after) {
            machine.state.clone_from(&text);
            machine.size.clone_from(&text);
            machine.events = vec![text.clone()];
        }
    }
    let conclusion = record.conclusion.as_mut().unwrap();
    conclusion.headline = vec![text.clone()];
    conclusion.caveats = vec![text.clone()];
    conclusion.advice = vec![Advice { what: text.clone(), because: text.clone() }];
    for outcome in &mut conclusion.configurations {
        outcome.findings = vec![Finding { what: text.clone(), because: text.clone() }];
        outcome.throttle = ThrottleOutcome::NotKnown { why: text.clone() };
    }
    record
}

fn provenance() -> SessionProvenance {
    SessionProvenance {
        started: datetime!(2026-11-29 4:00 UTC),
        tollgate: "0.1.0".to_owned(),
        host: HostFacts {
            name: "prober".to_owned(),
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            cores: 2,
        },
        command: ["tollgate", "tune", "tune.toml", "--app", "hotdash-staging"]
            .map(str::to_owned)
            .to_vec(),
        git_commit: Some("3bb6c035".to_owned()),
        tags: BTreeMap::from([("environment".to_owned(), "staging".to_owned())]),
        imported_from: None,
        import_notes: Vec::new(),
    }
}

fn plan() -> SessionPlanFacts {
    let patch = r#"{"guest":{"memory_mb":2048}}"#;
    let scale = "fly scale vm shared-cpu-2x --app hotdash-staging";
    let of = |at: usize, hypothesis: &str, change: &str, size: &str| Configuration {
        name: NAMES[at].to_owned(),
        hypothesis: hypothesis.to_owned(),
        change: change.to_owned(),
        size: size.to_owned(),
    };
    let mut configurations = vec![
        of(0, "", "", "shared-cpu-1x, 512 MB"),
        of(1, "512 MB makes the garbage collector run", patch, "shared-cpu-1x, 2048 MB"),
        of(2, "boot is bound by CPU", scale, "shared-cpu-2x, 512 MB"),
    ];
    configurations[2].name += &" and more".repeat(40);
    SessionPlanFacts {
        app: Some("hotdash-staging".to_owned()),
        scenario: "tile-loader-mock.toml".to_owned(),
        base_url: "https://hotdash-staging.fly.dev".to_owned(),
        cold: ColdState::Stop,
        rounds: ROUNDS,
        seed: 7,
        curve_rate: 2.0,
        curve_limit: Duration::from_mins(2),
        steady_load: "open, 20/s constant for 40s".to_owned(),
        budgets: Vec::new(),
        configurations,
    }
}

/// Boot, the excess of the first request of the curve, and the steady latency, in milliseconds.
const TRUTHS: [(f64, f64, f64); 3] =
    [(2_300.0, 420.0, 190.0), (2_250.0, 400.0, 130.0), (1_400.0, 410.0, 188.0)];

fn attempt(number: u32, random: &mut ChaCha8Rng) -> Attempt {
    let round = (number - 1) / 3 + 1;
    let configuration = ((number + round) % 3) as usize;
    let (is_failed, is_throttled) = (number == 7, number == 11);
    let restart = 1.0 + 0.08 * (random.random::<f64>() - 0.5);
    let slow = if is_throttled { 1.9 } else { restart };
    let (boot, excess, steady) = TRUTHS[configuration];
    let mut noise = |millis: f64| {
        let factor = 1.0 + 0.08 * (random.random::<f64>() + random.random::<f64>() - 1.0);
        Duration::from_secs_f64(millis * factor * slow / 1e3)
    };
    let first = vec![sample(Duration::ZERO, noise(boot), true)];
    let latency = |at: usize| steady + excess * (-(at as f64) / 12.0).exp();
    let length = if is_failed { 12 } else { CURVE };
    let mut curve: Vec<ExchangeSample> = (0..length)
        .map(|at| sample(Duration::from_millis(500 * at as u64), noise(latency(at)), at == 0))
        .collect();
    curve[5].failure = is_throttled.then_some(Failure::TimedOut);
    let mut histogram = Histogram::default();
    (0..600).for_each(|_| histogram.record(noise(steady)));
    let started = datetime!(2026-11-29 4:00 UTC) + Duration::from_secs(130 * u64::from(number));
    let first_due = started + Duration::from_secs(14);
    Attempt {
        number,
        round,
        configuration,
        started,
        cold_from: Some(started + Duration::from_secs(10)),
        first_due: Some(first_due),
        took: Duration::from_secs(if is_failed { 24 } else { 98 }),
        machines_before: vec![machine(configuration, number, "stopped")],
        machines_after: vec![machine(configuration, number, "started")],
        machine: Some("148e21eb7d1e89".to_owned()),
        start: if number == 5 { StartKind::Unknown } else { StartKind::Booted },
        start_by_events: None,
        first,
        curve,
        curve_end: if is_failed { CurveEnd::CutOff } else { CurveEnd::Steady },
        steady: (!is_failed).then(|| SteadyStage {
            run: Uuid::from_u128(u128::from(number)),
            run_name: format!("2026-11-29T04-0{}-00Z-0000000{number}", number % 10),
            decision: Decision::Pass,
            latency: histogram,
            exchanges: 600,
            failed: 0,
            connections: None,
            lasted: Duration::from_secs(40),
        }),
        quota: quota(is_throttled, first_due),
        problem: is_failed.then(|| "the machine was replaced by a deploy (412)".to_owned()),
    }
}

fn sample(due: Duration, latency: Duration, fresh: bool) -> ExchangeSample {
    let whole = u64::try_from(latency.as_micros()).unwrap();
    let mut parts = BTreeMap::from([(Dimension::Body, 2_000)]);
    if fresh {
        let setup =
            [(Dimension::Dns, 8_000), (Dimension::Connect, 21_000), (Dimension::Tls, 33_000)];
        parts.extend(setup);
    }
    let other: u64 = parts.values().sum();
    parts.insert(Dimension::FirstByte, whole.saturating_sub(other));
    ExchangeSample {
        request: "mock".to_owned(),
        due,
        latency,
        parts,
        failure: None,
        fresh,
        heat: None,
    }
}

fn machine(configuration: usize, number: u32, state: &str) -> MachineFacts {
    let (size, cpus, memory_mb) =
        [("shared-cpu-1x", 1, 512), ("shared-cpu-1x", 1, 2048), ("shared-cpu-2x", 2, 512)]
            [configuration];
    MachineFacts {
        id: "148e21eb7d1e89".to_owned(),
        name: "quiet-river-12".to_owned(),
        state: state.to_owned(),
        region: "ord".to_owned(),
        size: size.to_owned(),
        cpus,
        shared_cpus: true,
        memory_mb,
        image: "registry.fly.io/hotdash-staging:deployment-01".to_owned(),
        instance_id: format!("01JDX{number:03}"),
        autostop: "stop".to_owned(),
        autostart: Some(true),
        min_machines_running: Some(0),
        concurrency_type: "requests".to_owned(),
        soft_limit: Some(20),
        hard_limit: Some(25),
        events: vec!["2026-11-29T04:02:20Z start started by user".to_owned()],
    }
}

fn quota(is_throttled: bool, first: time::OffsetDateTime) -> QuotaReading {
    let spans =
        [(Duration::from_secs(2), 9), (Duration::from_secs(20), 6)].map(|(from, length)| {
            TimeSpan { from: first + from, to: first + from + Duration::from_secs(length) }
        });
    let reading = CpuReading {
        throttled: if is_throttled { Duration::from_millis(2_100) } else { Duration::ZERO },
        throttled_spans: if is_throttled { spans.to_vec() } else { Vec::new() },
        used_us: Some(6_000_000),
        ..CpuReading::default()
    };
    QuotaReading::Known(BTreeMap::from([("148e21eb7d1e89".to_owned(), reading)]))
}

fn conclusion(record: &SessionRecord) -> SessionConclusion {
    SessionConclusion {
        headline: vec![
            "Clearly faster than `as it is`: `2 GB` by 60 ms (52 to 68 ms) in steady p50."
                .to_owned(),
            "No clear difference from `as it is`: `two CPUs`; one above 9 ms in steady p50 would \
             have been seen."
                .to_owned(),
        ],
        configurations: (0..3).map(|at| outcome(record, at)).collect(),
        advice: vec![Advice {
            what: "send 44 warm-up requests after a deploy".to_owned(),
            because: "in 5 restarts, `as it is` was steady after 41 requests (38 to 44)".to_owned(),
        }],
        caveats: vec![
            "Attempt 5: whether the machine resumed or booted is not known.".to_owned(),
            "Attempt 11 was throttled for 2.1 s: the CPU quota decided its figures.".to_owned(),
        ],
    }
}

fn outcome(record: &SessionRecord, at: usize) -> ConfigurationOutcome {
    let completed = || record.attempts_of(at).filter(|attempt| attempt.problem.is_none());
    let curves: Vec<CurveFigures> = completed().map(curve_figures).collect();
    let figures = FigureKind::ALL.into_iter().map(|kind| figure(at, kind, &curves)).collect();
    let restarts = u32::try_from(curves.len()).unwrap();
    let throttled = u32::try_from(completed().filter(|it| it.number == 11).count()).unwrap();
    ConfigurationOutcome {
        name: record.plan.configurations[at].name.clone(),
        restarts,
        incomplete: ROUNDS - restarts,
        class: Some(if throttled > 0 { CurveClass::Inconsistent } else { CurveClass::WarmUp }),
        figures,
        curves,
        throttle: if throttled > 0 {
            let longest = Duration::from_millis(2_100);
            ThrottleOutcome::Throttled { attempts: throttled, of: restarts, longest }
        } else {
            ThrottleOutcome::Free { of: restarts }
        },
        findings: vec![Finding {
            what: "2 requests failed while the app warmed up.".to_owned(),
            because: "1 of 5 first requests and 1 of 400 of the curves".to_owned(),
        }],
    }
}

fn curve_figures(attempt: &Attempt) -> CurveFigures {
    let steady = attempt.steady.as_ref().unwrap();
    let quantile = |share| steady.latency.at_share(share).unwrap().as_secs_f64();
    let from = steady_from(attempt);
    CurveFigures {
        attempt: attempt.number,
        class: Some(CurveClass::WarmUp),
        steady_from: Some(from),
        values: vec![
            (FigureKind::FirstAnswer, attempt.first[0].latency.as_secs_f64()),
            (FigureKind::ConnectionSetup, 0.062),
            (FigureKind::RequestsToSteady, from as f64 + 1.0),
            (FigureKind::TimeToSteady, attempt.curve[from].due.as_secs_f64()),
            (FigureKind::ColdCost, 0.1 + 0.01 * f64::from(attempt.number % 4)),
            (FigureKind::SteadyP50, quantile(0.5)),
            (FigureKind::SteadyP95, quantile(0.95)),
        ],
    }
}

/// A mean with an interval of the right order; how it is computed does not matter to a report.
fn figure(at: usize, kind: FigureKind, curves: &[CurveFigures]) -> FigureOutcome {
    let of = |curve: &CurveFigures| curve.values.iter().find(|(of, _)| *of == kind).unwrap().1;
    let values: Vec<f64> = curves.iter().map(of).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = 2.13 * (spread / n).sqrt();
    let estimate = |value: f64, half: f64| Estimate {
        value,
        interval: Some((value - half, value + half)),
        confidence: Ratio::of(9, 10),
        restarts: u32::try_from(values.len()).unwrap(),
    };
    let base = [2.3, 0.062, 40.0, 20.0, 0.12, 0.19, 0.2][kind as usize];
    let by = mean - base;
    FigureOutcome {
        kind,
        estimate: estimate(mean, half),
        difference: (at > 0).then(|| Difference {
            estimate: estimate(by, half * 1.6),
            is_clear: by.abs() > half * 1.6,
            detectable: half * 2.4,
            rounds_to_halve: 15,
        }),
    }
}
