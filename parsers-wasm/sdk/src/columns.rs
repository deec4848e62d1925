//! Delimited lines whose columns a header names, in any order: flow logs.
//!
//! Every column has a slot. Columns that the parser knows are found by their slot whatever their position; columns it
//! does not know keep their name and value. A line with another number of values than the layout has columns is
//! malformed: guessing would shift values into other fields.

use crate::reader::{JsonText, Reader};
use crate::template::{Role, Templates};
use crate::text;
use crate::{Context, FramingKind, ObjectWriter, ParseError, ip_version, json};
use std::borrow::Cow;

/// Where the values of a line go.
#[derive(Debug, Clone)]
pub struct Layout {
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    /// Index in the list of known names.
    known: Option<u16>,
    /// The name with `-` replaced by `_`, as Parquet deliveries write it.
    name: String,
}

impl Layout {
    /// Reads a header of names separated by blanks. `known` are the names the parser knows, with `_` for `-`.
    ///
    /// # Errors
    /// When no name is known, or a name occurs twice.
    pub fn from_header(header: &str, known: &[&str]) -> Result<Self, ParseError> {
        let columns: Vec<Column> = header
            .split_ascii_whitespace()
            .map(|name| {
                // Configured formats are often pasted as `${srcaddr} ${dstaddr}`, as the console shows them.
                let name = name.trim_start_matches("${").trim_end_matches('}').replace('-', "_");
                Column { known: known.iter().position(|k| *k == name).map(|index| index as u16), name }
            })
            .collect();
        if !columns.iter().any(|column| column.known.is_some()) {
            return Err(ParseError::unknown_layout(format!(
                "no known field in the header: {}",
                shorten(header)
            )));
        }
        for (index, column) in columns.iter().enumerate() {
            if columns.iter().take(index).any(|other| other.name == column.name) {
                return Err(ParseError::unknown_layout(format!(
                    "field {} occurs twice in the header",
                    column.name
                )));
            }
        }
        Ok(Layout { columns })
    }

    /// How many values a line has.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there are no columns.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Splits a line at single blanks and gives each value to `take` with its known index, if any, and its name.
    ///
    /// # Errors
    /// When the line has more or fewer values than there are columns.
    #[inline]
    pub fn split<'a>(
        &self,
        line: &'a str,
        mut take: impl FnMut(Option<u16>, &str, &'a str),
    ) -> Result<(), ParseError> {
        let mut columns = self.columns.iter();
        let mut start = 0;
        let mut count = 0;
        let ends = memchr::memchr_iter(b' ', line.as_bytes()).chain(std::iter::once(line.len()));
        for end in ends {
            count += 1;
            if let (Some(column), Some(value)) = (columns.next(), line.get(start..end)) {
                take(column.known, &column.name, value);
            }
            start = end + 1;
        }
        if count == self.columns.len() {
            Ok(())
        } else {
            Err(ParseError::no_match(format!("expected {} values, found {count}", self.columns.len())))
        }
    }
}

/// Names the columns that a parser knows, with `_` for `-`, and which of them hold numbers: an `enum Known` of slots,
/// `NAMES` and `NUMERIC`.
///
/// ```
/// weir_parser_sdk::known_columns! { srcaddr = "srcaddr" text, type_ = "type" text, bytes = "bytes" number }
/// assert_eq!(NAMES[Known::type_ as usize], "type");
/// assert!(NUMERIC[Known::bytes as usize]);
/// ```
#[macro_export]
macro_rules! known_columns {
    ($($name:ident = $text:literal $kind:ident),* $(,)?) => {
        #[derive(Clone, Copy)]
        #[allow(dead_code, non_camel_case_types, reason = "the log's own field names; not all have an ECS field")]
        enum Known { $($name),* }
        const NAMES: &[&str] = &[$($text),*];
        const NUMERIC: &[bool] = &[$($crate::known_columns!(@$kind)),*];
    };
    (@number) => { true };
    (@text) => { false };
}

/// Reads a flow log's records, lines or Parquet rows, into rows of known values.
#[derive(Debug, Clone)]
pub struct Table {
    layout: Layout,
    names: &'static [&'static str],
    numeric: &'static [bool],
    parquet: bool,
    assumed: bool,
}

/// One record as it was read: a line, or a Parquet row's members.
#[derive(Debug)]
pub enum Values<'a> {
    /// A line, split when its values are asked for.
    Line(&'a str),
    /// Each member's known slot, name and value.
    Members(Vec<(Option<u16>, Cow<'a, str>, Cow<'a, str>)>),
}

