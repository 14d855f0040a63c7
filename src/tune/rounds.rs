//! The order in which a session tries its configurations.
//!
//! Each round has every configuration once. The rounds are rows of Williams squares (E. J.
//! Williams, "Experimental designs balanced for the estimation of residual effects of treatments",
//! Australian Journal of Scientific Research A 2, 1949), whose configurations and rows are shuffled
//! by the seed. In a whole square (as many rounds as configurations, twice as many if their number
//! is odd) each configuration has each place in the round equally often, and follows each other one
//! equally often. So neither the time of day nor what ran before favours one of them. A random
//! order has this balance only over many rounds, and a session has few.
//!
//! If the rounds end before a square does, the balance is as good as a greedy choice makes it: the
//! next round is the unused row whose pairs of neighbours were the rarest so far, counted across
//! the ends of rounds, too. The order of a session's first rounds does not depend on how many
//! follow, so that a session may be resumed with more.

use std::collections::BTreeSet;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::record::session::Attempt;

/// One attempt that a session plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlannedAttempt {
    /// Its round, from 1.
    pub round: u32,
    /// The index of its configuration.
    pub configuration: usize,
}

/// Every attempt of a session, in the order in which they are made.
pub fn planned_attempts(configurations: usize, rounds: u32, seed: u64) -> Vec<PlannedAttempt> {
    let mut design = RoundDesign::new(configurations, seed);
    let of_round = |round| {
        let order = design.next_round();
        order.into_iter().map(move |configuration| PlannedAttempt { round, configuration })
    };
    (1..=rounds).flat_map(of_round).collect()
}

/// The planned attempts that were not made, or not completed, in their order.
pub fn remaining_attempts(planned: &[PlannedAttempt], made: &[Attempt]) -> Vec<PlannedAttempt> {
    let completed: BTreeSet<_> = made
        .iter()
        .filter(|attempt| attempt.problem.is_none())
        .map(|attempt| (attempt.round, attempt.configuration))
        .collect();
    let is_open = |one: &&PlannedAttempt| !completed.contains(&(one.round, one.configuration));
    planned.iter().filter(is_open).copied().collect()
}

/// The rounds of a session, one after the other.
struct RoundDesign {
    configurations: usize,
    random: ChaCha8Rng,
    /// Rows of the current square that were not used yet.
    rows: Vec<Vec<usize>>,
    /// How often each configuration followed each other one.
    followed: Vec<Vec<usize>>,
    /// The configuration of the last attempt.
    last: Option<usize>,
}

impl RoundDesign {
    fn new(configurations: usize, seed: u64) -> Self {
        Self {
            configurations,
            random: ChaCha8Rng::seed_from_u64(seed),
            rows: Vec::new(),
            followed: vec![vec![0; configurations]; configurations],
            last: None,
        }
    }

    fn next_round(&mut self) -> Vec<usize> {
        if self.rows.is_empty() {
            self.rows = self.shuffled_square();
        }
        let rarest = (0..self.rows.len()).min_by_key(|&row| self.repetitions(&self.rows[row]));
        let Some(rarest) = rarest else { return Vec::new() };
        let order = self.rows.remove(rarest);
        for (before, after) in neighbours(self.last, &order) {
            self.followed[before][after] += 1;
        }
        self.last = order.last().copied();
        order
    }

    /// How often the pairs of neighbours that a row adds were there before. A configuration that
    /// follows itself outweighs everything else.
    fn repetitions(&self, row: &[usize]) -> usize {
        let own = self.configurations * 100;
        neighbours(self.last, row)
            .map(|(before, after)| if before == after { own } else { self.followed[before][after] })
            .sum()
    }

    fn shuffled_square(&mut self) -> Vec<Vec<usize>> {
        let mut names: Vec<usize> = (0..self.configurations).collect();
        names.shuffle(&mut self.random);
        let mut rows = williams_square(self.configurations);
        for row in &mut rows {
            for place in row {
                *place = names[*place];
            }
        }
        rows.shuffle(&mut self.random);
        rows
    }
}

/// Each configuration of a round with the one before it, the end of the last round included.
fn neighbours(last: Option<usize>, row: &[usize]) -> impl Iterator<Item = (usize, usize)> {
    let before = last.into_iter().chain(row.iter().copied());
    let pairs = before.zip(row.iter().copied().skip(usize::from(last.is_none())));
    pairs.collect::<Vec<_>>().into_iter()
}

