//! JSON read by `serde_json` with nothing lost: members in their order, doubled ones too.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A JSON value.
#[derive(Debug, PartialEq)]
pub(super) enum Tree {
    Leaf(serde_json::Value),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads one object.
    pub(super) fn object(text: &[u8]) -> Result<Self, serde_json::Error> {
        match serde_json::from_slice(text)? {
            object @ Tree::Object(_) => Ok(object),
            _ => Err(serde_json::Error::custom("not an object")),
        }
    }

    /// Members of all objects and elements of all arrays, together.
    pub(super) fn fields(&self) -> usize {
        match self {
            Tree::Leaf(_) => 0,
            Tree::Array(elements) => elements.iter().map(|element| 1 + element.fields()).sum(),
            Tree::Object(members) => members.iter().map(|(_, value)| 1 + value.fields()).sum(),
        }
    }

    /// Objects and arrays inside one another.
    pub(super) fn depth(&self) -> usize {
        match self {
            Tree::Leaf(_) => 0,
            Tree::Array(elements) => 1 + elements.iter().map(Tree::depth).max().unwrap_or(0),
            Tree::Object(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
        }
    }

    pub(super) fn members(&self) -> &[(String, Tree)] {
        if let Tree::Object(members) = self { members } else { &[] }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Tree> {
        self.members().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The path of a member that an object has twice, outside of the member `except` of the document.
    pub(super) fn doubled(&self, except: &str) -> Option<String> {
        let members = self.members();
        for (index, (name, value)) in members.iter().enumerate() {
            if members[..index].iter().any(|(earlier, _)| earlier == name) {
                return Some(name.clone());
            }
            if name != except
                && let Some(path) = value.doubled("")
            {
                return Some(format!("{name}.{path}"));
            }
        }
        None
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Tree;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf(serde_json::Value::Null))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }
            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = sequence.next_element()? {
                    elements.push(element);
                }
                Ok(Tree::Array(elements))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Tree::Object(members))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
