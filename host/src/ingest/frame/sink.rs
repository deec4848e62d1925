//! Where framers put frames: open batches by stream, what is ready to be given out, and the framers' side of the byte
//! count.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::PreparedFraming;
use crate::ingest::decompress::Break;
use crate::ingest::stream::{
    Damage, DamageReason, FrameBatch, FrameKind, FrameLimits, Item, Position, RouteDecision, StreamKey,
    StreamRouter, Unparsed, UnparsedReason, Wrapped,
};

/// Items ready beyond which a framer should pause, so that a buffer full of one-byte frames does not become a queue.
const READY_ITEMS: usize = 64;
/// Most bytes of a frame joined from wrapped ones: one may be open for each stream.
const JOINED_BYTES: usize = 256 << 10;
/// Buffers kept for reuse.
const SPARE_BUFFERS: usize = 8;

/// A stream that the sink has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamSlot(usize);

impl StreamSlot {
    /// The member's own stream; always open.
    pub(crate) const MAIN: Self = Self(0);
}

/// One stream and the batch being filled for it.
struct OpenStream {
    key: Arc<StreamKey>,
    decision: RouteDecision,
    kind: FrameKind,
    header: Option<Arc<str>>,
    buffers: Buffers,
    /// Wrapped frames joined so far, when the stream's records span several.
    joined: Option<Joined>,
}

/// A multi-line frame of which each line was wrapped by itself.
struct Joined {
    bytes: Vec<u8>,
    lines: usize,
    offset: u64,
    carrier: usize,
    wrapped: Wrapped,
}

/// The parts of a batch that are worth keeping.
#[derive(Default)]
struct Buffers {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    positions: Vec<Position>,
    wrapped: Vec<Wrapped>,
}

impl Buffers {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.positions.clear();
        self.wrapped.clear();
    }

    fn capacity(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<u32>()
            + self.positions.capacity() * size_of::<Position>()
            + self.wrapped.capacity() * size_of::<Wrapped>()
    }
}

/// What the framers counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FramerCounts {
    pub(crate) frames: u64,
    pub(crate) framing: u64,
    pub(crate) damaged: u64,
    pub(crate) frame_count: u64,
}

/// Collects frames into batches; see the module.
pub(crate) struct Sink<'router> {
    limits: FrameLimits,
    router: &'router dyn StreamRouter,
    /// The configured header, which overrules the router's.
    header: Option<Arc<str>>,
    streams: Vec<OpenStream>,
    slots: HashMap<Arc<StreamKey>, StreamSlot>,
    ready: VecDeque<Item>,
    ready_bytes: usize,
    spare: Vec<Buffers>,
    counts: FramerCounts,
}

impl<'router> Sink<'router> {
    /// An empty sink; [`Sink::begin_member`] gives it its main stream.
    pub(crate) fn new(
        limits: FrameLimits,
        router: &'router dyn StreamRouter,
        header: Option<Arc<str>>,
    ) -> Self {
        Self {
            limits,
            router,
            header,
            streams: Vec::new(),
            slots: HashMap::new(),
            ready: VecDeque::new(),
            ready_bytes: 0,
            spare: Vec::new(),
            counts: FramerCounts::default(),
        }
    }

    /// Begins a member: gives out what is open, asks the router and makes `key` the main stream. `header` is what the
    /// member begins with, unless a header is in force already.
    pub(crate) fn begin_member(&mut self, key: StreamKey, header: Option<&str>) -> RouteDecision {
        let decision = self.router.route(&key, self.header.as_deref().or(header));
        self.close_streams();
        self.open(key, decision.clone());
        decision
    }

    /// The slot of a stream, opened if need be; good until the next call.
    pub(crate) fn stream(&mut self, key: StreamKey) -> StreamSlot {
        if let Some(slot) = self.slots.get(&key) {
            return *slot;
        }
        let decision = self.router.route(&key, None);
        self.open(key, decision)
    }

