//! HdrHistogram's V2 encoding: fast writing, and safe reading of untrusted bytes.
//!
//! Format:
//! <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/EncodableHistogram.java>.

use std::borrow::Cow;
use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use hdrhistogram::serialization::Deserializer as HdrReader;

use super::v2_format;

/// Cookie, length, offset, digits, lowest and highest value, ratio: the bytes before the counts.
const HEADER: usize = 40;

/// Maximum size of an inflated histogram, in bytes. A histogram of four digits over all values
/// fits.
const LONGEST: u64 = 8 << 20;

/// Maximum number of buckets of a histogram of another tool: 32 MiB of counts. One of five digits
/// over an hour in microseconds fits.
const MOST_BUCKETS: u64 = 1 << 22;

/// Why bytes are not a histogram.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HistogramError(String);

impl HistogramError {
    /// An error for bytes that are not a histogram; `why` is a clause of our own, not a library's
    /// text.
    pub fn new(why: &str) -> Self {
        Self(format!("not an HdrHistogram in V2 encoding: {why}"))
    }

    /// The bytes are cut off, or their checksum is wrong.
    pub(super) fn undeflatable() -> Self {
        Self("an HdrHistogram whose deflated bytes are damaged".to_owned())
    }

    /// The number of values differs from the count stored next to the bytes.
    pub(super) fn miscounted(said: u64) -> Self {
        Self(format!(
            "an HdrHistogram that does not contain the {said} values it claims to contain"
        ))
    }
}

/// Buffers for writing histograms. Creating them takes longer than writing a small histogram, so
/// each thread reuses its own.
struct HistogramWriter {
    plain: Vec<u8>,
    deflate: Compress,
}

thread_local! {
    static WRITER: RefCell<HistogramWriter> = RefCell::new(HistogramWriter {
        plain: Vec::new(),
        deflate: Compress::new(Compression::default(), true),
    });
}

/// The bytes of a histogram, deflated; `write` adds them plain.
pub(super) fn deflated(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    WRITER.with_borrow_mut(|writer| {
        writer.plain.clear();
        write(&mut writer.plain);
        writer.deflate()
    })
}

impl HistogramWriter {
    fn deflate(&mut self) -> Vec<u8> {
        let mut bytes = [v2_format::DEFLATED, [0; 4]].concat();
        self.deflate.reset();
        loop {
            bytes.reserve(64 + self.plain.len() / 2);
            let read = usize::try_from(self.deflate.total_in()).unwrap_or(usize::MAX);
            let rest = self.plain.get(read..).unwrap_or_default();
            match self.deflate.compress_vec(rest, &mut bytes, FlushCompress::Finish) {
                Ok(Status::Ok | Status::BufError) => {}
                Ok(Status::StreamEnd) | Err(_) => break,
            }
        }
        let length = u32::try_from(bytes.len() - 8).unwrap_or(u32::MAX);
        bytes[4..8].copy_from_slice(&length.to_be_bytes());
        bytes
    }
}

/// Decodes a histogram and keeps its unit and precision.
///
/// The `hdrhistogram` crate allocates the length that the bytes state, up to 4 GiB, and a count for
/// each bucket of the range that they state, and overflows on the smallest count. This function
/// refuses all three first.
pub(super) fn counts(bytes: &[u8]) -> Result<hdrhistogram::Histogram<u64>, HistogramError> {
    let plain = inflate(bytes)?;
    check_payload(&plain)?;
    let unread = |_| HistogramError::new("its header or its counts cannot be read");
    HdrReader::new().deserialize(&mut &*plain).map_err(unread)
}

thread_local! {
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(true));
}

fn inflate(bytes: &[u8]) -> Result<Cow<'_, [u8]>, HistogramError> {
    let Some(deflated) = bytes.strip_prefix(&v2_format::DEFLATED) else {
        return Ok(Cow::Borrowed(bytes));
    };
    let stream = deflated.get(4..).ok_or_else(cut_off)?;
    INFLATE.with_borrow_mut(|inflate| inflate_with(inflate, stream)).map(Cow::Owned)
}

