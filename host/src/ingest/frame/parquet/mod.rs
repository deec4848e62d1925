//! Parquet: one row, one frame, as a JSON object.
//!
//! A file is read row group by row group and some rows at a time. The offset of a frame is its row's number in the
//! file. Rows are counted against the footer: a row group that cannot be read is one damage, and its rows are counted
//! as damaged. Rows are written from the columns directly ([`tree`]), since the library's own rows are built field by
//! field with names, and its types do not hold every timestamp.
//!
//! Memory is bounded by what [`guard`] lets pass; the library panics on some corrupt pages, which is caught here.

mod column;
mod guard;
#[cfg(test)]
mod tests;
mod thrift;
mod tree;
mod value;

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::Compression;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};

use self::column::{Column, ListedValues};
use self::guard::{Chunk, Refusal, check_footer, check_pages};
use self::tree::Node;
use super::{Sink, StreamSlot};
use crate::ingest::decompress::{Break, Budget, SharedFile};
use crate::ingest::stream::{DamageReason, FrameKind, IngestError};

/// Rows read at a time.
const ROWS: usize = 1024;
/// The same when rows hold lists, of which each may be long.
const ROWS_WITH_LISTS: usize = 64;

/// Rows of one file, as the ledger counts them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RowCounts {
    pub(crate) expected: u64,
    pub(crate) given: u64,
    pub(crate) damaged: u64,
}

/// A row group being read.
struct OpenGroup {
    columns: Vec<Column>,
    listed: ListedValues,
    /// Rows of the group that were not read yet.
    unread: u64,
    /// Rows read and not given out yet.
    at_hand: usize,
}

/// The reader of one file.
pub(crate) struct ParquetRows {
    file: SharedFile,
    opened: Option<(SerializedFileReader<File>, Node)>,
    /// The break that cut the file short, if it came out of another stream.
    broken: Option<Break>,
    next_group: usize,
    group: Option<OpenGroup>,
    row: u64,
    counts: RowCounts,
    text: Vec<u8>,
    finished: bool,
}

/// What the library answered, or that it panicked.
fn guarded<T>(read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the file contradicts itself".to_owned()),
    }
}

impl ParquetRows {
    /// The rows of `file`. Nothing is read yet.
    pub(crate) fn new(file: SharedFile, broken: Option<Break>) -> Self {
        Self {
            file,
            opened: None,
            broken,
            next_group: 0,
            group: None,
            row: 0,
            counts: RowCounts::default(),
            text: Vec::new(),
            finished: false,
        }
    }

    pub(crate) fn counts(&self) -> RowCounts {
        self.counts
    }

