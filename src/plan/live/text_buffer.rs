//! Memory for the texts of requests.

use bytes::{Bytes, BytesMut};

/// Memory that the texts of requests are cut from.
///
/// One allocation serves many texts, and is used again once none of them is left. An allocation for
/// each text would be among the largest costs of sending a value.
#[derive(Default)]
pub struct TextBuffer {
    /// The text that is being written.
    text: String,
    memory: BytesMut,
}

impl TextBuffer {
    /// Bytes allocated at a time. A block stays allocated as long as one text cut from it is alive.
    const SIZE: usize = 4_096;

    /// The text that `write` appends to an empty one.
    pub(super) fn cut<E>(
        &mut self,
        write: impl FnOnce(&mut String) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        self.text.clear();
        write(&mut self.text)?;
        if self.memory.capacity() < self.text.len() {
            self.memory.reserve(self.text.len().max(Self::SIZE));
        }
        self.memory.extend_from_slice(self.text.as_bytes());
        Ok(self.memory.split().freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_its_own_whatever_is_written_later() {
        let mut texts = TextBuffer::default();
        let cut = |length: usize| {
            let write = |text: &mut String| {
                text.push_str(&length.to_string().repeat(length));
                Ok::<_, ()>(())
            };
            (length, texts.cut(write).unwrap())
        };
        let all: Vec<_> = [0, 3, 900, 5_000, 1, 900, 900, 900, 900].map(cut).into();
        for (length, text) in all {
            assert_eq!(text, length.to_string().repeat(length));
        }
    }

    #[test]
    fn a_text_that_fails_leaves_nothing_behind() {
        let mut texts = TextBuffer::default();
        let failed = texts.cut(|text| {
            text.push_str("half");
            Err(7)
        });
        assert_eq!(failed, Err(7));
        let write = |text: &mut String| {
            text.push_str("whole");
            Ok::<_, ()>(())
        };
        assert_eq!(texts.cut(write).unwrap(), "whole");
    }
}
