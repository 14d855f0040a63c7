//! What the weekday adds to the level of a day.

use super::spikes::median;

const WEEK: usize = 7;
/// Days on each side with whose level a day is compared: together they are a week.
const NEIGHBOURS: i64 = 3;
/// Fewest days of each weekday.
const FEWEST_DAYS: usize = 2;
/// The weekdays must explain this many times the variance that they explain in noise.
const EXPLAINED: f64 = 6.0;

/// What each weekday adds, by the day after 1970 (UTC) modulo 7.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WeekdayLevels([f64; WEEK]);

impl WeekdayLevels {
    /// The median distance of each weekday from the median of the week around it. `levels` are days
    /// after 1970 and their levels, in order. `None` with too few weeks, or if it cannot be told
    /// from noise.
    pub(super) fn of(levels: &[(i64, f64)]) -> Option<Self> {
        let distances: Vec<(usize, f64)> = levels
            .iter()
            .filter_map(|(day, level)| {
                let near = levels.iter().filter(|(other, _)| (other - day).abs() <= NEIGHBOURS);
                let week: Vec<f64> = near.map(|(_, level)| *level).collect();
                (week.len() == WEEK).then(|| (weekday(*day), level - median(week)))
            })
            .collect();
        let mut by_weekday = [const { Vec::new() }; WEEK];
        for (weekday, distance) in &distances {
            by_weekday[*weekday].push(*distance);
        }
        if by_weekday.iter().any(|days| days.len() < FEWEST_DAYS) {
            return None;
        }
        let added = by_weekday.map(median);
        let left: f64 =
            distances.iter().map(|(at, distance)| (distance - added[*at]).powi(2)).sum();
        let explained: f64 = distances.iter().map(|(at, _)| added[*at].powi(2)).sum();
        let fitted = (WEEK - 1) as f64;
        let free = (distances.len() - WEEK) as f64;
        (explained / fitted > EXPLAINED * left / free).then_some(Self(added))
    }

    /// What the weekday of this day after 1970 adds.
    pub(super) fn at(&self, day: i64) -> f64 {
        self.0[weekday(day)]
    }
}

/// Whether a day after 1970 is a Saturday or a Sunday.
pub(super) fn is_weekend(day: i64) -> bool {
    // The first day of 1970 was a Thursday.
    matches!(weekday(day), 2 | 3)
}

fn weekday(day: i64) -> usize {
    usize::try_from(day.rem_euclid(7)).unwrap_or_default()
}
