//! Evaluates a query on one event in memory, as volume rules and alerts do.
//!
//! An event is a JSON object. A field's dotted path finds nested objects, keys that hold dots, and any mixture; of an
//! array any element will do. `null` is no value.

use serde_json::{Map, Value};

use super::ast::Query;
use super::error::QueryError;
use super::fields::{self, Kind, TIMESTAMP};
use super::plan::{Plan, Predicate, ValueTest, WordsTest};
use super::scalar::{Number, Scalar, Typed};
use super::text::{Words, is_phrase};

/// A query compiled for events in memory. Compile once, ask for every event.
#[derive(Debug, Clone)]
pub struct Matcher {
    node: Node,
}

#[derive(Debug, Clone)]
enum Node {
    Constant(bool),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Exists(Path),
    Value(Path, ValueTest),
    Address(Path, std::ops::RangeInclusive<u128>),
    Time(Path, std::ops::RangeInclusive<i64>),
    Words(Option<Path>, WordsTest),
}

/// A dotted path with the places where a key may end.
#[derive(Debug, Clone)]
struct Path {
    text: String,
    ends: Vec<usize>,
    kind: Kind,
}

impl Path {
    fn new(text: &str) -> Self {
        let ends = text.match_indices('.').map(|(end, _)| end).chain([text.len()]).collect();
        Self { text: text.to_owned(), ends, kind: fields::kind(text) }
    }

    /// Whether `test` holds for what stands at the path.
    fn any(&self, event: &Map<String, Value>, test: &mut dyn FnMut(&Value) -> bool) -> bool {
        self.in_object(event, 0, test)
    }

    fn in_object(
        &self,
        object: &Map<String, Value>,
        start: usize,
        test: &mut dyn FnMut(&Value) -> bool,
    ) -> bool {
        self.ends.iter().filter(|end| **end >= start).any(|&end| {
            object.get(&self.text[start..end]).is_some_and(|value| {
                if end == self.text.len() { test(value) } else { self.below(value, end + 1, test) }
            })
        })
    }

    fn below(&self, value: &Value, start: usize, test: &mut dyn FnMut(&Value) -> bool) -> bool {
        match value {
            Value::Object(object) => self.in_object(object, start, test),
            Value::Array(elements) => elements.iter().any(|element| self.below(element, start, test)),
            _ => false,
        }
    }

    /// Whether a value stands at the path or below it.
    fn exists(&self, object: &Map<String, Value>, start: usize) -> bool {
        let rest = &self.text[start..];
        object.iter().any(|(key, value)| {
            // A key with dots may reach below the path in one step: `aws.x` has a value for `aws`.
            if key.strip_prefix(rest).is_some_and(|behind| behind.is_empty() || behind.starts_with('.')) {
                return has_value(value);
            }
            let is_above = rest.strip_prefix(key.as_str()).is_some_and(|behind| behind.starts_with('.'));
            is_above && self.exists_below(value, start + key.len() + 1)
        })
    }

    fn exists_below(&self, value: &Value, start: usize) -> bool {
        match value {
            Value::Object(object) => self.exists(object, start),
            Value::Array(elements) => elements.iter().any(|element| self.exists_below(element, start)),
            _ => false,
        }
    }

    /// Whether `test` holds for one of the values at the path, of an array any element.
    fn any_value(&self, event: &Map<String, Value>, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
        self.any(event, &mut |value| any_element(value, test))
    }
}

fn any_element(value: &Value, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(|element| any_element(element, test)),
        value => scalar(value).is_some_and(test),
    }
}

/// Visits every value at or below `path`, until one passes.
fn any_leaf(value: &Value, path: &mut String, test: &mut dyn FnMut(&str, Scalar<'_>) -> bool) -> bool {
    match value {
        Value::Object(object) => object.iter().any(|(key, value)| {
            let length = path.len();
            path.push('.');
            path.push_str(key);
            let passed = any_leaf(value, path, test);
            path.truncate(length);
            passed
        }),
        Value::Array(elements) => elements.iter().any(|element| any_leaf(element, path, test)),
        value => scalar(value).is_some_and(|value| test(path, value)),
    }
}

fn scalar(value: &Value) -> Option<Scalar<'_>> {
    match value {
        Value::String(text) => Some(Scalar::Text(text)),
        Value::Number(number) => Number::from_json(number).map(Scalar::Number),
        Value::Bool(boolean) => Some(Scalar::Boolean(*boolean)),
        _ => None,
    }
}