/// The rows of a Williams square of `size` symbols: the sequence 0, 1, n−1, 2, n−2 … shifted by 0
/// to n−1; if `size` is odd, also each row in reverse.
fn williams_square(size: usize) -> Vec<Vec<usize>> {
    let first = |place: usize| match place {
        0 => 0,
        place if place % 2 == 1 => place.div_ceil(2),
        place => size - place / 2,
    };
    let row = |shift: usize| (0..size).map(|place| (first(place) + shift) % size).collect();
    let mut rows: Vec<Vec<usize>> = (0..size).map(row).collect();
    if size % 2 == 1 && size > 1 {
        rows.extend(rows.clone().into_iter().map(|row| row.into_iter().rev().collect()));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::session::{CurveEnd, QuotaReading, StartKind};

    fn rounds_of(configurations: usize, rounds: u32, seed: u64) -> Vec<Vec<usize>> {
        let planned = planned_attempts(configurations, rounds, seed);
        let of = |round| planned.iter().filter(move |one| one.round == round);
        (1..=rounds).map(|round| of(round).map(|one| one.configuration).collect()).collect()
    }

    /// How often each configuration follows each other one within rounds, and has each place.
    fn counts(rounds: &[Vec<usize>], size: usize) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
        let mut followed = vec![vec![0; size]; size];
        let mut places = vec![vec![0; size]; size];
        for round in rounds {
            for (place, &configuration) in round.iter().enumerate() {
                places[configuration][place] += 1;
            }
            for pair in round.windows(2) {
                followed[pair[0]][pair[1]] += 1;
            }
        }
        (followed, places)
    }

    #[test]
    fn each_round_has_every_configuration_once() {
        for size in 1..=20 {
            for round in rounds_of(size, 45, 3) {
                let mut sorted = round.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..size).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_whole_square_balances_places_and_successions() {
        for size in 2..=20_usize {
            let times = if size % 2 == 0 { 1 } else { 2 };
            let rounds = rounds_of(size, u32::try_from(size).unwrap() * times, 11);
            let (followed, places) = counts(&rounds, size);
            assert!(places.iter().flatten().all(|&count| count == times), "{size}: {places:?}");
            for (before, row) in followed.iter().enumerate() {
                for (after, &count) in row.iter().enumerate() {
                    assert_eq!(count, if before == after { 0 } else { times }, "{size}");
                }
            }
        }
    }

    #[test]
    fn no_configuration_always_follows_the_same_one() {
        for size in 3..=20_usize {
            for seed in 0..5 {
                let (followed, _) = counts(&rounds_of(size, 3, seed), size);
                assert!(followed.iter().flatten().all(|&count| count <= 2), "{size}: {followed:?}");
            }
        }
    }

    #[test]
    fn the_first_rounds_do_not_depend_on_how_many_follow() {
        for size in [1, 2, 3, 4, 7, 20] {
            let long = planned_attempts(size, 50, 5);
            let short = planned_attempts(size, 4, 5);
            assert_eq!(long[..short.len()], short);
        }
    }

    #[test]
    fn the_seed_decides_the_order() {
        assert_eq!(planned_attempts(4, 6, 1), planned_attempts(4, 6, 1));
        assert_ne!(planned_attempts(4, 6, 1), planned_attempts(4, 6, 2));
        let firsts: BTreeSet<_> = (0..40).map(|seed| rounds_of(2, 1, seed)[0][0]).collect();
        assert_eq!(firsts.len(), 2);
    }

    #[test]
    fn attempts_that_were_not_completed_are_made_again() {
        let planned = planned_attempts(2, 2, 1);
        let mut made: Vec<_> = planned[..3].iter().map(attempt).collect();
        made[1].problem = Some("the machine did not start".to_owned());
        assert_eq!(remaining_attempts(&planned, &made), [planned[1], planned[3]]);
        made.push(attempt(&planned[1]));
        assert_eq!(remaining_attempts(&planned, &made), [planned[3]]);
        assert_eq!(remaining_attempts(&planned, &[]), planned);
    }

    fn attempt(planned: &PlannedAttempt) -> Attempt {
        Attempt {
            number: 1,
            round: planned.round,
            configuration: planned.configuration,
            started: time::OffsetDateTime::UNIX_EPOCH,
            cold_from: None,
            first_due: None,
            took: std::time::Duration::from_mins(1),
            machines_before: Vec::new(),
            machines_after: Vec::new(),
            machine: None,
            start: StartKind::Unknown,
            start_by_events: None,
            first: Vec::new(),
            curve: Vec::new(),
            curve_end: CurveEnd::Skipped,
            steady: None,
            quota: QuotaReading::NotKnown("no token".to_owned()),
            problem: None,
        }
    }

    #[test]
    fn nothing_is_planned_without_configurations_or_rounds() {
        assert!(planned_attempts(0, 3, 1).is_empty());
        assert!(planned_attempts(3, 0, 1).is_empty());
    }
}
