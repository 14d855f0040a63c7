//! Runs the cells and prints the table.

use serde_json::Value;

use crate::Result;
use crate::cell::Cell;
use crate::processes::{Target, run_scenario};
use crate::truth::{Figures, Millis, Truth};

/// How far off p95 and p99 may be: the larger of the two.
const SHARE: f64 = 0.02;
const LEAST: Millis = 10.0;

/// The result of a cell.
#[derive(Debug)]
pub(crate) struct CellResult {
    pub(crate) truth: Truth,
    pub(crate) ours: Figures,
    /// Requests that arrived while the target was frozen.
    pub(crate) sent_in_freezes: usize,
    /// The deviation of the first run, if the cell ran twice.
    first_deviation: Option<Deviation>,
}

/// By how much a quantile differs from the oracle's.
#[derive(Debug, Clone, Copy)]
struct Deviation {
    quantile: &'static str,
    by: Millis,
    of: Millis,
}

pub(crate) fn run(cell: &Cell) -> Result<CellResult> {
    let target = Target::start(cell.tls)?;
    let record = run_scenario(target.folder(), &cell.scenario(&target.base_url, &target.ca()))?;
    let log = target.stop(cell.warmup())?;
    let row = CellResult {
        truth: log.truth(&cell.due(), cell.slots())?,
        ours: figures(&record, log.count())?,
        sent_in_freezes: log.in_freezes(),
        first_deviation: None,
    };
    eprintln!("{}: {}", cell.name(), row.worst().words());
    Ok(row)
}

/// Repeats a cell that is off, with the machine to itself: load from other cells is not the
/// prober's error.
pub(crate) fn run_again_if_off(cell: &Cell, first: Result<CellResult>) -> Result<CellResult> {
    let first = first?;
    if first.is_right() {
        return Ok(first);
    }
    Ok(CellResult { first_deviation: Some(first.worst()), ..run(cell)? })
}

/// The figures of a record, which must have `count` successful exchanges.
fn figures(record: &Value, count: usize) -> Result<Figures> {
    let measured = &record["measurement"]["scenarios"][0]["requests"][0]["measured"];
    let whole = |value: &Value| value.as_u64().and_then(|value| usize::try_from(value).ok());
    if whole(&measured["tally"]["ok"]) != Some(count) {
        return Err(
            format!("{count} exchanges should have succeeded: {}", measured["tally"]).into()
        );
    }
    let quantile = |name: &str| {
        let micros = measured["series"]["latency"][name].as_f64();
        micros.map(|micros| micros / 1e3).ok_or_else(|| format!("no {name} in the record"))
    };
    Ok(Figures {
        p50: quantile("p50_us")?,
        p95: quantile("p95_us")?,
        p99: quantile("p99_us")?,
        max: quantile("max_us")?,
        slow: whole(&measured["tally"]["ceilings"][0]["exceeded"])
            .ok_or("no ceiling in the record")?,
    })
}

impl CellResult {
    fn is_right(&self) -> bool {
        self.worst().weight() <= 1.0
    }

    fn worst(&self) -> Deviation {
        let (truth, ours) = (self.truth.figures, self.ours);
        let p95 = Deviation { quantile: "p95", by: ours.p95 - truth.p95, of: truth.p95 };
        let p99 = Deviation { quantile: "p99", by: ours.p99 - truth.p99, of: truth.p99 };
        if p95.weight() >= p99.weight() { p95 } else { p99 }
    }
}

impl Deviation {
    /// The share of the tolerance that it uses up; above 1 is too much.
    fn weight(self) -> f64 {
        self.by.abs() / (self.of * SHARE).max(LEAST)
    }

    fn words(self) -> String {
        let Self { quantile, by, of } = self;
        format!("{quantile} {by:+.1} ms ({:+.1} %)", by / of * 100.0)
    }
}

/// Prints the table and returns whether every cell is right.
pub(crate) fn print(cells: &[Cell], rows: &[Result<CellResult>]) -> bool {
    if cells.is_empty() {
        return true;
    }
    println!(
        "| schedule | connections | HTTP | due in freezes (sent) | 100 ms or slower: oracle | tollgate \
         | p50 / p95 / p99 / max, ms: oracle | tollgate | worst of p95 and p99 |\n\
         |---|--:|---|--:|--:|--:|--:|--:|--:|"
    );
    for (cell, row) in cells.iter().zip(rows) {
        let tls = if cell.tls { ", TLS" } else { "" };
        let start = format!("| {} | {} | {}{tls} |", cell.arrivals.word(), cell.limit(), cell.http);
        match row {
            Ok(row) => println!("{start} {} |", columns(row)),
            Err(error) => println!("{start} {error} | | | | | |"),
        }
    }
    let right = rows.iter().flatten().filter(|row| row.is_right()).count();
    println!(
        "\n{right} of {} cells have p95 and p99 within {:.0} % or {LEAST:.0} ms of the oracle.",
        cells.len(),
        SHARE * 100.0
    );
    right == cells.len()
}

fn columns(row: &CellResult) -> String {
    let CellResult {
        truth: Truth { figures, due_in_freezes },
        ours,
        sent_in_freezes,
        first_deviation,
    } = row;
    let first =
        first_deviation.map(|off| format!("; at first {}", off.words())).unwrap_or_default();
    format!(
        "{due_in_freezes} ({sent_in_freezes}) | {} | {} | {} | {} | {}{first}",
        figures.slow,
        ours.slow,
        quantiles(figures),
        quantiles(ours),
        row.worst().words()
    )
}

fn quantiles(figures: &Figures) -> String {
    let Figures { p50, p95, p99, max, .. } = figures;
    format!("{p50:.1} / {p95:.0} / {p99:.0} / {max:.0}")
}
