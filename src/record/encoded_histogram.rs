//! Encoded histograms together with their most used figures.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::buckets::Buckets;
use super::{Histogram, HistogramError, micros, v2_reader};
use crate::units::Quantile;

/// A histogram in V2 deflate encoding, with the figures that lists and queries show.
///
/// Files and databases store this form. It is small enough to hold thousands in memory. Figures are
/// in microseconds and missing if nothing was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EncodedHistogram {
    /// How many values were counted.
    pub count: u64,
    /// The shortest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min_us: Option<u64>,
    /// The median.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p50_us: Option<u64>,
    /// The 95th percentile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p95_us: Option<u64>,
    /// The 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p99_us: Option<u64>,
    /// The longest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_us: Option<u64>,
    /// How many values were above one hour, [`Histogram::CEILING`], and counted as one hour.
    pub clipped: u64,
    /// The encoded histogram; base64 in JSON.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    #[schemars(with = "String", extend("contentEncoding" = "base64"))]
    pub hdr: Vec<u8>,
}

impl EncodedHistogram {
    /// Encodes a histogram and reads its figures.
    pub fn of(histogram: &Histogram) -> Self {
        let micros = |duration: Option<Duration>| duration.map(micros::whole);
        let at = |quantile| micros(histogram.quantile(quantile));
        Self {
            count: histogram.count(),
            min_us: micros(histogram.min()),
            p50_us: at(Quantile::P50),
            p95_us: at(Quantile::P95),
            p99_us: at(Quantile::P99),
            max_us: micros(histogram.max()),
            clipped: histogram.clipped(),
            hdr: histogram.to_v2(),
        }
    }

    /// Adds every value to a sum; a histogram without values may have no bytes.
    ///
    /// # Errors
    ///
    /// The bytes are not a histogram, or the number of values differs from
    /// [`EncodedHistogram::count`]. Then nothing is added.
    pub fn add_to(&self, sum: &mut Histogram) -> Result<(), HistogramError> {
        self.add_to_each([sum])
    }

    /// [`Self::add_to`] for several sums; the bytes are read once.
    ///
    /// # Errors
    ///
    /// Those of [`Self::add_to`].
    pub fn add_to_each<'a>(
        &self,
        sums: impl IntoIterator<Item = &'a mut Histogram>,
    ) -> Result<(), HistogramError> {
        if self.count == 0 && self.hdr.is_empty() {
            return Ok(());
        }
        v2_reader::with_buckets(&self.hdr, |buckets| {
            let counted = buckets.iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count));
            if counted != Some(self.count) || self.clipped > self.count {
                return Err(HistogramError::miscounted(self.count));
            }
            for sum in sums {
                sum.add_buckets(buckets);
                sum.note_clipped(self.clipped);
            }
            Ok(())
        })?
    }

    /// How many bytes of memory the decoded histogram of these bytes takes; `None` if they are not
    /// one.
    pub fn memory_of(hdr: &[u8]) -> Option<u64> {
        v2_reader::with_buckets(hdr, Buckets::memory_of).ok()
    }

    /// Decodes the histogram; an error if the bytes are not one.
    pub fn decode(&self) -> Result<Histogram, HistogramError> {
        let mut histogram = Histogram::from_v2(&self.hdr)?;
        histogram.note_clipped(self.clipped);
        Ok(histogram)
    }
}

impl JsonSchema for Histogram {
    fn schema_name() -> Cow<'static, str> {
        EncodedHistogram::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        EncodedHistogram::json_schema(generator)
    }
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        EncodedHistogram::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EncodedHistogram::deserialize(deserializer)?.decode().map_err(serde::de::Error::custom)
    }
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    BASE64.decode(text.as_bytes()).map_err(serde::de::Error::custom)
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
        let mut sum = Histogram::default();
        parts.into_iter().for_each(|part| EncodedHistogram::of(part).add_to(&mut sum).unwrap());
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
        assert!(EncodedHistogram::default().add_to(&mut Histogram::default()).is_ok());
    }

    #[test]
    fn damaged_bytes_or_a_wrong_count_add_nothing() {
        let good = EncodedHistogram::of(&of(&[3, 9_000, 70_000, 70_001, 4_000_000]));
        let mut sum = Histogram::default();
        for at in 0..good.hdr.len() {
            let cut = EncodedHistogram { hdr: good.hdr[..at].to_vec(), ..good.clone() };
            assert!(cut.add_to(&mut sum).is_err(), "cut at {at}");
            let mut flipped = good.clone();
            flipped.hdr[at] ^= 0x55;
            // The reader ignores the length after the cookie.
            assert_eq!(flipped.add_to(&mut sum).is_ok(), (4..8).contains(&at), "flipped at {at}");
            sum = if (4..8).contains(&at) { Histogram::default() } else { sum };
        }
        assert!(EncodedHistogram { count: 6, ..good.clone() }.add_to(&mut sum).is_err());
        assert_eq!(sum, Histogram::default());
        good.add_to(&mut sum).unwrap();
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
        let encoded = EncodedHistogram { count: 7, hdr, ..EncodedHistogram::default() };
        encoded.add_to(&mut sum).unwrap();
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
