//! Parquet rows: whatever a file says of itself.

use super::reading::Reading;
use super::tree::Tree;
use crate::ingest::frame::PreparedFraming;
use crate::ingest::stream::{FrameKind, FrameLimits};

/// The input is the file.
pub fn parquet_rows(data: &[u8]) {
    let reading = Reading {
        limits: FrameLimits {
            frame_bytes: 64 << 10,
            object_bytes: 16 << 20,
            ratio_after: 1 << 20,
            ..FrameLimits::default()
        },
        memory: 16 << 20,
        ..Reading::new(PreparedFraming::ParquetRows)
    };
    let length = data.len() as u8;
    let outcome = reading.check(data, [length, length.wrapping_mul(31)]);
    let ledger = outcome.ledger;
    assert_eq!(ledger.rows_expected, ledger.rows + ledger.rows_damaged, "{ledger:?}");
    for frame in outcome.frames.iter().filter(|frame| frame.kind == FrameKind::ParquetRow) {
        assert!(Tree::object(&frame.bytes).is_ok(), "{}", String::from_utf8_lossy(&frame.bytes));
    }
}
