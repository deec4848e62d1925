//! A walk through a record: which member goes to which ECS field, and what stays.

use crate::content::{self, Content};
use crate::fields::Fields;
use crate::names::{self, Meaning};
use crate::times;
use std::collections::BTreeMap;
use weir_parser_sdk::aws::Arn;
use weir_parser_sdk::ecs::{self, AnyField, Found};
use weir_parser_sdk::fit::Bounds;
use weir_parser_sdk::network::split_host_port;
use weir_parser_sdk::reader::{JsonText, Raw, Reader, Shape};
use weir_parser_sdk::text;
use weir_parser_sdk::{Context, ip_version, json};

/// The text that an application made its record from. The host says what an event's original is, and whether it is to
/// be had: no copy of it belongs into the event. The frame has it.
const ORIGINAL: &str = "event.original";

/// What becomes of a member under `app`.
#[derive(Clone, Copy)]
pub(crate) enum State {
    Kept,
    Moved,
    /// What is left of an object of which some members moved: an index into the record's rests.
    Rest(u16),
}

/// A member of the record.
pub(crate) struct Member<'a> {
    pub(crate) key: JsonText<'a>,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) state: State,
}

/// What a walk found.
pub(crate) struct Record<'a> {
    pub(crate) text: &'a str,
    pub(crate) members: Vec<Member<'a>>,
    pub(crate) fields: Fields<'a>,
    pub(crate) rests: Vec<String>,
    /// Earlier values of members that occur more than once.
    pub(crate) duplicates: String,
    pub(crate) account: Option<JsonText<'a>>,
    pub(crate) region: Option<JsonText<'a>>,
    pub(crate) is_error: bool,
    pub(crate) is_web: bool,
    pub(crate) is_aws: bool,
    pub(crate) status: Option<u16>,
    /// A bit for each key seen, by its length and its ends: a bit that is free says that a key is new.
    seen: u64,
    places: Places<'a>,
    /// A `log` that holds an object.
    inner: Option<String>,
    count: u32,
    depth: u32,
}

/// Where the keys of a record with many members stand: looking through all of them for each would take the square of
/// their number.
#[derive(Default)]
struct Places<'a> {
    by_key: BTreeMap<&'a str, usize>,
    /// Members noted in `by_key`, from the first on.
    noted: usize,
}

impl<'a> Places<'a> {
    /// Up to so many members are looked through, which costs less than noting them.
    const FEW: usize = 32;

    /// The member with this key.
    fn find(&mut self, members: &[Member<'a>], key: JsonText<'a>) -> Option<usize> {
        if members.len() <= Self::FEW {
            return members.iter().position(|member| member.key.raw() == key.raw());
        }
        for (place, member) in members.iter().enumerate().skip(self.noted) {
            // Of a key that occurs again the earlier member has lost its name.
            self.by_key.insert(member.key.raw(), place);
        }
        self.noted = members.len();
        self.by_key.get(key.raw()).copied()
    }
}

impl<'a> Record<'a> {
    fn new(text: &'a str) -> Self {
        Record {
            text,
            members: Vec::with_capacity(32),
            fields: Fields::new(),
            rests: Vec::new(),
            duplicates: String::new(),
            account: None,
            region: None,
            is_error: false,
            is_web: false,
            is_aws: false,
            status: None,
            seen: 0,
            places: Places::default(),
            inner: None,
            count: 0,
            depth: 0,
        }
    }

    /// A line of text instead of a record.
    pub(crate) fn of_message(message: &str) -> Self {
        let mut record = Record::new("");
        record.fields.offer(ecs::MESSAGE.into(), 0, None, Content::Made(message.to_owned()), &mut None);
        record
    }

    /// Walks the object that `reader` stands before; `open` says whether a `log` may hold another.
    pub(crate) fn collect(reader: &mut Reader<'a>, text: &'a str, context: &Context<'_>, open: bool) -> Self {
        let mut record = Record::new(text);
        let mut path = String::new();
        reader.object();
        while let Some(key) = reader.key() {
            let start = reader.member_start();
            if !record.is_new(key) {
                record.forget(key);
            }
            record.members.push(Member { key, start, end: start, state: State::Kept });
            record.read_member(key, reader, context, open, &mut path);
            if let Some(member) = record.members.last_mut() {
                member.end = reader.position();
            }
        }
        record
    }

    pub(crate) fn exceeds(&self, bounds: Bounds) -> bool {
        self.count > bounds.fields || self.depth >= bounds.depth || self.members.len() > usize::from(u16::MAX)
    }

