//! What the time of day and the weekday add to the values of a series.

use std::collections::VecDeque;

use super::slot_shape::{DayCell, FullDay, SLOTS, SlotShape};
use super::spikes::median;
use super::weekdays::{WeekdayLevels, is_weekend};

/// A day is 24 hours of UTC.
pub(super) const DAY_SECONDS: i64 = 86_400;
/// The length of each of the [`SLOTS`] of a day.
const SLOT_SECONDS: i64 = 1_800;
/// Days that are kept.
const DAYS: usize = 28;
/// Fewest days in which the shape of a cycle is told from changes of level.
const FEWEST_DAYS: usize = 4;
/// A day counts if it has runs in this share of the half hours in which a usual day has runs.
const FULL_DAY: f64 = 0.5;

/// What is known of the cycles.
#[derive(Debug, Clone)]
pub(super) enum DayCycle {
    /// Nothing, because the times of the runs are unknown, or in one half hour of the day.
    Unknown,
    /// No shape stands out from noise, or there are too few days.
    Unclear,
    /// What each time adds.
    Shape(Box<DayShape>),
}

/// What each half hour of the day and each weekday add, on the scale on which noise is added.
#[derive(Debug, Clone, Copy)]
pub(super) struct DayShape {
    working_day: SlotShape,
    weekend: SlotShape,
    weekdays: WeekdayLevels,
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
    /// Values that have no logarithm, in addition to those.
    zeros: f64,
}

impl DayTable {
    /// Adds the value of a run that started so many seconds after 1970 (UTC), `None` for a zero
    /// that has no logarithm.
    pub(super) fn add(&mut self, started: i64, value: Option<f64>) {
        let day = started.div_euclid(DAY_SECONDS);
        let place = self.days.partition_point(|row| row.day < day);
        if self.days.get(place).is_none_or(|row| row.day != day) {
            self.days.insert(place, DayRow { day, slots: [SlotSum::default(); SLOTS] });
        }
        let slot = &mut self.days[place].slots[slot_of(started)];
        match value {
            Some(value) => (slot.sum, slot.count) = (slot.sum + value, slot.count + 1.0),
            None => slot.zeros += 1.0,
        }
        let surplus = self.days.len().saturating_sub(DAYS);
        self.days.drain(..surplus);
    }

    /// The cycles of the newest days. `zero` is the logarithm that zeros are given.
    pub(super) fn cycle(&self, zero: f64) -> DayCycle {
        let unclear = if self.used_slots() > 1 { DayCycle::Unclear } else { DayCycle::Unknown };
        let days = self.full_days(zero);
        if days.len() < FEWEST_DAYS {
            return unclear;
        }
        let shapes = day_shapes(&days);
        let [working_day, weekend] = shapes.unwrap_or([SlotShape::FLAT; 2]);
        let level = |day: &FullDay| {
            let shape = if is_weekend(day.day) { &weekend } else { &working_day };
            (day.day, shape.level(day))
        };
        let weekdays = WeekdayLevels::of(&days.iter().map(level).collect::<Vec<_>>());
        if shapes.is_none() && weekdays.is_none() {
            return unclear;
        }
        let weekdays = weekdays.unwrap_or_default();
        DayCycle::Shape(Box::new(DayShape { working_day, weekend, weekdays }))
    }

    /// How many half hours have runs on any day.
    fn used_slots(&self) -> usize {
        let is_used = |slot: &usize| self.days.iter().any(|row| row.slots[*slot].all() > 0.0);
        (0..SLOTS).filter(is_used).count()
    }

    /// The days with runs in enough half hours.
    fn full_days(&self, zero: f64) -> Vec<FullDay> {
        let mut days: Vec<FullDay> = self.days.iter().map(|row| row.cells(zero)).collect();
        let usual = median(days.iter().map(|day| day.cells.len() as f64));
        days.retain(|day| day.cells.len() as f64 >= FULL_DAY * usual);
        days
    }
}

impl DayRow {
    /// The half hours with runs.
    fn cells(&self, zero: f64) -> FullDay {
        let cell = |(slot, sum): (usize, &SlotSum)| {
            let (count, mean) = (sum.all(), (sum.sum + sum.zeros * zero) / sum.all());
            (count > 0.0).then_some(DayCell { slot, mean, count })
        };
        FullDay { day: self.day, cells: self.slots.iter().enumerate().filter_map(cell).collect() }
    }
}

impl SlotSum {
    /// How many values there are, zeros included.
    fn all(&self) -> f64 {
        self.count + self.zeros
    }
}

/// The shape of working days and that of weekends, which are the same as long as they cannot be
/// told apart; `None` without a shape.
fn day_shapes(days: &[FullDay]) -> Option<[SlotShape; 2]> {
    let all = SlotShape::of(days)?;
    let (weekends, working_days): (Vec<FullDay>, Vec<FullDay>) =
        days.iter().cloned().partition(|day| is_weekend(day.day));
    if weekends.len().min(working_days.len()) < FEWEST_DAYS {
        return Some([all; 2]);
    }
    let working_day = SlotShape::of(&working_days).unwrap_or(SlotShape::FLAT);
    let left: Vec<FullDay> = weekends.iter().map(|day| working_day.subtract_from(day)).collect();
    let difference = SlotShape::of(&left);
    Some(difference.map_or([all; 2], |other| [working_day, working_day.plus(&other)]))
}

impl DayShape {
    /// What the time of a run adds.
    pub(super) fn at(&self, started: i64) -> f64 {
        let day = started.div_euclid(DAY_SECONDS);
        let shape = if is_weekend(day) { &self.weekend } else { &self.working_day };
        shape.0[slot_of(started)] + self.weekdays.at(day)
    }
}

/// The half hour of the day.
fn slot_of(started: i64) -> usize {
    let second = started.rem_euclid(DAY_SECONDS);
    usize::try_from(second / SLOT_SECONDS).unwrap_or_default()
}
