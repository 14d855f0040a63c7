//! Whether a few addresses or connections of several carry the exceedances of a budget.
//!
//! Nothing here changes a decision. The rule is in `docs/method.md`.

use super::binomial::{ErrorRate, ExceedanceCount};
use super::phrases::{list, part};
use crate::record::{PeerCounts, PeerMeasurement};
use crate::units::Ratio;

/// A suspect has at least this many exceedances.
const MIN_EXCEEDANCES: u64 = 3;
/// Suspects carry at least this share of all exceedances.
const MIN_SHARE: f64 = 2.0 / 3.0;
/// Suspects exceed at least this many times as often as the rest.
const MIN_RATIO: f64 = 3.0;
/// Maximum number of addresses in a sentence.
const NAMED: usize = 3;

/// What carries most of the exceedances, as a clause, and where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PeerBlame {
    pub(super) words: String,
    pub(super) remedy: &'static str,
}

/// Finds the addresses or connections that carry the exceedances; `None` if no few of them do.
///
/// `total` is what the budget judges, `count` the same of one peer, and `noun` names the
/// exceedances in the plural.
pub(super) fn explain(
    peers: &PeerMeasurement,
    total: ExceedanceCount,
    count: impl Fn(&PeerCounts) -> ExceedanceCount,
    noun: &str,
) -> Option<PeerBlame> {
    let addresses: Vec<_> =
        peers.addresses.iter().map(|(name, of)| (Some(name.as_str()), count(of))).collect();
    let slow = Suspects::among(&addresses, total, addresses.len());
    let connections = || peers.worst.iter().map(|one| (one.address.as_deref(), count(&one.counts)));
    let tests = usize::try_from(peers.connections).unwrap_or(usize::MAX);
    let on_connections = match &slow {
        None => Suspects::among(&connections().collect::<Vec<_>>(), total, tests),
        // One connection of a slow address is only named if the address's others are not slow.
        Some(Suspects { names, sum }) => {
            let mine = connections().filter(|(address, _)| names == &[*address]);
            Suspects::among(&mine.collect::<Vec<_>>(), *sum, tests)
        }
    };
    if let Some(few) = on_connections {
        return Some(of_connections(&few, peers.connections, total, noun));
    }
    slow.map(|slow| of_addresses(&slow, total, noun))
}

/// Peers that exceed clearly more often than the rest.
struct Suspects<'a> {
    names: Vec<Option<&'a str>>,
    sum: ExceedanceCount,
}

