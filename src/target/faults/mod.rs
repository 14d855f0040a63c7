//! Faults of an answer, one path each: `/fault/reset`, `/fault/endless` and so on.

mod cut;
mod endless;
mod http2;
mod nonsense;
mod slow;
mod wrong;

use super::page::TargetPage;

/// Number of faults.
const COUNT: usize = 26;

/// Every fault, in listing order.
pub(super) static ALL: [&TargetPage; COUNT] = [
    &cut::RESET,
    &cut::RESET_BODY,
    &cut::CLOSE,
    &cut::TRUNCATED,
    &cut::SHORT,
    &cut::LONG,
    &slow::HANG,
    &slow::HEADERS,
    &slow::BODY,
    &endless::BODY,
    &endless::HEADERS,
    &nonsense::GARBAGE,
    &nonsense::CHUNK,
    &nonsense::TWO_LENGTHS,
    &wrong::STATUS,
    &wrong::GZIP,
    &wrong::BOMB_PAGE,
    &wrong::LOOP,
    &wrong::AWAY,
    &http2::RESET_STREAM,
    &http2::RESET_STREAM_BODY,
    &http2::REFUSED_STREAM,
    &http2::GOAWAY,
    &http2::GOAWAY_BODY,
    &http2::PROTOCOL_ERROR,
    &http2::NO_WINDOW,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_has_a_path_of_its_own_below_fault() {
        let paths: BTreeSet<&str> = ALL.iter().map(|page| page.path).collect();
        assert_eq!(paths.len(), COUNT);
        assert!(ALL.iter().all(|page| page.is_fault() && !page.name().contains('/')));
    }
}
