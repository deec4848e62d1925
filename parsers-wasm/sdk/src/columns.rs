//! Delimited lines whose columns a header names, in any order: flow logs.
//!
//! Every column has a slot. Columns that the parser knows are found by their slot whatever their position; columns it
//! does not know keep their name and value. A line with another number of values than the layout has columns is
//! malformed: guessing would shift values into other fields.

use crate::ParseError;
use crate::json;

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
            return Err(ParseError::unknown_layout(format!("no known field in the header: {}", shorten(header))));
        }
        for (index, column) in columns.iter().enumerate() {
            if columns.iter().take(index).any(|other| other.name == column.name) {
                return Err(ParseError::unknown_layout(format!("field {} occurs twice in the header", column.name)));
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

/// The members of a flat JSON object (a Parquet row) as texts: names with `-` replaced by `_`; a string without its
/// quotes, anything else as it stands.
///
/// # Errors
/// When the text is not a JSON object.
pub fn row_values(row: &str) -> Result<Vec<(String, String)>, ParseError> {
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(row)?;
    Ok(members
        .into_iter()
        .filter_map(|(name, value)| {
            let text = match value {
                serde_json::Value::Null => return None,
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            Some((name.replace('-', "_"), text))
        })
        .collect())
}

/// Whether a value can be written as a JSON number in a numeric field.
pub fn is_integer(value: &str) -> bool {
    json::is_integer(value.as_bytes())
}

fn shorten(text: &str) -> &str {
    text.char_indices().nth(120).map_or(text, |(index, _)| text.get(..index).unwrap_or(text))
}
