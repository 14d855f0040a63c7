//! What follows from the attempts of a session.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::record::micros;
use crate::units::Ratio;

/// What follows from a session's attempts, as data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionConclusion {
    /// What is said first: the answer in one to four sentences.
    pub headline: Vec<String>,
    /// One outcome for each configuration, in the order of the plan.
    pub configurations: Vec<ConfigurationOutcome>,
    /// What to do, most important first.
    pub advice: Vec<Advice>,
    /// What a reader must know about the figures, one sentence each: machines that were not known,
    /// attempts that failed, an order that was not randomised, metrics that were not read.
    pub caveats: Vec<String>,
}

/// What the attempts at one configuration showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationOutcome {
    /// The configuration's name.
    pub name: String,
    /// Attempts that completed, each one a restart.
    pub restarts: u32,
    /// Attempts that did not complete.
    pub incomplete: u32,
    /// How the curves behave; `None` if there is none.
    pub class: Option<CurveClass>,
    /// The figures, in the order of [`FigureKind::ALL`]; those that no attempt has are left out.
    pub figures: Vec<FigureOutcome>,
    /// Each restart's own figures, in the order of time, for plots and tables.
    pub curves: Vec<CurveFigures>,
    /// What the CPU quota did.
    pub throttle: ThrottleOutcome,
    /// Further findings, each with the figures it rests on.
    pub findings: Vec<Finding>,
}

impl ConfigurationOutcome {
    /// One of its figures; `None` if no attempt has it.
    pub fn figure(&self, kind: FigureKind) -> Option<&FigureOutcome> {
        self.figures.iter().find(|figure| figure.kind == kind)
    }
}

/// How the latency of an app develops after a start (Barrett et al., "Virtual Machine Warmup Blows
/// Hot and Cold", OOPSLA 2017).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CurveClass {
    /// The same from the start.
    Flat,
    /// The steady state is the fastest part.
    WarmUp,
    /// The steady state is slower than an earlier part.
    Slowdown,
    /// No steady state within the curve.
    NoSteadyState,
    /// Different in different restarts.
    Inconsistent,
}

impl CurveClass {
    /// The words that are printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::WarmUp => "warm-up",
            Self::Slowdown => "slowdown",
            Self::NoSteadyState => "no steady state",
            Self::Inconsistent => "inconsistent between restarts",
        }
    }
}

/// The figures of one restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CurveFigures {
    /// The number of its attempt.
    pub attempt: u32,
    /// How its curve behaves; `None` if it is too short.
    pub class: Option<CurveClass>,
    /// The index in the curve at which the steady state begins; `None` if it was not reached.
    pub steady_from: Option<usize>,
    /// The value of each figure, as [`FigureOutcome`] counts it; `None` if the restart lacks it.
    pub values: Vec<(FigureKind, f64)>,
}

/// A figure that is estimated over restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FigureKind {
    /// Latency of the first request, which waits for the boot; seconds.
    FirstAnswer,
    /// The first request's dns, connect, tls and redirects, which no machine changes; seconds.
    ConnectionSetup,
    /// Requests until steady; a number.
    RequestsToSteady,
    /// Time from the first request until steady; seconds.
    TimeToSteady,
    /// Mean cost of a request before the steady state above one in it, without the first request;
    /// seconds.
    ColdCost,
    /// Median latency of the steady stage, or of the steady part of the curve; seconds.
    SteadyP50,
    /// 95th percentile of the same; seconds.
    SteadyP95,
}

impl FigureKind {
    /// Every figure, in the order of tables.
    pub const ALL: [Self; 7] = [
        Self::FirstAnswer,
        Self::ConnectionSetup,
        Self::RequestsToSteady,
        Self::TimeToSteady,
        Self::ColdCost,
        Self::SteadyP50,
        Self::SteadyP95,
    ];

    /// The words that are printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstAnswer => "first answer",
            Self::ConnectionSetup => "connection setup",
            Self::RequestsToSteady => "requests to steady",
            Self::TimeToSteady => "time to steady",
            Self::ColdCost => "cost of a cold request",
            Self::SteadyP50 => "steady p50",
            Self::SteadyP95 => "steady p95",
        }
    }

    /// Whether its values may be negative: a request before the steady state may be faster.
    pub fn is_signed(self) -> bool {
        self == Self::ColdCost
    }

    /// Whether its values are seconds; otherwise they are numbers.
    pub fn is_time(self) -> bool {
        self != Self::RequestsToSteady
    }
}

impl fmt::Display for FigureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A figure of one configuration, and how it differs from the first one's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FigureOutcome {
    /// Which figure.
    pub kind: FigureKind,
    /// Its estimate over the restarts.
    pub estimate: Estimate,
    /// The difference from the first configuration; `None` for the first itself and without
    /// enough restarts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

/// A mean over restarts with its interval; seconds, or a number, as the figure says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean over restarts.
    pub value: f64,
    /// The interval for it; `None` with fewer than two restarts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// The share of sessions whose interval covers the truth.
    pub confidence: Ratio,
    /// How many restarts have the figure.
    pub restarts: u32,
}

/// The difference of a configuration from the first one, from the rounds that have both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The difference: negative means that this configuration has less. The differences of all
    /// configurations in one figure cover the truth together at the stated confidence.
    pub estimate: Estimate,
    /// Whether the whole interval lies on one side of zero.
    pub is_clear: bool,
    /// The smallest difference that the session would have seen in 80 of 100 cases.
    pub detectable: f64,
    /// How many more rounds would halve [`Self::detectable`].
    pub rounds_to_halve: u32,
}

/// What the CPU quota did to a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "quota")]
pub enum ThrottleOutcome {
    /// It held CPUs back in some attempts.
    Throttled {
        /// In how many.
        attempts: u32,
        /// Of how many whose metrics are known.
        of: u32,
        /// The longest throttled time of an attempt.
        #[serde(rename = "longest_us", with = "micros")]
        longest: Duration,
    },
    /// It held no CPU back.
    Free {
        /// In how many attempts whose metrics are known.
        of: u32,
    },
    /// No metrics were read; the text says why.
    NotKnown {
        /// Why.
        why: String,
    },
}

/// A sentence about one configuration, with the figures it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The finding.
    pub what: String,
    /// The figures it rests on.
    pub because: String,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// What to do, as an instruction.
    pub what: String,
    /// The figures it rests on.
    pub because: String,
}
