//! The columns of one row group, a batch of rows at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parquet::basic::Type;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{
    BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    Int96Type,
};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescPtr;

use super::value::{self, Meaning};

/// Values that the pages of all columns with lists may hold in one batch of rows: a single row may claim billions.
const LISTED_VALUES: i64 = 4 << 20;

/// The count of values left to the pages of a batch; shared by the columns of a row group.
#[derive(Debug, Clone, Default)]
pub(super) struct ListedValues(Arc<AtomicI64>);

impl ListedValues {
    /// Begins a batch.
    pub(super) fn reset(&self) {
        self.0.store(LISTED_VALUES, Ordering::Relaxed);
    }
}

/// Pages of a column with lists, counted.
struct CountedPages {
    pages: Box<dyn PageReader>,
    left: ListedValues,
}

impl Iterator for CountedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CountedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        let values = page.as_ref().map_or(0, |page| i64::from(page.num_values()));
        if self.left.0.fetch_sub(values, Ordering::Relaxed) < values {
            return Err(ParquetError::General("a row holds too many values".to_owned()));
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

/// The values of a batch, whatever their type.
trait Values: Send {
    /// Replaces the values by those of the next rows; returns the number of rows and of levels.
    fn read(
        &mut self,
        rows: usize,
        definitions: &mut Vec<i16>,
        repetitions: &mut Vec<i16>,
    ) -> Result<(usize, usize)>;

    /// Writes a value; false when there is no such value.
    fn write(&self, index: usize, out: &mut Vec<u8>, meaning: Meaning) -> bool;
}

struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
    write: fn(&mut Vec<u8>, &T::T, Meaning),
}

impl<T: DataType> Values for Typed<T> {
    fn read(
        &mut self,
        rows: usize,
        definitions: &mut Vec<i16>,
        repetitions: &mut Vec<i16>,
    ) -> Result<(usize, usize)> {
        self.values.clear();
        let (records, _, levels) =
            self.reader.read_records(rows, Some(definitions), Some(repetitions), &mut self.values)?;
        Ok((records, levels))
    }

    fn write(&self, index: usize, out: &mut Vec<u8>, meaning: Meaning) -> bool {
        let value = self.values.get(index);
        if let Some(value) = value {
            (self.write)(out, value, meaning);
        }
        value.is_some()
    }
}

/// One column of the schema's leaves, and where a row's reading of it stands.
pub(super) struct Column {
    values: Box<dyn Values>,
    meaning: Meaning,
    max_definition: i16,
    max_repetition: i16,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    levels: usize,
    level: usize,
    value: usize,
}

impl Column {
    /// The column that `pages` hold.
    pub(super) fn new(descriptor: ColumnDescPtr, pages: Box<dyn PageReader>, listed: &ListedValues) -> Self {
        let (max_definition, max_repetition) = (descriptor.max_def_level(), descriptor.max_rep_level());
        let meaning = Meaning::of(&descriptor);
        let pages =
            if max_repetition > 0 { Box::new(CountedPages { pages, left: listed.clone() }) } else { pages };
        Self {
            values: typed(descriptor, pages),
            meaning,
            max_definition,
            max_repetition,
            definitions: Vec::new(),
            repetitions: Vec::new(),
            levels: 0,
            level: 0,
            value: 0,
        }
    }

    /// Whether a row has exactly one value.
    pub(super) fn is_flat(&self) -> bool {
        self.max_repetition == 0
    }

    /// Reads the next rows; returns how many there are.
    pub(super) fn read(&mut self, rows: usize) -> Result<usize> {
        self.definitions.clear();
        self.repetitions.clear();
        let (records, levels) = self.values.read(rows, &mut self.definitions, &mut self.repetitions)?;
        (self.levels, self.level, self.value) = (levels, 0, 0);
        Ok(records)
    }

    /// How far the value at hand is defined; `None` behind the last.
    pub(super) fn definition(&self) -> Option<i16> {
        if self.max_definition > 0 {
            self.definitions.get(self.level).copied()
        } else {
            (self.level < self.levels).then_some(0)
        }
    }

    /// Which list the value at hand goes on; 0 where a row begins, `None` behind the last.
    pub(super) fn repetition(&self) -> Option<i16> {
        if self.max_repetition > 0 {
            self.repetitions.get(self.level).copied()
        } else {
            (self.level < self.levels).then_some(0)
        }
    }

    /// Whether a row begins or the batch ends here.
    pub(super) fn at_row_border(&self) -> bool {
        self.repetition().is_none_or(|repetition| repetition == 0)
    }

    /// Passes over a level without a value of its own.
    pub(super) fn pass(&mut self) -> Option<()> {
        let definition = self.definition()?;
        self.level += 1;
        self.value += usize::from(definition == self.max_definition);
        Some(())
    }

    /// Writes the value at hand, `null` where it is not defined, and moves on.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) -> Option<()> {
        if self.definition()? < self.max_definition {
            out.extend_from_slice(b"null");
        } else if !self.values.write(self.value, out, self.meaning) {
            return None;
        }
        self.pass()
    }
}

fn typed(descriptor: ColumnDescPtr, pages: Box<dyn PageReader>) -> Box<dyn Values> {
    fn of<T: DataType>(
        descriptor: ColumnDescPtr,
        pages: Box<dyn PageReader>,
        write: fn(&mut Vec<u8>, &T::T, Meaning),
    ) -> Box<dyn Values>
    where
        ColumnReaderImpl<T>: Send,
    {
        let reader = get_typed_column_reader::<T>(get_column_reader(descriptor, pages));
        Box::new(Typed { reader, values: Vec::new(), write })
    }
    match descriptor.physical_type() {
        Type::BOOLEAN => of::<BoolType>(descriptor, pages, |out, value, _| {
            out.extend_from_slice(if *value { b"true" } else { b"false" });
        }),
        Type::INT32 => of::<Int32Type>(descriptor, pages, |out, value, meaning| {
            value::number(out, i64::from(*value), true, meaning);
        }),
        Type::INT64 => of::<Int64Type>(descriptor, pages, |out, value, meaning| {
            value::number(out, *value, false, meaning);
        }),
        Type::INT96 => of::<Int96Type>(descriptor, pages, |out, value, _| value::int96(out, value)),
        Type::FLOAT => of::<FloatType>(descriptor, pages, |out, value, _| value::single(out, *value)),
        Type::DOUBLE => of::<DoubleType>(descriptor, pages, |out, value, _| value::float(out, *value)),
        Type::BYTE_ARRAY => of::<ByteArrayType>(descriptor, pages, |out, value, meaning| {
            value::binary(out, value.data(), meaning);
        }),
        Type::FIXED_LEN_BYTE_ARRAY => {
            of::<FixedLenByteArrayType>(descriptor, pages, |out, value, meaning| {
                value::binary(out, value.data(), meaning);
            })
        }
    }
}
