//! The event under construction: ECS fields straight into the output buffer.
//!
//! A field that comes later in the ECS table than the one before goes into the document at once, with the braces
//! that lead from one object to the next. A field set out of order, or set again, waits in a side buffer, and the
//! document is put in order when it ends. So authors may set fields as they find them, hot parsers set them in the
//! table's order and pay for nothing, and both give the same bytes.

use crate::ecs::{self, AnyField, Field, Ip, Keyword, KeywordList, Long};
use crate::endpoint::{Endpoint, ip_version, without_zone};
use crate::joint::{self, Joints};
use crate::json::{self, ObjectWriter};
use crate::reader::JsonText;
use crate::related::Related;
use crate::value::{Category, Instant, Kind, Type, Value};
use crate::{Context, short};

#[derive(Debug, Clone, Copy)]
struct Span {
    field: u16,
    late: bool,
    start: u32,
    end: u32,
}

/// One event, written field by field.
///
/// Setting a field again replaces its value. Absent values are best left unset: ECS has no empty strings.
#[derive(Debug)]
pub struct Event<'a> {
    context: &'a Context<'a>,
    /// Every document of the batch so far, and the one being written.
    out: Vec<u8>,
    start: usize,
    /// One past the last field written directly.
    next: u16,
    joints: Joints,
    spans: Vec<Span>,
    late: Vec<u8>,
    any_late: bool,
    vendor: Vec<u8>,
    /// What leads to the vendor's tree at the parser's own path, see [`vendor_open`].
    vendor_open: Vec<u8>,
    /// Another path for this event alone.
    other_vendor_path: Option<&'static str>,
    prefix: Vec<u8>,
    prefix_next: u16,
    prefix_spans: usize,
    timestamp: Option<i64>,
    ips: Related,
    users: Related,
    hosts: Related,
    hashes: Related,
    tags: Related,
    has_account: bool,
    has_region: bool,
    pub(crate) finished: Vec<(u32, i64)>,
}

impl<'a> Event<'a> {
    pub(crate) fn new(
        context: &'a Context<'a>,
        module: &str,
        dataset: &str,
        vendor_path: &'static str,
        capacity: usize,
    ) -> Self {
        let mut event = Event {
            context,
            out: Vec::with_capacity(capacity),
            start: 0,
            next: 0,
            joints: Joints::new(),
            spans: Vec::with_capacity(64),
            late: Vec::new(),
            any_late: false,
            vendor: Vec::with_capacity(1024),
            vendor_open: vendor_open(vendor_path),
            other_vendor_path: None,
            prefix: Vec::new(),
            prefix_next: 0,
            prefix_spans: 0,
            timestamp: None,
            ips: Related::default(),
            users: Related::default(),
            hosts: Related::default(),
            hashes: Related::default(),
            tags: Related::default(),
            has_account: false,
            has_region: false,
            finished: Vec::new(),
        };
        // What every document of the batch begins with is written once and copied.
        event.out.push(b'{');
        event.set(ecs::ECS_VERSION, ecs::VERSION);
        event.set(ecs::EVENT_MODULE, module);
        event.set(ecs::EVENT_DATASET, dataset);
        event.prefix = std::mem::take(&mut event.out);
        event.out = Vec::with_capacity(capacity);
        event.prefix_next = event.next;
        event.prefix_spans = event.spans.len();
        event
    }

    /// Begins a document; what the last one left unfinished is forgotten.
    pub(crate) fn begin(&mut self) {
        self.start = self.out.len();
        self.out.extend_from_slice(&self.prefix);
        self.next = self.prefix_next;
        self.spans.truncate(self.prefix_spans);
        self.late.clear();
        self.any_late = false;
        self.vendor.clear();
        self.other_vendor_path = None;
        self.timestamp = None;
        self.ips.clear();
        self.users.clear();
        self.hosts.clear();
        self.hashes.clear();
        self.tags.clear();
        self.has_account = false;
        self.has_region = false;
    }

