//! The Huffman code of HPACK (RFC 7541, appendix B), as far as names and lengths need it.

/// The length of each byte's code, in bits. The code is canonical, so that these define it.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// The shortest and the longest code. Longer ones, such as that of the end of a text, are errors.
const SHORTEST: usize = 5;
const LONGEST: usize = 30;

static TABLE: CodeTable = CodeTable::new();

/// The codes by length.
struct CodeTable {
    /// The first code of each length.
    first: [u32; LONGEST + 1],
    /// How many bytes have a code of each length.
    count: [u32; LONGEST + 1],
    /// The bytes, sorted by their codes.
    bytes: [u8; 256],
}

impl CodeTable {
    const fn new() -> Self {
        let mut table = Self { first: [0; LONGEST + 1], count: [0; LONGEST + 1], bytes: [0; 256] };
        let (mut length, mut code, mut at) = (SHORTEST, 0, 0);
        while length <= LONGEST {
            table.first[length] = code;
            let mut byte = 0_u8;
            loop {
                if LENGTHS[byte as usize] as usize == length {
                    table.bytes[at] = byte;
                    table.count[length] += 1;
                    at += 1;
                    code += 1;
                }
                if byte == u8::MAX {
                    break;
                }
                byte += 1;
            }
            code <<= 1;
            length += 1;
        }
        table
    }
}

/// Decodes a text; calls `each` with its bytes. `None` if it is not a Huffman code.
pub(super) fn decode(coded: &[u8], mut each: impl FnMut(u8)) -> Option<()> {
    let (mut code, mut length, mut before) = (0_u32, 0_usize, 0_u32);
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1))) {
        (code, length) = (code << 1 | bit, length + 1);
        if length < SHORTEST {
            continue;
        }
        let (first, count) = (TABLE.first.get(length)?, TABLE.count[length]);
        let offset = code.wrapping_sub(*first);
        if offset < count {
            each(*TABLE.bytes.get((before + offset) as usize)?);
            (code, length, before) = (0, 0, 0);
        } else {
            before += count;
        }
    }
    // The rest is padding: fewer than eight bits, all of them 1.
    (length < 8 && code + 1 == 1 << length).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_decoded() {
        for (coded, text) in [
            (
                &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..],
                "www.example.com",
            ),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (&[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f], "custom-key"),
            (&[0x64, 0x02], "302"),
        ] {
            let mut decoded = Vec::new();
            assert_eq!(decode(coded, |byte| decoded.push(byte)), Some(()), "{text}");
            assert_eq!(decoded, text.as_bytes());
        }
        assert_eq!(decode(&[0xff; 4], |_| ()), None);
    }
}
