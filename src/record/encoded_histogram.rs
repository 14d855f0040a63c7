//! Encoded histograms together with their most used figures.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Histogram, HistogramError, micros};
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
