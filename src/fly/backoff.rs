//! How long a call waits before it is repeated.

use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// The pause before the first repeat, at most.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause that this client chooses itself.
const LONGEST: Duration = Duration::from_secs(10);

/// The longest pause that an answer can ask for; more counts as this.
const LONGEST_ASKED: Duration = Duration::from_hours(24);

/// Pauses that double from half a second to ten seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Backoff {
    repeats: u32,
}

impl Backoff {
    /// The next pause: between half of the doubled pause and all of it, as `draw` of [0, 1) says,
    /// so that clients that failed together do not return together. An answer that asks for a
    /// longer pause gets it.
    pub(super) fn next_pause(&mut self, asked: Option<Duration>, draw: f64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.repeats.min(16)).min(LONGEST);
        self.repeats = self.repeats.saturating_add(1);
        let own = doubled.mul_f64(0.5 + 0.5 * draw.clamp(0.0, 1.0));
        asked.map_or(own, |asked| asked.min(LONGEST_ASKED).max(own))
    }
}

/// The date of HTTP, as RFC 9110 tells senders to write it: `Sun, 06 Nov 1994 08:49:37 GMT`.
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// Reads a `Retry-After` header: seconds, or a date. `None` if it is neither.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
pub(super) fn parse_retry_after(text: &str, now: OffsetDateTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let is_usable = seconds.is_finite() && seconds >= 0.0;
        return is_usable
            .then(|| Duration::from_secs_f64(seconds.min(LONGEST_ASKED.as_secs_f64())));
    }
    let date = PrimitiveDateTime::parse(text, HTTP_DATE).ok()?.assume_utc();
    Some(Duration::try_from(date - now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn pauses_double_from_half_a_second_to_ten() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..8).map(|_| backoff.next_pause(None, 1.0).as_millis()).collect();
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
        let mut backoff = Backoff { repeats: u32::MAX - 1 };
        assert_eq!(backoff.next_pause(None, 0.0), LONGEST / 2);
    }

    #[test]
    fn a_pause_that_the_answer_asks_for_is_kept_and_never_shortened() {
        let asked = |asked| Backoff::default().next_pause(Some(asked), 0.0);
        assert_eq!(asked(Duration::from_secs(7)), Duration::from_secs(7));
        assert_eq!(asked(Duration::ZERO), FIRST / 2);
        assert_eq!(asked(Duration::MAX), LONGEST_ASKED);
    }

    #[test]
    fn a_retry_after_is_read_as_seconds_or_as_a_date() {
        let now = datetime!(2025-11-29 08:00:00 UTC);
        for (text, seconds) in [
            ("3", Some(3)),
            (" 0 ", Some(0)),
            ("Sat, 29 Nov 2025 08:00:30 GMT", Some(30)),
            ("Sat, 29 Nov 2025 07:00:00 GMT", Some(0)),
            ("999999999999999999999999", Some(24 * 3600)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(parse_retry_after(text, now), expected, "{text}");
        }
    }
}
