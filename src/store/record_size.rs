//! Checks how much memory a record takes before it is decoded.
//!
//! A few bytes of a file can stand for much memory: a histogram is deflated, and an empty text or
//! list takes two bytes in a file.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::library_text::TOO_MUCH_MEMORY;
use crate::record::EncodedHistogram;
use crate::units::ByteSize;

/// The most values of all kinds in the record of a run.
const MOST_VALUES: usize = 1_000_000;

/// The most values of all kinds in the record of a session, which keeps each exchange of its
/// curves.
const MOST_OF_A_SESSION: usize = 8 * MOST_VALUES;

/// The most memory that the histograms of a record take.
const MOST_OF_HISTOGRAMS: ByteSize = ByteSize(96 << 20);

/// The field of a histogram's bytes.
const HISTOGRAM: &str = "hdr";

/// Whether a JSON document can be decoded as the record of a run in bounded memory. It need not be
/// a record. The error names the place from which on it cannot.
pub(super) fn check_size(bytes: &[u8]) -> Result<(), serde_json::Error> {
    check_up_to(MOST_VALUES, bytes)
}

/// [`check_size`] for the record of a session.
pub(super) fn check_session_size(bytes: &[u8]) -> Result<(), serde_json::Error> {
    check_up_to(MOST_OF_A_SESSION, bytes)
}

fn check_up_to(most_values: usize, bytes: &[u8]) -> Result<(), serde_json::Error> {
    let mut size = RecordSize { values_left: most_values, histograms: 0 };
    let mut document = serde_json::Deserializer::from_slice(bytes);
    ValueSize { size: &mut size, is_histogram: false }.deserialize(&mut document)
}

struct RecordSize {
    values_left: usize,
    histograms: u64,
}

/// Adds the size of one value.
struct ValueSize<'a> {
    size: &'a mut RecordSize,
    /// Whether a text is a histogram's bytes.
    is_histogram: bool,
}

impl ValueSize<'_> {
    fn count<E: Error>(&mut self) -> Result<(), E> {
        let left = self.size.values_left.checked_sub(1);
        self.size.values_left = left.ok_or_else(|| E::custom(TOO_MUCH_MEMORY))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for ValueSize<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSize<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if !self.is_histogram {
            return Ok(());
        }
        // Bytes that are not a histogram are an error where they are decoded.
        let size = BASE64.decode(text).ok().and_then(|bytes| EncodedHistogram::memory_of(&bytes));
        self.size.histograms += size.unwrap_or_default();
        if self.size.histograms > MOST_OF_HISTOGRAMS.0 {
            return Err(E::custom(TOO_MUCH_MEMORY));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list
            .next_element_seed(ValueSize { size: &mut *self.size, is_histogram: false })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
            let is_histogram = name == HISTOGRAM;
            fields.next_value_seed(ValueSize { size: &mut *self.size, is_histogram })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::library_text::describe_json;
    use crate::record::Histogram;

    #[test]
    fn a_thousand_histograms_of_a_run_are_read() {
        let mut histogram = Histogram::default();
        (0..1_000).for_each(|at| histogram.record(Duration::from_micros(100 * at)));
        let one = serde_json::to_string(&histogram).unwrap();
        let many = format!("[{}]", vec![one; 1_000].join(","));
        check_size(many.as_bytes()).unwrap();
    }

    #[test]
    fn histograms_and_values_that_would_fill_the_memory_are_refused_with_their_place() {
        let mut wide = Histogram::default();
        let spread = |at: u64| Duration::from_micros(at * at * at);
        (0..1_500).for_each(|at| wide.record(spread(at)));
        let one = serde_json::to_string(&wide).unwrap();
        let bombs = format!("[{}]", vec![one; 3_000].join(","));
        let escaped = bombs.replace("\"hdr\"", "\"\\u0068dr\"");
        let lists = format!("[{}0]", "[],".repeat(MOST_VALUES));
        let texts = format!("[{}0]", "\"\",".repeat(MOST_VALUES));
        for document in [bombs, escaped, lists, texts] {
            let error = check_size(document.as_bytes()).unwrap_err();
            assert!(error.column() > 1_000, "{error}");
            let words = describe_json(&error);
            assert!(
                words.starts_with("it would take too much memory from line 1, column "),
                "{words}"
            );
        }
    }
}
