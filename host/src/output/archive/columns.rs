//! Rows gathered by column, until they are a row group.

use super::schema::{COLUMNS, Cell, Kind};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use std::io::Write;

/// What a row costs in memory besides its bytes: an end for each of its values.
const ROW_BYTES: usize = COLUMNS.len() * size_of::<usize>();

/// The values of one column. Absent ones have no place in `bytes` and `ends`.
#[derive(Debug, Default)]
struct Values {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    integers: Vec<i64>,
    /// 1 for a value, 0 for an absent one: Parquet's definition levels. Kept for optional columns.
    levels: Vec<i16>,
}

/// A row group in the making.
#[derive(Debug)]
pub(super) struct Columns {
    values: Vec<Values>,
    rows: u64,
    bytes: usize,
}

impl Columns {
    pub(super) fn new() -> Self {
        Self { values: COLUMNS.iter().map(|_| Values::default()).collect(), rows: 0, bytes: 0 }
    }

    /// Memory that the rows take, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(super) fn push(&mut self, cells: &[Cell<'_>; COLUMNS.len()]) {
        self.rows += 1;
        self.bytes += ROW_BYTES;
        for ((values, column), cell) in self.values.iter_mut().zip(&COLUMNS).zip(cells) {
            match cell {
                Cell::Integer(integer) => {
                    values.integers.push(*integer);
                    self.bytes += size_of::<i64>();
                }
                Cell::Bytes(bytes) => {
                    if !column.required {
                        values.levels.push(i16::from(bytes.is_some()));
                    }
                    if let Some(bytes) = bytes {
                        values.bytes.extend_from_slice(bytes);
                        values.ends.push(values.bytes.len());
                        self.bytes += bytes.len();
                    }
                }
            }
        }
    }

    /// Writes the rows as one row group and starts over. Gives the rows that the group has, as its writer counted.
    pub(super) fn write<W: Write + Send>(
        &mut self,
        file: &mut SerializedFileWriter<W>,
    ) -> Result<u64, ParquetError> {
        let taken = std::mem::replace(self, Self::new());
        let mut group = file.next_row_group()?;
        for (values, column) in taken.values.into_iter().zip(&COLUMNS) {
            let Some(mut writer) = group.next_column()? else {
                return Err(ParquetError::General("fewer columns than the schema has".to_owned()));
            };
            match column.kind {
                Kind::Integer | Kind::Time => {
                    writer.typed::<Int64Type>().write_batch(&values.integers, None, None)?;
                }
                Kind::Text | Kind::Binary => {
                    let levels = (!column.required).then_some(values.levels.as_slice());
                    let arrays = slices(values.bytes, &values.ends);
                    writer.typed::<ByteArrayType>().write_batch(&arrays, levels, None)?;
                }
            }
            writer.close()?;
        }
        let group = group.close()?;
        Ok(group.num_rows().max(0) as u64)
    }
}

/// Views into one buffer, without a copy for each value.
fn slices(bytes: Vec<u8>, ends: &[usize]) -> Vec<ByteArray> {
    let whole = ByteArray::from(bytes);
    let mut start = 0;
    let view = |end: &usize| {
        let value = whole.slice(start, end - start);
        start = *end;
        value
    };
    ends.iter().map(view).collect()
}
