//! Frames varied from a parser's fixtures: the same shapes, other numbers.

use crate::random::Random;
use crate::samples::{Kind, Sample};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::Cursor;
use std::path::Path;
use weir::host::Host;
use weir::ingest::stream::{FrameKind, Input, Item, ObjectReader, SourceOptions};
use weir::route::ObjectRouter;
use weir_parser_sdk::{Batch, FrameOutcome, Parsed};

/// Bytes of frames to make.
const BYTES: usize = 5_000_000;
/// Longer frames are what limits are tested with.
const LONGEST: usize = 16_000;

/// Frames like those of `parsers-wasm/NAME/fixtures` that the parser makes events of. One header counts, and one kind of
/// frame: those that most of the fixtures' frames have.
pub(crate) fn from_fixtures(host: &Host, name: &str, parse: fn(&Batch) -> Parsed) -> Result<Sample> {
    let folder = Path::new("parsers-wasm").join(name).join("fixtures");
    let mut groups: Vec<(Kind, Option<String>, Vec<Vec<u8>>)> = Vec::new();
    let entries = fs::read_dir(&folder)
        .with_context(|| format!("cannot list {}; run this in the checkout's root", folder.display()))?;
    let mut paths: Vec<_> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    for path in paths {
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_input = file.ends_with(".log") || file.ends_with(".json") && !file.ends_with(".expected.json");
        // A fixture that needs a context is not what most objects are.
        if !is_input || path.with_extension("context.toml").exists() {
            continue;
        }
        for (kind, header, frame) in frames_of(host, name, fs::read(&path)?)? {
            if frame.len() > LONGEST || !gives_events(name, kind, header.as_deref(), &frame, parse) {
                continue;
            }
            match groups.iter_mut().find(|group| group.0 == kind && group.1 == header) {
                Some(group) => group.2.push(frame),
                None => groups.push((kind, header, vec![frame])),
            }
        }
    }
    let (kind, header, frames) =
        groups.into_iter().max_by_key(|group| group.2.len()).context("no fixture gives an event")?;
    let mut random = Random::new(0x0dd_ba11_5eed_0001);
    let mut sample = Sample::new(name, kind, header.clone());
    let (mut bytes, mut varied) = (0, 0_usize);
    while bytes < BYTES {
        for frame in &frames {
            let other = vary(frame, &mut random);
            let fits = gives_events(name, kind, header.as_deref(), &other, parse);
            varied += usize::from(fits && other != *frame);
            let frame = if fits { &other } else { frame };
            sample.push(frame);
            bytes += frame.len();
        }
    }
    ensure!(
        varied * 4 > sample.count(),
        "only {varied} of {} frames differ from the fixtures",
        sample.count()
    );
    Ok(sample)
}

/// A frame: its framing, the header in force, its bytes.
type HeadedFrame = (Kind, Option<String>, Vec<u8>);

fn frames_of(host: &Host, name: &str, content: Vec<u8>) -> Result<Vec<HeadedFrame>> {
    let pipeline = host.pipeline();
    let routes = ObjectRouter::new(&pipeline.router, "bench", name, Some(name));
    let length = Some(content.len() as u64);
    let input = Input::Reader { reader: Box::new(Cursor::new(content)), length };
    let mut reader = ObjectReader::open(input, &routes, SourceOptions::default(), pipeline.limits)?;
    let mut frames = Vec::new();
    while let Some(item) = reader.next_item()? {
        let Item::Batch(batch) = item else { continue };
        let kind = match batch.kind {
            FrameKind::Text => Kind::Text,
            FrameKind::Json => Kind::Json,
            FrameKind::ParquetRow => continue,
        };
        // What came in a wrapper would need it.
        if batch.wrapped.is_empty() {
            let header = batch.header.as_deref().map(str::to_owned);
            frames.extend((0..batch.len()).map(|index| (kind, header.clone(), batch.frame(index).to_vec())));
        }
    }
    Ok(frames)
}

fn gives_events(
    name: &str,
    kind: Kind,
    header: Option<&str>,
    frame: &[u8],
    parse: fn(&Batch) -> Parsed,
) -> bool {
    let mut sample = Sample::new(name, kind, header.map(str::to_owned));
    sample.push(frame);
    let parsed = sample.native().first().map(parse);
    parsed.is_some_and(|parsed| matches!(parsed.outcomes.first(), Some(FrameOutcome::Events(_))))
}

/// Some digits replaced by others, of which none is 0: lengths stay, and numbers stay numbers.
fn vary(frame: &[u8], random: &mut Random) -> Vec<u8> {
    let digit = |byte: &u8| match byte {
        b'1'..=b'9' if random.below(8) == 0 => b'1' + random.below(9) as u8,
        other => *other,
    };
    frame.iter().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_vary() {
        let frame = b"10.0.0.1 - GET /items/12345678901234567890 200".as_slice();
        let mut random = Random::new(7);
        let others: Vec<Vec<u8>> = (0..20).map(|_| vary(frame, &mut random)).collect();
        assert!(others.iter().filter(|other| *other != frame).count() > 10);
        for (one, other) in others.iter().flat_map(|other| frame.iter().zip(other)) {
            assert!(one == other || (b'1'..=b'9').contains(one) && (b'1'..=b'9').contains(other));
        }
    }
}
