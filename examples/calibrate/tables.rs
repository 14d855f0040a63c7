//! Runs the cells and prints them.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tollgate::units::Ratio;
use tollgate::verdict::evidence::{BlockRule, ExceedanceSlots};

use crate::rules::{self, Decided};
use crate::series::{ALL, FIRST, Load, Shape, rounded};

const SEED: u64 = 15;

/// How often a rule decided each way.
#[derive(Debug, Clone, Copy, Default)]
struct Rates {
    pass: u32,
    fail: u32,
    runs: u32,
}

impl Rates {
    fn add(&mut self, decided: Decided) {
        self.runs += 1;
        match decided {
            Decided::Pass => self.pass += 1,
            Decided::Fail => self.fail += 1,
            Decided::Neither => {}
        }
    }

    fn text(self) -> String {
        let percent = |count: u32| {
            let value = 100.0 * f64::from(count) / f64::from(self.runs);
            if value > 0.0 && value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") }
        };
        format!("{} / {}", percent(self.pass), percent(self.fail))
    }
}

/// The rates of all rules in one cell, in the order of [`RULES`]. The stall horizon is 1 s.
fn cell(shape: Shape, load: Load, allowed: f64, runs: u64) -> [Rates; 5] {
    let allowed = Ratio::new(allowed).unwrap_or(Ratio::ONE);
    let rule = BlockRule { horizon: rounded(load.rate), budgets: 1 };
    let cell = [load.rate, load.seconds, load.share].map(f64::to_bits);
    let seed = cell.iter().fold(SEED, |seed, bits| seed.rotate_left(21) ^ bits);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rates = [Rates::default(); 5];
    for _ in 0..runs {
        let slots = shape.draw(load, &mut random);
        let counts = ExceedanceSlots::new(slots.iter().copied(), 1.0);
        let total = counts.total();
        rates[0].add(rules::old(total, allowed));
        let at_end = rules::blocks(&counts, rule, allowed);
        rates[1].add(at_end);
        let is_early = rules::stops_early(&slots, rule, allowed);
        rates[4].add(if is_early { Decided::Fail } else { at_end });
        rates[2].add(rules::point_estimate(total, allowed));
        rates[3].add(rules::peeking(&counts, rounded(2.0 * load.rate), allowed));
    }
    rates
}

const RULES: [&str; 5] =
    ["old rule", "blocks, decided at the end", "k6", "k6 abortOnFail", "blocks with early fails"];

/// The table of the exact binomial test's errors at the allowed share: short and long runs.
pub(crate) fn at_the_allowed_share(runs: u64, allowed: f64) -> String {
    let loads = [(5.0, 37.0), (20.0, 60.0), (20.0, 300.0), (200.0, 300.0)];
    let row = |&shape: &Shape| {
        let cells = loads.map(|(rate, seconds)| {
            let load = Load { rate, seconds, share: allowed };
            cell(shape, load, allowed, runs)
        });
        (shape.name(), cells.to_vec())
    };
    let rows: Vec<_> = FIRST.iter().map(row).collect();
    let heads = loads.map(|(rate, seconds)| format!("{rate}/s, {seconds} s"));
    text(&heads, &rows, &[0, 1, 4, 2, 3])
}

/// The tables of all rules at several multiples of the allowed share.
pub(crate) fn around_the_allowed_share(runs: u64, allowed: f64) -> String {
    let mut loads = Vec::new();
    for seconds in [120.0, 300.0] {
        for multiple in [0.2, 0.5, 1.0, 2.0] {
            loads.push((seconds, multiple));
        }
    }
    let row = |&shape: &Shape| {
        let cells = loads.iter().map(|&(seconds, multiple)| {
            let load = Load { rate: 20.0, seconds, share: allowed * multiple };
            cell(shape, load, allowed, runs)
        });
        (shape.name(), cells.collect())
    };
    let rows: Vec<_> = ALL.iter().map(row).collect();
    let head = |(seconds, multiple): &(f64, f64)| format!("{multiple} ×, {seconds} s");
    let heads: Vec<_> = loads.iter().map(head).collect();
    text(&heads, &rows, &[1, 4, 0, 2, 3])
}

fn text(heads: &[String], rows: &[(String, Vec<[Rates; 5]>)], which: &[usize]) -> String {
    let mut lines = Vec::new();
    for &rule in which {
        lines.push(format!("\n{}, pass % / fail %\n", RULES[rule]));
        lines.push(format!("| | {} |", heads.join(" | ")));
        lines.push(format!("|---|{}", "--:|".repeat(heads.len())));
        for (name, cells) in rows {
            let texts: Vec<_> = cells.iter().map(|rates| rates[rule].text()).collect();
            lines.push(format!("| {name} | {} |", texts.join(" | ")));
        }
    }
    lines.join("\n") + "\n"
}
