//! A run's id, derived from the imported data alone.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

/// A UUID of version 7 (<https://www.rfc-editor.org/rfc/rfc9562#section-5.7>) whose random bits are
/// a hash of the parts.
///
/// A start before 1970 counts as 1970.
pub(super) fn id(started: OffsetDateTime, parts: &[&[u8]]) -> Uuid {
    let hash = hash(parts);
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    let millis = u64::try_from(started.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// SHA-256 of the parts, each preceded by its length, so that different lists never give the same
/// bytes.
pub(super) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn an_id_holds_its_time_and_depends_on_each_part() {
        let started = datetime!(2025-10-10 02:50:25.442 UTC);
        let of = |parts: &[&[u8]]| id(started, parts);
        let id = of(&[b"ab", b"c"]);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_760_064_625, 442_000_000));
        assert_eq!(id, of(&[b"ab", b"c"]));
        assert_ne!(id, of(&[b"a", b"bc"]));
        assert_ne!(id, of(&[b"ab"]));
    }
}
