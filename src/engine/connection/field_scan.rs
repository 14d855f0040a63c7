//! Reads the blocks of header fields of an HTTP/2 server as far as needed to find pseudo-fields in
//! the wrong place.
//!
//! A client must reject an answer with a pseudo-field of a request, and trailers with any
//! pseudo-field (RFC 9113, section 8.1). `h2` drops them, so they must be found before.

use std::collections::VecDeque;

use super::huffman;

/// Names in HPACK's static table (RFC 7541, appendix A): the lengths.
const STATIC_LENGTHS: [u8; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14,
    16, 13, 12, 6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10,
    25, 17, 10, 4, 3, 16,
];

/// What the name of a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldName {
    /// A pseudo-field that only requests have, or an unknown one.
    Foreign,
    Status,
    Regular,
}

/// What a block of fields contains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BlockContent {
    /// Whether it has a pseudo-field that only requests have, or an unknown one.
    pub(super) has_foreign: bool,
    /// Whether it has a status, and whether that is one of an interim answer.
    pub(super) has_status: bool,
    pub(super) is_interim: bool,
}

/// A field in HPACK's dynamic table.
#[derive(Debug, Clone, Copy)]
struct TableEntry {
    name: FieldName,
    name_length: usize,
    size: usize,
    is_interim: bool,
}

/// The dynamic table of a connection, without its texts.
#[derive(Debug)]
pub(super) struct FieldScan {
    entries: VecDeque<TableEntry>,
    size: usize,
    limit: usize,
    /// Whether a block could not be read. `h2` then ends the connection.
    is_lost: bool,
}

/// A text: its decoded length and its first bytes.
struct CodedText {
    length: usize,
    start: [u8; 7],
}

/// The bytes of a block that are still to be read.
struct BlockReader<'a>(&'a [u8]);

impl FieldScan {
    /// The size of the table as long as the server does not reduce it; tollgate announces no other.
    const TABLE_SIZE: usize = 4_096;
    /// What an entry costs in addition to its texts.
    const ENTRY: usize = 32;
    /// The bits of the name's index in a field that becomes an entry.
    const INDEXED: u32 = 6;

    pub(super) fn new() -> Self {
        Self { entries: VecDeque::new(), size: 0, limit: Self::TABLE_SIZE, is_lost: false }
    }

    /// Reads a block; `None` if it, or one before it, is not HPACK.
    pub(super) fn read(&mut self, block: &[u8]) -> Option<BlockContent> {
        let content = if self.is_lost { None } else { self.fields(BlockReader(block)) };
        self.is_lost = content.is_none();
        content
    }

    fn fields(&mut self, mut block: BlockReader<'_>) -> Option<BlockContent> {
        let mut content = BlockContent::default();
        while let Some(&first) = block.0.first() {
            let field = match first {
                0x80.. => self.entry(block.integer(7)?)?,
                0x40..=0x7f => {
                    let field = self.literal(&mut block, Self::INDEXED)?;
                    self.insert(field);
                    field
                }
                0x20..=0x3f => {
                    self.limit = block.integer(5)?.min(Self::TABLE_SIZE);
                    self.shrink();
                    continue;
                }
                _ => self.literal(&mut block, 4)?,
            };
            content.has_foreign |= field.name == FieldName::Foreign;
            content.has_status |= field.name == FieldName::Status;
            content.is_interim |= field.is_interim;
        }
        Some(content)
    }

    /// A field with a name from a table or of its own, and a value of its own.
    fn literal(&self, block: &mut BlockReader<'_>, prefix: u32) -> Option<TableEntry> {
        let (name, name_length) = match block.integer(prefix)? {
            0 => {
                let text = block.text()?;
                let name = match (text.length, &text.start) {
                    (7, b":status") => FieldName::Status,
                    (1.., [b':', ..]) => FieldName::Foreign,
                    _ => FieldName::Regular,
                };
                (name, text.length)
            }
            index => {
                let entry = self.entry(index)?;
                (entry.name, entry.name_length)
            }
        };
        // A value counts for the size of the table, and to tell interim answers.
        let value = if prefix == Self::INDEXED || name == FieldName::Status {
            block.text()?
        } else {
            block.skip_text()?;
            CodedText { length: 0, start: [0; 7] }
        };
        let is_interim = name == FieldName::Status && value.start[0] == b'1';
        let size = name_length + value.length + Self::ENTRY;
        Some(TableEntry { name, name_length, size, is_interim })
    }