    /// Bytes of memory held besides the columns' pages.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.text.capacity()
    }

    /// Gives frames to the sink until it is full; false when there are no more.
    pub(crate) fn advance(&mut self, sink: &mut Sink<'_>, budget: &mut Budget) -> Result<bool, IngestError> {
        while !self.finished && !sink.is_full() {
            if self.opened.is_none() {
                self.open(sink)?;
            } else if self.group.is_none() {
                self.open_group(sink)?;
            } else {
                self.rows(sink, budget);
            }
        }
        Ok(!self.finished)
    }

    /// Reads the footer.
    fn open(&mut self, sink: &mut Sink<'_>) -> Result<(), IngestError> {
        sink.set_kind(StreamSlot::MAIN, FrameKind::ParquetRow);
        let opened = match check_footer(&self.file) {
            Ok(()) => {
                let file = self.file.file().map_err(|source| IngestError::Read { offset: 0, source })?;
                guarded(|| {
                    let reader = SerializedFileReader::new(file)?;
                    let tree = Node::root(reader.metadata().file_metadata().schema());
                    Ok((reader, tree))
                })
            }
            Err(Refusal::Bad(detail)) => Err(detail),
            Err(Refusal::Read(source)) => return Err(unreadable(source)),
        };
        match opened {
            Ok((reader, tree)) => {
                let metadata = reader.metadata();
                let groups = metadata.row_groups().iter().map(rows_of).fold(0u64, u64::saturating_add);
                let footer = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
                self.counts.expected = groups.max(footer);
                let columns = metadata.file_metadata().schema().get_fields();
                let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
                sink.route_by_columns(&names.join(" "));
                self.opened = Some((reader, tree));
            }
            Err(detail) => {
                let reason = match self.broken.take() {
                    Some(broken) => broken.reason,
                    None => DamageReason::BadParquet { detail },
                };
                sink.damage(StreamSlot::MAIN, 0, &[], reason);
                self.finished = true;
            }
        }
        Ok(())
    }

    /// Opens the next row group, or ends the file behind the last.
    fn open_group(&mut self, sink: &mut Sink<'_>) -> Result<(), IngestError> {
        let Some((reader, _)) = &self.opened else { return Ok(()) };
        let index = self.next_group;
        self.next_group += 1;
        let metadata = reader.metadata();
        let Some(group) = metadata.row_groups().get(index) else {
            self.finished = true;
            let missing = self.counts.expected.saturating_sub(self.counts.given + self.counts.damaged);
            if missing > 0 {
                let detail = format!("{missing} of the footer's rows are in no row group");
                self.damage(missing, DamageReason::BadParquet { detail }, sink);
            }
            return Ok(());
        };
        let rows = rows_of(group);
        if rows == 0 {
            return Ok(());
        }
        let listed = ListedValues::default();
        listed.reset();
        let columns = match check_pages(&self.file, &chunks(group)) {
            Err(Refusal::Read(source)) => return Err(unreadable(source)),
            Err(Refusal::Bad(detail)) => Err(detail),
            Ok(()) if group.num_columns() == 0 => Err("a row group has no columns".to_owned()),
            Ok(()) => guarded(|| {
                let group = reader.get_row_group(index)?;
                let descriptors = metadata.file_metadata().schema_descr().columns();
                let column = |(index, descriptor): (usize, &_)| {
                    let pages = group.get_column_page_reader(index)?;
                    Ok(Column::new(std::sync::Arc::clone(descriptor), pages, &listed))
                };
                descriptors.iter().enumerate().map(column).collect()
            }),
        };
        match columns {
            Ok(columns) => self.group = Some(OpenGroup { columns, listed, unread: rows, at_hand: 0 }),
            Err(detail) => self.damage(rows, DamageReason::BadParquet { detail }, sink),
        }
        Ok(())
    }

    /// Gives out the rows at hand, or reads the next ones.
    fn rows(&mut self, sink: &mut Sink<'_>, budget: &mut Budget) {
        let (Some((_, tree)), Some(group)) = (&self.opened, &mut self.group) else { return };
        if group.at_hand == 0 {
            if group.unread == 0 {
                self.group = None;
            } else if let Err(detail) = read_rows(group) {
                let rows = group.unread;
                self.group = None;
                self.damage(rows, DamageReason::BadParquet { detail }, sink);
            }
            return;
        }
        while group.at_hand > 0 && !sink.is_full() {
            self.text.clear();
            let written = tree.write(&mut group.columns, &mut self.text);
            if written.is_none() || !group.columns.iter().all(Column::at_row_border) {
                let rows = group.unread + group.at_hand as u64;
                self.group = None;
                let detail = "the columns do not fit one another".to_owned();
                self.damage(rows, DamageReason::BadParquet { detail }, sink);
                return;
            }
            budget.produced(self.text.len());
            if budget.is_exhausted() {
                self.finished = true;
                let rows = self.counts.expected.saturating_sub(self.counts.given + self.counts.damaged);
                self.damage(rows, budget.reason(), sink);
                return;
            }
            group.at_hand -= 1;
            let limit = sink.limits().frame_bytes;
            if self.text.len() > limit {
                self.text = Vec::new();
                let reason = DamageReason::FrameTooLong { limit: limit as u64 };
                sink.damage(StreamSlot::MAIN, self.row, &[], reason);
                self.counts.damaged += 1;
            } else {
                sink.frame(StreamSlot::MAIN, &self.text, self.row, 0);
                self.counts.given += 1;
            }
            self.row += 1;
        }
    }

    /// Rows from the next one on that cannot be given out.
    fn damage(&mut self, rows: u64, reason: DamageReason, sink: &mut Sink<'_>) {
        sink.damage(StreamSlot::MAIN, self.row, &[], reason);
        self.counts.damaged = self.counts.damaged.saturating_add(rows);
        self.row = self.row.saturating_add(rows);
    }
}

/// Reads the next rows of every column; all must have as many.
fn read_rows(group: &mut OpenGroup) -> Result<(), String> {
    let lists = group.columns.iter().any(|column| !column.is_flat());
    let most = if lists { ROWS_WITH_LISTS } else { ROWS };
    let rows = usize::try_from(group.unread).unwrap_or(usize::MAX).min(most);
    group.listed.reset();
    for column in &mut group.columns {
        let read = guarded(|| column.read(rows))?;
        if read != rows {
            return Err(format!("a column ends {} rows too early", group.unread - read as u64));
        }
    }
    group.unread -= rows as u64;
    group.at_hand = rows;
    Ok(())
}

fn rows_of(group: &RowGroupMetaData) -> u64 {
    u64::try_from(group.num_rows()).unwrap_or(0)
}

fn chunks(group: &RowGroupMetaData) -> Vec<Chunk> {
    let chunk = |column: &parquet::file::metadata::ColumnChunkMetaData| {
        let data = column.data_page_offset();
        let start = column.dictionary_page_offset().filter(|dictionary| (1..data).contains(dictionary));
        Chunk {
            offset: u64::try_from(start.unwrap_or(data)).unwrap_or(u64::MAX),
            length: u64::try_from(column.compressed_size()).unwrap_or(u64::MAX),
            gzip: matches!(column.compression(), Compression::GZIP(_)),
        }
    };
    group.columns().iter().map(chunk).collect()
}

fn unreadable(source: io::Error) -> IngestError {
    IngestError::Read { offset: 0, source }
}
