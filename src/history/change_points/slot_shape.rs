//! What each half hour of a day adds.

use super::spikes::median;

/// Parts of a day: half hours.
pub(super) const SLOTS: usize = 48;
/// Fewest values that decide what a half hour adds. If it has fewer, those of the half hours around
/// it are added.
const FEWEST_VALUES: f64 = 20.0;
/// Fewest days that these values come from: what was slow on one day is not a cycle.
const FEWEST_DAYS: usize = 2;
/// Rounds in which days and half hours are fitted to each other.
const ROUNDS: usize = 3;
/// All half hours together must explain this many times the variance that they explain in noise. It
/// is more than 1 because they explain more in autocorrelated noise.
const EXPLAINED: f64 = 4.0;
/// A single half hour stands out by this many standard errors.
const OUTSTANDING: f64 = 5.0;
/// Distances from the fit are counted up to this many median distances: spikes are no reason to
/// doubt a shape.
const FARTHEST: f64 = 4.5;

/// The mean of the values in one half hour of one day.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayCell {
    pub(super) slot: usize,
    pub(super) mean: f64,
    pub(super) count: f64,
}

/// A day with runs in enough half hours.
#[derive(Debug, Clone)]
pub(super) struct FullDay {
    /// Days after 1970.
    pub(super) day: i64,
    pub(super) cells: Vec<DayCell>,
}

/// What each half hour adds, on the scale on which noise is added.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotShape(pub(super) [f64; SLOTS]);

impl SlotShape {
    /// Nothing.
    pub(super) const FLAT: Self = Self([0.0; SLOTS]);

    /// The shape of the days; `None` if it cannot be told from noise.
    ///
    /// Days and half hours are fitted to each other by medians (the median polish of Tukey,
    /// "Exploratory data analysis", 1977). A change of level belongs to the days, so it does not
    /// disturb the half hours.
    pub(super) fn of(days: &[FullDay]) -> Option<Self> {
        let mut shape = Self::FLAT;
        let mut cells = Vec::new();
        for _ in 0..ROUNDS {
            cells = days.iter().flat_map(|day| shape.without_level(day)).collect();
            shape = Self::fit(&cells);
        }
        shape.stands_out(&cells, days.len()).then_some(shape)
    }

    /// The level of a day.
    pub(super) fn level(&self, day: &FullDay) -> f64 {
        median(day.cells.iter().map(|cell| self.distance(cell)))
    }

    /// The day without the shape.
    pub(super) fn subtract_from(&self, day: &FullDay) -> FullDay {
        let cells = day.cells.iter().map(|cell| DayCell { mean: self.distance(cell), ..*cell });
        FullDay { cells: cells.collect(), ..*day }
    }

    /// Both shapes together.
    pub(super) fn plus(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|slot| self.0[slot] + other.0[slot]))
    }

    /// The cells of a day without the day's level.
    fn without_level(&self, day: &FullDay) -> Vec<DayCell> {
        let level = self.level(day);
        day.cells.iter().map(|cell| DayCell { mean: cell.mean - level, ..*cell }).collect()
    }

    /// The median of each half hour.
    fn fit(cells: &[DayCell]) -> Self {
        let mut means = [const { Vec::new() }; SLOTS];
        let mut counts = [0.0; SLOTS];
        for cell in cells {
            means[cell.slot].push(cell.mean);
            counts[cell.slot] += cell.count;
        }
        let around = |slot: usize| {
            let (mut near, mut count) = (means[slot].clone(), counts[slot]);
            // Each half hour has one mean a day.
            let mut days = near.len();
            for distance in 1..SLOTS / 2 {
                if count >= FEWEST_VALUES && days >= FEWEST_DAYS {
                    break;
                }
                for other in [(slot + distance) % SLOTS, (slot + SLOTS - distance) % SLOTS] {
                    near.extend(&means[other]);
                    count += counts[other];
                    days = days.max(means[other].len());
                }
            }
            median(near)
        };
        Self(std::array::from_fn(around))
    }

    /// Whether the shape explains clearly more than it would in noise: an F test of all half hours,
    /// or the one that adds most.
    fn stands_out(&self, cells: &[DayCell], days: usize) -> bool {
        let values: f64 = cells.iter().map(|cell| cell.count).sum();
        let mut of_slot = [0.0; SLOTS];
        for cell in cells {
            of_slot[cell.slot] += 1.0;
        }
        let slots = of_slot.iter().filter(|cells| **cells > 0.0).count();
        let fitted = (slots as f64 - 1.0).min(values / FEWEST_VALUES);
        let free = cells.len() as f64 - fitted - days as f64;
        if fitted <= 0.0 || free <= 0.0 {
            return false;
        }
        let limit = FARTHEST * median(cells.iter().map(|cell| self.distance(cell).abs()));
        let left = cells.iter().map(|cell| self.distance(cell).clamp(-limit, limit).powi(2));
        let variance = left.sum::<f64>() / free;
        let explained: f64 = cells.iter().map(|cell| self.0[cell.slot].powi(2)).sum();
        let of_each = self.0.iter().zip(of_slot).map(|(added, cells)| added.powi(2) * cells);
        explained > EXPLAINED * fitted * variance
            || of_each.fold(0.0, f64::max) > OUTSTANDING.powi(2) * variance
    }

    /// How far a cell is above the shape.
    fn distance(&self, cell: &DayCell) -> f64 {
        cell.mean - self.0[cell.slot]
    }
}
