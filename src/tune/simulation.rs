//! Sessions on a simulated app whose truth is known, to see how often the stated intervals cover
//! it.
//!
//! The app boots for 2 s, and its answers become steady after [`WARMING`] requests. The second
//! configuration is 60 ms faster, the third one is not, and the CPU quota throttles the boots of
//! the fourth one. Latencies are log-normal with spikes, every restart has a host of its own, and
//! the load of the hosts drifts over the day.
//!
//! `examples/session_truths.rs` includes this file, so it uses only public items.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use time::OffsetDateTime;

use crate::record::session::{
    Attempt, ColdState, Configuration, CpuReading, CurveClass, CurveEnd, CurveFigures,
    ExchangeSample, FigureKind, MachineFacts, QuotaReading, SESSION_FORMAT, SessionConclusion,
    SessionEnding, SessionPlanFacts, SessionProvenance, SessionRecord, StartKind, ThrottleOutcome,
};
use crate::record::{Dimension, HostFacts};
use crate::tune::conclude::conclude_with;
use crate::tune::rounds::planned_attempts;

/// The configurations, in the order of the plan.
pub(super) const NAMES: [&str; 4] = ["as it is", "faster", "no different", "throttled"];
/// The steady latency of each, in seconds, without noise.
const LATENCY: [f64; 4] = [0.24, 0.18, 0.24, 0.24];
/// How often each is tried.
const ROUNDS: u32 = 6;
const CURVE_RATE: f64 = 2.0;
const CURVE_REQUESTS: usize = 120;
/// The requests until steady. Until then the latency falls from the threefold.
const WARMING: u32 = 40;
const BOOT: f64 = 2.0;
/// What the quota adds to a boot.
const THROTTLED: f64 = 2.1;
/// The parts of opening a connection, in seconds.
const SETUP: [(Dimension, f64); 3] =
    [(Dimension::Dns, 0.005), (Dimension::Connect, 0.025), (Dimension::Tls, 0.06)];
/// The spread of a latency, as the standard deviation of its logarithm.
const SPREAD: f64 = 0.15;
/// How often a latency is a spike, which takes 3 to 8 times as long.
const SPIKES: f64 = 0.01;
/// How far the latency of everything drifts up and down over a session.
const DRIFT: f64 = 0.015;

/// What is true of a configuration: the mean over restarts that an estimate should cover.
pub(super) fn truth(kind: FigureKind, configuration: usize, is_spent: bool) -> Option<f64> {
    // Of a first request without a spike: six restarts cannot tell how frequent spikes are.
    let mean_noise = (SPREAD * SPREAD / 2.0).exp();
    let setup: f64 = SETUP.iter().map(|(_, seconds)| seconds).sum();
    // The normal quantiles of 0.5 / 0.99 and 0.95 / 0.99: spikes are above both.
    let steady = |normal: f64| LATENCY[configuration] * (SPREAD * normal).exp();
    let throttled = if is_spent && configuration == 3 { THROTTLED } else { 0.0 };
    match kind {
        FigureKind::FirstAnswer => {
            Some(setup + BOOT + throttled + 3.0 * LATENCY[configuration] * mean_noise)
        }
        FigureKind::ConnectionSetup => Some(setup),
        FigureKind::RequestsToSteady => Some(f64::from(WARMING)),
        FigureKind::TimeToSteady | FigureKind::ColdCost => None,
        FigureKind::SteadyP50 => Some(steady(0.012_66)),
        FigureKind::SteadyP95 => Some(steady(1.746)),
    }
}

/// A whole session; `is_spent` says whether the fourth configuration has spent its CPU quota.
pub(super) fn session(seed: u64, is_spent: bool) -> SessionRecord {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let phase: f64 = random.random();
    let planned = planned_attempts(NAMES.len(), ROUNDS, seed);
    let count = planned.len() as f64;
    let attempts = planned.iter().enumerate().map(|(at, one)| {
        let drift = 1.0 + DRIFT * (TAU * (at as f64 / count + phase)).sin();
        let mut app = SimulatedApp { random: &mut random, drift, is_spent };
        app.attempt(u32::try_from(at + 1).unwrap_or(u32::MAX), one.round, one.configuration)
    });
    let attempts = attempts.collect();
    SessionRecord { attempts, ..empty_session() }
}

