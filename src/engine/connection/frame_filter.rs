//! Filters what an HTTP/2 server sends, before `h2` reads it.
//!
//! A server may send empty DATA frames (RFC 9113, section 6.1), and they carry nothing. `h2` ends a
//! connection after 100 of them, however long the connection lives. Their number says nothing about
//! the target, so they must not reach `h2`. Frames that carry nothing are counted, as a flood of
//! them must end, and rules are checked that `h2` does not check.

use std::io;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use crate::engine::connection::flood::{FloodKind, FloodMeter};
use crate::engine::connection::frame_head::FrameHead;
use crate::engine::connection::frame_rules::{BrokenRule, FrameRules};

/// What the filter has learnt about a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct FrameFacts {
    /// Empty DATA frames with padding. They count for flow control, so they cannot be removed.
    pub(super) padded_empty: u32,
    /// The most bytes that a head took.
    pub(super) largest_head: usize,
    /// The rule that the target broke, if it is one that `h2` does not check.
    pub(super) broken: Option<BrokenRule>,
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
    /// The current frame, and how many of its bytes, including its head, are still to be passed on.
    current: Option<FrameHead>,
    rest: usize,
    rules: FrameRules,
    /// Size of the current block of header fields so far, in bytes.
    head: usize,
    /// Whether the last read brought little data in many frames.
    is_dense: bool,
    facts: FrameFacts,
}

/// The meter of a connection, and what else the filter must know of it.
#[derive(Clone, Copy)]
pub(super) struct ReadContext<'a> {
    pub(super) flood: &'a FloodMeter,
    /// Whether an exchange is in progress.
    pub(super) is_asked: bool,
    /// How many bytes were sent.
    pub(super) written: u64,
}

impl FrameFilter {
    /// The most that is handed out at a time if it consists of small frames.
    const DENSE: usize = 2 << 10;
    /// How many bytes of other input cost as much as one byte of small frames.
    const DENSE_COST: u64 = 8;

    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; 16 << 10].into_boxed_slice(),
            ready: 0..0,
            partial: 0..0,
            current: None,
            rest: 0,
            rules: FrameRules::new(),
            head: 0,
            is_dense: false,
            facts: FrameFacts::default(),
        }
    }

    pub(super) fn facts(&self) -> FrameFacts {
        self.facts
    }

    /// Reads what is left after filtering; `read` reads the connection. Charges the meter for
    /// frames that carry nothing.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        context: ReadContext<'_>,
        mut read: impl FnMut(&mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(context.flood.poll_turn(cx));
            if !self.ready.is_empty() {
                let most = if self.is_dense { Self::DENSE } else { usize::MAX };
                let count = self.ready.len().min(buf.remaining()).min(most);
                if self.is_dense {
                    context.flood.note_work(Self::DENSE_COST * count as u64);
                } else {
                    context.flood.note_data(count as u64);
                }
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
                self.filter(self.partial.end + count, context)?;
            }
        }
    }

    /// Filters the first `end` bytes of the buffer.
    fn filter(&mut self, end: usize, context: ReadContext<'_>) -> io::Result<()> {
        let ReadContext { flood: meter, is_asked, written } = context;
        let (mut from, mut to, mut costs) = (0, 0, 0);
        while from < end {
            if self.rest == 0 {
                let Some(head) = FrameHead::read(&self.buffer[from..end]) else { break };
                self.note(&head);
                let (cost, data) = head.cost(is_asked);
                meter.credit(data);
                if cost > 0 {
                    meter.charge(cost, FloodKind::Frames(head.name()))?;
                }
                costs += cost;
                let carries_nothing = head.is_empty_data() && head.padding.is_none();
                if carries_nothing || head.is_empty_continuation() {
                    from += FrameHead::LENGTH;
                    continue;
                }
                self.rest = FrameHead::LENGTH + head.length;
                self.current = Some(head);
            }
            let count = self.rest.min(end - from);
            if let Some(head) = &self.current {
                let is_first = self.rest == FrameHead::LENGTH + head.length;
                let payload = from + if is_first { FrameHead::LENGTH } else { 0 };
                self.rules.take(head, &self.buffer[payload..from + count]);
            }
            self.buffer.copy_within(from..from + count, to);
            (from, to) = (from + count, to + count);
            self.rest -= count;
            if self.rest == 0
                && let Some(head) = self.current.take()
                && let Err(broken) = self.rules.check(&head, written)
            {
                self.facts.broken = Some(broken);
                return Err(io::Error::other(broken));
            }
        }
        (self.ready, self.partial) = (0..to, from..end);
        self.is_dense = costs > end as u64;
        meter.note_work(costs / Self::DENSE_COST);
        Ok(())
    }

    fn note(&mut self, head: &FrameHead) {
        self.head = match head.kind {
            FrameHead::HEADERS => head.length,
            FrameHead::CONTINUATION => self.head + head.length,
            _ => 0,
        };
        self.facts.largest_head = self.facts.largest_head.max(self.head);
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
            let flood = &FloodMeter::default();
            let context = ReadContext { flood, is_asked: true, written: 0 };
            let polled = filter.poll_read(&mut cx, &mut buf, context, |_, buf| {
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
        let largest = |bytes: &[u8]| filtered(bytes, 5_000, 5_000).1.largest_head;
        assert_eq!(largest(&[one.clone(), more].concat()), 160_000);
        assert_eq!(largest(&one.repeat(10)), 16_000);
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
