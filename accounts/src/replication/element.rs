//! XML as a tree of elements, which keeps what it does not know.

use quick_xml::XmlVersion;
use quick_xml::escape::partial_escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use std::fmt::{self, Write as _};

/// The namespace of S3's documents.
const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Elements within each other; S3's own documents have seven.
const MAX_DEPTH: usize = 32;

/// Why a document cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub enum XmlError {
    #[error("the document is not XML that can be read")]
    Syntax(#[source] quick_xml::Error),
    #[error("the document is not XML that can be read: an attribute is malformed")]
    Attribute(#[source] quick_xml::events::attributes::AttrError),
    #[error("the document holds {0}, which cannot be written back as it is")]
    Unsupported(&'static str),
    #[error("the document ends within <{0}>")]
    Unfinished(String),
    #[error("the document has no element")]
    Empty,
    #[error("the document is a <{found}>, not a <{wanted}>")]
    Root { found: String, wanted: &'static str },
}

/// An element: a name, attributes, and either text or elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    pub fn new(name: &str) -> Self {
        Element { name: name.to_owned(), attributes: Vec::new(), text: String::new(), children: Vec::new() }
    }

    /// An element that holds text.
    pub fn with_text(name: &str, text: impl Into<String>) -> Self {
        Element { text: text.into(), ..Element::new(name) }
    }

    /// An element that holds elements.
    pub fn with_children(name: &str, children: Vec<Element>) -> Self {
        Element { children, ..Element::new(name) }
    }

    /// The root of a document of S3.
    pub(super) fn s3_root(name: &str) -> Self {
        Element { attributes: vec![("xmlns".to_owned(), S3_NAMESPACE.to_owned())], ..Element::new(name) }
    }

    /// The name without a namespace's prefix.
    pub fn name(&self) -> &str {
        self.name.rsplit(':').next().unwrap_or(&self.name)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn children(&self) -> &[Element] {
        &self.children
    }

    pub(super) fn children_mut(&mut self) -> &mut Vec<Element> {
        &mut self.children
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name() == name)
    }

    /// The element at the end of a path of names.
    pub fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The text at the end of a path of names.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(Element::text)
    }

    /// Reads a document whose root must have a name.
    ///
    /// # Errors
    /// When it is not XML, or holds what would be lost.
    pub fn parse(text: &str, root: &'static str) -> Result<Self, XmlError> {
        let element = read(text)?;
        if element.name() != root {
            return Err(XmlError::Root { found: element.name().to_owned(), wanted: root });
        }
        Ok(element)
    }

    /// Reads a document with any root.
    ///
    /// # Errors
    /// As [`Element::parse`].
    pub fn parse_any(text: &str) -> Result<Self, XmlError> {
        read(text)
    }

    /// The document, without white space between elements.
    pub fn to_document(&self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{self}")
    }

    /// The document with an element in a line, for people.
    pub fn to_pretty(&self) -> String {
        let mut text = String::new();
        self.write_pretty(&mut text, 0);
        text
    }

    fn write_pretty(&self, text: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        if self.children.is_empty() {
            let _ = writeln!(text, "{indent}{self}");
            return;
        }
        let _ = writeln!(text, "{indent}<{}>", self.name);
        for child in &self.children {
            child.write_pretty(text, depth + 1);
        }
        let _ = writeln!(text, "{indent}</{}>", self.name);
    }

    /// The form that all spellings of an element share: no namespaces, and children in the order of their content, as
    /// S3 gives elements back in an order of its own.
    #[must_use]
    pub fn canonical(&self) -> Element {
        let mut children: Vec<Element> = self.children.iter().map(Element::canonical).collect();
        children.sort_by_cached_key(ToString::to_string);
        let mut attributes: Vec<(String, String)> =
            self.attributes.iter().filter(|(name, _)| !name.starts_with("xmlns")).cloned().collect();
        attributes.sort();
        Element { name: self.name().to_owned(), attributes, text: self.text.clone(), children }
    }

    /// Whether two elements say the same.
    pub fn is_same(&self, other: &Element) -> bool {
        self.canonical() == other.canonical()
    }
}

/// Compact XML, without a declaration.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            let value = quick_xml::escape::escape(value.as_str());
            write!(
                f,
                " {name}=\"{}\"",
                value.replace('\n', "&#10;").replace('\r', "&#13;").replace('\t', "&#9;")
            )?;
        }
        if self.children.is_empty() && self.text.is_empty() {
            return f.write_str("/>");
        }
        f.write_str(">")?;
        // A reader takes a bare carriage return for a line feed.
        f.write_str(&partial_escape(self.text.as_str()).replace('\r', "&#13;"))?;
        for child in &self.children {
            write!(f, "{child}")?;
        }
        write!(f, "</{}>", self.name)
    }
}

/// Whether two documents say the same. Texts that are no XML are the same when they are equal.
pub fn same_xml(left: &str, right: &str) -> bool {
    match (read(left), read(right)) {
        (Ok(left), Ok(right)) => left.is_same(&right),
        _ => left == right,
    }
}

fn read(text: &str) -> Result<Element, XmlError> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    loop {
        match reader.read_event().map_err(XmlError::Syntax)? {
            Event::Start(start) => {
                if root.is_some() {
                    return Err(XmlError::Unsupported("two root elements"));
                }
                if open.len() == MAX_DEPTH {
                    return Err(XmlError::Unsupported("elements too deep within each other"));
                }
                open.push(started(&start)?);
            }
            Event::Empty(start) => close(started(&start)?, &mut open, &mut root)?,
            Event::End(_) => {
                let element = open.pop().ok_or(XmlError::Empty)?;
                close(element, &mut open, &mut root)?;
            }
            Event::Text(text) => add_text(&text.xml10_content(), &mut open)?,
            Event::CData(text) => add_text(&text.xml10_content(), &mut open)?,
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(XmlError::Syntax)?;
                let resolved = match character {
                    Some(character) => character.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&reference.xml10_content())
                        .ok_or(XmlError::Unsupported("an entity of its own"))?
                        .to_owned(),
                };
                add_text(&resolved, &mut open)?;
            }
            Event::DocType(_) => return Err(XmlError::Unsupported("a document type")),
            Event::PI(_) => return Err(XmlError::Unsupported("a processing instruction")),
            // Comments say nothing to S3, which does not keep them.
            Event::Decl(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    if let Some(unfinished) = open.pop() {
        return Err(XmlError::Unfinished(unfinished.name));
    }
    root.ok_or(XmlError::Empty)
}

fn started(start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let mut element = Element::new(start.name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(XmlError::Attribute)?;
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(XmlError::Syntax)?;
        element.attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(element)
}

/// Text outside of elements is white space, or the document is none.
fn add_text(text: &str, open: &mut [Element]) -> Result<(), XmlError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(XmlError::Unsupported("text outside of elements")),
    }
    Ok(())
}

/// Puts a finished element where it belongs. White space between elements is layout; elsewhere it is content.
fn close(mut element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), XmlError> {
    if !element.children.is_empty() {
        if !element.text.trim().is_empty() {
            return Err(XmlError::Unsupported("text beside elements"));
        }
        element.text.clear();
    }
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return Err(XmlError::Unsupported("two root elements")),
    }
    Ok(())
}
