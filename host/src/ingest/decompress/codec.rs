//! The codecs, each as a step from bytes to bytes, and how their streams begin.

#![expect(
    clippy::disallowed_types,
    reason = "the one place where raw decoders are used; `Layer` bounds them"
)]

use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

use crate::ingest::stream::Codec;

/// Bytes needed to tell a format by its beginning.
pub(crate) const MAGIC_LENGTH: usize = 10;

/// Largest window of a zstd frame: 2 to this power, the bound that the format's own tools have by default.
const ZSTD_WINDOW_LOG: u32 = 27;
/// Memory an xz stream may ask for: its strongest preset asks for 65 MiB.
const XZ_MEMORY: u64 = 128 << 20;

/// What the first bytes of a stream say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detected {
    Compressed(Codec),
    Zip,
    Parquet,
    Plain,
}

/// Tells a format by the first [`MAGIC_LENGTH`] bytes (fewer when the stream is shorter).
///
/// Sources: RFC 1952 (gzip), RFC 8878 (zstd, and its skippable frames), the bzip2 format's block and end marks, the
/// .xz file format 1.2, APPNOTE 6.3.10 (zip), the Parquet format's file layout.
pub(crate) fn detect(head: &[u8]) -> Detected {
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Xz] {
        if begins(codec, head) {
            return Detected::Compressed(codec);
        }
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        Detected::Zip
    } else if head.starts_with(b"PAR1") {
        Detected::Parquet
    } else {
        Detected::Plain
    }
}

/// Whether a stream of the codec begins here. A beginning cut short counts, as long as what is there fits.
pub(crate) fn begins(codec: Codec, head: &[u8]) -> bool {
    let fits = |magic: &[u8], least: usize| {
        let length = magic.len().min(head.len());
        length >= least && head[..length] == magic[..length]
    };
    match codec {
        // The flags' three reserved bits are zero.
        Codec::Gzip => fits(b"\x1f\x8b\x08", 2) && head.get(3).is_none_or(|flags| flags & 0xe0 == 0),
        Codec::Zstd => {
            fits(b"\x28\xb5\x2f\xfd", 4)
                || head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == *b"\x2a\x4d\x18"
        }
        Codec::Bzip2 => {
            head.len() >= 4
                && head.starts_with(b"BZh")
                && head[3].is_ascii_digit()
                && head[3] != b'0'
                && [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"]
                    .iter()
                    .any(|mark| mark.starts_with(&head[4..head.len().min(10)]))
        }
        Codec::Xz => fits(b"\xfd7zXZ\0", 6),
        Codec::Deflate | Codec::Zip => false,
    }
}

/// What one step did. A step that fails has still consumed and produced what it says.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) consumed: usize,
    pub(crate) produced: usize,
    pub(crate) state: StepState,
}

#[derive(Debug)]
pub(crate) enum StepState {
    /// More input or more room is needed.
    Going,
    /// The stream (gzip member, zstd frame, bzip2 or xz stream) is complete.
    Done,
    Failed(String),
}

