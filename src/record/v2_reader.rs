//! Reads encoded histograms fast: a history or a merge adds thousands.
//!
//! What other tools wrote in other forms is read by the `hdrhistogram` crate.

use std::cell::RefCell;

use flate2::{Decompress, FlushDecompress, Status};

use super::encoded::{self, HistogramError};
use super::v2_format;

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
            bytes.strip_prefix(&v2_format::DEFLATED).and_then(<[u8]>::split_first_chunk::<4>)
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
        let read = v2_format::read(&self.encoded[..length], &mut self.buckets);
        Ok(read.is_some())
    }
}

/// An upper bound on the bytes of all buckets in tollgate's form.
const MOST_BYTES: usize = 512 * 1024;