fn inflate_with(inflate: &mut Decompress, stream: &[u8]) -> Result<Vec<u8>, HistogramError> {
    inflate.reset(true);
    let mut plain = Vec::with_capacity(1024.max(4 * stream.len()));
    loop {
        let read = usize::try_from(inflate.total_in()).unwrap_or(usize::MAX);
        let rest = stream.get(read..).unwrap_or_default();
        let before = plain.len();
        let status = inflate.decompress_vec(rest, &mut plain, FlushDecompress::None);
        let status = status.map_err(|_| HistogramError::new("its deflated bytes are damaged"))?;
        if plain.len() as u64 > LONGEST {
            return Err(HistogramError::new("it is longer than any histogram"));
        }
        match status {
            Status::StreamEnd => return Ok(plain),
            _ if plain.len() == before && plain.len() < plain.capacity() => return Err(cut_off()),
            _ => plain.reserve(plain.len()),
        }
    }
}

fn check_payload(plain: &[u8]) -> Result<(), HistogramError> {
    let (header, counts) = plain.split_at_checked(HEADER).ok_or_else(cut_off)?;
    let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let counts = counts.get(..length as usize).ok_or_else(cut_off)?;
    if bucket_number(header) > MOST_BUCKETS {
        return Err(HistogramError::new("its range and precision need more than 32 MiB"));
    }
    // A number takes up to nine bytes, and nine bytes of 0xff encode the smallest number.
    if counts.windows(9).any(|nine| nine == [0xff; 9]) {
        return Err(HistogramError::new("it contains an impossible count"));
    }
    Ok(())
}

/// How many buckets the range and the precision of a header need, or somewhat more.
fn bucket_number(header: &[u8]) -> u64 {
    let [digits, least, greatest] = [(12, 4), (16, 8), (24, 8)].map(|(at, length)| {
        header[at..at + length].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    });
    // The library refuses more than five digits.
    let precise = 1_u64 << (2 * 10_u64.pow(digits.min(5).try_into().unwrap_or(5))).ilog2();
    let doublings = greatest.checked_ilog2().unwrap_or(0);
    let covered = precise.ilog2() + least.checked_ilog2().unwrap_or(0);
    precise * u64::from(doublings.saturating_sub(covered) + 3)
}

pub(super) fn cut_off() -> HistogramError {
    HistogramError::new("it is cut off")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use proptest::prelude::*;

    /// A histogram whose header states `length` bytes of counts.
    fn bytes_claiming(length: u32, counts: &[u8]) -> Vec<u8> {
        let mut bytes = 0x1c84_9313_u32.to_be_bytes().to_vec();
        bytes.extend([length, 0, 3].map(u32::to_be_bytes).concat());
        bytes.extend([1, 1_000_000_u64].map(u64::to_be_bytes).concat());
        bytes.extend(1.0_f64.to_be_bytes());
        bytes.extend(counts);
        bytes
    }

    #[test]
    fn a_length_beyond_the_bytes_is_refused_before_any_allocation() {
        assert!(counts(&bytes_claiming(u32::MAX, &[2])).is_err());
        assert_eq!(counts(&bytes_claiming(1, &[2])).unwrap().len(), 1);
    }

    #[test]
    fn the_smallest_count_is_refused() {
        assert!(counts(&bytes_claiming(9, &[0xff; 9])).is_err());
    }

    #[test]
    fn bytes_that_inflate_beyond_the_maximum_are_refused() {
        let mut deflated = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
        std::io::copy(&mut std::io::repeat(0).take(9 << 20), &mut deflated).unwrap();
        let bytes = [&v2_format::DEFLATED[..], &[0; 4], &deflated.finish().unwrap()].concat();
        assert!(counts(&bytes).unwrap_err().to_string().contains("longer than any histogram"));
    }

    proptest! {
        #[test]
        fn deflated_bytes_inflate_to_themselves_and_state_their_length(plain: Vec<u8>) {
            for _again in 0..2 {
                let bytes = deflated(|to| to.extend(&plain));
                prop_assert_eq!(bytes[4..8].to_vec(), u32::try_from(bytes.len() - 8).unwrap().to_be_bytes());
                prop_assert_eq!(inflate(&bytes).unwrap().into_owned(), plain.clone());
            }
        }

        #[test]
        fn no_payload_causes_a_panic(payload: Vec<u8>, digits in 0_u32..8, low: u64, high: u64) {
            let mut bytes = bytes_claiming(u32::try_from(payload.len()).unwrap(), &payload);
            bytes[12..16].copy_from_slice(&digits.to_be_bytes());
            let _either = counts(&bytes);
            bytes[16..24].copy_from_slice(&low.to_be_bytes());
            bytes[24..32].copy_from_slice(&high.to_be_bytes());
            let _either = counts(&bytes);
        }
    }
}
