//! Adding histograms directly from their bytes.
//!
//! This second decoder exists for speed. Over 20,000 histograms of 10,000 runs (`cargo bench
//! --bench history`), adding them by way of `hdrhistogram`'s own decoder took 561 ms, and from
//! their bytes 321 ms (medians of 7 rounds, two shared cores). Listing and merging those runs takes
//! 457 ms in total and must take at most one second.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::{EncodedHistogram, Histogram, HistogramError};

/// Adds encoded histograms to others.
///
/// It reads each one once, adds its buckets directly to the sum, and reuses its buffers. Thousands
/// of histograms take a fraction of a second.
pub struct EncodedAdder {
    inflate: Decompress,
    encoded: Vec<u8>,
    buckets: Vec<(u64, u64)>,
}

impl Default for EncodedAdder {
    fn default() -> Self {
        Self { inflate: Decompress::new(true), encoded: Vec::new(), buckets: Vec::new() }
    }
}

impl fmt::Debug for EncodedAdder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedAdder").finish_non_exhaustive()
    }
}

/// The values of an encoded histogram, ready to be added to a sum.
#[derive(Debug)]
pub enum EncodedValues<'a> {
    /// Values in microseconds, each any one of its bucket, and their counts.
    Buckets(&'a [(u64, u64)]),
    /// The values of an encoding that tollgate does not write.
    Decoded(Histogram),
}

impl EncodedValues<'_> {
    /// Adds every value to a sum.
    pub fn add_to(&self, sum: &mut Histogram) {
        match self {
            Self::Buckets(buckets) => {
                buckets.iter().for_each(|&(micros, count)| sum.record_micros(micros, count));
            }
            Self::Decoded(histogram) => sum.add(histogram),
        }
    }

    /// How many values there are; `None` if a `u64` cannot count them.
    fn count(&self) -> Option<u64> {
        match self {
            Self::Buckets(buckets) => {
                buckets.iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count))
            }
            Self::Decoded(histogram) => Some(histogram.count()),
        }
    }
}

impl EncodedAdder {
    /// Adds every value of an encoded histogram to a sum; one without values may have no bytes.
    ///
    /// # Errors
    ///
    /// The bytes are not a histogram, or the number of values differs from
    /// [`EncodedHistogram::count`]. Then nothing is added.
    pub fn add(
        &mut self,
        histogram: &EncodedHistogram,
        sum: &mut Histogram,
    ) -> Result<(), HistogramError> {
        self.add_to_each(histogram, [sum])
    }

    /// [`Self::add`] for several sums; the bytes are read once.
    ///
    /// # Errors
    ///
    /// Those of [`Self::add`].
    pub fn add_to_each<'a>(
        &mut self,
        histogram: &EncodedHistogram,
        sums: impl IntoIterator<Item = &'a mut Histogram>,
    ) -> Result<(), HistogramError> {
        if histogram.count == 0 && histogram.hdr.is_empty() {
            return Ok(());
        }
        let values = self.decode(&histogram.hdr)?;
        check_count(values.count(), histogram)?;
        for sum in sums {
            values.add_to(sum);
            sum.note_clipped(histogram.clipped);
        }
        Ok(())
    }

    /// Reads `HdrHistogram`'s V2 encoding, plain or deflated.
    ///
    /// # Errors
    ///
    /// The bytes are not a histogram.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<EncodedValues<'_>, HistogramError> {
        if self.read(bytes)? {
            Ok(EncodedValues::Buckets(&self.buckets))
        } else {
            Histogram::from_v2(bytes).map(EncodedValues::Decoded)
        }
    }

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
        self.buckets.clear();
        let read = payload(&self.encoded[..length])
            .and_then(|payload| read_buckets(payload, &mut self.buckets));
        Ok(read.is_some())
    }
}

fn check_count(counted: Option<u64>, histogram: &EncodedHistogram) -> Result<(), HistogramError> {
    if counted == Some(histogram.count) && histogram.clipped <= histogram.count {
        Ok(())
    } else {
        Err(HistogramError::miscounted(histogram.count))
    }
}

/// Cookies of the format; for the layout see `AbstractHistogram.encodeIntoCompressedByteBuffer` and
/// `encodeIntoByteBuffer` in
/// <https://github.com/HdrHistogram/HdrHistogram/blob/master/src/main/java/org/HdrHistogram/AbstractHistogram.java>.
const DEFLATED: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();
const PLAIN: [u8; 4] = 0x1c84_9313_u32.to_be_bytes();
/// An upper bound on the bytes of all buckets in tollgate's form.
const MOST_BYTES: usize = 512 * 1024;
/// Number of buckets with a resolution of 1 µs. Each further power of two halves the resolution and
/// adds half as many buckets.
const SUB_BUCKETS: u64 = 2048;

/// The counts of an encoded histogram in tollgate's form, which follow its header: cookie, length,
/// normalizing offset, digits, lowest and highest value, ratio.
fn payload(encoded: &[u8]) -> Option<&[u8]> {
    let rest = encoded.strip_prefix(&PLAIN)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let rest = rest.strip_prefix(&[0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1])?;
    let (_highest, rest) = rest.split_first_chunk::<8>()?;
    let payload = rest.strip_prefix(&1.0_f64.to_be_bytes())?;
    (payload.len() == usize::try_from(u32::from_be_bytes(*length)).ok()?).then_some(payload)
}

