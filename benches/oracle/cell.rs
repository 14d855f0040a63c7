//! The matrix of cells: the scenario of each, and when its arrivals are due.

use std::path::Path;
use std::time::Duration;

use tollgate::plan::{Schedule, Shard};
use tollgate::units::Rate;

use crate::truth::Millis;
use crate::{HEADER, PATH};

/// Arrivals per second, averaged over a run.
pub(crate) const RATE: u32 = 200;
/// Length of a run in seconds.
pub(crate) const SECONDS: u32 = 40;

const FIRST_RATE: u32 = 50;
const LAST_RATE: u32 = 350;
const SEED: u64 = 7;

/// Shape of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrivals {
    Constant,
    Poisson,
    Ramping,
}

/// One run of the matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) arrivals: Arrivals,
    pub(crate) connections: usize,
    /// Exchanges that each connection carries at the same time.
    pub(crate) streams: usize,
    pub(crate) http: &'static str,
    pub(crate) tls: bool,
}

/// Schedule × connections × HTTP version × TLS, and HTTP/2 with all streams on one connection.
pub(crate) fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (http, tls) in [("1.1", false), ("1.1", true), ("2", false), ("2", true)] {
        for arrivals in [Arrivals::Constant, Arrivals::Poisson, Arrivals::Ramping] {
            for connections in [8, 50, 400] {
                cells.push(Cell { arrivals, connections, streams: 1, http, tls });
            }
        }
        if http == "2" {
            cells.push(Cell {
                arrivals: Arrivals::Constant,
                connections: 1,
                streams: 50,
                http,
                tls,
            });
        }
    }
    cells
}

impl Cell {
    /// `poisson-50-http2-tls`; `constant-1x50-http2-plain` for streams.
    pub(crate) fn name(&self) -> String {
        let arrivals = self.arrivals.word();
        let tls = if self.tls { "tls" } else { "plain" };
        format!("{arrivals}-{}-http{}-{tls}", self.limit(), self.http.trim_end_matches(".1"))
    }

    /// The number of connections, with the streams per connection if there are several: `50`,
    /// `1x50`.
    pub(crate) fn limit(&self) -> String {
        let Self { connections, streams, .. } = self;
        if *streams == 1 { connections.to_string() } else { format!("{connections}x{streams}") }
    }

    /// Number of exchanges that may be under way at the same time.
    pub(crate) fn slots(&self) -> usize {
        self.connections * self.streams
    }

    /// Number of requests before the measured ones: one per connection.
    pub(crate) fn warmup(&self) -> usize {
        self.connections
    }

    /// The scenario file. `ca` is the certificate to trust if the cell uses TLS.
    pub(crate) fn scenario(&self, base_url: &str, ca: &Path) -> String {
        let Self { connections, streams, http, .. } = self;
        let trust =
            if self.tls { format!("tls_ca = \"{}\"\n", ca.display()) } else { String::new() };
        let (header, value) = HEADER;
        let streams = if *streams == 1 { String::new() } else { format!("streams = {streams}\n") };
        let (load, warmup) = (self.arrivals.toml(), self.warmup());
        format!(
            "name = \"oracle\"\nbudgets = [\"p50 < 100ms\"]\n\
             [target]\nbase_url = \"{base_url}\"\nhttp = \"{http}\"\n{trust}\
             [headers]\n{header} = \"{value}\"\n\
             [[request]]\nname = \"page\"\npath = \"{PATH}\"\n\
             [load]\n{load}\nconnections = {connections}\n{streams}\
             [warmup]\nconnections = {connections}\nrequests = {warmup}\n"
        )
    }

    /// When each arrival is due, in ms from the start of the measured stage.
    pub(crate) fn due(&self) -> Vec<Millis> {
        let count = RATE * SECONDS;
        match self.arrivals {
            Arrivals::Constant => {
                (0..count).map(|i| f64::from(i) * 1e3 / f64::from(RATE)).collect()
            }
            Arrivals::Ramping => (0..count).map(|i| ramp_time(f64::from(i))).collect(),
            Arrivals::Poisson => poisson_times(),
        }
    }
}

impl Arrivals {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
            Self::Ramping => "ramping",
        }
    }

    fn toml(self) -> String {
        let constant = format!("arrival_rate = \"{RATE}/s\"\nduration = \"{SECONDS}s\"");
        match self {
            Self::Constant => constant,
            Self::Poisson => format!("{constant}\npoisson = {{ seed = {SEED} }}"),
            Self::Ramping => format!(
                "start_rate = \"{FIRST_RATE}/s\"\nstages = [{{ duration = \"{SECONDS}s\", rate = \"{LAST_RATE}/s\" }}]"
            ),
        }
    }
}

/// Time at which the integral of a linearly rising rate, `a·t + b·t²/2`, reaches `count`.
fn ramp_time(count: f64) -> Millis {
    let a = f64::from(FIRST_RATE);
    let b = f64::from(LAST_RATE - FIRST_RATE) / f64::from(SECONDS);
    ((a * a + 2.0 * b * count).sqrt() - a) / b * 1e3
}

/// The library's own draws: nothing else can reproduce them.
fn poisson_times() -> Vec<Millis> {
    let Ok(rate) = Rate::per_second(f64::from(RATE)) else { return Vec::new() };
    let constant = Schedule::constant(rate, Duration::from_secs(SECONDS.into()));
    let arrivals = Schedule::poisson(SEED, &constant).arrivals(Shard::WHOLE);
    arrivals.map(|(_, due)| due.as_secs_f64() * 1e3).collect()
}
