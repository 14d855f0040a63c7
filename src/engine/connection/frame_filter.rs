//! Removes empty DATA frames from what an HTTP/2 server sends, before `h2` reads it.
//!
//! A server may send them (RFC 9113, section 6.1), and they carry nothing. `h2` ends a connection
//! after 100 of them, however long the connection lives. Their number says nothing about the
//! target, so they must not reach `h2`.

use std::io;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

/// What the filter has learnt about a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FrameFacts {
    /// Empty DATA frames with padding. They count for flow control, so they cannot be removed.
    pub(super) padded_empty: u32,
    /// Whether a head took more bytes than [`FrameFilter::LARGE_HEAD`].
    pub(super) had_large_head: bool,
    /// The error code of the last GOAWAY, with which the target announces the end.
    pub(super) goaway: Option<u32>,
}

/// Removes empty DATA frames that do not end a stream from the bytes of a connection.
pub(super) struct FrameFilter {
    buffer: Box<[u8]>,
    /// The bytes to hand out.
    ready: Range<usize>,
    /// The bytes after those: the first part of a frame's head.
    partial: Range<usize>,
    /// How many bytes of the current frame, including its head, are still to be passed on.
    rest: usize,
    /// Size of the current block of header fields so far, in bytes.
    head: usize,
    facts: FrameFacts,
}

/// The head of a frame (RFC 9113, section 4.1).
struct FrameHead {
    length: usize,
    kind: u8,
    flags: u8,
    /// The length of the padding, if the frame has any.
    padding: Option<u8>,
    /// The error code of a GOAWAY.
    error: Option<u32>,
}

impl FrameHead {
    const LENGTH: usize = 9;
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const GOAWAY: u8 = 7;
    const CONTINUATION: u8 = 9;
    const END_STREAM: u8 = 1;
    const PADDED: u8 = 8;

    /// Reads the head at the start of some bytes. In a DATA frame the length of the padding follows
    /// it, and in a GOAWAY a stream and the error code. `None` if that is not complete.
    fn read(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, _, _, _, _] = bytes.first_chunk::<{ Self::LENGTH }>()?;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let payload = &bytes[Self::LENGTH..];
        let (mut padding, mut error) = (None, None);
        if kind == Self::DATA && flags & Self::PADDED != 0 && length > 0 {
            padding = Some(*payload.first()?);
        } else if kind == Self::GOAWAY && length >= 8 {
            error = Some(u32::from_be_bytes(*payload.get(4..)?.first_chunk()?));
        }
        Some(Self { length, kind, flags, padding, error })
    }

    /// Whether it is a DATA frame without data that does not end its stream.
    fn is_empty_data(&self) -> bool {
        let padding = self.padding.map_or(0, |padding| 1 + usize::from(padding));
        let ends = self.flags & Self::END_STREAM != 0;
        self.kind == Self::DATA && !ends && self.length == padding
    }
}

