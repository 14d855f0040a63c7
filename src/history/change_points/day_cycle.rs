//! What the time of day and the weekday add to the values of a series.

use std::collections::VecDeque;

use super::spikes::median;
use super::weekdays::Weekdays;

/// A day is 24 hours of UTC.
pub(super) const DAY_SECONDS: i64 = 86_400;
/// Parts of a day: half hours.
const SLOTS: usize = 48;
/// Days that are kept.
const DAYS: usize = 28;
/// Fewest days in which the shape of a cycle is told from changes of level.
const FEWEST_DAYS: usize = 4;
/// A day counts if it has runs in this share of the half hours in which a usual day has runs.
const FULL_DAY: f64 = 0.5;
/// Fewest values that decide what a half hour adds. If it has fewer, those of the half hours around
/// it are added.
const FEWEST_VALUES: f64 = 20.0;
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

/// What is known of the cycle of the day.
#[derive(Debug, Clone, Copy)]
pub(super) enum DayCycle {
    /// Nothing, because the times of the runs are unknown.
    Unknown,
    /// No shape stands out from noise, or there are too few days.
    Unclear,
    /// What each half hour adds.
    Shape(DayShape),
}

/// What each half hour of the day and each weekday add, on the scale on which noise is added.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayShape {
    slots: [f64; SLOTS],
    weekdays: Weekdays,
}

/// The newest days of a series by half hours.
#[derive(Debug, Clone, Default)]
pub(super) struct DayTable {
    /// In order, the newest last.
    days: VecDeque<DayRow>,
}

#[derive(Debug, Clone)]
struct DayRow {
    /// Days after 1970.
    day: i64,
    slots: [SlotSum; SLOTS],
}

#[derive(Debug, Clone, Copy, Default)]
struct SlotSum {
    sum: f64,
    count: f64,
}

/// The mean of the values in one half hour of one day.
#[derive(Debug, Clone, Copy)]
struct DayCell {
    slot: usize,
    mean: f64,
    count: f64,
}

/// A day with runs in enough half hours.
#[derive(Debug)]
struct FullDay {
    day: i64,
    cells: Vec<DayCell>,
}

impl DayTable {
    /// Adds the value of a run that started so many seconds after 1970 (UTC).
    pub(super) fn add(&mut self, started: i64, value: f64) {
        let day = started.div_euclid(DAY_SECONDS);
        let place = self.days.partition_point(|row| row.day < day);
        if self.days.get(place).is_none_or(|row| row.day != day) {
            self.days.insert(place, DayRow { day, slots: [SlotSum::default(); SLOTS] });
        }
        let slot = &mut self.days[place].slots[slot_of(started)];
        slot.sum += value;
        slot.count += 1.0;
        let surplus = self.days.len().saturating_sub(DAYS);
        self.days.drain(..surplus);
    }

    /// The cycle of the newest days.
    ///
    /// Days and half hours are fitted to each other by medians (the median polish of Tukey,
    /// "Exploratory data analysis", 1977). A change of level belongs to the days, so it does not
    /// disturb the half hours.
    pub(super) fn cycle(&self) -> DayCycle {
        if self.days.is_empty() {
            return DayCycle::Unknown;
        }
        let days = self.full_days();
        if days.len() < FEWEST_DAYS {
            return DayCycle::Unclear;
        }
        let mut shape = DayShape { slots: [0.0; SLOTS], weekdays: Weekdays::default() };
        let mut without_levels = Vec::new();
        for _ in 0..ROUNDS {
            without_levels = days.iter().flat_map(|day| shape.without_level(day)).collect();
            shape.slots = slots_of(&without_levels);
        }
        let levels: Vec<(i64, f64)> = days.iter().map(|day| (day.day, shape.level(day))).collect();
        let weekdays = Weekdays::of(&levels);
        if !shape.stands_out(&without_levels, days.len()) {
            shape.slots = [0.0; SLOTS];
            if weekdays.is_none() {
                return DayCycle::Unclear;
            }
        }
        shape.weekdays = weekdays.unwrap_or_default();
        DayCycle::Shape(shape)
    }

