//! Compressed bodies: valid ones, and one that expands a thousandfold.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// The decompressed text of the valid compressed pages.
pub(super) const TEXT: &str = "This page was compressed, and it is whole.\n";

/// A bomb is this many bytes of zeros, [`ROUNDS`] times.
const ROUND: usize = 1 << 20;
const ROUNDS: u32 = 256;

/// A gzip header without name, time and flags (RFC 1952, section 2.3).
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// An empty last block of deflate (RFC 1951, section 3.2.6).
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// [`TEXT`] as gzip.
pub(super) fn gzip() -> Bytes {
    packed(GzEncoder::new(Vec::new(), Compression::default()), GzEncoder::finish)
}

/// [`TEXT`] as `deflate` by the standard: with zlib's wrapper.
pub(super) fn zlib() -> Bytes {
    packed(ZlibEncoder::new(Vec::new(), Compression::default()), ZlibEncoder::finish)
}

/// [`TEXT`] as many servers send `deflate`: without a wrapper.
pub(super) fn raw_deflate() -> Bytes {
    packed(DeflateEncoder::new(Vec::new(), Compression::default()), DeflateEncoder::finish)
}

fn packed<E: Write>(mut encoder: E, finish: impl Fn(E) -> io::Result<Vec<u8>>) -> Bytes {
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(TEXT.as_bytes());
    finish(encoder).unwrap_or_default().into()
}

/// A whole and correct gzip file of zeros.
///
/// One round is compressed up to a flush, and its blocks are repeated: a back-reference of any
/// block finds only zeros. So the bomb costs one round to make.
pub(super) fn bomb() -> Bytes {
    let zeros = vec![0; ROUND];
    let round = flushed(&zeros);
    let (mut one, mut all) = (Crc::new(), Crc::new());
    one.update(&zeros);
    let mut bomb = GZIP_HEADER.to_vec();
    for _ in 0..ROUNDS {
        bomb.extend(&round);
        all.combine(&one);
    }
    bomb.extend(LAST_BLOCK);
    bomb.extend(all.sum().to_le_bytes());
    bomb.extend(all.amount().to_le_bytes());
    bomb.into()
}

/// The deflate blocks of some bytes, ending at a whole byte.
fn flushed(bytes: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut blocks = Vec::with_capacity(bytes.len());
    // The buffer is always large enough, so the status is always ok.
    let _: Result<Status, _> = compress.compress_vec(bytes, &mut blocks, FlushCompress::Full);
    blocks
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn the_bomb_is_a_correct_file_a_thousand_times_its_size() {
        let bomb = bomb();
        assert!(bomb.len() < 512 << 10, "{} bytes", bomb.len());
        let mut decoder = GzDecoder::new(&bomb[..]);
        let mut round = vec![1; ROUND];
        for _ in 0..ROUNDS {
            decoder.read_exact(&mut round).unwrap();
        }
        assert!(round.iter().all(|&byte| byte == 0));
        assert_eq!(decoder.read(&mut round).unwrap(), 0, "and its checksum is right");
    }
}