    /// Asks the router again about the member's own stream, now that its columns are known.
    pub(crate) fn route_by_columns(&mut self, columns: &str) {
        self.flush(StreamSlot::MAIN);
        let decision = self.router.route(&self.key(StreamSlot::MAIN), Some(columns));
        if let Some(stream) = self.streams.first_mut() {
            stream.decision = decision;
        }
    }

    pub(crate) fn limits(&self) -> &FrameLimits {
        &self.limits
    }

    pub(crate) fn counts(&self) -> FramerCounts {
        self.counts
    }

    pub(crate) fn key(&self, slot: StreamSlot) -> Arc<StreamKey> {
        self.streams.get(slot.0).map_or_else(Arc::default, |stream| Arc::clone(&stream.key))
    }

    /// Opens a stream. Past the limit of open streams all but the main one are given out and closed first, so that
    /// memory stays bounded.
    fn open(&mut self, key: StreamKey, decision: RouteDecision) -> StreamSlot {
        let key = Arc::new(key);
        if self.streams.len() >= self.limits.open_streams {
            for index in 1..self.streams.len() {
                self.close_joined(StreamSlot(index));
                self.flush(StreamSlot(index));
            }
            self.streams.truncate(1);
            self.slots.retain(|_, slot| *slot == StreamSlot::MAIN);
        }
        let slot = StreamSlot(self.streams.len());
        self.streams.push(OpenStream {
            kind: decision.framing.kind(),
            header: self.header.clone().or_else(|| decision.header.clone()),
            decision,
            key: Arc::clone(&key),
            buffers: self.spare.pop().unwrap_or_default(),
            joined: None,
        });
        self.slots.insert(key, slot);
        slot
    }

    /// Gives out every open batch and forgets the streams.
    pub(crate) fn close_streams(&mut self) {
        for index in 0..self.streams.len() {
            self.close_joined(StreamSlot(index));
            self.flush(StreamSlot(index));
        }
        for stream in self.streams.drain(..) {
            if self.spare.len() < SPARE_BUFFERS {
                self.spare.push(stream.buffers);
            }
        }
        self.slots.clear();
    }

    pub(crate) fn header(&self, slot: StreamSlot) -> Option<&Arc<str>> {
        self.streams.get(slot.0).and_then(|stream| stream.header.as_ref())
    }

    /// Puts a header in force for the frames that follow.
    pub(crate) fn set_header(&mut self, slot: StreamSlot, header: Option<Arc<str>>) {
        self.flush(slot);
        if let Some(stream) = self.streams.get_mut(slot.0) {
            stream.header = header;
        }
    }

    /// Says what the frames of a stream are, when that is not what its framing says.
    pub(crate) fn set_kind(&mut self, slot: StreamSlot, kind: FrameKind) {
        self.flush(slot);
        if let Some(stream) = self.streams.get_mut(slot.0) {
            stream.kind = kind;
        }
    }

    /// Takes a frame that took `carrier` bytes of the stream.
    #[inline]
    pub(crate) fn frame(&mut self, slot: StreamSlot, frame: &[u8], offset: u64, carrier: usize) {
        self.frame_with(slot, frame, offset, carrier, None);
    }