/// One decoder, reused for all streams of a source.
pub(crate) enum Decoder {
    Inflate { inflate: flate2::Decompress, gzip: bool },
    Zstd(Box<zstd::stream::raw::Decoder<'static>>),
    Bzip2(bzip2::Decompress),
    Xz(liblzma::stream::Stream),
}

impl Decoder {
    /// A decoder for the codec; an error only for want of memory, or for a format that is no codec.
    pub(crate) fn new(codec: Codec) -> Result<Self, String> {
        Ok(match codec {
            Codec::Gzip => Self::Inflate { inflate: flate2::Decompress::new_gzip(15), gzip: true },
            Codec::Deflate => Self::Inflate { inflate: flate2::Decompress::new(false), gzip: false },
            Codec::Zstd => {
                let mut decoder = zstd::stream::raw::Decoder::new().map_err(|error| error.to_string())?;
                decoder
                    .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))
                    .map_err(|error| error.to_string())?;
                Self::Zstd(Box::new(decoder))
            }
            Codec::Bzip2 => Self::Bzip2(bzip2::Decompress::new(false)),
            Codec::Xz => Self::Xz(new_xz()?),
            Codec::Zip => return Err("a zip archive is not one stream".to_owned()),
        })
    }

    /// Makes ready for the next stream.
    pub(crate) fn reset(&mut self) -> Result<(), String> {
        match self {
            Self::Inflate { inflate, gzip } => inflate.reset(*gzip),
            Self::Zstd(decoder) => decoder.reinit().map_err(|error| error.to_string())?,
            Self::Bzip2(decompress) => *decompress = bzip2::Decompress::new(false),
            Self::Xz(stream) => *stream = new_xz()?,
        }
        Ok(())
    }

    /// Decodes some of `input` into `output`.
    pub(crate) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        match self {
            Self::Inflate { inflate, .. } => {
                let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
                let state = match inflate.decompress(input, output, flate2::FlushDecompress::None) {
                    Ok(flate2::Status::StreamEnd) => StepState::Done,
                    Ok(_) => StepState::Going,
                    Err(error) => StepState::Failed(error.to_string()),
                };
                Step {
                    consumed: (inflate.total_in() - before_in) as usize,
                    produced: (inflate.total_out() - before_out) as usize,
                    state,
                }
            }
            Self::Zstd(decoder) => {
                let mut input = InBuffer::around(input);
                let mut output = OutBuffer::around(output);
                let state = match decoder.run(&mut input, &mut output) {
                    Ok(0) => StepState::Done,
                    Ok(_) => StepState::Going,
                    Err(error) => StepState::Failed(error.to_string()),
                };
                Step { consumed: input.pos(), produced: output.pos(), state }
            }
            Self::Bzip2(decompress) => {
                let (before_in, before_out) = (decompress.total_in(), decompress.total_out());
                let state = match decompress.decompress(input, output) {
                    Ok(bzip2::Status::StreamEnd) => StepState::Done,
                    Ok(bzip2::Status::MemNeeded) => StepState::Failed("not enough memory".to_owned()),
                    Ok(_) => StepState::Going,
                    Err(error) => StepState::Failed(error.to_string()),
                };
                Step {
                    consumed: (decompress.total_in() - before_in) as usize,
                    produced: (decompress.total_out() - before_out) as usize,
                    state,
                }
            }
            Self::Xz(stream) => {
                let (before_in, before_out) = (stream.total_in(), stream.total_out());
                let state = match stream.process(input, output, liblzma::stream::Action::Run) {
                    Ok(liblzma::stream::Status::StreamEnd) => StepState::Done,
                    Ok(_) => StepState::Going,
                    Err(error) => StepState::Failed(error.to_string()),
                };
                Step {
                    consumed: (stream.total_in() - before_in) as usize,
                    produced: (stream.total_out() - before_out) as usize,
                    state,
                }
            }
        }
    }
}

/// What gzip bytes that are all at hand decompress to, in bytes; `None` when it is more than `most`, or nothing more
/// can be said since they are corrupt.
pub(crate) fn inflated_length(mut input: &[u8], most: u64) -> Option<u64> {
    let mut decoder = Decoder::new(Codec::Gzip).ok()?;
    let mut scratch = vec![0; 64 << 10];
    let mut length = 0;
    while !input.is_empty() {
        let Step { consumed, produced, state } = decoder.step(input, &mut scratch);
        length += produced as u64;
        input = input.get(consumed..)?;
        match state {
            StepState::Failed(_) => return None,
            StepState::Done => decoder.reset().ok()?,
            StepState::Going if consumed == 0 && produced == 0 => return None,
            StepState::Going => {}
        }
        if length > most {
            return None;
        }
    }
    Some(length)
}

fn new_xz() -> Result<liblzma::stream::Stream, String> {
    liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0).map_err(|error| error.to_string())
}