impl Table {
    /// The table of a batch: its header's columns, else those of `default_format`.
    ///
    /// # Errors
    /// See [`Layout::from_header`].
    pub fn new(
        batch: &Context<'_>,
        names: &'static [&'static str],
        numeric: &'static [bool],
        default_format: &str,
    ) -> Result<Self, ParseError> {
        let layout = Layout::from_header(batch.header.unwrap_or(default_format), names)?;
        let parquet = batch.framing == FramingKind::ParquetRow;
        Ok(Table { layout, names, numeric, parquet, assumed: batch.header.is_none() && !parquet })
    }

    /// Whether nothing said what the columns are, so that lines are taken to have the default format.
    pub fn is_assumed(&self) -> bool {
        self.assumed
    }

    /// Templates for the table's lines. `classes` are the slots of the columns whose texts the document's shape depends
    /// on, beside `addresses` and `times`; see [`crate::template`].
    pub fn templates(&self, classes: &[usize], addresses: &[usize], times: &[usize]) -> Templates {
        let role = |column: &Column| match column.known.map(usize::from) {
            Some(slot) if classes.contains(&slot) => Role::Class,
            Some(slot) if addresses.contains(&slot) => Role::Address,
            Some(slot) if times.contains(&slot) => Role::Time,
            Some(slot) if self.numeric.get(slot).is_some_and(|numeric| *numeric) => Role::Number,
            _ => Role::Text,
        };
        Templates::new(if self.parquet { Vec::new() } else { self.layout.columns.iter().map(role).collect() })
    }

    /// Reads a record. A line is not looked at yet.
    ///
    /// # Errors
    /// When a Parquet row is not a JSON object.
    pub fn read<'a>(&self, text: &'a str) -> Result<Values<'a>, ParseError> {
        if !self.parquet {
            return Ok(Values::Line(text));
        }
        let mut reader = Reader::new(text);
        if reader.peek() != b'{' {
            return Err(ParseError::bad_json("a Parquet row is a JSON object"));
        }
        let mut members = Vec::with_capacity(self.names.len());
        reader.object();
        while let Some(key) = reader.key() {
            let value = reader.value();
            if value.is_null() {
                continue;
            }
            let mut name = key.unescape();
            if text::has(&name, b'-') {
                name = Cow::Owned(name.replace('-', "_"));
            }
            let known = self.names.iter().position(|known| **known == *name).map(|index| index as u16);
            let value = value.string().map_or(Cow::Borrowed(value.text), JsonText::unescape);
            members.push((known, name, value));
        }
        reader.end()?;
        Ok(Values::Members(members))
    }

    /// Gives each value to `take` with its known slot, if any, and its name.
    ///
    /// # Errors
    /// When a line has more or fewer values than there are columns.
    #[inline]
    fn each<'v>(
        &self,
        values: &'v Values<'_>,
        mut take: impl FnMut(Option<u16>, &str, &'v str),
    ) -> Result<(), ParseError> {
        match values {
            Values::Line(line) => self.layout.split(line, take),
            Values::Members(members) => {
                for (known, name, value) in members {
                    take(*known, name, value);
                }
                Ok(())
            }
        }
    }

    /// The known values of a record.
    ///
    /// # Errors
    /// When a line has more or fewer values than there are columns.
    #[inline]
    pub fn row<'v, const N: usize>(&self, values: &'v Values<'_>) -> Result<Row<'v, N>, ParseError> {
        let mut row = Row(["-"; N]);
        self.each(values, |known, _, value| {
            if let Some(slot) = known.and_then(|index| row.0.get_mut(usize::from(index))) {
                *slot = value;
            }
        })?;
        Ok(row)
    }

    /// Writes every value of a record, known or not, into the vendor's tree: numbers where the column holds numbers.
    ///
    /// # Errors
    /// When a column that holds numbers does not (the columns are not what the header says), or a line has more or
    /// fewer values than there are columns.
    #[inline]
    pub fn write(&self, values: &Values<'_>, vendor: &mut ObjectWriter<'_>) -> Result<(), ParseError> {
        let mut flaw = None;
        self.each(values, |known, name, value| {
            if value == "-" || value.is_empty() {
                return;
            }
            let numeric = known.and_then(|index| self.numeric.get(usize::from(index)));
            if !numeric.is_some_and(|numeric| *numeric) {
                vendor.string(name, value);
            } else if is_integer(value) {
                vendor.raw(name, value);
            } else {
                flaw = known;
            }
        })?;
        match flaw {
            Some(index) => Err(ParseError::bad_field(self.name(usize::from(index)), "not a number")),
            None => Ok(()),
        }
    }

    /// Checks that addresses are addresses, if the columns are what the header says.
    ///
    /// # Errors
    /// Names the first of the columns that holds something else.
    pub fn check_addresses<const N: usize>(
        &self,
        row: &Row<'_, N>,
        addresses: &[usize],
    ) -> Result<(), ParseError> {
        for &index in addresses {
            if row.some(index).is_some_and(|value| ip_version(value).is_none()) {
                return Err(ParseError::bad_field(self.name(index), "not an IP address"));
            }
        }
        Ok(())
    }

    fn name(&self, index: usize) -> &'static str {
        self.names.get(index).copied().unwrap_or_default()
    }
}

/// One record's known values by slot; `-` where it has none.
#[derive(Debug)]
pub struct Row<'a, const N: usize>([&'a str; N]);

impl<'a, const N: usize> Row<'a, N> {
    /// The value in a slot.
    #[inline]
    pub fn get(&self, index: usize) -> &'a str {
        self.0.get(index).copied().unwrap_or("-")
    }

    /// The value in a slot, unless it is absent.
    #[inline]
    pub fn some(&self, index: usize) -> Option<&'a str> {
        let value = self.get(index);
        (value != "-" && !value.is_empty()).then_some(value)
    }
}

/// Whether a value can be written as a JSON number in a numeric field.
pub fn is_integer(value: &str) -> bool {
    json::is_integer(value.as_bytes())
}

fn shorten(text: &str) -> &str {
    text.char_indices().nth(120).map_or(text, |(index, _)| text.get(..index).unwrap_or(text))
}