    /// Takes a frame of which a wrapper said something. In a multi-line stream it is joined to the one before unless
    /// the start pattern matches it; the joined frame has the offset and the wrapper's words of the first, and the
    /// carrier bytes of all.
    pub(crate) fn wrapped_frame(
        &mut self,
        slot: StreamSlot,
        frame: &[u8],
        offset: u64,
        carrier: usize,
        wrapped: Wrapped,
    ) {
        let (frame_bytes, frame_lines) = (self.limits.frame_bytes, self.limits.frame_lines);
        let Some(stream) = self.streams.get_mut(slot.0) else { return };
        let PreparedFraming::MultiLine { start, max_lines } = &*stream.decision.framing else {
            self.frame_with(slot, frame, offset, carrier, Some(wrapped));
            return;
        };
        if let Some(joined) = &mut stream.joined {
            let fits = joined.lines < max_lines.unwrap_or(frame_lines)
                && joined.bytes.len() + 1 + frame.len() <= frame_bytes.min(JOINED_BYTES)
                && u32::try_from(joined.carrier + carrier).is_ok();
            if fits && !start.is_match(frame) {
                joined.bytes.push(b'\n');
                joined.bytes.extend_from_slice(frame);
                joined.lines += 1;
                joined.carrier += carrier;
                return;
            }
        }
        let joined = Joined { bytes: frame.to_vec(), lines: 1, offset, carrier, wrapped };
        if let Some(Joined { bytes, offset, carrier, wrapped, .. }) = stream.joined.replace(joined) {
            self.frame_with(slot, &bytes, offset, carrier, Some(wrapped));
        }
    }

    /// Takes what was joined in a stream that ends or is given out.
    fn close_joined(&mut self, slot: StreamSlot) {
        let joined = self.streams.get_mut(slot.0).and_then(|stream| stream.joined.take());
        if let Some(Joined { bytes, offset, carrier, wrapped, .. }) = joined {
            self.frame_with(slot, &bytes, offset, carrier, Some(wrapped));
        }
    }

    #[inline]
    fn frame_with(
        &mut self,
        slot: StreamSlot,
        frame: &[u8],
        offset: u64,
        carrier: usize,
        wrapped: Option<Wrapped>,
    ) {
        self.counts.frames += carrier as u64;
        self.counts.frame_count += 1;
        let limits = self.limits;
        let Some(stream) = self.streams.get_mut(slot.0) else { return };
        let filled = stream.buffers.bytes.len();
        // A batch is all wrapped or all bare: the contract has one `wrapped` for each frame or none.
        let mixed = wrapped.is_some() != (stream.buffers.wrapped.len() == stream.buffers.ends.len());
        if filled > 0 && filled + frame.len() > limits.batch_bytes || mixed && !stream.buffers.ends.is_empty()
        {
            self.flush(slot);
        }
        let Some(stream) = self.streams.get_mut(slot.0) else { return };
        let buffers = &mut stream.buffers;
        buffers.bytes.extend_from_slice(frame);
        buffers.ends.push(buffers.bytes.len() as u32);
        buffers.positions.push(Position { offset, carrier: carrier as u32 });
        buffers.wrapped.extend(wrapped);
        if buffers.bytes.len() >= limits.batch_bytes || buffers.ends.len() >= limits.batch_frames {
            self.flush(slot);
        }
    }

    /// Counts bytes that are neither frame nor damage.
    #[inline]
    pub(crate) fn framing(&mut self, bytes: usize) {
        self.counts.framing += bytes as u64;
    }

    /// Counts framing that is no longer at hand.
    pub(crate) fn framing_gone(&mut self, bytes: u64) {
        self.counts.framing += bytes;
    }

    /// Takes a damaged range that is at hand in full.
    pub(crate) fn damage(&mut self, slot: StreamSlot, offset: u64, range: &[u8], reason: DamageReason) {
        let mut loss = Loss::new(offset, reason, &self.limits);
        loss.extend(range);
        self.lose(slot, loss);
    }

    /// Takes a damaged range.
    pub(crate) fn lose(&mut self, slot: StreamSlot, loss: Loss) {
        let Loss { offset, length, reason, head, .. } = loss;
        self.counts.damaged += length;
        let complete = head.len() as u64 == length;
        self.push_damage(slot, Damage { stream: Arc::default(), offset, length, reason, head, complete });
    }