    /// Where the finished documents end; see [`Event::roll_back`].
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.start, self.finished.len())
    }

    /// Drops every document finished since `mark`, and the one being written.
    pub(crate) fn roll_back(&mut self, mark: (usize, usize)) {
        self.out.truncate(mark.0);
        self.finished.truncate(mark.1);
    }

    /// Drops the document being written and keeps those that [`Event::emit`] ended.
    pub(crate) fn drop_unfinished(&mut self) {
        self.out.truncate(self.start);
    }

    /// Ends this document with `document`, which takes the place of what was written.
    #[inline]
    pub(crate) fn complete(&mut self, document: &[u8], timestamp: i64) {
        self.out.truncate(self.start);
        self.out.extend_from_slice(document);
        self.finished.push((self.out.len() as u32, timestamp));
        self.start = self.out.len();
    }

    /// An event of the same batch with documents of its own.
    pub(crate) fn sibling(&self) -> Event<'a> {
        Event {
            context: self.context,
            out: Vec::with_capacity(2048),
            start: 0,
            next: 0,
            joints: Joints::new(),
            spans: self.spans.get(..self.prefix_spans).unwrap_or_default().to_vec(),
            late: Vec::new(),
            any_late: false,
            vendor: Vec::with_capacity(1024),
            vendor_open: self.vendor_open.clone(),
            other_vendor_path: None,
            prefix: self.prefix.clone(),
            prefix_next: self.prefix_next,
            prefix_spans: self.prefix_spans,
            timestamp: None,
            ips: Related::default(),
            users: Related::default(),
            hosts: Related::default(),
            hashes: Related::default(),
            tags: Related::default(),
            has_account: false,
            has_region: false,
            finished: Vec::new(),
        }
    }

    pub(crate) fn into_documents(self) -> Vec<u8> {
        self.out
    }

    /// What the batch says: origin, reference time, zone, header.
    pub fn context(&self) -> &'a Context<'a> {
        self.context
    }

    /// Sets a field.
    #[inline]
    pub fn set<T>(&mut self, field: Field<T>, value: impl Value<T>) {
        if let Some(text) = value.as_text() {
            self.set_string(field.index, text);
            return;
        }
        let (late, start) = self.open(field.index);
        value.push_json(if late { &mut self.late } else { &mut self.out });
        self.close(field.index, late, start);
    }

    /// Most fields are strings: one function for all of them, and one check of the buffer's room.
    #[inline(never)]
    fn set_string(&mut self, field: u16, text: &str) {
        if field >= self.next
            && let Some(joint) = self.joints.between(self.next, field)
        {
            let start = self.out.len() + joint.len();
            if short::append_with_text(&mut self.out, joint, false, text.as_bytes()) {
                self.next = field + 1;
                self.close(field, false, start);
                return;
            }
        }
        let (late, start) = self.open(field);
        json::push_string(if late { &mut self.late } else { &mut self.out }, text);
        self.close(field, late, start);
    }

    /// The same for values that stand in JSON as they are.
    #[inline(never)]
    fn set_plain(&mut self, field: u16, json: &str) {
        let late = field < self.next;
        if late {
            self.any_late = true;
            json::push(&mut self.late, json.as_bytes());
        } else {
            self.joints.append(&mut self.out, self.next, field, json.as_bytes());
            self.next = field + 1;
        }
        let end = if late { self.late.len() } else { self.out.len() };
        self.close(field, late, end - json.len());
    }

    /// Sets a field if there is a value, and it is neither empty nor the `-` that stands for none in most formats.
    #[inline]
    pub fn set_some<T>(&mut self, field: Field<T>, value: Option<&str>)
    where
        str: Value<T>,
    {
        if let Some(value) = value
            && !value.is_empty()
            && value != "-"
        {
            self.set(field, value);
        }
    }

    /// Sets a field from a string of a JSON record, if there is one that says something. See [`Event::set_some`].
    #[inline]
    pub fn set_text<'t, T>(&mut self, field: Field<T>, value: Option<JsonText<'t>>)
    where
        JsonText<'t>: Value<T>,
    {
        if let Some(value) = value
            && !value.is_absent()
        {
            self.set(field, value);
        }
    }

    /// Sets a field of text that was looked up by its name.
    #[inline]
    pub fn set_any_text(&mut self, field: AnyField, text: JsonText<'_>) {
        let (late, start) = self.open(field.index);
        Value::<Keyword>::push_json(&text, if late { &mut self.late } else { &mut self.out });
        self.close(field.index, late, start);
    }

    /// Sets a field that was looked up by its name to a JSON text, which must be of the field's kind.
    #[inline]
    pub fn set_raw(&mut self, field: AnyField, json: &str) {
        self.set_plain(field.index, json);
    }

    /// Sets a numeric field from decimal text as it stands; says whether it was a number.
    #[inline]
    pub fn set_integer(&mut self, field: Field<Long>, digits: &str) -> bool {
        let valid = json::is_integer(digits.as_bytes());
        if valid {
            self.set_plain(field.index, digits);
        }
        valid
    }

    /// Sets an address field if the text is an IP address, and notes it in `related.ip`; says whether it was one.
    #[inline]
    pub fn set_ip(&mut self, field: Field<Ip>, text: &str) -> bool {
        let valid = ip_version(text).is_some();
        if valid {
            self.set_ip_unchecked(field, text);
        }
        valid
    }

    #[inline]
    fn set_ip_unchecked(&mut self, field: Field<Ip>, text: &str) {
        self.set_string(field.index, text);
        self.ips.add(text);
    }

    /// Sets `address`, and `ip` (without the zone of a link-local address) or else `domain`, of an endpoint, and the
    /// related fields. Nothing for `-` or nothing.
    #[inline]
    pub fn set_endpoint(&mut self, endpoint: Endpoint, address: &str, port: Option<&str>) {
        if !address.is_empty() && address != "-" {
            self.set(endpoint.address, address);
            let ip = if ip_version(address).is_some() { Some(address) } else { without_zone(address) };
            let is_ip = ip.is_some();
            if let Some(ip) = ip {
                self.set_ip_unchecked(endpoint.ip, ip);
            }
            if let Some(port) = port {
                self.set_integer(endpoint.port, port);
            }
            if !is_ip {
                self.set(endpoint.domain, address);
                self.hosts.add(address);
            }
        } else if let Some(port) = port {
            self.set_integer(endpoint.port, port);
        }
    }

    /// Sets `event.kind`, `event.category` and `event.type`.
    #[inline]
    pub fn categorize(&mut self, kind: Kind, categories: &[Category], types: &[Type]) {
        self.set(ecs::EVENT_KIND, kind.name());
        self.list(ecs::EVENT_CATEGORY, categories.iter().map(|category| category.name()));
        self.list(ecs::EVENT_TYPE, types.iter().map(|kind| kind.name()));
    }

    fn list<'s>(&mut self, field: Field<KeywordList>, values: impl Iterator<Item = &'s str>) {
        let (late, start) = self.open(field.index);
        json::push_strings(if late { &mut self.late } else { &mut self.out }, values);
        self.close(field.index, late, start);
    }

    /// Sets `@timestamp`, in nanoseconds since 1970. An event without one carries the reference time and the tag
    /// `reference-time`.
    #[inline]
    pub fn timestamp(&mut self, nanoseconds: i64) {
        self.timestamp = Some(nanoseconds);
        self.set(ecs::TIMESTAMP, Instant(nanoseconds));
    }

    /// Sets `cloud.account.id` and `cloud.region` from the record; where it has none, the origin's are taken.
    #[inline]
    pub fn cloud(&mut self, account: Option<&str>, region: Option<&str>) {
        let given = |value: Option<&str>| value.is_some_and(|text| !text.is_empty() && text != "-");
        let origin = &self.context.origin;
        let account = if given(account) { account } else { origin.account.as_deref() };
        let region = if given(region) { region } else { origin.region.as_deref() };
        if let Some(region) = region {
            self.has_region = true;
            self.set(ecs::CLOUD_REGION, region);
        }
        if let Some(account) = account {
            self.has_account = true;
            self.set(ecs::CLOUD_ACCOUNT_ID, account);
        }
    }

    /// Notes an address in `related.ip`, if it is one.
    pub fn related_ip(&mut self, text: &str) {
        if ip_version(text).is_some() {
            self.ips.add(text);
        }
    }

    /// Notes a user in `related.user`.
    pub fn related_user(&mut self, name: &str) {
        self.users.add(name);
    }

    /// Notes a host in `related.hosts`.
    pub fn related_host(&mut self, name: &str) {
        self.hosts.add(name);
    }

    /// Notes a hash in `related.hash`.
    pub fn related_hash(&mut self, hash: &str) {
        self.hashes.add(hash);
    }

    /// Adds to `tags`.
    pub fn tag(&mut self, tag: &str) {
        self.tags.add(tag);
    }

    /// The vendor's own tree, at the parser's vendor path. Members keep the order of the calls.
    #[inline]
    pub fn vendor(&mut self) -> ObjectWriter<'_> {
        if self.vendor.is_empty() {
            self.vendor.push(b'{');
        }
        ObjectWriter::new(&mut self.vendor)
    }

    /// Makes this event one of another log of the same service, for streams that several logs end in: its
    /// `event.dataset`, and where the vendor's own tree is.
    pub fn set_log(&mut self, dataset: &str, vendor_path: &'static str) {
        self.set(ecs::EVENT_DATASET, dataset);
        self.other_vendor_path = Some(vendor_path);
    }

    /// Forgets what was written to the vendor's tree, for a record that turns out to need another way.
    pub fn clear_vendor(&mut self) {
        self.vendor.clear();
    }

    /// Ends this document and begins another, for a frame that gives several events.
    pub fn emit(&mut self) {
        self.finish();
        self.begin();
    }

    #[inline]
    fn open(&mut self, field: u16) -> (bool, usize) {
        if field < self.next {
            self.any_late = true;
            return (true, self.late.len());
        }
        self.joints.append(&mut self.out, self.next, field, b"");
        self.next = field + 1;
        (false, self.out.len())
    }

    #[inline]
    fn close(&mut self, field: u16, late: bool, start: usize) {
        let (base, end) = if late { (0, self.late.len()) } else { (self.start, self.out.len()) };
        self.spans.push(Span { field, late, start: (start - base) as u32, end: (end - base) as u32 });
    }

    /// Ends the document: fills in what every event has, orders what came out of order, adds the vendor's tree.
    pub(crate) fn finish(&mut self) {
        if self.timestamp.is_none() {
            self.timestamp(self.context.reference_time);
            self.tag("reference-time");
        }
        if !(self.has_account && self.has_region) {
            self.fill_cloud();
        }
        self.write_related();
        if self.any_late {
            self.reorder();
        }
        joint::write_end(&mut self.out, self.next);
        if !self.vendor.is_empty() {
            let other = self.other_vendor_path.map(vendor_open);
            let open = other.as_deref().unwrap_or(&self.vendor_open);
            json::push(&mut self.out, open);
            self.out.extend_from_slice(&self.vendor);
            // The tree's own brace, and those of the objects around it.
            for _ in open.iter().filter(|byte| **byte == b':') {
                self.out.push(b'}');
            }
        }
        self.out.push(b'}');
        self.finished.push((self.out.len() as u32, self.timestamp.unwrap_or(self.context.reference_time)));
        self.start = self.out.len();
    }

    fn fill_cloud(&mut self) {
        let context = self.context;
        if !self.has_region
            && let Some(region) = context.origin.region.as_deref()
        {
            self.set(ecs::CLOUD_REGION, region);
        }
        if !self.has_account
            && let Some(account) = context.origin.account.as_deref()
        {
            self.set(ecs::CLOUD_ACCOUNT_ID, account);
        }
    }

    fn write_related(&mut self) {
        self.write_list(ecs::RELATED_IP, |event| &mut event.ips);
        self.write_list(ecs::RELATED_USER, |event| &mut event.users);
        self.write_list(ecs::RELATED_HOSTS, |event| &mut event.hosts);
        self.write_list(ecs::RELATED_HASH, |event| &mut event.hashes);
        self.write_list(ecs::TAGS, |event| &mut event.tags);
    }

    #[inline]
    fn write_list(&mut self, field: Field<KeywordList>, of: impl Fn(&mut Self) -> &mut Related) {
        if of(self).is_empty() {
            return;
        }
        let list = std::mem::take(of(self));
        let (late, start) = self.open(field.index);
        let out = if late { &mut self.late } else { &mut self.out };
        out.push(b'[');
        json::push(out, list.text());
        out.push(b']');
        self.close(field.index, late, start);
        *of(self) = list;
    }

    /// Writes the document again with its fields in the table's order; of a field set twice the last value stays.
    #[cold]
    fn reorder(&mut self) {
        let document = self.out.split_off(self.start);
        self.spans.sort_by_key(|span| span.field);
        self.out.push(b'{');
        let mut next = 0;
        for (index, span) in self.spans.iter().enumerate() {
            if self.spans.get(index + 1).is_some_and(|next| next.field == span.field) {
                continue;
            }
            let from = if span.late { &self.late } else { &document };
            let value = from.get(span.start as usize..span.end as usize).unwrap_or(b"null");
            self.joints.append(&mut self.out, next, span.field, value);
            next = span.field + 1;
        }
        // Sorting mixed the spans that every document of the batch shares with this document's own.
        self.spans.sort_by_key(|span| (span.late, span.start));
    }
}

/// What leads to the vendor's tree: `,"aws":{"vpcflow":` for the path `aws.vpcflow`. Names of a path have no colons.
fn vendor_open(path: &str) -> Vec<u8> {
    let mut open = b",".to_vec();
    for name in path.split('.') {
        json::push_string(&mut open, name);
        open.extend_from_slice(b":{");
    }
    // The tree begins with its own brace.
    open.pop();
    open
}
