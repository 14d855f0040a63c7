//! Times in a named time zone, from the database inside the program.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use time::{Date, OffsetDateTime, UtcOffset};

use crate::units::UnitError;
use crate::units::near::nearest;

/// A time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedZone {
    name: String,
    zone: TimeZone,
}

impl NamedZone {
    /// UTC.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// Its name in the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A moment in local time; in UTC if the calendar does not reach that far.
    pub fn local(&self, at: OffsetDateTime) -> OffsetDateTime {
        let offset = Timestamp::from_second(at.unix_timestamp())
            .ok()
            .map(|moment| self.zone.to_offset(moment).seconds())
            .and_then(|seconds| UtcOffset::from_whole_seconds(seconds).ok());
        offset.and_then(|offset| at.checked_to_offset(offset)).unwrap_or(at)
    }

    /// The first moment of a local day; if the clock skips midnight, the moment after the gap.
    pub fn start_of_day(&self, day: Date) -> OffsetDateTime {
        let utc = day.midnight().assume_utc();
        let civil = i16::try_from(day.year()).ok().and_then(|year| {
            let month = i8::try_from(u8::from(day.month())).ok()?;
            jiff::civil::DateTime::new(year, month, i8::try_from(day.day()).ok()?, 0, 0, 0, 0).ok()
        });
        civil
            .and_then(|civil| self.zone.to_timestamp(civil).ok())
            .and_then(|moment| OffsetDateTime::from_unix_timestamp(moment.as_second()).ok())
            .unwrap_or(utc)
    }
}

impl FromStr for NamedZone {
    type Err = UnitError;

    /// Reads a name of the database, in any case.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let database = TimeZoneDatabase::bundled();
        if let Ok(zone) = database.get(text) {
            let name = zone.iana_name().unwrap_or(text).to_owned();
            return Ok(Self { name, zone });
        }
        let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let remedy = nearest(text, &names).map_or_else(
            || "write a name of the IANA database, such as `Europe/Berlin` or `UTC`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        Err(UnitError::new(format!("unknown time zone `{text}`"), remedy))
    }
}

impl fmt::Display for NamedZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn local_times_follow_summer_time() {
        let berlin: NamedZone = "europe/berlin".parse().unwrap();
        assert_eq!(berlin.name(), "Europe/Berlin");
        for (utc, hour) in
            [(datetime!(2026-01-10 12:00 UTC), 13), (datetime!(2026-07-10 12:00 UTC), 14)]
        {
            assert_eq!(berlin.local(utc).hour(), hour);
        }
        assert_eq!(berlin.start_of_day(date!(2026 - 07 - 10)), datetime!(2026-07-09 22:00 UTC));
        assert_eq!(NamedZone::utc().local(datetime!(9999-12-31 23:59 UTC)).hour(), 23);
    }

    #[test]
    fn an_unknown_zone_is_an_error_with_the_nearest_name() {
        let error = "Europe/Berln".parse::<NamedZone>().unwrap_err();
        assert_eq!(error.remedy, "did you mean `Europe/Berlin`?");
        assert!("".parse::<NamedZone>().unwrap_err().remedy.contains("IANA"));
    }
}
