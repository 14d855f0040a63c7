//! HdrHistogram's V2 encoding, read from bytes that may be anything.
//!
//! Format: <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/EncodableHistogram.java>.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::Deserializer as HdrReader;

use super::HistogramError;

/// What deflated bytes begin with.
const DEFLATED: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();

/// Cookie, length, offset, digits, lowest and highest value, ratio: the bytes before the counts.
const HEADER: usize = 40;

/// The most bytes that a histogram may take when it is inflated: one of four digits over all values fits.
const LONGEST: u64 = 8 << 20;

/// The histogram that the bytes hold, in whatever unit and precision it was recorded.
///
/// The reader below takes a length from the bytes on trust, up to 4 GiB, and negates a count that has no opposite. Both
/// are refused here first.
pub(super) fn counts(bytes: &[u8]) -> Result<hdrhistogram::Histogram<u64>, HistogramError> {
    let plain = inflated(bytes)?;
    sound(&plain)?;
    HdrReader::new().deserialize(&mut &*plain).map_err(|error| HistogramError::new(&error))
}

fn inflated(bytes: &[u8]) -> Result<Cow<'_, [u8]>, HistogramError> {
    let Some(deflated) = bytes.strip_prefix(&DEFLATED) else { return Ok(Cow::Borrowed(bytes)) };
    let stream = deflated.get(4..).ok_or_else(cut_off)?;
    let mut plain = Vec::new();
    let read = ZlibDecoder::new(stream).take(LONGEST + 1).read_to_end(&mut plain);
    read.map_err(|error| HistogramError::new(&error))?;
    if plain.len() as u64 > LONGEST {
        return Err(HistogramError::new(&"it is longer than any histogram"));
    }
    Ok(Cow::Owned(plain))
}

fn sound(plain: &[u8]) -> Result<(), HistogramError> {
    let (header, counts) = plain.split_at_checked(HEADER).ok_or_else(cut_off)?;
    let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let counts = counts.get(..length as usize).ok_or_else(cut_off)?;
    // Numbers take up to nine bytes, and nine of 0xff are the smallest of them all.
    if counts.windows(9).any(|nine| nine == [0xff; 9]) {
        return Err(HistogramError::new(&"it holds a count that cannot be"));
    }
    Ok(())
}

fn cut_off() -> HistogramError {
    HistogramError::new(&"it is cut off")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A histogram without counts that claims to have so many bytes of them.
    fn claiming(length: u32, counts: &[u8]) -> Vec<u8> {
        let mut bytes = 0x1c84_9313_u32.to_be_bytes().to_vec();
        bytes.extend([length, 0, 3].map(u32::to_be_bytes).concat());
        bytes.extend([1, 1_000_000_u64].map(u64::to_be_bytes).concat());
        bytes.extend(1.0_f64.to_be_bytes());
        bytes.extend(counts);
        bytes
    }

    #[test]
    fn a_length_that_the_bytes_do_not_have_is_refused_and_not_made_room_for() {
        assert!(counts(&claiming(u32::MAX, &[2])).is_err());
        assert_eq!(counts(&claiming(1, &[2])).unwrap().len(), 1);
    }

    #[test]
    fn a_count_without_an_opposite_is_refused() {
        assert!(counts(&claiming(9, &[0xff; 9])).is_err());
    }

    #[test]
    fn what_inflates_without_end_is_refused() {
        let mut deflated = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::copy(&mut std::io::repeat(0).take(9 << 20), &mut deflated).unwrap();
        let bytes = [&DEFLATED[..], &[0; 4], &deflated.finish().unwrap()].concat();
        assert!(counts(&bytes).unwrap_err().to_string().contains("longer than any histogram"));
    }

    proptest! {
        #[test]
        fn no_counts_make_it_panic(payload: Vec<u8>, digits in 0_u32..8, low: u64, high: u64) {
            let mut bytes = claiming(u32::try_from(payload.len()).unwrap(), &payload);
            bytes[12..16].copy_from_slice(&digits.to_be_bytes());
            let _either = counts(&bytes);
            bytes[16..24].copy_from_slice(&low.to_be_bytes());
            bytes[24..32].copy_from_slice(&high.to_be_bytes());
            let _either = counts(&bytes);
        }
    }
}
