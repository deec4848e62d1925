//! Reads a query's text: a recursive-descent parser over characters, so that every error names its column.
//!
//! Bounded: [`MAXIMUM_LENGTH`], [`MAXIMUM_NESTING`] and [`MAXIMUM_LEAVES`] keep a hostile query from exhausting stack or
//! memory. More lenient than Lucene's own grammar where analysts paste values: a colon inside a value
//! (`source.ip:2001:db8::1`), a slash (`10.0.0.0/8`, `url.path:/a/b`) and a hyphen (`field:-5`) need no escape.

use super::ast::{Bound, Clause, Leaf, Occur, Query, Test};
use super::error::QueryError;
use super::fields::{self, Kind};
use super::plan;
use super::source::Source;

/// Characters in a query.
pub(super) const MAXIMUM_LENGTH: usize = 32 * 1024;
/// Operators inside one another.
pub(super) const MAXIMUM_DEPTH: usize = 50;
/// Parentheses and prefix operators inside one another. A query as it is printed has up to two for each operator.
const MAXIMUM_NESTING: usize = 3 * MAXIMUM_DEPTH;
const TOO_DEEP: &str = "the query is nested more than 50 deep";
/// Tests in a query.
pub(super) const MAXIMUM_LEAVES: usize = 4096;

/// Reads `text` as a query. An empty text asks for every event, as in OpenSearch Dashboards.
///
/// # Errors
/// When the text is no query, or asks a field for something its type cannot answer (a wildcard of a number).
pub fn parse(text: &str) -> Result<Query, QueryError> {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() > MAXIMUM_LENGTH {
        return Err(QueryError::new(
            format!("the query has {} characters", characters.len()),
            format!("use at most {MAXIMUM_LENGTH}"),
        ));
    }
    let mut parser = Parser { source: Source { characters, position: 0 }, depth: 0, leaves: 0 };
    parser.source.skip_blanks();
    if parser.source.peek().is_none() {
        return Ok(Query::All);
    }
    let query = parser.list(None)?;
    match parser.source.peek() {
        None if query.depth() > MAXIMUM_DEPTH => Err(QueryError::new(TOO_DEEP, "write it flatter")),
        None => Ok(query),
        Some(_) => Err(parser
            .source
            .unexpected("no '(' opens it", "remove it, or write \\) for the character itself")),
    }
}

struct Parser {
    source: Source,
    depth: usize,
    leaves: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plain,
    Plus,
    Minus,
    /// The word `NOT`, or `!`: excludes from a list of clauses, but is a plain operand beside `OR`.
    Not,
}

struct Item {
    sign: Sign,
    query: Query,
    beside_or: bool,
}

