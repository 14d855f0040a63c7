//! Reads encoded histograms fast.
//!
//! This second decoder exists for speed. Over 20,000 histograms of 10,000 runs (`cargo bench
//! --bench history`), adding them by way of `hdrhistogram`'s own decoder took 561 ms, and from
//! their bytes 321 ms (medians of 7 rounds, two shared cores). Listing and merging those runs takes
//! 457 ms in total and must take at most one second.

use std::cell::RefCell;

use flate2::{Decompress, FlushDecompress, Status};

use super::buckets;
use super::encoded::{self, HistogramError};

/// Reads the buckets of a histogram in `HdrHistogram`'s V2 encoding, plain or deflated: those that
/// are not empty, each as its lowest value and its count.
///
/// # Errors
///
/// The bytes are not a histogram.
pub(super) fn with_buckets<T>(
    bytes: &[u8],
    work: impl FnOnce(&[(u64, u64)]) -> T,
) -> Result<T, HistogramError> {
    READER.with_borrow_mut(|reader| {
        reader.buckets.clear();
        if !reader.read(bytes)? {
            let counts = encoded::counts(bytes)?;
            let steps = counts.iter_recorded().map(|step| {
                (counts.lowest_equivalent(step.value_iterated_to()), step.count_at_value())
            });
            reader.buckets.clear();
            reader.buckets.extend(steps);
        }
        Ok(work(&reader.buckets))
    })
}

/// Buffers for reading histograms: a thread that reads thousands keeps them.
struct V2Reader {
    inflate: Decompress,
    encoded: Vec<u8>,
    buckets: Vec<(u64, u64)>,
}

thread_local! {
    static READER: RefCell<V2Reader> = RefCell::new(V2Reader {
        inflate: Decompress::new(true),
        encoded: Vec::new(),
        buckets: Vec::new(),
    });
}

impl V2Reader {
    /// Reads the buckets of bytes in tollgate's form: V2, deflated, three digits, lowest value 1
    /// µs. `false` if they have another form; an error if they are cut off or their checksum is
    /// wrong.
    fn read(&mut self, bytes: &[u8]) -> Result<bool, HistogramError> {
        let Some((_, deflated)) =
            bytes.strip_prefix(&DEFLATED).and_then(<[u8]>::split_first_chunk::<4>)
        else {
            return Ok(false);
        };
        self.encoded.resize(MOST_BYTES, 0);
        self.inflate.reset(true);
        let inflated =
            self.inflate.decompress(deflated, &mut self.encoded, FlushDecompress::Finish);
        let length = usize::try_from(self.inflate.total_out()).unwrap_or(MOST_BYTES);
        match inflated {
            Ok(Status::StreamEnd) => {}
            Ok(_) if length >= MOST_BYTES => return Ok(false),
            _ => return Err(HistogramError::undeflatable()),
        }
        let read = payload(&self.encoded[..length])
            .and_then(|payload| read_buckets(payload, &mut self.buckets));
        Ok(read.is_some())
    }
}

/// The first bytes of a deflated histogram; for the layout see
/// `AbstractHistogram.encodeIntoCompressedByteBuffer` and
/// `encodeIntoByteBuffer` in
/// <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/AbstractHistogram.java>.
const DEFLATED: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();
/// An upper bound on the bytes of all buckets in tollgate's form.
const MOST_BYTES: usize = 512 * 1024;

/// The counts of an encoded histogram in tollgate's form, which follow its header: cookie, length,
/// normalizing offset, digits, lowest and highest value, ratio.
fn payload(encoded: &[u8]) -> Option<&[u8]> {
    let rest = encoded.strip_prefix(&buckets::COOKIE)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let rest = rest.strip_prefix(&[0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1])?;
    let (_highest, rest) = rest.split_first_chunk::<8>()?;
    let payload = rest.strip_prefix(&1.0_f64.to_be_bytes())?;
    (payload.len() == usize::try_from(u32::from_be_bytes(*length)).ok()?).then_some(payload)
}

/// Reads the buckets that are not empty, each as its lowest value and its count.
fn read_buckets(payload: &[u8], read: &mut Vec<(u64, u64)>) -> Option<()> {
    let mut bytes = payload.iter();
    let mut index = 0_u64;
    while !bytes.as_slice().is_empty() {
        let number = zig_zag(varint(&mut bytes)?);
        match u64::try_from(number) {
            Ok(0) => index += 1,
            Ok(count) => {
                read.push((buckets::lowest(index)?, count));
                index += 1;
            }
            // A negative number states how many buckets in a row are empty.
            Err(_) => index = index.checked_add(number.unsigned_abs())?,
        }
    }
    Some(())
}

/// Reads LEB128 of at most nine bytes, all eight bits of the ninth being value bits.
fn varint<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> Option<u64> {
    let mut value = 0;
    for shift in (0..56).step_by(7) {
        let byte = *bytes.next()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    Some(value | u64::from(*bytes.next()?) << 56)
}

fn zig_zag(encoded: u64) -> i64 {
    (encoded >> 1).cast_signed() ^ -((encoded & 1).cast_signed())
}