    /// The days with runs in enough half hours.
    fn full_days(&self) -> Vec<FullDay> {
        let cells = |row: &DayRow| -> FullDay {
            let filled = row.slots.iter().enumerate().filter(|(_, sum)| sum.count > 0.0);
            let cell = |(slot, SlotSum { sum, count }): (usize, &SlotSum)| DayCell {
                slot,
                mean: sum / count,
                count: *count,
            };
            FullDay { day: row.day, cells: filled.map(cell).collect() }
        };
        let mut days: Vec<FullDay> = self.days.iter().map(cells).collect();
        let usual = median(days.iter().map(|day| day.cells.len() as f64));
        // With one run a day there is no cycle to see.
        days.retain(|day| day.cells.len() > 1 && day.cells.len() as f64 >= FULL_DAY * usual);
        days
    }
}

impl DayShape {
    /// What the time of a run adds.
    pub(super) fn at(&self, started: i64) -> f64 {
        self.slots[slot_of(started)] + self.weekdays.at(started.div_euclid(DAY_SECONDS))
    }

    /// The level of a day.
    fn level(&self, day: &FullDay) -> f64 {
        median(day.cells.iter().map(|cell| self.distance(cell)))
    }

    /// The cells of a day without the day's level.
    fn without_level(&self, day: &FullDay) -> Vec<DayCell> {
        let level = self.level(day);
        day.cells.iter().map(|cell| DayCell { mean: cell.mean - level, ..*cell }).collect()
    }

    /// Whether the shape explains clearly more than it would in noise: an F test of all half hours,
    /// or the one that adds most.
    fn stands_out(&self, cells: &[DayCell], days: usize) -> bool {
        let values: f64 = cells.iter().map(|cell| cell.count).sum();
        let slots = (0..SLOTS).filter(|slot| cells.iter().any(|cell| cell.slot == *slot)).count();
        let fitted = (slots as f64 - 1.0).min(values / FEWEST_VALUES);
        let free = cells.len() as f64 - fitted - days as f64;
        if fitted <= 0.0 || free <= 0.0 {
            return false;
        }
        let limit = FARTHEST * median(cells.iter().map(|cell| self.distance(cell).abs()));
        let left = cells.iter().map(|cell| self.distance(cell).clamp(-limit, limit).powi(2));
        let variance = left.sum::<f64>() / free;
        let explained: f64 = cells.iter().map(|cell| self.slots[cell.slot].powi(2)).sum();
        let largest = self.slots.iter().map(|added| added.powi(2)).fold(0.0, f64::max);
        explained > EXPLAINED * fitted * variance
            || largest * days as f64 > OUTSTANDING.powi(2) * variance
    }

    /// How far a cell is above the shape.
    fn distance(&self, cell: &DayCell) -> f64 {
        cell.mean - self.slots[cell.slot]
    }
}

/// The median of each half hour.
fn slots_of(cells: &[DayCell]) -> [f64; SLOTS] {
    let mut means = [const { Vec::new() }; SLOTS];
    let mut counts = [0.0; SLOTS];
    for cell in cells {
        means[cell.slot].push(cell.mean);
        counts[cell.slot] += cell.count;
    }
    let around = |slot: usize| {
        let (mut near, mut count) = (means[slot].clone(), counts[slot]);
        for distance in 1..=SLOTS / 2 {
            if count >= FEWEST_VALUES {
                break;
            }
            for other in [(slot + distance) % SLOTS, (slot + SLOTS - distance) % SLOTS] {
                near.extend(&means[other]);
                count += counts[other];
            }
        }
        median(near)
    };
    std::array::from_fn(around)
}

/// The half hour of the day.
fn slot_of(started: i64) -> usize {
    let second = started.rem_euclid(DAY_SECONDS);
    usize::try_from(second * SLOTS as i64 / DAY_SECONDS).unwrap_or_default()
}
