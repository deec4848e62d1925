//! Reads archive files back, for replay, for bringing reduced events back, and for joining files.

use super::ArchiveError;
use super::error::reading;
use super::row::{CommonFields, Row, RowDecision, RowObject, RowParser};
use crate::ledger::from_hex;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::SchemaDescriptor;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A row as it was archived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArchivedRow {
    pub document_id: [u8; 16],
    pub frame_id: [u8; 16],
    pub object_id: [u8; 16],
    pub event_number: u32,
    /// Nanoseconds since 1970, of which the file keeps whole microseconds.
    pub timestamp: i64,
    pub source_ip: Option<String>,
    pub destination_ip: Option<String>,
    pub user_name: Option<String>,
    pub event_action: Option<String>,
    pub event_outcome: Option<String>,
    pub event_dataset: Option<String>,
    /// `indexed` or `archived_only`.
    pub decision: String,
    pub bucket: String,
    pub key: String,
    pub version: String,
    pub member: Option<String>,
    pub frame_offset: u64,
    pub parser_name: String,
    pub parser_version: String,
    pub parser_digest: String,
    /// Nanoseconds since 1970, of which the file keeps whole microseconds.
    pub reference_time: i64,
    pub context: Option<String>,
    pub event_original: Option<Vec<u8>>,
    pub document: Vec<u8>,
}

impl ArchivedRow {
    /// The object, as a writer takes it.
    pub(super) fn object(&self) -> RowObject<'_> {
        RowObject { id: self.object_id, bucket: &self.bucket, key: &self.key, version: &self.version }
    }

    /// The row, as a writer takes it.
    pub(super) fn row(&self) -> Row<'_> {
        let indexed = self.decision == RowDecision::Indexed.name();
        Row {
            document_id: self.document_id,
            frame_id: self.frame_id,
            event_number: self.event_number,
            timestamp: self.timestamp,
            fields: CommonFields {
                source_ip: self.source_ip.as_deref(),
                destination_ip: self.destination_ip.as_deref(),
                user_name: self.user_name.as_deref(),
                event_action: self.event_action.as_deref(),
                event_outcome: self.event_outcome.as_deref(),
                event_dataset: self.event_dataset.as_deref(),
            },
            decision: if indexed { RowDecision::Indexed } else { RowDecision::ArchivedOnly },
            member: self.member.as_deref(),
            frame_offset: self.frame_offset,
            parser: RowParser {
                name: &self.parser_name,
                version: &self.parser_version,
                digest: &self.parser_digest,
            },
            reference_time: self.reference_time,
            context: self.context.as_deref(),
            event_original: self.event_original.as_deref(),
            document: &self.document,
        }
    }
}

/// The rows of one file in their order. Holds one row group at a time.
pub struct Rows {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    group: usize,
    in_memory: std::vec::IntoIter<ArchivedRow>,
}

/// Reads the rows of the archive file at `path`.
///
/// Columns are found by name: files of older versions lack some, those of newer ones have more.
pub fn rows(path: &Path) -> Result<Rows, ArchiveError> {
    let file = File::open(path).map_err(|source| reading(path, source.into()))?;
    let reader = SerializedFileReader::new(file).map_err(|source| reading(path, source))?;
    Ok(Rows { path: path.to_owned(), reader, group: 0, in_memory: Vec::new().into_iter() })
}

impl Rows {
    /// The number of rows that the footer promises.
    pub fn promised(&self) -> u64 {
        self.reader.metadata().file_metadata().num_rows().max(0) as u64
    }
}

impl Iterator for Rows {
    type Item = Result<ArchivedRow, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.in_memory.next() {
                return Some(Ok(row));
            }
            if self.group >= self.reader.num_row_groups() {
                return None;
            }
            let read = self.reader.get_row_group(self.group).and_then(|group| read_group(group.as_ref()));
            self.group += 1;
            match read {
                Ok(rows) => self.in_memory = rows.into_iter(),
                Err(source) => {
                    self.group = self.reader.num_row_groups();
                    return Some(Err(reading(&self.path, source)));
                }
            }
        }
    }
}

