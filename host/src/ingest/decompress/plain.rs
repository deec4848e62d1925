//! The plain bytes of a compressed file, for those who read it themselves instead of having it framed.

use super::{Budget, Carrier, Detected, Fill, Layer, MAGIC_LENGTH, Source, StoredReader, detect};
use crate::ingest::stream::FrameLimits;
use std::fs::File;
use std::io::{self, Read};

/// Whether a file's content is packed in any format that is known: what it holds does not end at a line end.
///
/// # Errors
/// When the file cannot be read.
pub fn is_packed(file: &mut File) -> io::Result<bool> {
    Ok(detect(&head(file)?) != Detected::Plain)
}

fn head(file: &mut File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(MAGIC_LENGTH as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Reads a file that one codec compressed. A stream that is damaged is an error where the damage is.
pub struct Decompressed {
    source: Source,
    budget: Budget,
}

impl Decompressed {
    /// `None` for a file that is not compressed, and for archives of several files.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(mut file: File, limits: &FrameLimits) -> io::Result<Option<Self>> {
        let head = head(&mut file)?;
        let Detected::Compressed(codec) = detect(&head) else { return Ok(None) };
        let budget = Budget::new(limits, Some(file.metadata()?.len()));
        let stored = StoredReader::new(Box::new(io::Cursor::new(head).chain(file)), true);
        let layer = Layer::new(codec, Source::new(Box::new(stored))).map_err(io::Error::other)?;
        Ok(Some(Self { source: Source::new(Box::new(layer)), budget }))
    }
}

impl Read for Decompressed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        match self.source.fill(out, &mut self.budget).map_err(io::Error::other)? {
            Fill::Bytes(count) => Ok(count),
            Fill::Break(broken) => Err(io::Error::new(io::ErrorKind::InvalidData, broken.reason)),
            Fill::End => Ok(0),
        }
    }
}
