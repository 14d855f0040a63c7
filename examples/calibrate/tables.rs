//! Runs the cells and prints them.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tollgate::units::Ratio;
use tollgate::verdict::binomial::ErrorRate;
use tollgate::verdict::evidence::{BetSide, BlockRule, EarlyRule, ExceedanceSlots};

use crate::rules::{self, Decided};
use crate::series::{ALL, FIRST, Load, Shape, rounded};

const SEED: u64 = 15;

/// How often a rule decided each way.
#[derive(Debug, Clone, Copy, Default)]
struct Rates {
    pass: u32,
    fail: u32,
    runs: u32,
    /// The lengths of the runs, each as a part of the planned one, added up.
    lengths: f64,
}

impl Rates {
    /// Adds a run of the planned length.
    fn add(&mut self, decided: Decided) {
        self.add_ended(decided, 1.0);
    }

    /// Adds a run that ended at a part of its planned length.
    fn add_ended(&mut self, decided: Decided, length: f64) {
        self.runs += 1;
        self.lengths += length;
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

    /// The mean length of a run in percent of the planned one.
    fn length(self) -> String {
        format!("{:.0}", 100.0 * self.lengths / f64::from(self.runs))
    }
}

/// The rates of one cell, in the order of [`RULES`].
type CellRates = [Rates; 6];

/// The rates of all rules in one cell, in the order of [`RULES`]. The stall horizon is 1 s.
fn cell(shape: Shape, load: Load, allowed: f64, runs: u64) -> CellRates {
    let allowed = Ratio::new(allowed).unwrap_or(Ratio::ONE);
    let rule = BlockRule { error_rate: ErrorRate::STATED, horizon: rounded(load.rate), budgets: 1 };
    let early = EarlyRule { rule, planned: load.exchanges() };
    let cell = [load.rate, load.seconds, load.share].map(f64::to_bits);
    let seed = cell.iter().fold(SEED, |seed, bits| seed.rotate_left(21) ^ bits);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rates = CellRates::default();
    for _ in 0..runs {
        let slots = shape.draw(load, &mut random);
        let counts = ExceedanceSlots::new(slots.iter().copied(), 1.0);
        let total = counts.total();
        rates[0].add(rules::old(total, allowed));
        let at_end = rules::blocks(&counts, rule, allowed);
        rates[1].add(at_end);
        let ended = |side| rules::stops_early(&slots, side, early, allowed);
        let (fail, pass) = (ended(BetSide::Fail), ended(BetSide::Pass));
        let part = |slots: usize| slots as f64 / early.planned as f64;
        let with_fails = fail.map_or((at_end, 1.0), |slots| (Decided::Fail, part(slots)));
        rates[4].add_ended(with_fails.0, with_fails.1);
        // Both sides are never clear after the same block.
        let with_both = match pass.filter(|pass| fail.is_none_or(|fail| *pass < fail)) {
            Some(slots) => (Decided::Pass, part(slots)),
            None => with_fails,
        };
        rates[5].add_ended(with_both.0, with_both.1);
        rates[2].add(rules::point_estimate(total, allowed));
        rates[3].add(rules::peeking(&counts, rounded(2.0 * load.rate), allowed));
    }
    rates
}

const RULES: [&str; 6] = [
    "old rule",
    "blocks, decided at the end",
    "k6",
    "k6 abortOnFail",
    "blocks with early fails",
    "blocks with early fails and passes",
];

/// The table of the exact binomial test's errors at the allowed share: short and long runs.
pub(crate) fn at_the_allowed_share(runs: u64, allowed: f64) -> String {
    let loads = [(5.0, 37.0), (20.0, 60.0), (20.0, 300.0), (200.0, 300.0)];
    let row = |shape: Shape| {
        let cells = loads.map(|(rate, seconds)| {
            let load = Load { rate, seconds, share: allowed };
            cell(shape, load, allowed, runs)
        });
        (shape.name(), cells.to_vec())
    };
    let rows = rows(&FIRST, row);
    let heads = loads.map(|(rate, seconds)| format!("{rate}/s, {seconds} s"));
    text(&heads, &rows, &[0, 1, 4, 5, 2, 3])
}

/// The tables of all rules at several multiples of the allowed share.
pub(crate) fn around_the_allowed_share(runs: u64, allowed: f64) -> String {
    let mut loads = Vec::new();
    for seconds in [120.0, 300.0] {
        for multiple in [0.2, 0.5, 1.0, 2.0] {
            loads.push((seconds, multiple));
        }
    }
    let row = |shape: Shape| {
        let cells = loads.iter().map(|&(seconds, multiple)| {
            let load = Load { rate: 20.0, seconds, share: allowed * multiple };
            cell(shape, load, allowed, runs)
        });
        (shape.name(), cells.collect())
    };
    let rows = rows(&ALL, row);
    let head = |(seconds, multiple): &(f64, f64)| format!("{multiple} ×, {seconds} s");
    let heads: Vec<_> = loads.iter().map(head).collect();
    text(&heads, &rows, &[1, 4, 5, 0, 2, 3]) + &lengths(&heads, &rows, &[4, 5])
}

/// A row of tables: a kind of series, and its cells.
type Row = (String, Vec<CellRates>);

/// The rows of the shapes, each made on a thread of its own: one row takes minutes.
fn rows(shapes: &[Shape], row: impl Fn(Shape) -> Row + Sync) -> Vec<Row> {
    let row = &row;
    std::thread::scope(|scope| {
        let threads: Vec<_> = shapes.iter().map(|&shape| scope.spawn(move || row(shape))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Row>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}

fn text(heads: &[String], rows: &[Row], which: &[usize]) -> String {
    tables(heads, rows, which, "pass % / fail %", Rates::text)
}

/// How long runs last under rules that may end them early.
fn lengths(heads: &[String], rows: &[Row], which: &[usize]) -> String {
    tables(heads, rows, which, "mean length of a run in % of the planned one", Rates::length)
}

fn tables(
    heads: &[String],
    rows: &[Row],
    which: &[usize],
    unit: &str,
    cell: fn(Rates) -> String,
) -> String {
    let mut lines = Vec::new();
    for &rule in which {
        lines.push(format!("\n{}, {unit}\n", RULES[rule]));
        lines.push(format!("| | {} |", heads.join(" | ")));
        lines.push(format!("|---|{}", "--:|".repeat(heads.len())));
        for (name, cells) in rows {
            let texts: Vec<_> = cells.iter().map(|rates| cell(rates[rule])).collect();
            lines.push(format!("| {name} | {} |", texts.join(" | ")));
        }
    }
    lines.join("\n") + "\n"
}