    #[inline]
    fn is_new(&mut self, key: JsonText<'a>) -> bool {
        let bytes = key.raw().as_bytes();
        let (first, last) = (bytes.first().copied().unwrap_or(0), bytes.last().copied().unwrap_or(0));
        let hash =
            bytes.len() as u64 ^ (u64::from(first) << 2) ^ (u64::from(last) << 4) ^ (u64::from(last) >> 2);
        let bit = 1_u64 << (hash & 63);
        let known = self.seen & bit != 0;
        self.seen |= bit;
        !known
    }

    /// Where a member occurs again, the last value counts, as for most readers.
    fn forget(&mut self, key: JsonText<'a>) {
        let Some(index) = self.places.find(&self.members, key) else { return };
        let Some(member) = self.members.get_mut(index) else { return };
        if !self.duplicates.is_empty() {
            self.duplicates.push(',');
        }
        self.duplicates.push_str(self.text.get(member.start..member.end).unwrap_or_default());
        // It stays in the list, for the others' numbers, but under a name that no JSON text has.
        member.state = State::Moved;
        member.key = JsonText::from_raw("\0");
        self.fields.forget(index as u16);
    }

    fn read_member(
        &mut self,
        key: JsonText<'a>,
        reader: &mut Reader<'a>,
        context: &Context<'_>,
        open: bool,
        path: &mut String,
    ) {
        let name = key.raw();
        if reader.peek() == b'{' {
            path.clear();
            path.push_str(match name {
                "err" | "exception" => "error",
                _ => name,
            });
            if ecs::find(path) == Some(Found::Object) {
                self.count += 1;
                let mut rest = String::new();
                self.walk_object(path, reader, context, &mut rest);
                let number = self.rests.len() as u16;
                self.set_state(if rest.is_empty() { State::Moved } else { State::Rest(number) });
                if !rest.is_empty() {
                    self.rests.push(rest);
                }
                return;
            }
        }
        let value = reader.value();
        self.measure(value, 0);
        if value.is_null() || name == ORIGINAL {
            // `null` says nothing; nothing is lost without it.
            self.set_state(State::Moved);
        } else if let Some(meaning) = names::meaning(name) {
            if open && name == "log" && self.holds_object(value) {
                return;
            }
            if self.apply(meaning, value, context) {
                self.set_state(State::Moved);
            }
        } else if (text::has(name, b'.') || name == "tags")
            && let Some(Found::Field(field)) = ecs::find(name)
            && self.take_ecs(field, value, context)
        {
            self.set_state(State::Moved);
        }
    }

    /// Walks an object of ECS: what ECS knows and fits is taken, the rest is written to `rest` as an object.
    fn walk_object(
        &mut self,
        path: &mut String,
        reader: &mut Reader<'a>,
        context: &Context<'_>,
        rest: &mut String,
    ) {
        reader.object();
        let length = path.len();
        let mut any = false;
        while let Some(key) = reader.key() {
            path.truncate(length);
            path.push('.');
            path.push_str(key.raw());
            let found = ecs::find(path);
            let mut inner = String::new();
            let left = if found == Some(Found::Object) && reader.peek() == b'{' {
                self.count += 1;
                self.walk_object(path, reader, context, &mut inner);
                inner.as_str()
            } else {
                let value = reader.value();
                self.measure(value, 3);
                let field = match found {
                    Some(Found::Field(field)) => Some(field),
                    _ if path.starts_with("error.") => names::meaning_in_error(key.raw()),
                    _ => None,
                };
                let taken = value.is_null()
                    || path == ORIGINAL
                    || field.is_some_and(|field| self.take_ecs(field, value, context));
                if taken { "" } else { value.text }
            };
            if left.is_empty() {
                any = true;
                continue;
            }
            rest.push(if rest.is_empty() { '{' } else { ',' });
            rest.push('"');
            rest.push_str(key.raw());
            rest.push_str("\":");
            rest.push_str(left);
        }
        path.truncate(length);
        if !rest.is_empty() {
            rest.push('}');
        } else if !any {
            // The record's empty object was there.
            rest.push_str("{}");
        }
    }

    #[inline]
    fn measure(&mut self, value: Raw<'_>, level: u32) {
        self.count += 1 + value.fields;
        self.depth = self.depth.max(level + value.depth);
    }

    fn set_state(&mut self, state: State) {
        if let Some(member) = self.members.last_mut() {
            member.state = state;
        }
    }

    /// Offers a value of the current member; whether it is taken. What it displaces stays with the application.
    pub(crate) fn offer(&mut self, field: AnyField, rank: u8, content: Content<'a>) -> bool {
        let member = self.members.len().checked_sub(1).map(|index| index as u16);
        let mut displaced = None;
        let taken = self.fields.offer(field, rank, member, content, &mut displaced);
        if let Some(member) = displaced.and_then(|index| self.members.get_mut(usize::from(index))) {
            member.state = State::Kept;
        }
        taken
    }

