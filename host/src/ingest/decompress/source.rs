//! The object's own bytes, and looking ahead in any stream of bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::{Break, Budget, Carrier, Fill};
use crate::ingest::stream::IngestError;

/// A range of a file, read without moving the file's own position, so that several readers share one file.
#[derive(Debug, Clone)]
pub(crate) struct SharedFile {
    file: Arc<File>,
    start: u64,
    position: u64,
    end: u64,
}

impl SharedFile {
    /// The whole file, as long as it is now.
    pub(crate) fn whole(file: Arc<File>) -> io::Result<Self> {
        let end = file.metadata()?.len();
        Ok(Self { file, start: 0, position: 0, end })
    }

    /// A part of it, as far as it lies inside.
    pub(crate) fn range(&self, offset: u64, length: u64) -> Self {
        let start = self.start.saturating_add(offset).min(self.end);
        let end = start.saturating_add(length).min(self.end);
        Self { file: Arc::clone(&self.file), start, position: start, end }
    }

    /// The file itself, for readers that move its position.
    pub(crate) fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    pub(crate) fn length(&self) -> u64 {
        self.end - self.start
    }
}

impl Read for SharedFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let room =
            usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX).min(out.len());
        let read = self.file.read_at(&mut out[..room], self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => self.start.checked_add(offset),
            SeekFrom::End(offset) => self.end.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        match position {
            Some(position) if position >= self.start => {
                self.position = position;
                Ok(position - self.start)
            }
            _ => Err(io::Error::from(io::ErrorKind::InvalidInput)),
        }
    }
}

/// Stored bytes as they are.
pub(crate) struct StoredReader {
    reader: Box<dyn Read + Send>,
    position: u64,
    /// Whether these are the object's own bytes, which the ratio counts against; not those of a temporary file.
    counted: bool,
}

impl StoredReader {
    pub(crate) fn new(reader: Box<dyn Read + Send>, counted: bool) -> Self {
        Self { reader, position: 0, counted }
    }
}

impl Carrier for StoredReader {
    fn fill(&mut self, out: &mut [u8], budget: &mut Budget) -> Result<Fill, IngestError> {
        loop {
            match self.reader.read(out) {
                Ok(0) => return Ok(Fill::End),
                Ok(read) => {
                    self.position += read as u64;
                    if self.counted {
                        budget.stored(read);
                    }
                    return Ok(Fill::Bytes(read));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(IngestError::Read { offset: self.position, source }),
            }
        }
    }

    fn buffered_bytes(&self) -> usize {
        0
    }
}

/// A carrier whose next bytes can be looked at before they are taken.
pub(crate) struct Source {
    carrier: Box<dyn Carrier>,
    ahead: Vec<u8>,
    taken: usize,
    /// What follows the bytes ahead, when it is already known.
    behind: Option<Fill>,
}

impl Source {
    pub(crate) fn new(carrier: Box<dyn Carrier>) -> Self {
        Self { carrier, ahead: Vec::new(), taken: 0, behind: None }
    }

    /// The next bytes: `wanted` of them unless the stream ends or breaks before.
    pub(crate) fn peek(&mut self, wanted: usize, budget: &mut Budget) -> Result<&[u8], IngestError> {
        self.ahead.drain(..self.taken);
        self.taken = 0;
        while self.ahead.len() < wanted && self.behind.is_none() {
            let filled = self.ahead.len();
            self.ahead.resize(wanted, 0);
            let fill = self.carrier.fill(&mut self.ahead[filled..], budget);
            let read = if let Ok(Fill::Bytes(read)) = fill { read } else { 0 };
            self.ahead.truncate(filled + read);
            match fill? {
                Fill::Bytes(_) => {}
                other => self.behind = Some(other),
            }
        }
        Ok(&self.ahead)
    }
}

impl Carrier for Source {
    fn fill(&mut self, out: &mut [u8], budget: &mut Budget) -> Result<Fill, IngestError> {
        let left = &self.ahead[self.taken..];
        if !left.is_empty() {
            let count = left.len().min(out.len());
            out[..count].copy_from_slice(&left[..count]);
            self.taken += count;
            return Ok(Fill::Bytes(count));
        }
        match self.behind.take() {
            Some(Fill::End) => {
                self.behind = Some(Fill::End);
                Ok(Fill::End)
            }
            Some(other) => Ok(other),
            None => self.carrier.fill(out, budget),
        }
    }

    fn buffered_bytes(&self) -> usize {
        self.ahead.capacity() + self.carrier.buffered_bytes()
    }
}

/// What a stream left in a temporary file.
pub(crate) struct Spooled {
    pub(crate) file: SharedFile,
    /// The first break met; what followed it was not written.
    pub(crate) broken: Option<Break>,
}

/// Writes a stream to an unnamed temporary file, for formats whose directory is at their end.
pub(crate) fn spool(source: &mut Source, budget: &mut Budget) -> Result<Spooled, IngestError> {
    let mut file = tempfile::tempfile().map_err(|source| IngestError::Temporary { source })?;
    let mut buffer = vec![0; 256 << 10];
    let mut written = 0u64;
    let broken = loop {
        match source.fill(&mut buffer, budget)? {
            Fill::Bytes(count) => {
                written += count as u64;
                if written > budget.object_bytes {
                    let reason = budget.reason();
                    break Some(Break { reason, stored: Vec::new(), stored_complete: false });
                }
                file.write_all(&buffer[..count]).map_err(|source| IngestError::Temporary { source })?;
            }
            Fill::Break(broken) => break Some(broken),
            Fill::End => break None,
        }
    };
    let file = SharedFile::whole(Arc::new(file)).map_err(|source| IngestError::Temporary { source })?;
    Ok(Spooled { file, broken })
}