fn empty_session() -> SessionRecord {
    let configuration = |name: &&str| Configuration {
        name: (*name).to_owned(),
        hypothesis: String::new(),
        change: String::new(),
        size: String::new(),
    };
    SessionRecord {
        format: SESSION_FORMAT,
        id: uuid::Uuid::nil(),
        name: "simulated".to_owned(),
        provenance: SessionProvenance {
            started: OffsetDateTime::UNIX_EPOCH,
            tollgate: "0.1.0".to_owned(),
            host: HostFacts {
                name: "host".to_owned(),
                os: "linux".to_owned(),
                arch: "x86_64".to_owned(),
                cores: 2,
            },
            command: Vec::new(),
            git_commit: None,
            tags: BTreeMap::new(),
            imported_from: None,
            import_notes: Vec::new(),
        },
        plan: SessionPlanFacts {
            app: Some("simulated".to_owned()),
            scenario: "simulated.toml".to_owned(),
            base_url: "http://127.0.0.1".to_owned(),
            cold: ColdState::Stop,
            rounds: ROUNDS,
            seed: 0,
            curve_rate: CURVE_RATE,
            curve_limit: Duration::from_mins(1),
            steady_load: String::new(),
            budgets: Vec::new(),
            configurations: NAMES.iter().map(configuration).collect(),
        },
        attempts: Vec::new(),
        added_machines: Vec::new(),
        ending: Some(SessionEnding::Complete),
        conclusion: None,
    }
}

/// The app during one attempt.
struct SimulatedApp<'a> {
    random: &'a mut ChaCha8Rng,
    drift: f64,
    is_spent: bool,
}

impl SimulatedApp<'_> {
    fn attempt(&mut self, number: u32, round: u32, configuration: usize) -> Attempt {
        let started = OffsetDateTime::UNIX_EPOCH + Duration::from_mins(5) * number;
        let host = self.drift * self.noise(0.02);
        let latency = LATENCY[configuration] * host;
        let throttled = self.is_spent && configuration == 3;
        let throttled = if throttled { THROTTLED * self.noise(0.2) } else { 0.0 };
        let boot = BOOT * self.noise(0.05);
        let curve = (0..CURVE_REQUESTS).map(|index| self.sample(index, latency)).collect();
        Attempt {
            number,
            round,
            configuration,
            started,
            cold_from: None,
            first_due: None,
            took: Duration::from_secs(90),
            machines_before: vec![machine()],
            machines_after: vec![machine()],
            machine: Some("m".to_owned()),
            start: StartKind::Booted,
            start_by_events: None,
            first: vec![self.first(boot + throttled, latency)],
            curve,
            curve_end: CurveEnd::Steady,
            steady: None,
            quota: self.reading(throttled),
            problem: None,
        }
    }

    /// A factor around 1 whose mean is 1.
    fn noise(&mut self, spread: f64) -> f64 {
        let normal: f64 = self.random.sample(StandardNormal);
        (spread * normal - spread * spread / 2.0).exp()
    }

    /// The service of the request with this number since the start, from 0.
    fn service(&mut self, number: f64, latency: f64) -> f64 {
        let normal: f64 = self.random.sample(StandardNormal);
        let is_spike = self.random.random_bool(SPIKES);
        let spike = if is_spike { self.random.random_range(3.0..8.0) } else { 1.0 };
        let cold = 1.0 + 2.0 * (1.0 - number / f64::from(WARMING)).max(0.0);
        latency * cold * (SPREAD * normal).exp() * spike
    }

    fn first(&mut self, boot: f64, latency: f64) -> ExchangeSample {
        let setup = SETUP.map(|(part, seconds)| (part, seconds * self.noise(0.1)));
        let service = boot + self.service(0.0, latency);
        sample(Duration::ZERO, &setup, service)
    }

    fn sample(&mut self, index: usize, latency: f64) -> ExchangeSample {
        let due = Duration::from_secs_f64(index as f64 / CURVE_RATE);
        let service = self.service(index as f64 + 1.0, latency);
        sample(due, &[], service)
    }

    /// What the metrics report: a share of the throttled time, because samples are 15 s apart, and
    /// sometimes nothing at all.
    fn reading(&mut self, throttled: f64) -> QuotaReading {
        if self.random.random_bool(0.05) {
            return QuotaReading::NotKnown("Prometheus did not answer".to_owned());
        }
        let counted = throttled * self.random.random_range(0.5..1.0);
        // A CPU that shares its host is held back for single periods, too.
        let rounding = self.random.random_range(0.0..0.03);
        let throttled = Duration::from_secs_f64(counted + rounding);
        let reading = CpuReading { throttled, ..CpuReading::default() };
        QuotaReading::Known(BTreeMap::from([("m".to_owned(), reading)]))
    }
}