impl<'a> Suspects<'a> {
    /// The suspects among candidates, which carry `total` together with peers that are not
    /// candidates. `tests` is the number of all peers.
    fn among(
        candidates: &[(Option<&'a str>, ExceedanceCount)],
        total: ExceedanceCount,
        tests: usize,
    ) -> Option<Self> {
        let alpha = ErrorRate::SUSPICION.shared_by(tests);
        let is_suspect = |(name, count): &&(Option<&str>, ExceedanceCount)| {
            let of_exceedances = ExceedanceCount { over: count.over, of: total.over };
            *name != Some(PeerMeasurement::OTHERS)
                && (MIN_EXCEEDANCES..=total.over).contains(&count.over)
                && of_exceedances.proves_above(Ratio::of(count.of, total.of), alpha)
        };
        let mut suspects: Vec<_> = candidates.iter().filter(is_suspect).collect();
        suspects.sort_by_key(|(_, count)| std::cmp::Reverse(count.over));
        let sum = suspects.iter().map(|(_, count)| *count).sum();
        let names = suspects.into_iter().map(|(name, _)| *name).collect();
        carries_most(sum, total).then_some(Self { names, sum })
    }

    /// The known addresses, each once.
    fn distinct_names(&self) -> Vec<&'a str> {
        let mut distinct = Vec::new();
        for name in self.names.iter().flatten() {
            if !distinct.contains(name) {
                distinct.push(*name);
            }
        }
        distinct
    }
}

/// Whether a part carries most of the exceedances and exceeds far more often than the rest.
fn carries_most(part: ExceedanceCount, total: ExceedanceCount) -> bool {
    let rest = ExceedanceCount {
        over: total.over.saturating_sub(part.over),
        of: total.of.saturating_sub(part.of),
    };
    let rate = |count: ExceedanceCount| count.over as f64 / count.of as f64;
    part.over > 0
        && rest.of > 0
        && part.over as f64 >= MIN_SHARE * total.over as f64
        && rate(part) >= MIN_RATIO * rate(rest)
}

fn of_addresses(slow: &Suspects<'_>, total: ExceedanceCount, noun: &str) -> PeerBlame {
    PeerBlame {
        words: format!(
            "{} came from {}, which served {}",
            share(slow.sum.over, total.over, noun),
            list(&slow.distinct_names(), NAMED),
            part(slow.sum.of, total.of)
        ),
        remedy: if slow.names.len() == 1 {
            "compare what is at that address with the others: its log, version, load and distance"
        } else {
            "compare the servers at the named addresses with the others: logs, version, load and \
             distance"
        },
    }
}

fn of_connections(
    few: &Suspects<'_>,
    connections: u64,
    total: ExceedanceCount,
    noun: &str,
) -> PeerBlame {
    let names = few.distinct_names();
    let to = if names.is_empty() { String::new() } else { format!(" ({})", list(&names, NAMED)) };
    PeerBlame {
        words: format!(
            "{} are on {} of {connections} connections{to}, which carried {}",
            share(few.sum.over, total.over, noun),
            few.names.len(),
            part(few.sum.of, total.of)
        ),
        remedy: if few.names.len() == 1 {
            "find what that connection leads to: one worker process, or one instance behind a load \
             balancer"
        } else {
            "find out where the slow connections lead: to one worker process, or to one instance \
             behind a load balancer"
        },
    }
}

/// `47 of 50 exceedances`, `all 50 exceedances`.
fn share(part: u64, whole: u64, noun: &str) -> String {
    if part == whole { format!("all {whole} {noun}") } else { format!("{part} of {whole} {noun}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{CeilingCount, PeerConnection};

    /// Connections: their address, exceedances and exchanges.
    fn peers(connections: &[(&str, u64, u64)]) -> (PeerMeasurement, ExceedanceCount) {
        let mut peers = PeerMeasurement::default();
        let mut total = ExceedanceCount { over: 0, of: 0 };
        for &(address, exceeded, judged) in connections {
            let count = CeilingCount { judged, exceeded, ..CeilingCount::default() };
            let counts = PeerCounts { exchanges: judged, failed: 0, ceilings: vec![count] };
            let address = Some(address).filter(|address| !address.is_empty()).map(str::to_owned);
            peers.add_connection(PeerConnection { address, counts });
            total = ExceedanceCount { over: total.over + exceeded, of: total.of + judged };
        }
        (peers, total)
    }

    fn words(connections: &[(&str, u64, u64)]) -> Option<String> {
        blame(connections).map(|blame| blame.words)
    }

    fn blame(connections: &[(&str, u64, u64)]) -> Option<PeerBlame> {
        let (peers, total) = peers(connections);
        let first = |counts: &PeerCounts| {
            let count = counts.ceilings[0];
            ExceedanceCount { over: count.exceeded, of: count.judged }
        };
        explain(&peers, total, first, "exceedances")
    }

    #[test]
    fn an_address_that_carries_the_exceedances_is_named() {
        let two = [("10.0.0.1:80", 3, 250), ("10.0.0.2:80", 24, 250), ("10.0.0.2:80", 23, 250)];
        let four = [&two[..], &[("10.0.0.1:80", 0, 250)]].concat();
        assert_eq!(
            words(&four).unwrap(),
            "47 of 50 exceedances came from 10.0.0.2:80, which served 500 of 1000 requests"
        );
    }

    #[test]
    fn several_slow_addresses_are_named_together() {
        let mut all: Vec<(&str, u64, u64)> =
            vec![("10.0.0.1:80", 40, 100), ("10.0.0.2:80", 38, 100)];
        all.extend([("10.0.0.3:80", 1, 100), ("10.0.0.4:80", 0, 100), ("10.0.0.5:80", 2, 100)]);
        assert_eq!(
            words(&all).unwrap(),
            "78 of 81 exceedances came from 10.0.0.1:80 and 10.0.0.2:80, which served 200 of 500 \
             requests"
        );
    }

    #[test]
    fn one_slow_connection_of_an_address_is_named_instead_of_the_address() {
        let mut all = vec![("10.0.0.1:80", 0, 125); 4];
        all.extend([("10.0.0.2:80", 50, 125); 1]);
        all.extend([("10.0.0.2:80", 0, 125); 3]);
        assert_eq!(
            words(&all).unwrap(),
            "all 50 exceedances are on 1 of 8 connections (10.0.0.2:80), which carried 125 of \
             1000 requests"
        );
        let sessions = [("", 30, 100), ("", 1, 100), ("", 0, 100)];
        assert_eq!(
            words(&sessions).unwrap(),
            "30 of 31 exceedances are on 1 of 3 connections, which carried 100 of 300 requests"
        );
    }

    #[test]
    fn two_slow_connections_of_different_addresses_are_named_together() {
        let mut all = vec![("10.0.0.1:80", 50, 100), ("10.0.0.2:80", 40, 100)];
        all.extend([("10.0.0.1:80", 0, 100), ("10.0.0.2:80", 0, 100)].repeat(20));
        let found = blame(&all).unwrap();
        assert_eq!(
            found.words,
            "all 90 exceedances are on 2 of 42 connections (10.0.0.1:80 and 10.0.0.2:80), which \
             carried 200 of 4200 requests"
        );
        assert!(found.remedy.starts_with("find out where the slow connections lead"));
    }

    #[test]
    fn addresses_that_alternate_are_named_once_and_a_long_list_is_cut() {
        let of = |names| Suspects { names, sum: ExceedanceCount { over: 90, of: 200 } };
        let total = ExceedanceCount { over: 100, of: 1_000 };
        let alternating = of(["a:80", "b:80", "a:80", "b:80"].map(Some).to_vec());
        assert_eq!(
            of_connections(&alternating, 50, total, "exceedances").words,
            "90 of 100 exceedances are on 4 of 50 connections (a:80 and b:80), which carried 200 \
             of 1000 requests"
        );
        let many = of(["a:80", "b:80", "c:80", "d:80", "e:80"].map(Some).to_vec());
        let blame = of_addresses(&many, total, "exceedances");
        assert!(blame.words.contains("came from a:80, b:80, c:80 and 2 more, which served"));
        assert!(blame.remedy.starts_with("compare the servers at the named addresses"));
    }

    #[test]
    fn the_sum_of_the_remaining_addresses_is_not_named() {
        let names: Vec<String> = (0..66).map(|port| format!("10.0.0.1:{port}")).collect();
        let exceeded = |at| if at < 64 { 0 } else { 50 };
        let all: Vec<_> =
            names.iter().enumerate().map(|(at, name)| (name.as_str(), exceeded(at), 100)).collect();
        let (mut peers, total) = peers(&all);
        assert_eq!(peers.addresses[PeerMeasurement::OTHERS].ceilings[0].exceeded, 100);
        peers.worst.clear();
        let first = |counts: &PeerCounts| {
            let count = counts.ceilings[0];
            ExceedanceCount { over: count.exceeded, of: count.judged }
        };
        assert_eq!(explain(&peers, total, first, "exceedances"), None);
    }

    #[test]
    fn the_slow_connection_for_which_the_others_wait_is_found_without_the_wait() {
        let mut peers = PeerMeasurement::default();
        for at in 0..8 {
            let (judged, exceeded, exceeded_without_wait) =
                if at == 3 { (12, 10, 10) } else { (100, 80, 0) };
            let count =
                CeilingCount { judged, exceeded, exceeded_without_wait, ..Default::default() };
            let counts = PeerCounts { exchanges: judged, failed: 0, ceilings: vec![count] };
            peers.add_connection(PeerConnection { address: Some("10.0.0.1:80".into()), counts });
        }
        let count = |counts: &PeerCounts| {
            let count = counts.ceilings[0];
            ExceedanceCount { over: count.exceeded_without_wait, of: count.judged }
        };
        let total = ExceedanceCount { over: 10, of: 712 };
        assert_eq!(
            explain(&peers, total, count, "exceedances that waiting does not explain")
                .unwrap()
                .words,
            "all 10 exceedances that waiting does not explain are on 1 of 8 connections \
             (10.0.0.1:80), which carried 12 of 712 requests"
        );
    }

    #[test]
    fn an_even_share_or_too_few_exceedances_name_nothing() {
        for even in [
            &[("10.0.0.1:80", 50, 500), ("10.0.0.2:80", 61, 500)][..],
            &[("10.0.0.1:80", 4, 10), ("10.0.0.2:80", 0, 10)],
            &[("10.0.0.1:80", 300, 300)],
            &[("10.0.0.1:80", 95, 950), ("10.0.0.2:80", 5, 50)],
            // Each exchange on a connection of its own.
            &[[("10.0.0.1:80", 1, 1); 30], [("10.0.0.1:80", 0, 1); 30]].concat(),
        ] {
            assert_eq!(words(even), None, "{even:?}");
        }
    }

    #[test]
    fn chance_alone_rarely_names_an_address() {
        // 50 exceedances among 1,000 exchanges of 8 addresses, dealt by a linear generator.
        let mut state = 7_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let names: Vec<String> = (0..8).map(|last| format!("10.0.0.{last}:80")).collect();
        let found = (0..2_000)
            .filter(|_| {
                let mut over = [0; 8];
                (0..50).for_each(|_| over[usize::try_from(draw(8)).unwrap()] += 1);
                let all: Vec<_> =
                    names.iter().zip(over).map(|(name, over)| (name.as_str(), over, 125)).collect();
                words(&all).is_some()
            })
            .count();
        assert_eq!(found, 0);
    }
}