    /// Takes the break of a carrier, with what was left unframed before it.
    pub(crate) fn broken(&mut self, slot: StreamSlot, offset: u64, rest: &[u8], broken: &Break) {
        if !rest.is_empty() {
            self.damage(slot, offset, rest, broken.reason.clone());
            return;
        }
        let keep = broken.stored.len().min(self.limits.damage_head);
        let head = broken.stored[..keep].to_vec();
        let complete = broken.stored_complete && keep == broken.stored.len();
        let reason = broken.reason.clone();
        self.push_damage(slot, Damage { stream: Arc::default(), offset, length: 0, reason, head, complete });
    }

    fn push_damage(&mut self, slot: StreamSlot, mut damage: Damage) {
        self.counts.frame_count += 1;
        damage.stream = self.key(slot);
        self.ready_bytes += damage.head.len();
        self.ready.push_back(Item::Damage(damage));
    }

    /// Takes a frame that goes to no parser.
    pub(crate) fn unparsed(&mut self, slot: StreamSlot, offset: u64, carrier: u64, reason: UnparsedReason) {
        self.counts.frame_count += 1;
        self.counts.frames += carrier;
        let stream = self.key(slot);
        self.ready.push_back(Item::Unparsed(Unparsed { stream, offset, carrier, reason }));
    }

    /// Gives the open batch of a stream out, if it holds a frame.
    fn flush(&mut self, slot: StreamSlot) {
        let fresh = self.spare.pop().unwrap_or_default();
        let Some(stream) = self.streams.get_mut(slot.0) else { return };
        if stream.buffers.ends.is_empty() {
            self.spare.push(fresh);
            return;
        }
        let Buffers { bytes, ends, positions, wrapped } = std::mem::replace(&mut stream.buffers, fresh);
        self.ready_bytes += bytes.len();
        self.ready.push_back(Item::Batch(FrameBatch {
            stream: Arc::clone(&stream.key),
            route: stream.decision.route,
            kind: stream.kind,
            header: stream.header.clone(),
            bytes,
            ends,
            positions,
            wrapped,
        }));
    }

    /// Whether a framer should pause until items were taken.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.ready.len() >= READY_ITEMS || self.ready_bytes >= self.limits.batch_bytes * 8
    }

    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.ready.pop_front()?;
        self.ready_bytes -= match &item {
            Item::Batch(batch) => batch.bytes.len(),
            Item::Damage(damage) => damage.head.len(),
            Item::Unparsed(_) => 0,
        };
        Some(item)
    }

    /// Takes a batch's buffers back.
    pub(crate) fn reuse(&mut self, batch: FrameBatch) {
        let FrameBatch { bytes, ends, positions, wrapped, .. } = batch;
        // A buffer that one long frame blew up is not worth keeping.
        if self.spare.len() < SPARE_BUFFERS && bytes.capacity() <= self.limits.batch_bytes.saturating_mul(4) {
            let mut buffers = Buffers { bytes, ends, positions, wrapped };
            buffers.clear();
            self.spare.push(buffers);
        }
    }

    /// Bytes of memory held in batches, ready or open, and in spare buffers.
    pub(crate) fn buffered_bytes(&self) -> usize {
        let open = self.streams.iter().map(|stream| {
            stream.buffers.capacity() + stream.joined.as_ref().map_or(0, |joined| joined.bytes.capacity())
        });
        let open: usize = open.sum();
        let spare: usize = self.spare.iter().map(Buffers::capacity).sum();
        open + spare + self.ready_bytes
    }
}

/// A damaged range whose end was not seen yet: its length, and as much of its head as is kept.
#[derive(Debug)]
pub(crate) struct Loss {
    offset: u64,
    length: u64,
    reason: DamageReason,
    head: Vec<u8>,
    keep: usize,
}

impl Loss {
    pub(crate) fn new(offset: u64, reason: DamageReason, limits: &FrameLimits) -> Self {
        Self { offset, length: 0, reason, head: Vec::new(), keep: limits.damage_head }
    }

    /// Adds the bytes that follow.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        let room = self.keep - self.head.len();
        self.head.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }

    pub(crate) fn set_reason(&mut self, reason: DamageReason) {
        self.reason = reason;
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }
}