fn sample(due: Duration, setup: &[(Dimension, f64)], service: f64) -> ExchangeSample {
    let micros = |seconds: f64| {
        u64::try_from(Duration::from_secs_f64(seconds).as_micros()).unwrap_or(u64::MAX)
    };
    let mut parts: BTreeMap<Dimension, u64> =
        setup.iter().map(|(part, seconds)| (*part, micros(*seconds))).collect();
    parts.insert(Dimension::FirstByte, micros(service));
    let latency = Duration::from_micros(parts.values().sum());
    let fresh = !setup.is_empty();
    ExchangeSample {
        request: "page".to_owned(),
        due,
        latency,
        parts,
        failure: None,
        fresh,
        heat: None,
    }
}

fn machine() -> MachineFacts {
    MachineFacts {
        id: "m".to_owned(),
        name: String::new(),
        state: "started".to_owned(),
        region: "ord".to_owned(),
        size: "shared-cpu-1x".to_owned(),
        cpus: 1,
        shared_cpus: true,
        memory_mb: 1024,
        image: String::new(),
        instance_id: String::new(),
        autostop: "stop".to_owned(),
        autostart: Some(true),
        min_machines_running: Some(0),
        concurrency_type: "requests".to_owned(),
        soft_limit: Some(20),
        hard_limit: Some(25),
        events: Vec::new(),
    }
}

/// The figures of a curve whose steady state is known, found up to 5 requests too early or too
/// late.
pub(super) fn planted_figures(attempt: &Attempt) -> CurveFigures {
    // The last digits of a latency are as good as random.
    let late = attempt.curve[0].latency.subsec_micros() % 11;
    let requests = WARMING + late - 5;
    let from = requests as usize - attempt.first.len();
    let seconds = |sample: &ExchangeSample| sample.latency.as_secs_f64();
    let mut steady: Vec<f64> = attempt.curve[from..].iter().map(seconds).collect();
    steady.sort_by(f64::total_cmp);
    let quantile = |percent: usize| steady[steady.len() * percent / 100];
    let first = &attempt.first[0];
    let setup: f64 = SETUP.iter().map(|(part, _)| first.part(*part).as_secs_f64()).sum();
    CurveFigures {
        attempt: attempt.number,
        class: Some(CurveClass::WarmUp),
        steady_from: Some(from),
        values: vec![
            (FigureKind::FirstAnswer, seconds(first)),
            (FigureKind::ConnectionSetup, setup),
            (FigureKind::RequestsToSteady, f64::from(requests)),
            (FigureKind::SteadyP50, quantile(50)),
            (FigureKind::SteadyP95, quantile(95)),
        ],
    }
}

/// How often something was so.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    pub(super) times: u32,
    pub(super) of: u32,
}

impl Share {
    fn count(&mut self, is_so: bool) {
        self.times += u32::from(is_so);
        self.of += 1;
    }

    pub(super) fn as_f64(self) -> f64 {
        f64::from(self.times) / f64::from(self.of.max(1))
    }
}

