//! Uses of the calendar clock: its check before a run, and the id of a run.

use time::OffsetDateTime;
use uuid::Uuid;

use super::exit::CommandError;

/// Refuses to work with a clock before 1970, which a machine without a battery has after a power
/// cut. Certificates cannot be checked with it, and a run's id cannot hold its time.
pub(super) fn check_clock(now: OffsetDateTime) -> Result<(), CommandError> {
    if now >= OffsetDateTime::UNIX_EPOCH {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "error: the clock of this machine shows {}, a time before 1970; set it, or let it be \
         synchronised (chrony, systemd-timesyncd)",
        now.date()
    )))
}

/// A new run's id: a UUID of version 7 (<https://www.rfc-editor.org/rfc/rfc9562#section-5.7>). A
/// time before 1970, to which a clock may be set during a run, counts as 1970.
pub(super) fn new_run_id(now: OffsetDateTime) -> Uuid {
    let millis = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    // The bytes of a UUID of version 4 that are all random.
    let bytes = Uuid::new_v4().into_bytes();
    let mut random = [0; 10];
    random[..6].copy_from_slice(&bytes[..6]);
    random[6..].copy_from_slice(&bytes[12..]);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_clock_before_1970_is_refused_and_says_what_it_shows() {
        assert!(check_clock(datetime!(1970-01-01 0:00 UTC)).is_ok());
        let message = check_clock(datetime!(1969-12-31 23:59:59 UTC)).unwrap_err().to_string();
        assert!(message.contains("1969-12-31") && message.contains("set it"), "{message}");
    }

    #[test]
    fn a_runs_id_holds_its_time_and_a_time_before_1970_counts_as_1970() {
        let at = |now| {
            let id = new_run_id(now);
            assert_eq!(id.get_version_num(), 7);
            id.get_timestamp().unwrap().to_unix()
        };
        assert_eq!(at(datetime!(2025-10-10 02:50:25.442 UTC)), (1_760_064_625, 442_000_000));
        assert_eq!(at(datetime!(1969-12-31 23:59:59 UTC)), (0, 0));
        assert_eq!(at(datetime!(-9999-01-01 0:00 UTC)), (0, 0));
        let now = datetime!(2026-11-28 0:00 UTC);
        assert_ne!(new_run_id(now), new_run_id(now));
    }
}