    /// Takes a value for a field of its own name, if it fits and no other has it.
    fn take_ecs(&mut self, field: AnyField, value: Raw<'a>, context: &Context<'_>) -> bool {
        if names::is_ours(field) || self.fields.rank(field) == Some(0) {
            return false;
        }
        let Some(content) = content::fit(field, value, context) else { return false };
        if field == AnyField::from(ecs::LOG_LEVEL) {
            return self.apply_level(0, value);
        }
        if field == AnyField::from(ecs::CLOUD_ACCOUNT_ID) {
            self.account = value.scalar();
            return true;
        }
        if field == AnyField::from(ecs::CLOUD_REGION) {
            self.region = value.scalar();
            return true;
        }
        if field == AnyField::from(ecs::HTTP_RESPONSE_STATUS_CODE) {
            self.status = value.scalar().and_then(|text| text.raw().parse().ok());
        }
        self.is_web |= field == AnyField::from(ecs::HTTP_REQUEST_METHOD);
        self.offer(field, 0, content)
    }

    /// Applies what a member's name means by convention; whether nothing of the member is lost with that.
    fn apply(&mut self, meaning: Meaning, value: Raw<'a>, context: &Context<'_>) -> bool {
        let text = value.string().filter(|text| !text.raw().is_empty());
        // Web servers write a dash for what is not there.
        if text.is_some_and(JsonText::is_absent) && !matches!(meaning, Meaning::Message(_)) {
            return false;
        }
        match meaning {
            Meaning::Time(rank) => times::parse(value, context)
                .is_some_and(|time| self.offer(ecs::TIMESTAMP.into(), rank, Content::Instant(time))),
            Meaning::Level(rank) => self.apply_level(rank, value),
            Meaning::Message(rank) => {
                let text = value.scalar().filter(|text| !text.raw().is_empty());
                text.is_some_and(|text| {
                    self.offer(ecs::MESSAGE.into(), rank, Content::Text(content::without_line_end(text)))
                })
            }
            Meaning::Field(field, rank) => {
                content::fit(field, value, context).is_some_and(|content| self.offer(field, rank, content))
            }
            Meaning::Error => {
                text.is_some_and(|text| self.offer(ecs::ERROR_MESSAGE.into(), 1, Content::Text(text)))
            }
            Meaning::Stack => {
                text.is_some_and(|text| self.offer(ecs::ERROR_STACK_TRACE.into(), 1, Content::Text(text)))
            }
            Meaning::Address => text.is_some_and(|text| self.apply_address(text)),
            Meaning::Status(rank) => {
                let digits =
                    value.scalar().map(JsonText::raw).filter(|digits| json::is_integer(digits.as_bytes()));
                let Some(digits) = digits else { return false };
                let Some(status) = digits.parse().ok().filter(|status| (100..600).contains(status)) else {
                    return false;
                };
                self.status = Some(status);
                self.offer(ecs::HTTP_RESPONSE_STATUS_CODE.into(), rank, Content::Json(digits))
            }
            Meaning::Method(rank) => {
                let Some(text) = text.filter(|text| names::is_http_method(text.raw())) else { return false };
                self.is_web = true;
                self.offer(ecs::HTTP_REQUEST_METHOD.into(), rank, Content::Text(text))
            }
            Meaning::Request => text.is_some_and(|text| self.apply_request(text)),
            Meaning::Host => text.is_some_and(|text| self.apply_host(text)),
            Meaning::Protocol => text.is_some_and(|text| self.apply_protocol(text)),
            Meaning::Forwarded => text.is_some_and(|text| self.apply_forwarded(text)),
            Meaning::Caller => text.is_some_and(|text| self.apply_caller(text)),
            Meaning::Container | Meaning::Task | Meaning::Cluster | Meaning::Instance => {
                text.is_some_and(|text| self.apply_origin(meaning, text))
            }
        }
    }

    /// `log.level` is in lower case so that one search finds all; a level that was not stays as it was, too.
    fn apply_level(&mut self, rank: u8, value: Raw<'a>) -> bool {
        let text = value.scalar().filter(|text| !text.raw().is_empty() && value.shape != Shape::Boolean);
        let Some(text) = text else { return false };
        // A number beside a word is the word's own.
        let rank = if value.shape == Shape::Number { rank + 3 } else { rank };
        let known = names::level(text.raw());
        self.is_error |= known.is_some_and(names::is_error_level);
        let (content, same) = if let Some(word) = known {
            (Content::Text(JsonText::from_raw(word)), word == text.raw())
        } else {
            let lower = text.unescape().to_lowercase();
            let same = lower == text.unescape();
            (if same { Content::Text(text) } else { Content::Made(lower) }, same)
        };
        self.offer(ecs::LOG_LEVEL.into(), rank, content) && same
    }

