//! Writes the rows of one object, one file for each partition.

use super::columns::Columns;
use super::error::writing;
use super::partition::Partition;
use super::row::{Row, RowDecision, RowObject};
use super::schema::{RowIds, cells, properties, schema};
use super::{ArchiveError, ArchiveLimits};
use crate::ledger::{ObjectId, StagedFile, Staging, file_stem};
use parquet::file::writer::SerializedFileWriter;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// The rows of one object, on their way into files.
///
/// The files depend on the rows and their order alone. Memory is bounded by [`ArchiveLimits::buffer_bytes`] and the
/// largest row; dropped before [`ObjectArchive::finish`], nothing is left.
#[derive(Debug)]
pub struct ObjectArchive {
    staging: Arc<Staging>,
    limits: ArchiveLimits,
    object: ObjectId,
    bucket: String,
    key: String,
    version: String,
    stem: String,
    /// By folder, so that files are finished in a fixed order.
    open: BTreeMap<String, ArchiveFile>,
    /// The sum over `open`.
    buffered: usize,
    indexed: u64,
    archived_only: u64,
}

/// All rows of an object, in files that are whole but not yet in their place.
#[derive(Debug)]
pub struct ArchivedObject {
    pub files: Vec<StagedFile>,
    /// Rows in the files, counted when they were closed.
    pub rows: u64,
    /// Rows of events that are indexed, too; counted when they were handed over.
    pub indexed: u64,
    /// Rows of events that are in the archive alone; counted when they were handed over.
    pub archived_only: u64,
}

impl ObjectArchive {
    pub(super) fn new(
        staging: Arc<Staging>,
        limits: ArchiveLimits,
        object: &RowObject<'_>,
        generation: u32,
    ) -> Result<Self, ArchiveError> {
        staging.check_space()?;
        Ok(Self {
            staging,
            limits,
            object: ObjectId(object.id),
            bucket: object.bucket.to_owned(),
            key: object.key.to_owned(),
            version: object.version.to_owned(),
            stem: file_stem(ObjectId(object.id), generation),
            open: BTreeMap::new(),
            buffered: 0,
            indexed: 0,
            archived_only: 0,
        })
    }

    /// Adds a row. Of an object with more than [`ArchiveLimits::partitions`] partitions the rows of further ones lie
    /// under the account and region `unknown`.
    pub fn add(&mut self, partition: &Partition<'_>, row: &Row<'_>) -> Result<(), ArchiveError> {
        let mut folder = partition.folder();
        if !self.open.contains_key(&folder) && self.open.len() >= self.limits.partitions.max(1) {
            folder = partition.without_origin().folder();
        }
        if !self.open.contains_key(&folder) {
            let file = ArchiveFile::create(&self.staging, format!("{folder}/{}.parquet", self.stem))?;
            self.open.insert(folder.clone(), file);
        }
        let Some(file) = self.open.get_mut(&folder) else { return Ok(()) };
        let object =
            RowObject { id: self.object.0, bucket: &self.bucket, key: &self.key, version: &self.version };
        let before = file.columns.bytes();
        file.push(&object, row);
        self.buffered += file.columns.bytes() - before;
        match row.decision {
            RowDecision::Indexed => self.indexed += 1,
            RowDecision::ArchivedOnly => self.archived_only += 1,
        }
        if file.columns.bytes() >= self.limits.row_group_bytes {
            self.buffered -= file.columns.bytes();
            file.close_row_group(&self.staging)?;
        }
        while self.buffered >= self.limits.buffer_bytes.max(1) {
            self.spill()?;
        }
        Ok(())
    }

    /// Closes the row group that takes most memory, the first of equals: the choice depends on the rows alone.
    fn spill(&mut self) -> Result<(), ArchiveError> {
        let mut largest: Option<&mut ArchiveFile> = None;
        for file in self.open.values_mut() {
            if largest.as_ref().is_none_or(|other| file.columns.bytes() > other.columns.bytes()) {
                largest = Some(file);
            }
        }
        if let Some(file) = largest {
            self.buffered -= file.columns.bytes();
            file.close_row_group(&self.staging)?;
        }
        Ok(())
    }

    /// Closes all files. They come into place with [`super::Archive::publish`]; dropped, they are gone.
    pub fn finish(mut self) -> Result<ArchivedObject, ArchiveError> {
        let mut files = Vec::with_capacity(self.open.len());
        let mut rows = 0;
        for file in std::mem::take(&mut self.open).into_values() {
            let (staged, written) = file.finish(&self.staging)?;
            rows += written;
            files.push(staged);
        }
        Ok(ArchivedObject { files, rows, indexed: self.indexed, archived_only: self.archived_only })
    }
}

/// One file in the making.
#[derive(Debug)]
pub(super) struct ArchiveFile {
    path: PathBuf,
    staged: StagedFile,
    writer: SerializedFileWriter<Appending>,
    pub(super) columns: Columns,
    rows: u64,
}

impl ArchiveFile {
    /// `place` is the file's path under the data folder.
    pub(super) fn create(staging: &Staging, place: String) -> Result<Self, ArchiveError> {
        staging.check_space()?;
        let path = staging.temporary();
        File::create(&path).map_err(|source| staging.write_error(&path, source))?;
        let staged = StagedFile::new(path.clone(), place);
        let fail = |source| writing(staging, &path, source);
        let schema = schema().map_err(fail)?;
        let writer = SerializedFileWriter::new(Appending { path: path.clone() }, schema, properties())
            .map_err(fail)?;
        Ok(Self { path, staged, writer, columns: Columns::new(), rows: 0 })
    }

    pub(super) fn push(&mut self, object: &RowObject<'_>, row: &Row<'_>) {
        let ids = RowIds::of(object, row);
        self.columns.push(&cells(object, row, &ids));
    }

    pub(super) fn close_row_group(&mut self, staging: &Staging) -> Result<(), ArchiveError> {
        staging.check_space()?;
        let written = self.columns.write(&mut self.writer);
        self.rows += written.map_err(|source| writing(staging, &self.path, source))?;
        Ok(())
    }

    /// Gives the file and the rows that its footer counts.
    pub(super) fn finish(mut self, staging: &Staging) -> Result<(StagedFile, u64), ArchiveError> {
        if !self.columns.is_empty() {
            self.close_row_group(staging)?;
        }
        let metadata = self.writer.finish().map_err(|source| writing(staging, &self.path, source))?;
        let rows = metadata.file_metadata().num_rows().max(0) as u64;
        if rows != self.rows {
            let (found, expected) = (rows, self.rows);
            return Err(ArchiveError::Rows { path: self.path, found, expected });
        }
        self.staged.measure();
        Ok((self.staged, rows))
    }
}

/// Appends to a file that is open only meanwhile: an object may have a thousand partitions, a process not as many
/// open files.
#[derive(Debug)]
struct Appending {
    path: PathBuf,
}

impl Write for Appending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().append(true).open(&self.path)?.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