impl FrameFilter {
    /// A head beyond this size may be too large for `h2` once it is decompressed.
    const LARGE_HEAD: usize = 128 << 10;
    /// How often the filter reads on when nothing is left of what it read.
    const READS: usize = 16;

    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; 16 << 10].into_boxed_slice(),
            ready: 0..0,
            partial: 0..0,
            rest: 0,
            head: 0,
            facts: FrameFacts::default(),
        }
    }

    pub(super) fn facts(&self) -> FrameFacts {
        self.facts
    }

    /// Reads what is left after filtering; `read` reads the connection.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        mut read: impl FnMut(&mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        for _ in 0..Self::READS {
            if !self.ready.is_empty() {
                let count = self.ready.len().min(buf.remaining());
                buf.put_slice(&self.buffer[self.ready.start..self.ready.start + count]);
                self.ready.start += count;
                return Poll::Ready(Ok(()));
            }
            self.buffer.copy_within(self.partial.clone(), 0);
            self.partial = 0..self.partial.len();
            let mut free = ReadBuf::new(&mut self.buffer[self.partial.end..]);
            ready!(read(cx, &mut free))?;
            let count = free.filled().len();
            if count == 0 && self.partial.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if count == 0 {
                // The stream ends within a head, which `h2` must see.
                (self.ready, self.partial) = (self.partial.clone(), 0..0);
            } else {
                self.filter(self.partial.end + count);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Filters the first `end` bytes of the buffer.
    fn filter(&mut self, end: usize) {
        let (mut from, mut to) = (0, 0);
        while from < end {
            if self.rest == 0 {
                let Some(head) = FrameHead::read(&self.buffer[from..end]) else { break };
                self.note(&head);
                if head.is_empty_data() && head.padding.is_none() {
                    from += FrameHead::LENGTH;
                    continue;
                }
                self.rest = FrameHead::LENGTH + head.length;
            }
            let count = self.rest.min(end - from);
            self.buffer.copy_within(from..from + count, to);
            (from, to) = (from + count, to + count);
            self.rest -= count;
        }
        (self.ready, self.partial) = (0..to, from..end);
    }

    fn note(&mut self, head: &FrameHead) {
        self.head = match head.kind {
            FrameHead::HEADERS => head.length,
            FrameHead::CONTINUATION => self.head + head.length,
            _ => 0,
        };
        self.facts.had_large_head |= self.head > Self::LARGE_HEAD;
        self.facts.goaway = head.error.or(self.facts.goaway);
        self.facts.padded_empty += u32::from(head.is_empty_data() && head.padding.is_some());
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// What is left of some bytes that arrive in pieces, and what the filter learnt.
    fn filtered(bytes: &[u8], piece: usize, room: usize) -> (Vec<u8>, FrameFacts) {
        let (mut filter, mut left, mut pieces) =
            (FrameFilter::new(), Vec::new(), bytes.chunks(piece));
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let mut memory = vec![0; room];
            let mut buf = ReadBuf::new(&mut memory);
            let polled = filter.poll_read(&mut cx, &mut buf, |_, buf| {
                buf.put_slice(pieces.next().unwrap_or_default());
                Poll::Ready(Ok(()))
            });
            if polled.is_ready() && buf.filled().is_empty() {
                return (left, filter.facts());
            }
            left.extend_from_slice(buf.filled());
        }
    }

    fn data(payload: &[u8]) -> Vec<u8> {
        frame(FrameHead::DATA, 0, payload)
    }

    #[test]
    fn only_empty_data_frames_that_do_not_end_a_stream_are_removed() {
        let last = frame(FrameHead::DATA, FrameHead::END_STREAM, b"");
        let settings = frame(4, 0, b"");
        let padded = frame(FrameHead::DATA, FrameHead::PADDED, &[3, 0, 0, 0]);
        let kept = [settings, data(b"hello"), padded, last].concat();
        let empty = data(b"").repeat(300);
        let sent = [&kept[..9], &empty, &kept[9..], &empty].concat();
        let (left, facts) = filtered(&sent, 700, 100);
        assert_eq!(left, kept);
        assert_eq!(facts, FrameFacts { padded_empty: 1, ..FrameFacts::default() });
    }

    #[test]
    fn a_stream_that_ends_within_a_frames_head_is_passed_on_as_it_is() {
        let cut = &data(b"hello")[..5];
        assert_eq!(filtered(cut, 2, 100).0, cut);
    }

    #[test]
    fn the_error_code_of_a_goaway_is_read_even_if_it_arrives_in_pieces() {
        let goaway = frame(FrameHead::GOAWAY, 0, &[0, 0, 0, 1, 0, 0, 0, 11, b'!']);
        for piece in [1, 12, 100] {
            let (left, facts) = filtered(&goaway, piece, 100);
            assert_eq!((left, facts.goaway), (goaway.clone(), Some(11)));
        }
    }

    #[test]
    fn a_large_head_is_noticed_over_all_its_frames() {
        let one = frame(FrameHead::HEADERS, 0, &[0; 16_000]);
        let more = frame(FrameHead::CONTINUATION, 0, &[0; 16_000]).repeat(9);
        assert!(filtered(&[one.clone(), more].concat(), 5_000, 5_000).1.had_large_head);
        assert!(!filtered(&one.repeat(10), 5_000, 5_000).1.had_large_head);
    }

    proptest! {
        #[test]
        fn what_is_left_does_not_depend_on_the_pieces_that_arrive(
            sizes in prop::collection::vec(0_usize..40, 1..60),
            piece in 1_usize..200,
            room in 1_usize..60,
        ) {
            let frames: Vec<_> = sizes.iter().map(|&size| vec![7; size]).collect();
            let sent: Vec<u8> = frames.iter().flat_map(|payload| data(payload)).collect();
            let full = frames.iter().filter(|payload| !payload.is_empty());
            let kept: Vec<u8> = full.flat_map(|payload| data(payload)).collect();
            prop_assert_eq!(filtered(&sent, piece, room).0, kept);
        }
    }
}