/// How often the conclusions of simulated sessions were right.
#[derive(Debug, Default)]
pub(super) struct TruthTally {
    /// The interval of a mean covers the truth, by figure.
    pub(super) means: BTreeMap<FigureKind, Share>,
    /// The intervals of all three differences cover the truth, by figure.
    pub(super) differences: BTreeMap<FigureKind, Share>,
    /// The faster configuration is clearly so in its steady p50.
    pub(super) found: Share,
    /// Some difference of the third configuration is called clear, by figure.
    pub(super) invented: BTreeMap<FigureKind, Share>,
    /// The headline says that there is no clear difference of the third configuration.
    pub(super) no_difference: Share,
    /// Throttling is named in sessions that have it.
    pub(super) throttling_named: Share,
    /// Throttling is named in sessions that have none, or of a configuration that has none.
    pub(super) throttling_invented: Share,
}

/// The figures whose truth is known from the simulation's constants.
pub(super) const KNOWN: [FigureKind; 5] = [
    FigureKind::FirstAnswer,
    FigureKind::ConnectionSetup,
    FigureKind::RequestsToSteady,
    FigureKind::SteadyP50,
    FigureKind::SteadyP95,
];

impl TruthTally {
    /// Concludes from `sessions` sessions, every second one of which is throttled.
    pub(super) fn of(sessions: u64, figures: fn(&Attempt) -> CurveFigures) -> Self {
        let mut tally = Self::default();
        for seed in 1..=sessions {
            let is_spent = seed % 2 == 0;
            let mut session = session(seed, is_spent);
            conclude_with(&mut session, figures);
            tally.count(&session.conclusion.unwrap_or_default(), is_spent);
        }
        tally
    }

    fn count(&mut self, conclusion: &SessionConclusion, is_spent: bool) {
        for kind in KNOWN {
            self.count_figure(conclusion, kind, is_spent);
        }
        let difference = difference(conclusion, 1, FigureKind::SteadyP50);
        self.found.count(difference.is_some_and(|(_, (_, high), is_clear)| is_clear && high < 0.0));
        let unclear = |sentence: &String| sentence.starts_with("No clear difference");
        let named = conclusion.headline.iter().filter(|sentence| unclear(sentence));
        self.no_difference.count(named.clone().any(|text| text.contains(NAMES[2])));
        let is_named = |configuration: usize| {
            let throttle = &conclusion.configurations[configuration].throttle;
            matches!(throttle, ThrottleOutcome::Throttled { .. })
        };
        if is_spent {
            self.throttling_named.count(is_named(3));
        }
        let own = if is_spent { 3 } else { NAMES.len() };
        self.throttling_invented.count((0..NAMES.len()).any(|at| at != own && is_named(at)));
    }

    fn count_figure(&mut self, conclusion: &SessionConclusion, kind: FigureKind, is_spent: bool) {
        let of = |at| truth(kind, at, is_spent).unwrap_or_default();
        for (at, outcome) in conclusion.configurations.iter().enumerate() {
            let interval = outcome.figure(kind).and_then(|figure| figure.estimate.interval);
            let covers = interval.is_some_and(|interval| covers(interval, of(at)));
            self.means.entry(kind).or_default().count(covers);
        }
        let all_cover = (1..NAMES.len()).all(|at| {
            difference(conclusion, at, kind)
                .is_some_and(|(_, interval, _)| covers(interval, of(at) - of(0)))
        });
        self.differences.entry(kind).or_default().count(all_cover);
        let is_clear = difference(conclusion, 2, kind).is_some_and(|(_, _, is_clear)| is_clear);
        self.invented.entry(kind).or_default().count(is_clear);
    }
}

fn covers((low, high): (f64, f64), truth: f64) -> bool {
    (low..=high).contains(&truth)
}

/// The difference of a configuration: value, interval, whether it is clear.
fn difference(
    conclusion: &SessionConclusion,
    configuration: usize,
    kind: FigureKind,
) -> Option<(f64, (f64, f64), bool)> {
    let difference = conclusion.configurations[configuration].figure(kind)?.difference?;
    let estimate = difference.estimate;
    Some((estimate.value, estimate.interval?, difference.is_clear))
}
