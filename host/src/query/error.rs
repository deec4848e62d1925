//! What can be wrong with a query, said with its place and what to do.

use thiserror::Error;

/// A query that cannot be read, or that asks a field for what its type cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{found}; {hint}", place(*.column))]
pub struct QueryError {
    /// The first character concerned, counted from 1; `None` when the query did not come from text.
    pub column: Option<usize>,
    /// What was found, in words.
    pub found: String,
    /// What to do about it.
    pub hint: String,
}

fn place(column: Option<usize>) -> String {
    column.map_or_else(String::new, |column| format!("query, column {column}: "))
}

impl QueryError {
    pub(crate) fn new(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { column: None, found: found.into(), hint: hint.into() }
    }

    pub(crate) fn at(mut self, column: usize) -> Self {
        self.column = Some(column);
        self
    }
}
