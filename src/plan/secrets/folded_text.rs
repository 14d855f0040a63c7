//! A text in which escapes and letter case no longer hide a secret.

/// A text, percent-decoded and in lower case, with the original position of each byte.
pub(super) struct FoldedText {
    pub(super) bytes: Vec<u8>,
    /// The position of each byte, followed by the end of the text. All are character boundaries.
    pub(super) starts: Vec<usize>,
}

impl FoldedText {
    pub(super) fn of(text: &str) -> Self {
        let mut plain = Self { bytes: Vec::new(), starts: Vec::new() };
        let mut at = 0;
        while let Some(character) = text[at..].chars().next() {
            let (byte, width) = match escaped(&text.as_bytes()[at..]) {
                Some(byte) => (byte, 3),
                None => (text.as_bytes()[at], character.len_utf8()),
            };
            plain.push(at, byte);
            // The further bytes of a longer character belong to the position where it starts.
            text.as_bytes()[at + 1..at + width].iter().filter(|byte| !byte.is_ascii()).for_each(
                |&byte| {
                    plain.push(at, byte);
                },
            );
            at += width;
        }
        plain.starts.push(text.len());
        plain
    }

    fn push(&mut self, at: usize, byte: u8) {
        self.bytes.push(byte.to_ascii_lowercase());
        self.starts.push(at);
    }
}

/// The byte that a percent sign and two hexadecimal digits encode.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else { return None };
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? * 16 + digit(low)?)
}
