//! The period of a history and the one before it, by local days.

use time::{Date, OffsetDateTime};

use super::NamedZone;

/// The period of a history, and what is needed to divide it.
#[derive(Debug, Clone)]
pub struct HistoryScope {
    /// The first moment of the period.
    pub since: OffsetDateTime,
    /// The first moment after the period.
    pub until: OffsetDateTime,
    /// The end of what is over: a lack of runs in the current day or hour is no gap yet.
    pub over_until: OffsetDateTime,
    /// The zone of hours, weekdays and weeks.
    pub zone: NamedZone,
}

/// A local day within one of two compared periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayPart {
    /// Whether it lies in the later period. A day in which the later period starts has two parts.
    pub is_current: bool,
    /// The day.
    pub day: Date,
}

impl HistoryScope {
    /// The part of a day that a moment is in.
    pub fn part_of(&self, at: OffsetDateTime) -> DayPart {
        DayPart { is_current: at >= self.since, day: self.zone.local(at).date() }
    }

    /// Whether a part is the whole day, given the start of the earlier period (`None`: without
    /// start).
    pub fn is_whole(&self, part: DayPart, earliest: Option<OffsetDateTime>) -> bool {
        let start = self.zone.start_of_day(part.day);
        let next = part.day.next_day().map(|next| self.zone.start_of_day(next));
        let ends_by = |limit| next.is_some_and(|next| next <= limit);
        if part.is_current {
            start >= self.since && ends_by(self.until)
        } else {
            earliest.is_none_or(|earliest| start >= earliest) && ends_by(self.since)
        }
    }
}
