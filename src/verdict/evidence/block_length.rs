//! The block length that the data ask for.

use std::f64::consts::SQRT_2;

use super::chi_squared;
use super::exceedance_slots::{ExceedanceSlots, rounded_up};

/// Blocks are not lengthened beyond the length of which this many fill the run.
const FEWEST_BLOCKS: usize = 4;

/// The length in slots from which on blocks look independent, at least `horizon`.
///
/// If blocks are independent, the exceedances of a longer stretch vary as much per request as those
/// of a block. They vary more if they are correlated for longer than a block. So the length grows
/// by √2, rounded up to a slot, while the variance per request of any longer stretch exceeds
/// `χ²₀.₉₉(m−1)/(m−1)` times that of the blocks, where `m` stretches fill the run. Stretches are
/// longer than blocks by √2, 2, √8… and at most a quarter of the run, where the length ends too.
/// A. W. Lo and A. C. `MacKinlay`, *Stock market prices do not follow random walks: evidence from a
/// simple specification test* (1988).
///
/// The test cannot see a correlation that lasts longer than about a quarter of the run.
pub fn block_length(slots: &ExceedanceSlots, horizon: usize) -> usize {
    independent_length(slots.len(), horizon, |number| variance_per_request(slots, number))
}

/// The length from which on stretches of any series look independent: the rule of
/// [`block_length`]. `variance` is the variance per request, with its degrees of freedom, of a
/// number of equal parts of the `run`.
pub fn independent_length(
    run: usize,
    shortest: usize,
    variance: impl Fn(usize) -> Option<(f64, usize)>,
) -> usize {
    let longest = run / FEWEST_BLOCKS;
    let mut length = shortest.max(1);
    while length < longest && varies_more_in_longer(run, length, &variance) {
        length = rounded_up(length as f64 * SQRT_2).min(longest);
    }
    length
}

fn varies_more_in_longer(
    run: usize,
    length: usize,
    variance: &impl Fn(usize) -> Option<(f64, usize)>,
) -> bool {
    let Some((of_blocks, _)) = variance(run / length) else {
        return false;
    };
    numbers_of_longer(run, length).any(|number| {
        variance(number).is_some_and(|(longer, degrees)| {
            longer > of_blocks * chi_squared::percentile_99(degrees) / degrees as f64
        })
    })
}

/// How many stretches of each longer length fill a run of `run` slots, down to four. A finer
/// series of lengths would find more by chance.
fn numbers_of_longer(run: usize, length: usize) -> impl Iterator<Item = usize> {
    let longer =
        std::iter::successors(Some(length as f64 * SQRT_2), |longer| Some(longer * SQRT_2));
    let numbers = longer.map(move |longer| run / rounded_up(longer));
    numbers.take_while(|&number| number >= FEWEST_BLOCKS)
}

/// Variance of the exceedances of a part of the run, divided by its exchanges, with its degrees of
/// freedom. `None` if something was due in fewer than two parts.
fn variance_per_request(slots: &ExceedanceSlots, number: usize) -> Option<(f64, usize)> {
    let total = slots.total();
    let share = total.over as f64 / total.of as f64;
    let (mut squares, mut parts) = (0.0, 0_usize);
    for part in slots.equal_parts(number).filter(|part| part.of > 0) {
        let (over, of) = (part.over as f64, part.of as f64);
        squares += (over - share * of).powi(2) / of;
        parts += 1;
    }
    let degrees = parts.checked_sub(1).filter(|&degrees| degrees > 0)?;
    Some((squares / degrees as f64, degrees))
}

#[cfg(test)]
mod tests {
    use super::super::exceedance_slots::fixture::one_burst;
    use super::*;
    use crate::verdict::binomial::ExceedanceCount;

    /// 180 exceedances in a row of 2,400 requests, blocks of 20.
    #[test]
    fn one_long_burst_asks_for_longer_blocks() {
        for start in [0, 1000, 1200, 2220] {
            assert_eq!(block_length(&one_burst(2400, start, start + 180), 20), 85, "{start}");
        }
        for start in (0..2220).step_by(20) {
            let found = block_length(&one_burst(2400, start, start + 180), 20);
            assert!([60, 85, 121].contains(&found), "{start}: {found}");
        }
    }

    #[test]
    fn a_clean_run_and_one_short_burst_ask_for_none() {
        assert_eq!(block_length(&one_burst(2400, 0, 0), 20), 20);
        assert_eq!(block_length(&one_burst(2400, 100, 115), 20), 20);
    }

    /// A burst of half the run: from 121 slots on, four stretches are too few to show more.
    #[test]
    fn it_never_exceeds_a_quarter_of_the_run() {
        assert_eq!(block_length(&one_burst(2400, 300, 1500), 20), 121);
        for (run, horizon) in (4..400).flat_map(|run| [1, 5, 20].map(|horizon| (run, horizon))) {
            let found = block_length(&one_burst(run, run / 3, run / 2), horizon);
            assert!(found == horizon || 4 * found <= usize::try_from(run).unwrap(), "{run}");
        }
        assert_eq!(block_length(&one_burst(0, 0, 0), 20), 20);
    }

    #[test]
    fn slots_in_which_nothing_was_due_change_nothing() {
        let every_tenth = (0..24_000_u64).map(|at| {
            let due = u64::from(at % 10 == 0);
            ExceedanceCount { over: due * u64::from(at < 1800), of: due }
        });
        let found = block_length(&ExceedanceSlots::new(every_tenth, 0.1), 200);
        assert!((800..=1138).contains(&found), "{found}");
        let none_due = (0..2400).map(|_| ExceedanceCount { over: 0, of: 0 });
        assert_eq!(block_length(&ExceedanceSlots::new(none_due, 1.0), 20), 20);
    }
}