fn has_value(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(object) => object.values().any(has_value),
        Value::Array(elements) => elements.iter().any(has_value),
        _ => true,
    }
}

impl Matcher {
    /// Compiles a query without a clock: date math on `now` is refused.
    ///
    /// # Errors
    /// As [`Plan::new`], and when the query asks for a document's id, which an event in memory does not have.
    pub fn new(query: &Query) -> Result<Self, QueryError> {
        Self::from_plan(&Plan::new(query, None)?)
    }

    /// Compiles a plan that was made with a clock or without.
    ///
    /// # Errors
    /// When the query asks for a document's id, which an event in memory does not have.
    pub fn from_plan(plan: &Plan) -> Result<Self, QueryError> {
        Ok(Self { node: node(&plan.predicate)? })
    }

    /// Whether the event passes. What is no JSON object passes nothing but `*`.
    pub fn matches(&self, event: &Value) -> bool {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        evaluate(&self.node, event.as_object().unwrap_or(&EMPTY))
    }

    /// As [`Matcher::matches`], for an event already known to be an object.
    pub fn matches_object(&self, event: &Map<String, Value>) -> bool {
        evaluate(&self.node, event)
    }
}

fn node(predicate: &Predicate) -> Result<Node, QueryError> {
    let all = |operands: &[Predicate]| operands.iter().map(node).collect::<Result<Vec<_>, _>>();
    Ok(match predicate {
        Predicate::All => Node::Constant(true),
        Predicate::Nothing => Node::Constant(false),
        Predicate::And(operands) => Node::And(all(operands)?),
        Predicate::Or(operands) => Node::Or(all(operands)?),
        Predicate::Not(operand) => Node::Not(Box::new(node(operand)?)),
        Predicate::Id(_) => {
            return Err(QueryError::new(
                "_id, which an event has only in the index",
                "use a field of the event, such as event.id",
            ));
        }
        Predicate::Exists(path) => Node::Exists(Path::new(path)),
        Predicate::Value(path, test) => Node::Value(Path::new(path), test.clone()),
        Predicate::Address(path, range) => Node::Address(Path::new(path), range.clone()),
        Predicate::Time(range) => Node::Time(Path::new(TIMESTAMP), range.clone()),
        Predicate::Words(path, test) => Node::Words(path.as_deref().map(Path::new), test.clone()),
    })
}

fn evaluate(node: &Node, event: &Map<String, Value>) -> bool {
    match node {
        Node::Constant(constant) => *constant,
        Node::And(operands) => operands.iter().all(|operand| evaluate(operand, event)),
        Node::Or(operands) => operands.iter().any(|operand| evaluate(operand, event)),
        Node::Not(operand) => !evaluate(operand, event),
        Node::Exists(path) => path.exists(event, 0),
        Node::Value(path, test) => path.any_value(event, &mut |value| match value.typed(path.kind) {
            Typed::Value(value) => test.matches(value),
            Typed::Address(_) | Typed::Words => false,
        }),
        Node::Address(path, range) => path.any_value(event, &mut |value| match value.typed(path.kind) {
            Typed::Address(address) => range.contains(&address.to_bits()),
            Typed::Value(_) | Typed::Words => false,
        }),
        Node::Time(path, range) => path.any_value(event, &mut |value| match value.typed(path.kind) {
            Typed::Value(Scalar::Instant(instant)) => range.contains(&instant),
            _ => false,
        }),
        Node::Words(Some(path), test) => path.any_value(event, &mut |value| words_match(test, value)),
        Node::Words(None, test) => {
            let mut path = String::new();
            event.iter().any(|(key, value)| {
                path.clear();
                path.push_str(key);
                any_leaf(value, &mut path, &mut |path, value| {
                    let is_instant =
                        matches!(value.typed(fields::kind(path)), Typed::Value(Scalar::Instant(_)));
                    !is_instant && words_match(test, value)
                })
            })
        }
    }
}

fn words_match(test: &WordsTest, value: Scalar<'_>) -> bool {
    let Some(text) = value.words() else { return false };
    let mut cutter = Words::new(&text);
    let mut word = String::new();
    if let [only] = test.words.as_slice() {
        while cutter.next_into(&mut word).is_some() {
            if only.matches(&word) {
                return true;
            }
        }
        return false;
    }
    let mut places = vec![Vec::new(); test.words.len()];
    while let Some(place) = cutter.next_into(&mut word) {
        for (places, test) in places.iter_mut().zip(&test.words) {
            if test.matches(&word) {
                places.push(place);
            }
        }
    }
    is_phrase(&places, test.slop)
}