    fn apply_address(&mut self, text: JsonText<'a>) -> bool {
        let (address, port) = split_host_port(text.raw());
        if ip_version(address).is_none() {
            return false;
        }
        let content = || Content::Text(text.part(address));
        let taken = self.offer(ecs::SOURCE_IP.into(), 1, content());
        self.offer(ecs::SOURCE_ADDRESS.into(), 1, content());
        match port {
            Some(port) if json::is_integer(port.as_bytes()) => {
                self.offer(ecs::SOURCE_PORT.into(), 1, Content::Json(port)) && taken
            }
            Some(_) => false,
            None => taken,
        }
    }

    fn apply_caller(&mut self, text: JsonText<'a>) -> bool {
        let Some((file, line)) = text.raw().rsplit_once(':') else { return false };
        if file.is_empty() || line.len() > 9 || !json::is_integer(line.as_bytes()) {
            return false;
        }
        self.offer(ecs::LOG_ORIGIN_FILE_NAME.into(), 1, Content::Text(text.part(file)))
            & self.offer(ecs::LOG_ORIGIN_FILE_LINE.into(), 1, Content::Json(line))
    }

    /// What FireLens says of a container's task; whether nothing of it is lost in ECS.
    pub(crate) fn apply_origin(&mut self, meaning: Meaning, text: JsonText<'a>) -> bool {
        match meaning {
            Meaning::Container => {
                let raw = text.raw();
                let name = raw.strip_prefix("\\/").or_else(|| raw.strip_prefix('/')).unwrap_or(raw);
                self.offer(ecs::CONTAINER_NAME.into(), 1, Content::Text(text.part(name)))
                    && name == text.raw()
            }
            Meaning::Cluster => {
                self.is_aws = true;
                let arn = Arn::parse(text.raw());
                let name = arn.map_or(text.raw(), |arn| arn.resource.rsplit('/').next().unwrap_or_default());
                self.offer(ecs::ORCHESTRATOR_CLUSTER_NAME.into(), 1, Content::Text(text.part(name)))
                    && arn.is_none()
            }
            Meaning::Task => {
                self.is_aws = true;
                if let Some(arn) = Arn::parse(text.raw()) {
                    self.account = self.account.or(arn.account.map(JsonText::from_raw));
                    self.region = self.region.or(arn.region.map(JsonText::from_raw));
                }
                false
            }
            Meaning::Instance => {
                self.is_aws = true;
                self.offer(ecs::CLOUD_INSTANCE_ID.into(), 1, Content::Text(text))
            }
            Meaning::Field(field, rank) => self.offer(field, rank, Content::Text(text)),
            _ => false,
        }
    }

    /// Whether a `log` holds an object; its text is kept for [`Record::merged`].
    fn holds_object(&mut self, value: Raw<'a>) -> bool {
        let Some(text) = value.string().filter(|text| text.raw().trim_start().starts_with('{')) else {
            return false;
        };
        let text = text.unescape();
        let text = text.trim();
        let is_object = crate::is_object(text);
        if is_object {
            self.inner = Some(text.to_owned());
        }
        is_object
    }

    /// The object that `log` holds with the envelope's members beside its own. Where both have a member, the
    /// application's stays, and the envelope's goes into `envelope`.
    pub(crate) fn merged(&self) -> Option<String> {
        let inner = self.inner.as_deref()?;
        let mut keys = Vec::with_capacity(32);
        let mut reader = Reader::new(inner);
        reader.object();
        while let Some(key) = reader.key() {
            keys.push(key.raw());
            reader.value();
        }
        let mut merged = String::with_capacity(inner.len() + self.text.len());
        merged.push_str(inner.strip_suffix('}')?.trim_end());
        let mut conflicts = String::new();
        for member in &self.members {
            let text = self.text.get(member.start..member.end).unwrap_or_default();
            if member.key.raw() == "log" {
                continue;
            }
            let target = if keys.contains(&member.key.raw()) { &mut conflicts } else { &mut merged };
            if !target.is_empty() && !target.ends_with('{') {
                target.push(',');
            }
            target.push_str(text);
        }
        if !conflicts.is_empty() {
            if !merged.ends_with('{') {
                merged.push(',');
            }
            merged.push_str("\"envelope\":{");
            merged.push_str(&conflicts);
            merged.push('}');
        }
        merged.push('}');
        Some(merged)
    }
}
