//! The bounds of reading one object.

/// Bounds on what one object may cost. The defaults hold a reader's buffers under some 40 MiB, whatever the
/// object; the window of a codec (zstd, xz: up to 128 MiB) comes on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// Longest frame, in bytes; a longer one is damage. At most 256 MiB count.
    pub frame_bytes: usize,
    /// A batch is given out when its frames reach this many bytes; a single longer frame is a batch of its own.
    pub batch_bytes: usize,
    /// A batch is given out when it has this many frames.
    pub batch_frames: usize,
    /// Most bytes that decompression may give, over all members and layers of an object.
    pub object_bytes: u64,
    /// Most decompressed bytes for each stored one, once [`FrameLimits::ratio_after`] bytes were produced.
    pub ratio: u64,
    /// Decompressed bytes below which the ratio does not matter.
    pub ratio_after: u64,
    /// Most members of an archive, archives inside it included.
    pub members: u64,
    /// Most formats around one another, for example a zip holding a gzip: 2.
    pub layers: u32,
    /// Most bytes kept of a damaged range.
    pub damage_head: usize,
    /// Most lines joined into one multi-line frame, unless the framing says otherwise.
    pub frame_lines: usize,
    /// Most streams with an open batch at a time.
    pub open_streams: usize,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            frame_bytes: 8 << 20,
            batch_bytes: 128 << 10,
            batch_frames: 1 << 14,
            object_bytes: 16 << 30,
            ratio: 10_000,
            ratio_after: 64 << 20,
            members: 100_000,
            layers: 4,
            damage_head: 1 << 20,
            frame_lines: 10_000,
            open_streams: 64,
        }
    }
}

impl FrameLimits {
    /// The same limits, each forced into the range that the framers can keep: offsets in a batch are 32 bits wide.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        self.frame_bytes = self.frame_bytes.clamp(16, 256 << 20);
        self.batch_bytes = self.batch_bytes.clamp(1, 64 << 20);
        self.batch_frames = self.batch_frames.max(1);
        self.frame_lines = self.frame_lines.max(1);
        self.open_streams = self.open_streams.max(2);
        self
    }
}
