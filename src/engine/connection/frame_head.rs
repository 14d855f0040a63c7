//! The heads of HTTP/2 frames.

/// The head of a frame (RFC 9113, section 4.1).
pub(super) struct FrameHead {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    /// The length of the padding, if the frame has any.
    pub(super) padding: Option<u8>,
    /// The error code of a GOAWAY.
    pub(super) error: Option<u32>,
}

impl FrameHead {
    pub(super) const LENGTH: usize = 9;
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const GOAWAY: u8 = 7;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const CONTINUATION: u8 = 9;
    pub(super) const END_STREAM: u8 = 1;
    pub(super) const END_HEADERS: u8 = 4;
    pub(super) const PRIORITIZED: u8 = 0x20;
    /// The longest payload that `h2` reads.
    pub(super) const MAX_LENGTH: usize = 16 << 10;
    /// What a frame costs its reader in addition to its bytes, in bytes.
    pub(super) const EACH: u64 = 64;
    pub(super) const PADDED: u8 = 8;

    /// Reads the head at the start of some bytes. In a DATA frame the length of the padding follows
    /// it, and in a GOAWAY a stream and the error code. `None` if that is not complete.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, ref stream @ ..] = bytes.first_chunk::<{ Self::LENGTH }>()?;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let payload = &bytes[Self::LENGTH..];
        let (mut padding, mut error) = (None, None);
        if kind == Self::DATA && flags & Self::PADDED != 0 && length > 0 {
            padding = Some(*payload.first()?);
        } else if kind == Self::GOAWAY && length >= 8 {
            error = Some(u32::from_be_bytes(*payload.get(4..)?.first_chunk()?));
        }
        let stream = u32::from_be_bytes(*stream) & 0x7fff_ffff;
        Some(Self { length, kind, flags, stream, padding, error })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The fields in the payload of HEADERS, without padding and priority.
    pub(super) fn fields<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        let (before, after) = match payload.first() {
            Some(padding) if self.has(Self::PADDED) => (1, usize::from(*padding)),
            _ => (0, 0),
        };
        let before = before + if self.has(Self::PRIORITIZED) { 5 } else { 0 };
        payload.get(before..payload.len().saturating_sub(after)).unwrap_or_default()
    }

    /// Whether it is a CONTINUATION without fields that does not end its head.
    pub(super) fn is_empty_continuation(&self) -> bool {
        self.kind == Self::CONTINUATION && self.length == 0 && self.flags & Self::END_HEADERS == 0
    }

    /// How many bytes reading the frame is worth, apart from data, and how many bytes of data it
    /// has. While nothing `is_asked`, data belongs to no answer, but may still be on its way.
    pub(super) fn cost(&self, is_asked: bool) -> (u64, u64) {
        // What is no HTTP/2 may look like a frame of any length.
        let length = self.length.min(Self::MAX_LENGTH) as u64;
        match self.kind {
            Self::DATA if self.length > 0 && is_asked => (0, length),
            Self::DATA => (Self::EACH + length / 256, 0),
            // `h2` limits the size of a head. Interim answers have heads, too.
            Self::HEADERS => (8 * Self::EACH, 0),
            Self::CONTINUATION => (Self::EACH, 0),
            _ => (Self::EACH + length, 0),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        const NAMES: [&str; 10] = [
            "DATA",
            "HEADERS",
            "PRIORITY",
            "RST_STREAM",
            "SETTINGS",
            "PUSH_PROMISE",
            "PING",
            "GOAWAY",
            "WINDOW_UPDATE",
            "CONTINUATION",
        ];
        NAMES.get(usize::from(self.kind)).unwrap_or(&"of an unknown type")
    }

    /// Whether it is a DATA frame without data that does not end its stream.
    pub(super) fn is_empty_data(&self) -> bool {
        let padding = self.padding.map_or(0, |padding| 1 + usize::from(padding));
        let ends = self.flags & Self::END_STREAM != 0;
        self.kind == Self::DATA && !ends && self.length == padding
    }
}
