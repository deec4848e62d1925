//! The yardstick of JSON: `serde_json` building a tree of each frame, and writing it again.

use crate::measure::{median, rate, time};
use crate::samples::Sample;
use crate::table::Row;
use anyhow::Result;
use serde_json::Value;

/// Two rows: parsing, and parsing and writing.
pub(crate) fn measure(name: &str, sample: &Sample, rounds: u32) -> Result<Vec<Row>> {
    let (mut parse, mut write) = (Vec::new(), Vec::new());
    // Parsers keep a number beyond a double as it stands; serde_json refuses it.
    let frames: Vec<&[u8]> =
        sample.frames().filter(|frame| serde_json::from_slice::<Value>(frame).is_ok()).collect();
    let bytes = frames.iter().map(|frame| frame.len()).sum();
    for _ in 0..rounds {
        let took = time(|| {
            for frame in &frames {
                std::hint::black_box(serde_json::from_slice::<Value>(frame)?);
            }
            Ok(())
        })?;
        parse.push(took.as_secs_f64());
        let took = time(|| {
            let mut out = Vec::with_capacity(1 << 20);
            for frame in &frames {
                serde_json::to_writer(&mut out, &serde_json::from_slice::<Value>(frame)?)?;
                if out.len() > 1 << 19 {
                    std::hint::black_box(&out);
                    out.clear();
                }
            }
            Ok(out)
        })?;
        write.push(took.as_secs_f64());
    }
    let row = |what: &str, seconds: f64| Row {
        name: format!("serde_json Value, {what}: {name}"),
        events_per_s: frames.len() as f64 / seconds,
        mb_per_s: rate(bytes, seconds),
        native: None,
    };
    Ok(vec![row("parse", median(parse)), row("parse and write", median(write))])
}