/// Reads the buckets that are not empty, each as its lowest value and its count.
fn read_buckets(payload: &[u8], buckets: &mut Vec<(u64, u64)>) -> Option<()> {
    let mut bytes = payload.iter();
    let mut index = 0_u64;
    while !bytes.as_slice().is_empty() {
        let number = zig_zag(varint(&mut bytes)?);
        match u64::try_from(number) {
            Ok(0) => index += 1,
            Ok(count) => {
                buckets.push((lowest(index)?, count));
                index += 1;
            }
            // A negative number states how many buckets in a row are empty.
            Err(_) => index = index.checked_add(number.unsigned_abs())?,
        }
    }
    Some(())
}

/// The lowest value of a bucket; `None` if it is above the format's maximum of 2⁶³ − 1.
fn lowest(index: u64) -> Option<u64> {
    const HALF: u64 = SUB_BUCKETS / 2;
    let doublings = (index / HALF).saturating_sub(1);
    if index < SUB_BUCKETS {
        return Some(index);
    }
    (doublings <= 52).then(|| (index % HALF + HALF) << doublings)
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::serialization::{Serializer as _, V2Serializer};
    use proptest::prelude::*;

    use super::*;
    use crate::units::Quantile;

    fn of(micros: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &micros in micros {
            histogram.record(Duration::from_micros(micros));
        }
        histogram
    }

    fn sum_of<'a>(parts: impl IntoIterator<Item = &'a Histogram>) -> Histogram {
        let (mut adder, mut sum) = (EncodedAdder::default(), Histogram::default());
        parts
            .into_iter()
            .for_each(|part| adder.add(&EncodedHistogram::of(part), &mut sum).unwrap());
        sum
    }

    #[test]
    fn values_above_the_ceiling_stay_counted_in_a_sum() {
        let hours = of(&[7_200_000_000, 5]);
        let sum = sum_of([&hours, &hours]);
        assert_eq!((sum.count(), sum.clipped()), (4, 2));
    }

    #[test]
    fn an_encoded_histogram_without_values_needs_no_bytes() {
        assert!(
            EncodedAdder::default()
                .add(&EncodedHistogram::default(), &mut Histogram::default())
                .is_ok()
        );
    }

    #[test]
    fn damaged_bytes_or_a_wrong_count_add_nothing() {
        let good = EncodedHistogram::of(&of(&[3, 9_000, 70_000, 70_001, 4_000_000]));
        let (mut adder, mut sum) = (EncodedAdder::default(), Histogram::default());
        for at in 0..good.hdr.len() {
            let cut = EncodedHistogram { hdr: good.hdr[..at].to_vec(), ..good.clone() };
            assert!(adder.add(&cut, &mut sum).is_err(), "cut at {at}");
            let mut flipped = good.clone();
            flipped.hdr[at] ^= 0x55;
            // The reader ignores the length after the cookie.
            assert_eq!(
                adder.add(&flipped, &mut sum).is_ok(),
                (4..8).contains(&at),
                "flipped at {at}"
            );
            sum = if (4..8).contains(&at) { Histogram::default() } else { sum };
        }
        assert!(adder.add(&EncodedHistogram { count: 6, ..good.clone() }, &mut sum).is_err());
        assert_eq!(sum, Histogram::default());
        adder.add(&good, &mut sum).unwrap();
        assert_eq!(sum, good.decode().unwrap());
    }

    #[test]
    fn a_histogram_of_another_precision_can_be_added() {
        let mut foreign = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1 << 40, 2).unwrap();
        foreign.record_n(5_000, 7).unwrap();
        let mut hdr = Vec::new();
        let mut writer = V2Serializer::new();
        writer.serialize(&foreign, &mut hdr).unwrap();
        let mut sum = Histogram::default();
        EncodedAdder::default()
            .add(&EncodedHistogram { count: 7, hdr, ..EncodedHistogram::default() }, &mut sum)
            .unwrap();
        assert_eq!(sum.count(), 7);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Runs of a few exchanges each, from one microsecond to one hour.
        #[test]
        fn quantiles_of_a_sum_are_those_of_all_samples_within_the_precision(
            runs in prop::collection::vec(
                prop::collection::vec(prop_oneof![1_u64..5_000, 1_000_u64..900_000, 1_u64..3_600_000_000], 0..60),
                1..12,
            ),
            quantile in prop::sample::select(vec!["p50", "p90", "p95", "p99", "p99.9"]),
        ) {
            let parts: Vec<_> = runs.iter().map(|run| of(run)).collect();
            let merged = sum_of(&parts);
            let mut samples: Vec<u64> = runs.concat();
            samples.sort_unstable();
            prop_assert_eq!(&merged, &of(&samples));
            prop_assert_eq!(merged.count(), samples.len() as u64);
            if samples.is_empty() {
                return Ok(());
            }
            let quantile: Quantile = quantile.parse().unwrap();
            let rank = Histogram::rank_of(quantile, merged.count());
            let exact = samples[usize::try_from(rank).unwrap() - 1] as f64;
            let read = merged.quantile(quantile).unwrap().as_micros() as f64;
            prop_assert!((read - exact).abs() <= exact / 1_000.0 + 1.0, "{read} for {exact}");
        }
    }
}
