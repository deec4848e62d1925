//! The tree a query is read into, and its canonical spelling.
//!
//! Contract: `parse(&query.to_string()) == query` for every tree the parser can produce, unless what is printed is longer
//! than a query may be. Boosts are not kept: they only
//! order hits by score, and hits here are ordered by time.

use std::fmt::{self, Display, Formatter, Write};

/// A query as written, before field types are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Every event (`*`, `*:*`, or an empty query).
    All,
    /// Every operand holds (`a AND b`). Two or more.
    And(Vec<Query>),
    /// At least one operand holds (`a OR b`, or `a b`). Two or more.
    Or(Vec<Query>),
    /// The operand does not hold.
    Not(Box<Query>),
    /// A list with required (`+a`) or excluded (`-b`) members. Two or more.
    Clauses(Vec<Clause>),
    /// One test.
    Leaf(Leaf),
}

impl Query {
    /// Operators inside one another.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::All | Self::Leaf(_) => 0,
            Self::Not(operand) => 1 + operand.depth(),
            Self::And(operands) | Self::Or(operands) => 1 + deepest(operands.iter()),
            Self::Clauses(clauses) => 1 + deepest(clauses.iter().map(|clause| &clause.query)),
        }
    }
}

fn deepest<'a>(queries: impl Iterator<Item = &'a Query>) -> usize {
    queries.map(Query::depth).max().unwrap_or(0)
}

/// A member of [`Query::Clauses`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    pub occur: Occur,
    pub query: Query,
}

/// How a clause takes part in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occur {
    /// One of the plain members must hold, unless the list has a required one.
    Should,
    /// Must hold (`+`).
    Must,
    /// Must not hold (`-`, `NOT`).
    MustNot,
}

/// One test, of a field or of the whole event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The field's dotted path as written; `None` asks the words of the whole event.
    pub field: Option<String>,
    pub test: Test,
}

/// What is asked of a field or event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// A term or phrase. `slop` is how far words may stand from their places (`"a b"~3`), 0 for exactly there.
    Text { text: String, slop: u32 },
    /// A term with `*` or `?`.
    Wildcard(Vec<Part>),
    /// `/regex/`, for the whole value or word.
    Regex(String),
    /// `term~1`: at most so many letters differ; `None` (a bare `~`) lets the length decide.
    Fuzzy { text: String, distance: Option<u8> },
    /// `[a TO b]`, `{a TO b}`, `>a` and so on.
    Range { lower: Bound, upper: Bound },
    /// `field:*` or `_exists_:field`. Never without a field.
    Exists,
}

/// One end of a range; the text is typed when the field is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    Open,
    Including(String),
    Excluding(String),
}

/// A piece of a wildcard term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// `*`: any number of characters, also none.
    Any,
    /// `?`: one character.
    One,
}

impl Display for Query {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("*:*"),
            Self::And(operands) => join(formatter, operands, " AND "),
            Self::Or(operands) => join(formatter, operands, " OR "),
            Self::Not(operand) => write!(formatter, "(NOT {operand})"),
            Self::Clauses(clauses) => {
                for (position, clause) in clauses.iter().enumerate() {
                    formatter.write_char(if position == 0 { '(' } else { ' ' })?;
                    formatter.write_str(match clause.occur {
                        Occur::Should => "",
                        Occur::Must => "+",
                        Occur::MustNot => "-",
                    })?;
                    write!(formatter, "{}", clause.query)?;
                }
                formatter.write_char(')')
            }
            Self::Leaf(leaf) => write!(formatter, "{leaf}"),
        }
    }
}

fn join(formatter: &mut Formatter<'_>, operands: &[Query], operator: &str) -> fmt::Result {
    for (position, operand) in operands.iter().enumerate() {
        formatter.write_str(if position == 0 { "(" } else { operator })?;
        write!(formatter, "{operand}")?;
    }
    formatter.write_char(')')
}

impl Display for Leaf {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            escape(formatter, field, true)?;
            formatter.write_char(':')?;
        }
        match &self.test {
            Test::Text { text, slop: 0 } if !text.is_empty() => escape(formatter, text, true),
            Test::Text { text, slop: 0 } => quote(formatter, text),
            Test::Text { text, slop } => {
                quote(formatter, text)?;
                write!(formatter, "~{slop}")
            }
            Test::Wildcard(parts) => {
                for (position, part) in parts.iter().enumerate() {
                    match part {
                        Part::Text(text) => escape(formatter, text, position == 0)?,
                        Part::Any => formatter.write_char('*')?,
                        Part::One => formatter.write_char('?')?,
                    }
                }
                Ok(())
            }
            Test::Regex(pattern) => write_regex(formatter, pattern),
            Test::Fuzzy { text, distance } => {
                escape(formatter, text, true)?;
                formatter.write_char('~')?;
                distance.map_or(Ok(()), |distance| write!(formatter, "{distance}"))
            }
            Test::Range { lower, upper } => {
                formatter.write_char(if matches!(lower, Bound::Excluding(_)) { '{' } else { '[' })?;
                write_bound(formatter, lower)?;
                formatter.write_str(" TO ")?;
                write_bound(formatter, upper)?;
                formatter.write_char(if matches!(upper, Bound::Excluding(_)) { '}' } else { ']' })
            }
            Test::Exists => formatter.write_char('*'),
        }
    }
}

fn write_bound(formatter: &mut Formatter<'_>, bound: &Bound) -> fmt::Result {
    match bound {
        Bound::Open => formatter.write_char('*'),
        Bound::Including(text) | Bound::Excluding(text) => quote(formatter, text),
    }
}

/// Only `/` has to be escaped: every other backslash belongs to the expression.
fn write_regex(formatter: &mut Formatter<'_>, pattern: &str) -> fmt::Result {
    formatter.write_char('/')?;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '/' => formatter.write_str("\\/")?,
            '\\' => {
                formatter.write_char('\\')?;
                if let Some(escaped) = characters.next() {
                    formatter.write_char(escaped)?;
                }
            }
            _ => formatter.write_char(character)?,
        }
    }
    formatter.write_char('/')
}

fn quote(formatter: &mut Formatter<'_>, text: &str) -> fmt::Result {
    formatter.write_char('"')?;
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            formatter.write_char('\\')?;
        }
        formatter.write_char(character)?;
    }
    formatter.write_char('"')
}

/// Writes an unquoted term. `start` is false in the middle of a term, where a word such as `AND` means itself.
fn escape(formatter: &mut Formatter<'_>, text: &str, start: bool) -> fmt::Result {
    for (position, character) in text.char_indices() {
        let special = is_special(character)
            || character.is_whitespace()
            || (position == 0 && start && matches!(text, "AND" | "OR" | "NOT"));
        if special {
            formatter.write_char('\\')?;
        }
        formatter.write_char(character)?;
    }
    Ok(())
}

/// Characters that mean something somewhere in a query; escaping them is always allowed.
const fn is_special(character: char) -> bool {
    matches!(
        character,
        '+' | '-'
            | '!'
            | '('
            | ')'
            | ':'
            | '^'
            | '['
            | ']'
            | '"'
            | '{'
            | '}'
            | '~'
            | '*'
            | '?'
            | '\\'
            | '/'
            | '&'
            | '|'
            | '<'
            | '>'
            | '='
    )
}