impl Parser {
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, QueryError>) -> Result<T, QueryError> {
        if self.depth == MAXIMUM_NESTING {
            return Err(self.source.error(self.source.position, TOO_DEEP, "write it flatter"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Clauses side by side or joined by `OR`, up to the end or a closing parenthesis.
    fn list(&mut self, field: Option<&str>) -> Result<Query, QueryError> {
        let mut items: Vec<Item> = Vec::new();
        let mut beside_or = false;
        loop {
            self.source.skip_blanks();
            if !beside_or && !items.is_empty() && matches!(self.source.peek(), None | Some(')')) {
                break;
            }
            let (sign, query) = self.conjunction(field)?;
            items.push(Item { sign, query, beside_or });
            self.source.skip_blanks();
            beside_or = false;
            if let Some(length) = self.source.operator("OR", "||") {
                self.source.position += length;
                beside_or = true;
                if let Some(item) = items.last_mut() {
                    item.beside_or = true;
                }
            }
        }
        Ok(combine(items))
    }

    /// Operands joined by `AND`; a single one keeps its sign for the list around it.
    fn conjunction(&mut self, field: Option<&str>) -> Result<(Sign, Query), QueryError> {
        let first = self.signed(field)?;
        let mut operands = Vec::new();
        loop {
            self.source.skip_blanks();
            let Some(length) = self.source.operator("AND", "&&") else { break };
            self.source.position += length;
            operands.push(self.signed(field)?);
        }
        if operands.is_empty() {
            return Ok(first);
        }
        operands.insert(0, first);
        let operands = operands.into_iter().map(|(sign, query)| apply(sign, query)).collect();
        Ok((Sign::Plain, Query::And(operands)))
    }

    fn signed(&mut self, field: Option<&str>) -> Result<(Sign, Query), QueryError> {
        self.source.skip_blanks();
        let (sign, length) = match self.source.peek() {
            Some('+') => (Sign::Plus, 1),
            Some('-') => (Sign::Minus, 1),
            Some('!') => (Sign::Not, 1),
            _ => match self.source.operator("NOT", "") {
                Some(length) => (Sign::Not, length),
                None => return Ok((Sign::Plain, self.primary(field)?)),
            },
        };
        self.source.position += length;
        let (inner, query) = self.nested(|parser| parser.signed(field))?;
        Ok((sign, apply(inner, query)))
    }

    fn primary(&mut self, field: Option<&str>) -> Result<Query, QueryError> {
        if !self.source.eat('(') {
            return self.clause(field);
        }
        let open = self.source.position;
        let query = self.nested(|parser| parser.list(field))?;
        if !self.source.eat(')') {
            return Err(self.source.error(
                open - 1,
                "this '(' is never closed",
                "add ')', or write \\( for the character",
            ));
        }
        self.source.boost()?;
        Ok(query)
    }

    /// A test, with its field if it names one.
    fn clause(&mut self, field: Option<&str>) -> Result<Query, QueryError> {
        let start = self.source.position;
        if let Some(name) = self.field_name(field)? {
            self.source.skip_blanks();
            if self.source.peek().is_none() {
                return Err(self.source.unexpected("a value was expected", &format!("write {name}:value")));
            }
            return match name.as_str() {
                "_exists_" => self.exists(),
                "*" if self.source.operator("*", "").is_some() => {
                    self.source.position += 1;
                    self.source.boost()?;
                    Ok(Query::All)
                }
                "*" => self.value(None, start),
                _ if self.source.peek() == Some('(') => self.primary(Some(&name)),
                _ => self.value(Some(&name), start),
            };
        }
        self.value(field, start)
    }

    /// Reads `name:` if that is what stands here, and nothing otherwise.
    fn field_name(&mut self, outer: Option<&str>) -> Result<Option<String>, QueryError> {
        let start = self.source.position;
        if self.source.peek().is_none_or(|character| matches!(character, '"' | '[' | '{' | '/' | '<' | '>')) {
            return Ok(None);
        }
        let word = self.source.word(true)?;
        let end = self.source.position;
        self.source.skip_blanks();
        if word.parts.is_empty() || self.source.peek() != Some(':') {
            self.source.position = start;
            return Ok(None);
        }
        if let Some(outer) = outer {
            // `source.ip:(fe80::1 OR 10.0.0.1)`: in a group of addresses a colon belongs to the address.
            self.source.position = start;
            let value = self.source.word(false)?;
            self.source.position = start;
            let is_address = value.text().is_some_and(|text| plan::is_address(&text));
            if is_address && fields::kind(outer) == Kind::Address {
                return Ok(None);
            }
            self.source.position = end;
            self.source.skip_blanks();
        }
        self.source.position += 1;
        if word.only_any() {
            return Ok(Some("*".to_owned()));
        }
        let Some(name) = word.text() else {
            return Err(self.source.error(
                start,
                "a wildcard in a field's name",
                "name each field, or search the words of the whole event without a field",
            ));
        };
        self.without_controls(&name, start)?;
        Ok(Some(name))
    }

    /// Refuses a field's name with control characters, which no event has and which could not be printed back.
    fn without_controls(&self, name: &str, start: usize) -> Result<(), QueryError> {
        match name.chars().find(|character| character.is_control()) {
            None => Ok(()),
            Some(character) => Err(self.source.error(
                start,
                format!("{character:?} in a field's name"),
                "remove the control character",
            )),
        }
    }

    fn exists(&mut self) -> Result<Query, QueryError> {
        let start = self.source.position;
        let name = if self.source.peek() == Some('"') {
            Some(self.source.quoted()?)
        } else {
            self.source.word(false)?.text()
        };
        match name {
            Some(name) if !name.is_empty() => {
                self.without_controls(&name, start)?;
                self.leaf(Some(&name), Test::Exists, start)
            }
            _ => {
                Err(self.source.error(start, "_exists_ without one field's name", "write _exists_:source.ip"))
            }
        }
    }

    /// A test's value: phrase, range, comparison, regular expression or word.
    fn value(&mut self, field: Option<&str>, start: usize) -> Result<Query, QueryError> {
        match self.source.peek() {
            None => Err(self.source.unexpected("a term was expected", "add one")),
            Some('"') => {
                let text = self.source.quoted()?;
                let slop = self.source.slop()?;
                self.source.boost()?;
                self.leaf(field, Test::Text { text, slop }, start)
            }
            Some('[' | '{') => {
                let test = self.source.range()?;
                self.source.boost()?;
                self.ranged(field, test, start)
            }
            Some('<' | '>') => {
                let test = self.source.comparison()?;
                self.ranged(field, test, start)
            }
            Some('/') if self.source.regex_end().is_some() => {
                let test = self.source.regex();
                self.source.boost()?;
                self.leaf(field, test, start)
            }
            Some(_) => self.term(field, start),
        }
    }

    fn term(&mut self, field: Option<&str>, start: usize) -> Result<Query, QueryError> {
        for (word, sign) in [("AND", "&&"), ("OR", "||"), ("NOT", "")] {
            if self.source.operator(word, sign).is_some() {
                return Err(self.source.error(
                    self.source.position,
                    format!("found {word} where a term was expected"),
                    format!("put a term before it, or quote the word: \"{word}\""),
                ));
            }
        }
        // A colon splits field and value once; behind that it belongs to the value.
        let word = self.source.word(field.is_none())?;
        if word.parts.is_empty() {
            let hint = "add a term, or write a backslash before the character to search for it";
            return Err(self.source.unexpected("a term was expected", hint));
        }
        let fuzzy = self.source.peek() == Some('~');
        let test = match word.text() {
            Some(text) if fuzzy => self.source.fuzzy(text)?,
            Some(text) => Test::Text { text, slop: 0 },
            None if fuzzy => {
                return Err(self
                    .source
                    .unexpected("a wildcard ends", "use either a wildcard or ~, or write \\~"));
            }
            None if word.only_any() => Test::Exists,
            None => Test::Wildcard(word.parts),
        };
        self.source.boost()?;
        if test == Test::Exists && field.is_none() {
            return Ok(Query::All);
        }
        self.leaf(field, test, start)
    }

    fn ranged(&mut self, field: Option<&str>, test: Test, start: usize) -> Result<Query, QueryError> {
        if field.is_none() {
            return Err(self.source.error(
                start,
                "a range without a field",
                "write field:[a TO b] or field:>a",
            ));
        }
        let open = matches!(&test, Test::Range { lower: Bound::Open, upper: Bound::Open });
        self.leaf(field, if open { Test::Exists } else { test }, start)
    }

    /// Makes the leaf, after asking the field's type whether it can be answered.
    fn leaf(&mut self, field: Option<&str>, test: Test, start: usize) -> Result<Query, QueryError> {
        self.leaves += 1;
        if self.leaves > MAXIMUM_LEAVES {
            return Err(self.source.error(
                start,
                format!("more than {MAXIMUM_LEAVES} terms"),
                "split the query",
            ));
        }
        let leaf = Leaf { field: field.map(str::to_owned), test };
        plan::check(&leaf).map_err(|error| error.at(start + 1))?;
        Ok(Query::Leaf(leaf))
    }
}

fn apply(sign: Sign, query: Query) -> Query {
    match sign {
        Sign::Plain | Sign::Plus => query,
        Sign::Minus | Sign::Not => Query::Not(Box::new(query)),
    }
}

/// A list of clauses: plain ones are alternatives; with `+`, `-` or a bare `NOT` it is Lucene's list of occurrences.
fn combine(mut items: Vec<Item>) -> Query {
    if items.len() == 1 {
        return items.pop().map_or(Query::All, |item| apply(item.sign, item.query));
    }
    let clauses: Vec<Clause> = items
        .into_iter()
        .map(|Item { sign, query, beside_or }| match sign {
            Sign::Plain => Clause { occur: Occur::Should, query },
            Sign::Plus => Clause { occur: Occur::Must, query },
            Sign::Not if beside_or => Clause { occur: Occur::Should, query: apply(sign, query) },
            Sign::Minus | Sign::Not => Clause { occur: Occur::MustNot, query },
        })
        .collect();
    if clauses.iter().all(|clause| clause.occur == Occur::Should) {
        return Query::Or(clauses.into_iter().map(|clause| clause.query).collect());
    }
    Query::Clauses(clauses)
}
