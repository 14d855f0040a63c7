//! Reads encoded histograms fast: a history or a merge adds thousands.

use std::cell::RefCell;

use flate2::{Decompress, FlushDecompress, Status};

use super::encoded::{self, HistogramError};
use super::{buckets, counts, micros, v2_format};

/// Reads the buckets of a histogram in `HdrHistogram`'s V2 encoding, plain or deflated: those that
/// are not empty, each as its lowest value and its count.
///
/// Anyone may have written the bytes. Neither the time nor the memory that they take exceeds what a
/// histogram of durations up to an hour needs.
///
/// # Errors
///
/// The bytes are not a histogram, or one that no run has.
pub(super) fn with_buckets<T>(
    bytes: &[u8],
    work: impl FnOnce(&[(u64, u64)]) -> T,
) -> Result<T, HistogramError> {
    READER.with_borrow_mut(|reader| {
        reader.read(bytes)?;
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
    /// Reads the buckets of bytes, plain or deflated.
    fn read(&mut self, bytes: &[u8]) -> Result<(), HistogramError> {
        self.buckets.clear();
        let Some(deflated) = bytes.strip_prefix(&v2_format::DEFLATED) else {
            return read_plain(bytes, &mut self.buckets);
        };
        let deflated = deflated.get(4..).ok_or_else(encoded::cut_off)?;
        let most = LONGEST.min(SHORT + MOST_RATIO * deflated.len());
        self.encoded.resize(self.encoded.len().max(most), 0);
        self.inflate.reset(true);
        let room = &mut self.encoded[..most];
        let inflated = self.inflate.decompress(deflated, room, FlushDecompress::Finish);
        let length = usize::try_from(self.inflate.total_out()).unwrap_or(most);
        match inflated {
            Ok(Status::StreamEnd) => read_plain(&self.encoded[..length], &mut self.buckets),
            Ok(_) if length >= most => {
                Err(HistogramError::new("it inflates to more than any histogram"))
            }
            _ => Err(HistogramError::undeflatable()),
        }
    }
}

/// An upper bound on the plain bytes of a histogram in tollgate's form.
const LONGEST: usize = 512 << 10;

/// Plain bytes that any deflated histogram may have, and how many times as long as its deflated
/// bytes it may be beyond that. Counts that differ do not deflate better.
const SHORT: usize = 16 << 10;
const MOST_RATIO: usize = 64;

/// Reads the buckets of plain bytes: cookie, length, normalizing offset, digits, lowest and highest
/// value and ratio, then the counts.
fn read_plain(plain: &[u8], read: &mut Vec<(u64, u64)>) -> Result<(), HistogramError> {
    let rest = plain.strip_prefix(&v2_format::PLAIN);
    let rest = rest.ok_or_else(|| HistogramError::new("its header cannot be read"))?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(encoded::cut_off)?;
    let (head, counts) = rest.split_first_chunk::<32>().ok_or_else(encoded::cut_off)?;
    let [offset, digits] = [0, 4].map(|at| u32::from_be_bytes(word(head, at)));
    let (least, ratio) = (u64::from_be_bytes(word(head, 8)), f64::from_be_bytes(word(head, 24)));
    let is_plain = offset == 0 && (ratio - 1.0).abs() < f64::EPSILON;
    if digits > 5 || least == 0 || least > 1 << 32 || !is_plain {
        return Err(HistogramError::new("its header cannot be read"));
    }
    if u32::try_from(counts.len()).ok() != Some(u32::from_be_bytes(*length)) {
        return Err(encoded::cut_off());
    }
    read_buckets(counts, BucketShape::new(digits, least), read)
}

fn word<const LENGTH: usize>(bytes: &[u8; 32], at: usize) -> [u8; LENGTH] {
    let mut word = [0; LENGTH];
    word.copy_from_slice(&bytes[at..at + LENGTH]);
    word
}

/// Which values share a bucket.
#[derive(Clone, Copy)]
struct BucketShape {
    /// The binary logarithm of the width of the first bucket.
    unit: u32,
    /// The binary logarithm of how many buckets a power of two has.
    half: u32,
}

impl BucketShape {
    /// For a precision of `digits` and the lowest value that is told apart from 0.
    fn new(digits: u32, least: u64) -> Self {
        let told_apart = 2 * 10_u64.pow(digits);
        Self { unit: least.ilog2(), half: told_apart.next_power_of_two().ilog2() - 1 }
    }

    /// The lowest value of a bucket; `None` if it is above [`buckets::CEILING`].
    fn lowest(self, index: u64) -> Option<u64> {
        let doublings = u32::try_from((index >> self.half).saturating_sub(1)).ok()?;
        let value = index - (u64::from(doublings) << self.half);
        let shift = doublings.checked_add(self.unit).filter(|shift| *shift < 33)?;
        let value = value.checked_mul(1 << shift)?;
        (value <= micros::whole(buckets::CEILING)).then_some(value)
    }
}

/// Reads the buckets that are not empty, each as its lowest value and its count.
fn read_buckets(
    counts: &[u8],
    shape: BucketShape,
    read: &mut Vec<(u64, u64)>,
) -> Result<(), HistogramError> {
    let mut bytes = counts.iter();
    let (mut index, mut total) = (0_u64, 0_u64);
    while !bytes.as_slice().is_empty() {
        let number = v2_format::read_number(&mut bytes).ok_or_else(encoded::cut_off)?;
        match u64::try_from(number) {
            Ok(0) => index = index.saturating_add(1),
            Ok(count) => {
                let Some(lowest) = shape.lowest(index) else {
                    return Err(HistogramError::new("it contains a duration above an hour"));
                };
                read.push((lowest, count));
                (index, total) = (index + 1, total.saturating_add(count));
            }
            // A negative number states how many buckets in a row are empty.
            Err(_) => index = index.saturating_add(number.unsigned_abs()),
        }
    }
    if total > counts::MOST {
        return Err(HistogramError::new("it contains more values than a run can have"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::encoded::deflated;

    /// A deflated histogram with a header and counts of our choice.
    fn bytes((digits, least): (u32, u64), counts: &[u8]) -> Vec<u8> {
        deflated(|plain| {
            plain.extend(v2_format::PLAIN);
            plain.extend(u32::try_from(counts.len()).unwrap().to_be_bytes());
            plain.extend([0, digits].map(u32::to_be_bytes).concat());
            plain.extend([least, u64::MAX].map(u64::to_be_bytes).concat());
            plain.extend(1.0_f64.to_be_bytes());
            plain.extend(counts);
        })
    }

    fn why(bytes: &[u8]) -> String {
        with_buckets(bytes, |_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_histogram_that_no_run_has_is_refused() {
        let read = with_buckets(&bytes((3, 1), &[0, 2, 1, 4]), <[(u64, u64)]>::to_vec);
        assert_eq!(read.unwrap(), [(1, 1), (3, 2)]);
        assert!(why(&bytes((3, 1), &vec![2; 600_000])).contains("inflates to more"));
        let far = [0xff, 0xff, 0xff, 0x7f, 2];
        assert!(why(&bytes((3, 1), &far)).contains("above an hour"));
        assert!(why(&bytes((3, 1 << 31), &[0, 0, 0, 0, 2])).contains("above an hour"));
        let many = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(why(&bytes((3, 1), &many)).contains("more values"));
        for header in [(6, 1), (3, 0), (u32::MAX, u64::MAX)] {
            assert!(why(&bytes(header, &[2])).contains("header"), "{header:?}");
        }
    }

    #[test]
    fn buckets_of_every_precision_are_those_of_hdrhistogram() {
        use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};
        for (digits, least) in [(0, 1), (1, 1), (2, 7), (3, 1_000), (4, 1), (5, 3)] {
            let mut reference =
                hdrhistogram::Histogram::<u64>::new_with_bounds(least, 3_600_000_000, digits)
                    .unwrap();
            for value in [0, 1, 9, 1_023, 2_048, 70_001, 999_999, 3_599_999_999] {
                reference.record_n(value, value % 5 + 1).unwrap();
            }
            let mut written = Vec::new();
            V2DeflateSerializer::new().serialize(&reference, &mut written).unwrap();
            let expected: Vec<_> = reference
                .iter_recorded()
                .map(|step| {
                    (reference.lowest_equivalent(step.value_iterated_to()), step.count_at_value())
                })
                .collect();
            let read = with_buckets(&written, <[(u64, u64)]>::to_vec).unwrap();
            assert_eq!(read, expected, "{digits} digits from {least}");
        }
    }
}
