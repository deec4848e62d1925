//! The schema as a tree that writes a row of its columns as JSON text.
//!
//! Columns hold nested values flat, each with a definition level (how much of its path is there) and a repetition level
//! (which of the lists around it goes on). A row is put together again by walking the schema.
//!
//! Source: the Parquet format's "Nested encoding", and LogicalTypes.md for lists and maps with their older forms.

use std::ops::Range;

use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::schema::types::Type;

use super::column::Column;
use super::value;

/// A field of the schema. `definition` is the level from which on it is there, `columns` its leaves.
#[derive(Debug)]
pub(super) enum Node {
    Leaf { column: usize },
    Struct { definition: i16, columns: Range<usize>, fields: Vec<Field> },
    List { definition: i16, items: Items, element: Box<Node> },
    Map { definition: i16, items: Items, key: Box<Node>, value: Option<Box<Node>> },
}

/// The repeated part of a list or map.
#[derive(Debug)]
pub(super) struct Items {
    columns: Range<usize>,
    /// From this level on there is an item.
    definition: i16,
    /// At this level another item follows.
    repetition: i16,
}

#[derive(Debug)]
pub(super) struct Field {
    /// The name in quotes, and a colon.
    key: Vec<u8>,
    node: Node,
}

/// The levels around a field.
#[derive(Debug, Clone, Copy)]
struct Levels {
    definition: i16,
    repetition: i16,
}

impl Levels {
    fn optional(self) -> Self {
        Self { definition: self.definition + 1, ..self }
    }

    fn repeated(self) -> Self {
        Self { definition: self.definition + 1, repetition: self.repetition + 1 }
    }
}

impl Node {
    /// The root of a schema.
    pub(super) fn root(schema: &Type) -> Self {
        let mut columns = 0;
        structure(schema, Levels { definition: 0, repetition: 0 }, &mut columns)
    }

    /// Writes the value at hand and moves its columns on; `None` when the columns do not fit one another.
    pub(super) fn write(&self, columns: &mut [Column], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Leaf { column } => columns.get_mut(*column)?.write(out),
            Self::Struct { definition, columns: range, fields } => {
                if !range.is_empty() && columns.get(range.start)?.definition()? < *definition {
                    return write_empty(columns, range, b"null", out);
                }
                out.push(b'{');
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(&field.key);
                    field.node.write(columns, out)?;
                }
                out.push(b'}');
                Some(())
            }
            Self::List { definition, items, element } => {
                items.write(columns, *definition, [b'[', b']'], out, |columns, out| {
                    element.write(columns, out)
                })
            }
            Self::Map { definition, items, key, value } => {
                items.write(columns, *definition, [b'{', b'}'], out, |columns, out| {
                    let start = out.len();
                    key.write(columns, out)?;
                    if out.get(start) != Some(&b'"') {
                        // A key of JSON is a string.
                        let text = String::from_utf8_lossy(&out[start..]).into_owned();
                        out.truncate(start);
                        value::string(out, &text);
                    }
                    out.push(b':');
                    if let Some(value) = value {
                        return value.write(columns, out);
                    }
                    out.extend_from_slice(b"null");
                    Some(())
                })
            }
        }
    }
}

impl Items {
    fn write(
        &self,
        columns: &mut [Column],
        definition: i16,
        brackets: [u8; 2],
        out: &mut Vec<u8>,
        mut item: impl FnMut(&mut [Column], &mut Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        if self.columns.is_empty() {
            out.extend_from_slice(b"null");
            return Some(());
        }
        let first = self.columns.start;
        let at_hand = columns.get(first)?.definition()?;
        if at_hand < definition {
            return write_empty(columns, &self.columns, b"null", out);
        }
        if at_hand < self.definition {
            return write_empty(columns, &self.columns, &brackets, out);
        }
        out.push(brackets[0]);
        loop {
            item(columns, out)?;
            if columns.get(first)?.repetition() != Some(self.repetition) {
                break;
            }
            out.push(b',');
        }
        out.push(brackets[1]);
        Some(())
    }
}

/// Writes what stands for a value that is not there; every column has one level for it.
fn write_empty(columns: &mut [Column], range: &Range<usize>, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(text);
    columns.get_mut(range.clone())?.iter_mut().try_for_each(Column::pass)
}

/// A field with its own repetition.
fn field(schema: &Type, around: Levels, columns: &mut usize) -> Node {
    let info = schema.get_basic_info();
    let repetition = if info.has_repetition() { info.repetition() } else { Repetition::REQUIRED };
    match repetition {
        Repetition::REQUIRED => content(schema, around, columns),
        Repetition::OPTIONAL => content(schema, around.optional(), columns),
        // A repeated field outside a list is a list of its own.
        Repetition::REPEATED => {
            let inner = around.repeated();
            let start = *columns;
            let element = Box::new(content(schema, inner, columns));
            Node::List { definition: around.definition, items: items(start..*columns, inner), element }
        }
    }
}

fn items(columns: Range<usize>, levels: Levels) -> Items {
    Items { columns, definition: levels.definition, repetition: levels.repetition }
}

/// What a field holds when it is there.
fn content(schema: &Type, levels: Levels, columns: &mut usize) -> Node {
    if schema.is_primitive() {
        let column = *columns;
        *columns += 1;
        return Node::Leaf { column };
    }
    let info = schema.get_basic_info();
    let (logical, converted) = (info.logical_type_ref(), info.converted_type());
    let is_list = matches!(logical, Some(LogicalType::List)) || converted == ConvertedType::LIST;
    let is_map = matches!(logical, Some(LogicalType::Map))
        || matches!(converted, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE);
    let [repeated] = schema.get_fields() else { return structure(schema, levels, columns) };
    let repeated_info = repeated.get_basic_info();
    if !repeated_info.has_repetition() || repeated_info.repetition() != Repetition::REPEATED {
        return structure(schema, levels, columns);
    }
    let inner = levels.repeated();
    let start = *columns;
    if is_list {
        let element = match list_element(schema, repeated) {
            Some(element) => field(element, inner, columns),
            None => content(repeated, inner, columns),
        };
        let element = Box::new(element);
        return Node::List { definition: levels.definition, items: items(start..*columns, inner), element };
    }
    if is_map && repeated.is_group() && matches!(repeated.get_fields(), [_] | [_, _]) {
        let mut parts = repeated.get_fields().iter().map(|part| Box::new(field(part, inner, columns)));
        if let (Some(key), value) = (parts.next(), parts.next()) {
            drop(parts);
            let items = items(start..*columns, inner);
            return Node::Map { definition: levels.definition, items, key, value };
        }
    }
    structure(schema, levels, columns)
}

/// The element inside a list's repeated group; `None` when the repeated field is the element itself, as older writers
/// have it.
fn list_element<'schema>(list: &Type, repeated: &'schema Type) -> Option<&'schema Type> {
    if repeated.is_primitive() {
        return None;
    }
    let [element] = repeated.get_fields() else { return None };
    let name = repeated.name();
    (name != "array" && name.strip_suffix("_tuple") != Some(list.name())).then_some(element)
}

fn structure(schema: &Type, levels: Levels, columns: &mut usize) -> Node {
    let start = *columns;
    let mut fields = Vec::new();
    if schema.is_group() {
        for part in schema.get_fields() {
            let mut key = Vec::new();
            value::string(&mut key, part.name());
            key.push(b':');
            fields.push(Field { key, node: field(part, levels, columns) });
        }
    }
    Node::Struct { definition: levels.definition, columns: start..*columns, fields }
}
