//! Decompression: every format by its first bytes, undamaged and damaged, within bounds.

use std::io::{Cursor, Write};

use super::choices;
use super::reading::{Outcome, Reading, is_plain, reference_lines};
use crate::ingest::frame::PreparedFraming;
use crate::ingest::stream::FrameLimits;

const LIMITS: FrameLimits = FrameLimits {
    frame_bytes: 64 << 10,
    batch_bytes: 8 << 10,
    batch_frames: 1 << 10,
    object_bytes: 1 << 20,
    ratio: 50,
    ratio_after: 128 << 10,
    members: 8,
    layers: 3,
    damage_head: 1 << 10,
    frame_lines: 100,
    open_streams: 8,
};

/// Choices: how the content is packed, if at all; two for damage; sizes of reads. Then the content.
pub fn decompression(data: &[u8]) {
    let ([format, place, flip, first, second], content) = choices::<5>(data);
    let reading = Reading { limits: LIMITS, memory: 4 << 20, ..Reading::new(PreparedFraming::Lines) };
    // Without a format the content is what is stored: whatever the fuzzer makes of a packed seed.
    let Some(mut object) = pack(format, content) else {
        check_bounds(&reading.check(content, [first, second]), content.len());
        return;
    };
    if flip != 0 {
        let at = object.len() * usize::from(place) / 256;
        if flip == 0xff {
            object.truncate(at);
        } else if let Some(byte) = object.get_mut(at) {
            *byte ^= flip;
        }
    }
    let outcome = reading.check(&object, [first, second]);
    check_bounds(&outcome, object.len());
    if flip == 0 && is_plain(content) {
        assert!(outcome.lost.is_empty(), "damage where there is none: {:?}", outcome.lost);
        assert_eq!(outcome.ledger.read, content.len() as u64, "all of the content");
        let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let skipped = (content.len() - text.len()) as u64;
        let found = outcome.frames.iter().map(|frame| (frame.offset - skipped, &frame.bytes[..]));
        assert!(found.eq(reference_lines(text)), "not the lines that were packed");
    }
}

/// No more than the limits allow; stored members of an archive may be read as often as there are members.
fn check_bounds(outcome: &Outcome, stored: usize) {
    let stored = stored as u64;
    let packed = (stored * LIMITS.ratio).clamp(LIMITS.ratio_after, LIMITS.object_bytes);
    assert!(outcome.ledger.read <= packed + stored * LIMITS.members, "{:?}", outcome.ledger);
    // Damage stands for the members that are not opened.
    assert!(outcome.ledger.members <= LIMITS.members + 1, "{:?}", outcome.ledger);
}

fn pack(format: u8, content: &[u8]) -> Option<Vec<u8>> {
    let half = content.len() / 2;
    Some(match format {
        1 => gzip(content),
        2 => [gzip(&content[..half]), gzip(&content[half..])].concat(),
        3 => zstd::bulk::compress(content, 1).unwrap(),
        4 => {
            let frames =
                [&content[..half], &content[half..]].map(|part| zstd::bulk::compress(part, 1).unwrap());
            frames.concat()
        }
        5 => bzip2(content),
        6 => xz(content),
        7 => zip(content, zip::CompressionMethod::Stored),
        8 => zip(content, zip::CompressionMethod::Deflated),
        9 => zip(content, zip::CompressionMethod::Zstd),
        10 => gzip(&zip(content, zip::CompressionMethod::Bzip2)),
        11 => gzip(&xz(content)),
        _ => return None,
    })
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn xz(content: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zip(content: &[u8], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    writer.start_file("logs/a.log", options).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}