    /// The entry of an index; the static table comes first.
    fn entry(&self, index: usize) -> Option<TableEntry> {
        let Some(length) = STATIC_LENGTHS.get(index.checked_sub(1)?) else {
            return self.entries.get(index - 1 - STATIC_LENGTHS.len()).copied();
        };
        let name = match index {
            1..=7 => FieldName::Foreign,
            8..=14 => FieldName::Status,
            _ => FieldName::Regular,
        };
        let name_length = usize::from(*length);
        Some(TableEntry { name, name_length, size: 0, is_interim: false })
    }

    fn insert(&mut self, entry: TableEntry) {
        self.size += entry.size;
        self.entries.push_front(entry);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.size > self.limit {
            let Some(oldest) = self.entries.pop_back() else { return };
            self.size -= oldest.size;
        }
    }
}

impl<'a> BlockReader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// An integer with a prefix of this many bits (RFC 7541, section 5.1).
    fn integer(&mut self, prefix: u32) -> Option<usize> {
        let most = (1_usize << prefix) - 1;
        let mut value = usize::from(self.byte()?) & most;
        if value < most {
            return Some(value);
        }
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Passes over a text and returns its bytes, which may be coded.
    fn skip_text(&mut self) -> Option<&'a [u8]> {
        let length = self.integer(7)?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<CodedText> {
        let is_coded = self.0.first()? & 0x80 != 0;
        let bytes = self.skip_text()?;
        let mut text = CodedText { length: 0, start: [0; 7] };
        if is_coded {
            huffman::decode(bytes, |byte| text.push(byte))?;
        } else {
            bytes.iter().take(text.start.len()).for_each(|byte| text.push(*byte));
            text.length = bytes.len();
        }
        Some(text)
    }
}

impl CodedText {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.start.get_mut(self.length) {
            *place = byte;
        }
        self.length += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(scan: &mut FieldScan, block: &[u8]) -> (bool, bool, bool) {
        let content = scan.read(block).unwrap();
        (content.has_foreign, content.has_status, content.is_interim)
    }

    #[test]
    fn pseudo_fields_are_found_in_each_form() {
        let mut scan = FieldScan::new();
        assert_eq!(read(&mut scan, &[0x88]), (false, true, false));
        assert_eq!(read(&mut scan, &[0x88, 0x84]), (true, true, false));
        assert_eq!(read(&mut scan, b"\x08\x03103"), (false, true, true));
        assert_eq!(read(&mut scan, b"\x00\x07:status\x03200"), (false, true, false));
        assert_eq!(read(&mut scan, b"\x00\x04:odd\x01x"), (true, false, false));
        // `custom-key` in Huffman code.
        let key = [0x00, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x01, b'x'];
        assert_eq!(read(&mut scan, &key), (false, false, false));
    }

    #[test]
    fn an_entry_of_the_dynamic_table_keeps_its_name_until_it_is_evicted() {
        let mut scan = FieldScan::new();
        assert_eq!(read(&mut scan, b"\x40\x04:odd\x01x"), (true, false, false));
        assert_eq!(read(&mut scan, &[0x88, 0xbe]), (true, true, false));
        let large = [&b"\x40\x01x\x7f\xdd\x1e"[..], &[b'y'; 4_060]].concat();
        assert_eq!(read(&mut scan, &large), (false, false, false));
        assert_eq!(read(&mut scan, &[0xbe]), (false, false, false));
        assert_eq!(scan.read(&[0xbf]), None);
        assert_eq!(scan.read(&[0x88]), None, "what follows an error is not read");
    }

    #[test]
    fn blocks_that_are_not_hpack_are_left_to_the_library() {
        for block in [
            &[0x80][..],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            &[0, 9, b'a'],
            &[0, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(FieldScan::new().read(block), None, "{block:?}");
        }
    }
}
