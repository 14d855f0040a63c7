//! One run for each cell, and the table of all.

use serde_json::Value;

use crate::Result;
use crate::cell::Cell;
use crate::processes::{Target, tollgate_run};
use crate::truth::{Figures, Millis, Truth};

/// How far off p95 and p99 may be: the larger of these.
const SHARE: f64 = 0.02;
const LEAST: Millis = 10.0;

/// What became of a cell.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) truth: Truth,
    pub(crate) ours: Figures,
    /// Requests that arrived while the target was frozen.
    pub(crate) sent_in_freezes: usize,
    /// How far off the cell was when it was run the first time, where it was run twice.
    at_first: Option<Off>,
}

/// By how much a quantile is off.
#[derive(Debug, Clone, Copy)]
struct Off {
    quantile: &'static str,
    by: Millis,
    of: Millis,
}

pub(crate) fn run(cell: &Cell) -> Result<Row> {
    let target = Target::start(cell.tls)?;
    let record = tollgate_run(target.folder(), &cell.scenario(&target.base_url, &target.ca()))?;
    let log = target.stop(cell.warmup())?;
    let row = Row {
        truth: log.truth(&cell.due(), cell.places())?,
        ours: figures(&record, log.count())?,
        sent_in_freezes: log.in_freezes(),
        at_first: None,
    };
    eprintln!("{}: {}", cell.name(), row.worst().words());
    Ok(row)
}

/// Runs a cell that is off once more, with the machine to itself: what others do on it is no error of the prober's.
pub(crate) fn run_again_if_off(cell: &Cell, first: Result<Row>) -> Result<Row> {
    let first = first?;
    if first.is_right() {
        return Ok(first);
    }
    Ok(Row { at_first: Some(first.worst()), ..run(cell)? })
}

/// What the record says, provided that it speaks of `count` exchanges that went well.
fn figures(record: &Value, count: usize) -> Result<Figures> {
    let measured = &record["measurement"]["scenarios"][0]["requests"][0]["measured"];
    let whole = |value: &Value| value.as_u64().and_then(|value| usize::try_from(value).ok());
    if whole(&measured["tally"]["ok"]) != Some(count) {
        return Err(format!("not {count} exchanges went well: {}", measured["tally"]).into());
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

impl Row {
    fn is_right(&self) -> bool {
        self.worst().weight() <= 1.0
    }

    fn worst(&self) -> Off {
        let (truth, ours) = (self.truth.figures, self.ours);
        let p95 = Off { quantile: "p95", by: ours.p95 - truth.p95, of: truth.p95 };
        let p99 = Off { quantile: "p99", by: ours.p99 - truth.p99, of: truth.p99 };
        if p95.weight() >= p99.weight() { p95 } else { p99 }
    }
}

impl Off {
    /// What it takes of what is allowed; above 1 is too much.
    fn weight(self) -> f64 {
        self.by.abs() / (self.of * SHARE).max(LEAST)
    }

    fn words(self) -> String {
        let Self { quantile, by, of } = self;
        format!("{quantile} {by:+.1} ms ({:+.1} %)", by / of * 100.0)
    }
}

/// Prints the table; says whether every cell is right.
pub(crate) fn print(cells: &[Cell], rows: &[Result<Row>]) -> bool {
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
            Ok(row) => println!("{start} {} |", cells_of(row)),
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

fn cells_of(row: &Row) -> String {
    let Row { truth: Truth { figures, due_in_freezes }, ours, sent_in_freezes, at_first } = row;
    let at_first = at_first.map(|off| format!("; at first {}", off.words())).unwrap_or_default();
    format!(
        "{due_in_freezes} ({sent_in_freezes}) | {} | {} | {} | {} | {}{at_first}",
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
