//! A request's exchanges and exceedances by remote address.

use crate::record::{Ceiling, CeilingCount, Dimension, PeerCounts, RequestMeasurement};
use crate::units::format_duration;

use super::words;

/// One row for each remote address of a request; empty if it had fewer than two.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct PeerTable {
    /// The head of each column: address, requests, failures, then one for each ceiling.
    pub(in crate::report) heads: Vec<String>,
    /// The cells of each row, the address with the most exceedances first.
    pub(in crate::report) rows: Vec<Vec<String>>,
}

impl PeerTable {
    /// The addresses that carried the measured exchanges of a request.
    pub(super) fn new(request: &RequestMeasurement) -> Self {
        let addresses = &request.peers.addresses;
        if addresses.len() < 2 {
            return Self::default();
        }
        let heads = ["address", "requests", "failed"].map(str::to_owned);
        let heads = heads.into_iter().chain(request.ceilings.iter().map(head)).collect();
        let mut ranked: Vec<_> = addresses.iter().collect();
        ranked.sort_by_key(|(_, counts)| std::cmp::Reverse(over(counts)));
        let rows = ranked.into_iter().map(|(name, counts)| row(name, counts, &request.ceilings));
        Self { heads, rows: rows.collect() }
    }
}

/// `≥ 300 ms`, `≥ 100 ms in first_byte`.
fn head(ceiling: &Ceiling) -> String {
    let limit = format_duration(ceiling.limit);
    match ceiling.dimension {
        Dimension::Latency => format!("≥ {limit}"),
        other => format!("≥ {limit} in {other}"),
    }
}

fn over(counts: &PeerCounts) -> u64 {
    counts.ceilings.iter().map(|count| count.exceeded).max().unwrap_or(0).max(counts.failed)
}

fn row(name: &str, counts: &PeerCounts, ceilings: &[Ceiling]) -> Vec<String> {
    let exceeded =
        |at: usize| counts.ceilings.get(at).map_or(0, |count: &CeilingCount| count.exceeded);
    let figures = [counts.exchanges, counts.failed].into_iter();
    let figures = figures.chain((0..ceilings.len()).map(exceeded)).map(words::count);
    std::iter::once(words::name(name)).chain(figures).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::PeerConnection;

    #[test]
    fn the_address_with_the_most_exceedances_is_first_and_one_address_needs_no_table() {
        let limit = Duration::from_millis(300);
        let ceilings = vec![
            Ceiling { dimension: Dimension::Latency, limit },
            Ceiling { dimension: Dimension::FirstByte, limit: limit / 3 },
        ];
        let mut request = RequestMeasurement::new("page".to_owned(), ceilings);
        let mut add = |address: &str, exceeded: u64| {
            let count = CeilingCount { judged: 1_500, exceeded, ..CeilingCount::default() };
            let counts = PeerCounts { exchanges: 1_500, failed: 1, ceilings: vec![count; 2] };
            let address = Some(address.to_owned());
            request.peers.add_connection(PeerConnection { address, counts });
            PeerTable::new(&request)
        };
        assert!(add("10.0.0.1:80", 2).rows.is_empty());
        let table = add("10.0.0.2:80", 70);
        assert_eq!(
            table.heads,
            ["address", "requests", "failed", "≥ 300 ms", "≥ 100 ms in first_byte"]
        );
        assert_eq!(table.rows[0], ["10.0.0.2:80", "1,500", "1", "70", "70"]);
        assert_eq!(table.rows[1][0], "10.0.0.1:80");
    }
}
