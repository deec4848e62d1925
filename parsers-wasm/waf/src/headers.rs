//! The request's headers: a list of names and values in the record, an object in the event.
//!
//! Names of headers are what clients send. They become lower case, as HTTP/2 has them, and a header that occurs more
//! than once keeps all its values. Headers that are credentials by definition are dropped.

use weir_parser_sdk::ObjectWriter;
use weir_parser_sdk::fit::TEXT_MEMBER;
use weir_parser_sdk::reader::{JsonText, Raw, Reader, Shape};

/// The most headers that become members; more are kept as one text.
pub(crate) const MAXIMUM: usize = 300;

/// Whoever reads these can act as the client.
const CREDENTIALS: [&str; 3] = ["authorization", "proxy-authorization", "x-amz-security-token"];

/// The headers in their order, without credentials.
#[derive(Default)]
pub(crate) struct Headers<'a> {
    list: Vec<(JsonText<'a>, Raw<'a>)>,
}

impl<'a> Headers<'a> {
    /// Reads the list that `reader` stands before; or an object, as some exports write it.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Self {
        let mut headers = Headers { list: Vec::with_capacity(24) };
        match reader.peek() {
            b'[' => {
                reader.array();
                while reader.element() {
                    headers.read_one(reader);
                }
            }
            b'{' => {
                reader.object();
                while let Some(name) = reader.key() {
                    let value = reader.value();
                    headers.add(name, value);
                }
            }
            _ => {
                reader.value();
            }
        }
        headers
    }

    fn read_one(&mut self, reader: &mut Reader<'a>) {
        let (mut name, mut value) = (None, None);
        if reader.peek() == b'{' {
            reader.object();
            while let Some(key) = reader.key() {
                let member = reader.value();
                match key.raw() {
                    "name" => name = member.string(),
                    "value" => value = Some(member),
                    _ => {}
                }
            }
        } else {
            reader.value();
        }
        if let (Some(name), Some(value)) = (name, value) {
            self.add(name, value);
        }
    }

    fn add(&mut self, name: JsonText<'a>, value: Raw<'a>) {
        let secret = CREDENTIALS.iter().any(|secret| secret.eq_ignore_ascii_case(&name.unescape()));
        if !secret && !value.is_null() {
            self.list.push((name, value));
        }
    }

    /// The first value of a header.
    pub(crate) fn get(&self, name: &str) -> Option<JsonText<'a>> {
        self.all(name).next()
    }

    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = JsonText<'a>> {
        let same = move |header: &&(JsonText<'a>, Raw<'a>)| header.0.raw().eq_ignore_ascii_case(name);
        self.list.iter().filter(same).filter_map(|(_, value)| value.string())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Writes the headers as the member `headers` of the request.
    pub(crate) fn write(&self, request: &mut ObjectWriter<'_>) {
        if self.list.len() <= MAXIMUM {
            request.object("headers", |out| self.write_members(out));
        } else {
            let text = self.as_text();
            request.object("headers", |out| {
                out.string(TEXT_MEMBER, &text);
            });
        }
    }

    fn write_members(&self, out: &mut ObjectWriter<'_>) {
        let mut lower = Lower::default();
        for (index, (name, value)) in self.list.iter().enumerate() {
            let same = |other: &(JsonText<'a>, Raw<'a>)| other.0.raw().eq_ignore_ascii_case(name.raw());
            if self.list.iter().take(index).any(same) {
                continue;
            }
            let key = lower.of(*name);
            if self.list.iter().skip(index + 1).any(same) {
                let values: Vec<&str> = self
                    .list
                    .iter()
                    .skip(index)
                    .filter(|other| same(other))
                    .map(|(_, value)| value.text)
                    .collect();
                out.raw_member(key, &format!("[{}]", values.join(",")));
            } else if value.shape == Shape::String {
                out.raw_member(key, value.text);
            } else {
                // A value of the list is always text; whatever else stands there is kept as text.
                out.string(&key.unescape(), value.text);
            }
        }
    }

    /// All headers as the text of the list that they were, for a request with more than an event can hold.
    #[cold]
    fn as_text(&self) -> String {
        let mut text = String::from("[");
        for (name, value) in &self.list {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str("{\"name\":\"");
            text.push_str(name.raw());
            text.push_str("\",\"value\":");
            text.push_str(value.text);
            text.push('}');
        }
        text.push(']');
        text
    }
}

/// A buffer for names in lower case, since most names are short and most are lower case already.
#[derive(Default)]
struct Lower {
    buffer: String,
}

impl Lower {
    /// The escape sequences of a JSON text mean the same in lower case.
    fn of<'b>(&'b mut self, name: JsonText<'b>) -> JsonText<'b> {
        if !name.raw().bytes().any(|byte| byte.is_ascii_uppercase()) {
            return name;
        }
        self.buffer.clear();
        self.buffer.push_str(name.raw());
        self.buffer.make_ascii_lowercase();
        name.part(&self.buffer)
    }
}
