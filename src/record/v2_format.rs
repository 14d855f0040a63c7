//! `HdrHistogram`'s V2 encoding, in the form that tollgate writes: three digits, lowest value 1
//! µs.
//!
//! Layout: `AbstractHistogram.encodeIntoCompressedByteBuffer` and `encodeIntoByteBuffer` in
//! <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/AbstractHistogram.java>.

use super::buckets::Buckets;

/// The first bytes of a deflated histogram.
pub(super) const DEFLATED: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();

/// The first bytes of a plain histogram.
pub(super) const PLAIN: [u8; 4] = 0x1c84_9313_u32.to_be_bytes();

/// Normalizing offset, digits, and lowest value: what follows the length.
const OFFSET_DIGITS_LOWEST: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1];

/// The ratio between integer and floating-point values, the last part of the header.
const RATIO: [u8; 8] = 1.0_f64.to_be_bytes();

/// Writes counts, plain.
pub(super) fn write(buckets: &Buckets, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    bytes.extend([PLAIN, [0; 4]].concat());
    bytes.extend(OFFSET_DIGITS_LOWEST);
    bytes.extend(range(buckets).to_be_bytes());
    bytes.extend(RATIO);
    let header = bytes.len();
    let mut next = 0;
    for (index, count) in buckets.indices() {
        match i64::try_from(index - next).unwrap_or(i64::MAX) {
            0 => {}
            // One empty bucket is written as its count.
            1 => write_number(0, bytes),
            empty => write_number(-empty, bytes),
        }
        write_number(i64::try_from(count).unwrap_or(i64::MAX), bytes);
        next = index + 1;
    }
    if next == 0 {
        // The one bucket of a histogram without values.
        write_number(0, bytes);
    }
    let length = u32::try_from(bytes.len() - header).unwrap_or(u32::MAX);
    bytes[start + 4..start + 8].copy_from_slice(&length.to_be_bytes());
}

/// The highest value that the `hdrhistogram` crate writes, which grows from 2.
fn range(buckets: &Buckets) -> u64 {
    buckets.max().filter(|max| *max >= 2_048).unwrap_or(2)
}

/// Writes a number as zig-zag LEB128 of at most nine bytes, all eight bits of the ninth being value
/// bits.
fn write_number(number: i64, bytes: &mut Vec<u8>) {
    let mut rest = (number << 1 ^ number >> 63).cast_unsigned();
    for _ in 0..8 {
        let [low, ..] = rest.to_le_bytes();
        if rest < 0x80 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
        rest >>= 7;
    }
    bytes.push(rest.to_le_bytes()[0]);
}

/// Reads such a number; `None` if it is cut off.
pub(super) fn read_number<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> Option<i64> {
    let (mut encoded, mut is_whole) = (0, false);
    for shift in (0..56).step_by(7) {
        let byte = *bytes.next()?;
        encoded |= u64::from(byte & 0x7f) << shift;
        is_whole = byte < 0x80;
        if is_whole {
            break;
        }
    }
    if !is_whole {
        encoded |= u64::from(*bytes.next()?) << 56;
    }
    Some((encoded >> 1).cast_signed() ^ -((encoded & 1).cast_signed()))
}
