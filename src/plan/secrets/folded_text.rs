//! A text in which escapes and letter case no longer hide a secret.

/// How often escapes are undone. A target may escape an escaped text once more.
const MAX_PASSES: usize = 4;

/// A text in lower case, with the original position of each byte.
pub(super) struct FoldedText {
    pub(super) bytes: Vec<u8>,
    /// The position of each byte, followed by the end of the text. All are character boundaries.
    pub(super) starts: Vec<usize>,
}

impl FoldedText {
    /// The text as it is, and, if that differs, the text without escapes: percent-encoding, and the
    /// escapes of HTML, JSON and logs, also of an escaped text.
    pub(super) fn views(text: &str) -> Vec<Self> {
        let mut raw = Self { bytes: text.as_bytes().to_vec(), starts: Vec::new() };
        for (at, character) in text.char_indices() {
            raw.starts.extend(std::iter::repeat_n(at, character.len_utf8()));
        }
        raw.starts.push(text.len());
        let mut decoded = raw.without_escapes();
        for _ in 1..MAX_PASSES {
            decoded = match decoded.as_ref().and_then(Self::without_escapes) {
                Some(further) => Some(further),
                None => break,
            };
        }
        let views = std::iter::once(raw).chain(decoded);
        views.map(Self::in_lower_case).collect()
    }

    fn in_lower_case(self) -> Self {
        let mut lower = Self { bytes: Vec::new(), starts: Vec::new() };
        let mut push = |text: &[u8], at: usize, width: usize| {
            let starts = (0..text.len()).map(|byte| self.starts[at + byte.min(width - 1)]);
            lower.starts.extend(starts);
            lower.bytes.extend(text);
        };
        let mut at = 0;
        for chunk in self.bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                if let Ok(byte) = u8::try_from(character)
                    && byte.is_ascii()
                {
                    push(&[byte.to_ascii_lowercase()], at, 1);
                    at += 1;
                    continue;
                }
                let width = character.len_utf8();
                let text: String = character.to_lowercase().collect();
                push(text.as_bytes(), at, width);
                at += width;
            }
            for byte in chunk.invalid() {
                push(&[*byte], at, 1);
                at += 1;
            }
        }
        lower.starts.extend(self.starts.last());
        lower
    }

    /// The text with its escapes undone once; `None` if it has none.
    fn without_escapes(&self) -> Option<Self> {
        self.bytes.iter().position(|byte| b"%&\\".contains(byte))?;
        let mut plain = Self { bytes: Vec::new(), starts: Vec::new() };
        let (mut at, mut has_changed) = (0, false);
        while at < self.bytes.len() {
            let Some(Escape { bytes, width }) = escaped(&self.bytes[at..]) else {
                plain.starts.push(self.starts[at]);
                plain.bytes.push(self.bytes[at]);
                at += 1;
                continue;
            };
            has_changed = true;
            plain.starts.extend(std::iter::repeat_n(self.starts[at], bytes.len()));
            plain.bytes.extend(bytes);
            at += width;
        }
        plain.starts.extend(self.starts.last());
        has_changed.then_some(plain)
    }
}

/// What an escape stands for, and how many bytes it has.
struct Escape {
    bytes: Vec<u8>,
    width: usize,
}

impl Escape {
    fn of_char(character: char, width: usize) -> Self {
        Self { bytes: character.to_string().into_bytes(), width }
    }
}

/// The escape that a text starts with.
fn escaped(text: &[u8]) -> Option<Escape> {
    match text {
        [b'%', high, low, ..] | [b'\\', b'x', high, low, ..] => {
            let width = if text[0] == b'%' { 3 } else { 4 };
            let byte = hexadecimal(&[*high, *low]).and_then(|byte| u8::try_from(byte).ok())?;
            Some(Escape { bytes: vec![byte], width })
        }
        [b'&', b'#', ..] => numeric_entity(text),
        [b'&', ..] => {
            let mut entities = ENTITIES.iter();
            let (name, character) =
                entities.find(|(name, _)| text[1..].starts_with(name.as_bytes()))?;
            Some(Escape::of_char(*character, name.len() + 1))
        }
        [b'\\', b'u', ..] => unicode_escape(text),
        [b'\\', letter, ..] => {
            let (_, character) = JSON_ESCAPES.iter().find(|(known, _)| known == letter)?;
            Some(Escape::of_char(*character, 2))
        }
        _ => None,
    }
}

/// The named characters that encoders of HTML and XML write.
const ENTITIES: [(&str, char); 6] =
    [("amp;", '&'), ("lt;", '<'), ("gt;", '>'), ("quot;", '"'), ("apos;", '\''), ("nbsp;", ' ')];

const JSON_ESCAPES: [(u8, char); 9] = [
    (b'"', '"'),
    (b'\'', '\''),
    (b'\\', '\\'),
    (b'/', '/'),
    (b'b', '\u{8}'),
    (b'f', '\u{c}'),
    (b'n', '\n'),
    (b'r', '\r'),
    (b't', '\t'),
];

/// Maximum number of digits of a numeric entity.
const ENTITY_DIGITS: usize = 8;

/// `&#39;`, `&#x27;`.
fn numeric_entity(text: &[u8]) -> Option<Escape> {
    let (radix, from) = if matches!(text.get(2), Some(b'x' | b'X')) { (16, 3) } else { (10, 2) };
    let digits = text[from..].iter().take(ENTITY_DIGITS + 1).position(|byte| *byte == b';')?;
    let digits = std::str::from_utf8(&text[from..from + digits]).ok()?;
    let character = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)?;
    Some(Escape::of_char(character, from + digits.len() + 1))
}

/// `\u00e4`, or two of them that make one character.
fn unicode_escape(text: &[u8]) -> Option<Escape> {
    let unit = |at: usize| {
        let is_escape = text.get(at..at + 2)? == b"\\u";
        let unit = hexadecimal(text.get(at + 2..at + 6)?).filter(|_| is_escape)?;
        u16::try_from(unit).ok()
    };
    let first = unit(0)?;
    let pair = [Some(first), unit(6)];
    let mut characters = char::decode_utf16(pair.into_iter().flatten());
    let character = characters.next()?.ok()?;
    Some(Escape::of_char(character, if character.len_utf16() == 2 { 12 } else { 6 }))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}