fn read_group(group: &dyn RowGroupReader) -> Result<Vec<ArchivedRow>, ParquetError> {
    let metadata = group.metadata();
    let schema = metadata.schema_descr();
    let count = usize::try_from(metadata.num_rows())?;
    let mut rows = vec![ArchivedRow::default(); count];
    let mut texts = |name: &str, set: &dyn Fn(&mut ArchivedRow, String)| {
        for (row, value) in rows.iter_mut().zip(bytes_of(group, schema, name, count)?) {
            if let Some(value) = value {
                set(row, value.as_utf8()?.to_owned());
            }
        }
        Ok::<_, ParquetError>(())
    };
    texts("source_ip", &|row, text| row.source_ip = Some(text))?;
    texts("destination_ip", &|row, text| row.destination_ip = Some(text))?;
    texts("user_name", &|row, text| row.user_name = Some(text))?;
    texts("event_action", &|row, text| row.event_action = Some(text))?;
    texts("event_outcome", &|row, text| row.event_outcome = Some(text))?;
    texts("event_dataset", &|row, text| row.event_dataset = Some(text))?;
    texts("decision", &|row, text| row.decision = text)?;
    texts("object_bucket", &|row, text| row.bucket = text)?;
    texts("object_key", &|row, text| row.key = text)?;
    texts("object_version", &|row, text| row.version = text)?;
    texts("object_member", &|row, text| row.member = Some(text))?;
    texts("parser_name", &|row, text| row.parser_name = text)?;
    texts("parser_version", &|row, text| row.parser_version = text)?;
    texts("parser_digest", &|row, text| row.parser_digest = text)?;
    texts("context", &|row, text| row.context = Some(text))?;
    let mut ids = |name: &str, set: &dyn Fn(&mut ArchivedRow, [u8; 16])| {
        for (row, value) in rows.iter_mut().zip(bytes_of(group, schema, name, count)?) {
            if let Some(value) = value {
                let id = from_hex(value.as_utf8()?);
                set(row, id.map_err(|error| ParquetError::External(Box::new(error)))?);
            }
        }
        Ok::<_, ParquetError>(())
    };
    ids("document_id", &|row, id| row.document_id = id)?;
    ids("frame_id", &|row, id| row.frame_id = id)?;
    ids("object_id", &|row, id| row.object_id = id)?;
    let mut integers = |name: &str, set: &dyn Fn(&mut ArchivedRow, i64)| {
        for (row, value) in rows.iter_mut().zip(integers_of(group, schema, name, count)?) {
            set(row, value);
        }
        Ok::<_, ParquetError>(())
    };
    integers("event_number", &|row, value| row.event_number = u32::try_from(value).unwrap_or(0))?;
    integers("timestamp", &|row, value| row.timestamp = value.saturating_mul(1000))?;
    integers("frame_offset", &|row, value| row.frame_offset = value as u64)?;
    integers("reference_time", &|row, value| row.reference_time = value.saturating_mul(1000))?;
    for (row, value) in rows.iter_mut().zip(bytes_of(group, schema, "event_original", count)?) {
        row.event_original = value.map(|value| value.data().to_vec());
    }
    for (row, value) in rows.iter_mut().zip(bytes_of(group, schema, "document", count)?) {
        row.document = value.map(|value| value.data().to_vec()).unwrap_or_default();
    }
    Ok(rows)
}

fn column(
    group: &dyn RowGroupReader,
    schema: &SchemaDescriptor,
    name: &str,
) -> Result<Option<(ColumnReader, bool)>, ParquetError> {
    let found = schema.columns().iter().position(|column| column.name() == name);
    let Some(index) = found else { return Ok(None) };
    Ok(Some((group.get_column_reader(index)?, schema.column(index).max_def_level() > 0)))
}

/// A column's values, `None` where absent; empty when the file has no such column.
fn bytes_of(
    group: &dyn RowGroupReader,
    schema: &SchemaDescriptor,
    name: &str,
    count: usize,
) -> Result<Vec<Option<ByteArray>>, ParquetError> {
    match column(group, schema, name)? {
        None => Ok(Vec::new()),
        Some((ColumnReader::ByteArrayColumnReader(mut reader), optional)) => {
            let (values, levels) = read_all::<ByteArrayType>(&mut reader, count)?;
            if !optional {
                return Ok(values.into_iter().map(Some).collect());
            }
            let mut values = values.into_iter();
            Ok(levels.into_iter().map(|level| if level == 0 { None } else { values.next() }).collect())
        }
        Some(_) => Err(ParquetError::General(format!("the column {name} is no text"))),
    }
}

fn integers_of(
    group: &dyn RowGroupReader,
    schema: &SchemaDescriptor,
    name: &str,
    count: usize,
) -> Result<Vec<i64>, ParquetError> {
    match column(group, schema, name)? {
        None => Ok(Vec::new()),
        Some((ColumnReader::Int64ColumnReader(mut reader), false)) => {
            Ok(read_all::<Int64Type>(&mut reader, count)?.0)
        }
        Some(_) => Err(ParquetError::General(format!("the column {name} is no required 64-bit integer"))),
    }
}

fn read_all<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
) -> Result<(Vec<T::T>, Vec<i16>), ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let mut read = 0;
    while read < count {
        let (records, _, _) = reader.read_records(count - read, Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Err(ParquetError::General(format!("a column has {read} of {count} rows")));
        }
        read += records;
    }
    Ok((values, levels))
}
