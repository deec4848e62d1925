//! What can go wrong with the quarantine.

use crate::ledger::{LedgerError, StagingError};
use std::io;
use std::path::PathBuf;

/// Why frames could not be set aside or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuarantineError {
    #[error(transparent)]
    Files(#[from] StagingError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("cannot read the quarantine file {}; if it is damaged, run `weir ingest --again` on its object", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("line {line} of the quarantine file {} cannot be read; run `weir ingest --again` on its object", path.display())]
    Entry {
        path: PathBuf,
        line: u64,
        #[source]
        source: serde_json::Error,
    },
    #[error(
        "the bytes of frame {frame} are damaged in the quarantine; run `weir ingest --again` on its object"
    )]
    Raw {
        frame: String,
        #[source]
        source: base64::DecodeError,
    },
    #[error("cannot describe a frame; this is a fault of weir: please report it")]
    Describe(#[source] serde_json::Error),
}
