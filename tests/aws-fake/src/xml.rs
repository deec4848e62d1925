//! XML as the query and REST protocols carry it: a tree of elements, read strictly and written compactly.
//!
//! Element names are compared without their namespace prefix, as the services do; attributes are kept only where a
//! service gives them a meaning (`xsi:type` of a grantee), which none of the documents here does.

use quick_xml::escape::escape;
use quick_xml::events::{BytesRef, Event};
use quick_xml::reader::Reader;

/// The namespace of every S3 document (Amazon S3 API Reference, "Common elements").
pub(crate) const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// Documents nested deeper than this are refused as malformed.
const DEEPEST: usize = 32;

/// An element with its text and children. An element has either text or children in every document read here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

/// Why a document is not well formed.
#[derive(Debug, thiserror::Error)]
#[error("not well formed: {0}")]
pub(crate) struct NotWellFormed(String);

impl Element {
    /// An element without text.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// An element that holds text.
    pub(crate) fn of(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), text: text.into(), children: Vec::new() }
    }

    /// This element with one more child.
    #[must_use]
    pub(crate) fn with(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// This element with a child that holds text.
    #[must_use]
    pub(crate) fn text(self, name: &str, text: impl Into<String>) -> Self {
        self.with(Element::of(name, text))
    }

    /// This element with more children.
    #[must_use]
    pub(crate) fn all(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of a name, in order.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of a name.
    pub(crate) fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The text at the end of a path of names.
    pub(crate) fn path_text(&self, path: &[&str]) -> Option<&str> {
        let mut element = self;
        for name in path {
            element = element.child(name)?;
        }
        Some(&element.text)
    }

    /// The names of children that are not among `known`.
    pub(crate) fn unknown_child(&self, known: &[&str]) -> Option<&str> {
        self.children.iter().map(|child| child.name.as_str()).find(|name| !known.contains(name))
    }

    /// Reads a whole document.
    pub(crate) fn parse(document: &str) -> Result<Self, NotWellFormed> {
        let mut reader = Reader::from_str(document);
        let mut open: Vec<Element> = Vec::new();
        let mut root = None;
        loop {
            match reader.read_event().map_err(|error| NotWellFormed(error.to_string()))? {
                Event::Start(start) => {
                    if open.len() >= DEEPEST || root.is_some() {
                        return Err(NotWellFormed("too deep, or more than one root".to_owned()));
                    }
                    open.push(Element::new(start.local_name().into_inner()));
                }
                Event::Empty(start) => {
                    let element = Element::new(start.local_name().into_inner());
                    attach(element, &mut open, &mut root)?;
                }
                Event::End(_) => {
                    let mut element =
                        open.pop().ok_or_else(|| NotWellFormed("an end without start".to_owned()))?;
                    if !element.children.is_empty() && element.text.trim().is_empty() {
                        element.text.clear();
                    }
                    attach(element, &mut open, &mut root)?;
                }
                Event::Text(text) => push_text(&mut open, &text.xml10_content())?,
                Event::CData(data) => push_text(&mut open, &data.xml10_content())?,
                Event::GeneralRef(reference) => push_text(&mut open, &resolve(&reference)?)?,
                Event::Eof => break,
                Event::DocType(_) => return Err(NotWellFormed("a document type is not allowed".to_owned())),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        if open.is_empty() {
            root.ok_or_else(|| NotWellFormed("the document is empty".to_owned()))
        } else {
            Err(NotWellFormed("an element is not closed".to_owned()))
        }
    }

    /// The element as text, without a declaration.
    pub(crate) fn write(&self) -> String {
        let mut text = String::new();
        self.write_to(&mut text, None);
        text
    }

    /// The element as a whole document in a namespace.
    pub(crate) fn document(&self, namespace: &str) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write_to(&mut text, Some(namespace));
        text
    }

    fn write_to(&self, into: &mut String, namespace: Option<&str>) {
        into.push('<');
        into.push_str(&self.name);
        if let Some(namespace) = namespace {
            into.push_str(" xmlns=\"");
            into.push_str(namespace);
            into.push('"');
        }
        if self.text.is_empty() && self.children.is_empty() {
            into.push_str("/>");
            return;
        }
        into.push('>');
        into.push_str(&escape(self.text.as_str()));
        for child in &self.children {
            child.write_to(into, None);
        }
        into.push_str("</");
        into.push_str(&self.name);
        into.push('>');
    }
}

fn attach(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), NotWellFormed> {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return Err(NotWellFormed("more than one root".to_owned())),
    }
    Ok(())
}

fn push_text(open: &mut [Element], text: &str) -> Result<(), NotWellFormed> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() || text == "\u{feff}" => {}
        None => return Err(NotWellFormed("text outside of the root".to_owned())),
    }
    Ok(())
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, NotWellFormed> {
    let content = reference.xml10_content();
    quick_xml::escape::unescape(&format!("&{content};"))
        .map(std::borrow::Cow::into_owned)
        .map_err(|error| NotWellFormed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let element =
            Element::new("A").text("B", "x < y & \"z\"").with(Element::new("C").text("D", " kept "));
        let read = Element::parse(&element.document(S3_NAMESPACE)).unwrap();
        assert_eq!(read, element);
        assert_eq!(read.path_text(&["C", "D"]), Some(" kept "));
    }

    #[test]
    fn tolerates_prefixes_whitespace_and_entities() {
        let read = Element::parse(
            "<?xml version='1.0'?>\n<s:A xmlns:s='u'>\n <s:B>a&#x41;&amp;<![CDATA[<]]></s:B>\n</s:A>",
        )
        .unwrap();
        assert_eq!(read, Element::new("A").text("B", "aA&<"));
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        for document in ["", "<A>", "<A></B>", "<A/><B/>", "text", "<!DOCTYPE a><A/>", "<A>&unknown;</A>"] {
            assert!(Element::parse(document).is_err(), "{document:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives(text in "[^\r\u{0}-\u{8}\u{b}-\u{1f}\u{fffe}\u{ffff}]{0,40}") {
            let element = Element::new("A").text("B", text);
            let read = Element::parse(&element.document(S3_NAMESPACE)).unwrap();
            proptest::prop_assert_eq!(read, element);
        }

        #[test]
        fn no_document_panics(document in "[<>/&;a!\\[\\]?=' ]{0,40}") {
            let _ = Element::parse(&document);
        }
    }
}
