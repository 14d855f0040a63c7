//! Rules of HTTP/2 that a target can break without `h2` noticing.

use super::field_scan::FieldScan;
use super::frame_head::FrameHead;

/// A rule that the target broke: its error code, and what it did.
pub(super) type BrokenRule = &'static str;

const FOREIGN_FIELD: BrokenRule =
    "PROTOCOL_ERROR, 0x1: an answer has a pseudo-field other than one `:status`";
const FIELD_IN_TRAILERS: BrokenRule = "PROTOCOL_ERROR, 0x1: trailers have a pseudo-field";
const PUSH_ENABLED: BrokenRule = "PROTOCOL_ERROR, 0x1: a server enables pushes";
const ENDED_STREAM: BrokenRule =
    "STREAM_CLOSED, 0x5: DATA or HEADERS follow on a stream that the target has ended";
const LARGE_WINDOW: BrokenRule =
    "FLOW_CONTROL_ERROR, 0x3: a flow-control window is larger than 2,147,483,647 bytes";

/// Checks the frames of a connection in the order in which they arrive.
#[derive(Debug)]
pub(super) struct FrameRules {
    scan: FieldScan,
    /// The payload of the current frame, if a rule needs it.
    payload: Vec<u8>,
    /// The current block of header fields, its stream, and whether it ends the stream.
    block: Vec<u8>,
    stream: u32,
    is_last: bool,
    /// The streams whose answer has begun and not ended.
    answered: Vec<u32>,
    /// The last streams that the target has ended.
    ended: Vec<u32>,
    /// The initial window of a stream for what tollgate sends.
    initial_window: u64,
    /// By how much the target has enlarged the windows of streams.
    enlarged: Vec<(u32, u64)>,
}

impl FrameRules {
    /// The largest block: `h2` refuses larger ones.
    const MAX_BLOCK: usize = 1 << 20;
    /// How many streams are remembered.
    const MAX_STREAMS: usize = 1_024;
    /// How many ended streams are remembered.
    const MAX_ENDED: usize = 64;
    const MAX_WINDOW: u64 = 0x7fff_ffff;

    pub(super) fn new() -> Self {
        Self {
            scan: FieldScan::new(),
            payload: Vec::new(),
            block: Vec::new(),
            stream: 0,
            is_last: false,
            answered: Vec::new(),
            ended: Vec::new(),
            initial_window: 65_535,
            enlarged: Vec::new(),
        }
    }

    /// Takes a part of a frame's payload.
    pub(super) fn take(&mut self, head: &FrameHead, part: &[u8]) {
        let kinds = [
            FrameHead::HEADERS,
            FrameHead::CONTINUATION,
            FrameHead::SETTINGS,
            FrameHead::WINDOW_UPDATE,
        ];
        if head.length <= FrameHead::MAX_LENGTH && kinds.contains(&head.kind) {
            self.payload.extend_from_slice(part);
        }
    }

    /// Checks a frame that is complete. `written` is how many bytes tollgate has sent.
    pub(super) fn check(&mut self, head: &FrameHead, written: u64) -> Result<(), BrokenRule> {
        let checked = match head.kind {
            FrameHead::HEADERS | FrameHead::DATA if self.ended.contains(&head.stream) => {
                Err(ENDED_STREAM)
            }
            FrameHead::HEADERS => {
                self.block.clear();
                (self.stream, self.is_last) = (head.stream, head.has(FrameHead::END_STREAM));
                self.block.extend_from_slice(head.fields(&self.payload));
                self.check_block(head)
            }
            FrameHead::CONTINUATION => {
                if self.block.len() < Self::MAX_BLOCK {
                    self.block.extend_from_slice(&self.payload);
                }
                self.check_block(head)
            }
            FrameHead::SETTINGS => self.check_settings(written),
            FrameHead::WINDOW_UPDATE => self.check_window(head.stream, written),
            FrameHead::DATA | FrameHead::RST_STREAM => {
                if head.kind == FrameHead::RST_STREAM || head.has(FrameHead::END_STREAM) {
                    self.end(head.stream);
                }
                Ok(())
            }
            _ => Ok(()),
        };
        self.payload.clear();
        checked
    }

    /// Notes that a stream has ended: its window no longer counts.
    fn end(&mut self, ended: u32) {
        self.answered.retain(|stream| *stream != ended);
        self.enlarged.retain(|(stream, _)| *stream != ended);
        if self.ended.len() == Self::MAX_ENDED {
            self.ended.remove(0);
        }
        self.ended.push(ended);
    }

    fn check_block(&mut self, head: &FrameHead) -> Result<(), BrokenRule> {
        if !head.has(FrameHead::END_HEADERS) {
            return Ok(());
        }
        let checked = self.check_fields();
        if self.is_last {
            self.end(self.stream);
        }
        checked
    }

    fn check_fields(&mut self) -> Result<(), BrokenRule> {
        let Some(content) = self.scan.read(&self.block) else { return Ok(()) };
        let is_answered = self.answered.contains(&self.stream);
        if is_answered && self.is_last && (content.has_status || content.has_foreign) {
            return Err(FIELD_IN_TRAILERS);
        }
        if is_answered {
            return Ok(());
        }
        if content.has_foreign {
            return Err(FOREIGN_FIELD);
        }
        if content.has_status && !content.is_interim && !self.is_last {
            if self.answered.len() == Self::MAX_STREAMS {
                self.answered.swap_remove(0);
            }
            self.answered.push(self.stream);
        }
        Ok(())
    }

    fn check_settings(&mut self, written: u64) -> Result<(), BrokenRule> {
        const ENABLE_PUSH: [u8; 2] = [0, 2];
        const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];
        let (settings, _) = self.payload.as_chunks::<6>();
        for [a, b, value @ ..] in settings {
            let value = u64::from(u32::from_be_bytes(*value));
            match [*a, *b] {
                ENABLE_PUSH if value == 1 => return Err(PUSH_ENABLED),
                INITIAL_WINDOW_SIZE => self.initial_window = value,
                _ => {}
            }
        }
        let is_large = |&(_, by): &(u32, u64)| self.is_large(by, written);
        if self.enlarged.iter().any(is_large) { Err(LARGE_WINDOW) } else { Ok(()) }
    }

    /// Only streams are checked; `h2` checks the connection.
    fn check_window(&mut self, stream: u32, written: u64) -> Result<(), BrokenRule> {
        let Some(increment) = self.payload.first_chunk() else { return Ok(()) };
        let increment = u64::from(u32::from_be_bytes(*increment)) & Self::MAX_WINDOW;
        if stream == 0 {
            return Ok(());
        }
        let known = self.enlarged.iter().position(|(known, _)| *known == stream);
        let at = known.unwrap_or_else(|| {
            if self.enlarged.len() == Self::MAX_STREAMS {
                self.enlarged.remove(0);
            }
            self.enlarged.push((stream, 0));
            self.enlarged.len() - 1
        });
        let Some((_, by)) = self.enlarged.get_mut(at) else { return Ok(()) };
        *by += increment;
        let by = *by;
        if self.is_large(by, written) { Err(LARGE_WINDOW) } else { Ok(()) }
    }

    /// Whether a window that was enlarged this much is too large, however much of what was
    /// `written` belonged to it.
    fn is_large(&self, enlarged: u64, written: u64) -> bool {
        self.initial_window + enlarged > Self::MAX_WINDOW + written
    }
}
