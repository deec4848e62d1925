//! The event of a record: fields in the order in which documents carry them, then what stayed.

use crate::collect::{Record, State};
use crate::content::{Content, each};
use crate::fields::DEFAULT;
use crate::{AppJson, names};
use weir_parser_sdk::ecs::{self, AnyField, FieldKind};
use weir_parser_sdk::fit::TEXT_MEMBER;
use weir_parser_sdk::reader::{JsonText, Reader, Runs};
use weir_parser_sdk::{Event, Frame, ip_version, json, time};

impl<'a> Record<'a> {
    pub(crate) fn write(mut self, parser: &'a AppJson, frame: &Frame<'_>, event: &mut Event<'_>) {
        let kept_attributes = self.apply_attributes(parser);
        self.add_url_parts();
        self.add_defaults(parser, frame);

        let region = AnyField::from(ecs::CLOUD_REGION);
        let (account, place) = (self.account.map(JsonText::unescape), self.region.map(JsonText::unescape));
        let mut cloud_written = account.is_none() && place.is_none();
        self.fields.each(|field, content| {
            if field > region && !cloud_written {
                event.cloud(account.as_deref(), place.as_deref());
                cloud_written = true;
            }
            set(field, content, event);
        });
        if !cloud_written {
            event.cloud(account.as_deref(), place.as_deref());
        }
        self.write_rest(&kept_attributes, event);
    }

    /// What the origin says of the container, unless the record says it; the attributes that ECS has no place for.
    fn apply_attributes(&mut self, parser: &'a AppJson) -> Vec<(&'static str, JsonText<'a>)> {
        let mut kept = Vec::new();
        for (name, value) in &parser.attributes {
            if self.members.iter().any(|member| member.key.raw() == *name) {
                continue;
            }
            let value = JsonText::from_raw(value);
            if !names::meaning(name).is_some_and(|meaning| self.apply_origin(meaning, value)) {
                kept.push((*name, value));
            }
        }
        kept
    }

    fn add_defaults(&mut self, parser: &AppJson, frame: &Frame<'_>) {
        let fields = &mut self.fields;
        let mut default = |field: AnyField, content: Content<'a>| {
            fields.offer(field, DEFAULT, None, content, &mut None);
        };
        let is_web = self.is_web || self.status.is_some();
        let word = |word: &'static str| Content::Text(JsonText::from_raw(word));
        default(ecs::EVENT_KIND.into(), word("event"));
        if is_web {
            default(ecs::EVENT_CATEGORY.into(), word("web"));
        }
        default(
            ecs::EVENT_TYPE.into(),
            match (is_web, self.is_error) {
                (true, false) => word("access"),
                (true, true) => Content::Json("[\"access\",\"error\"]"),
                (false, true) => word("error"),
                (false, false) => word("info"),
            },
        );
        if let Some(status) = self.status {
            default(ecs::EVENT_OUTCOME.into(), word(if status < 400 { "success" } else { "failure" }));
        }
        if let Some(time) = frame.wrapper_time() {
            default(ecs::TIMESTAMP.into(), Content::Instant(time));
        }
        if parser.aws || self.is_aws {
            default(ecs::CLOUD_PROVIDER.into(), word("aws"));
        }
    }

    /// The vendor's tree: what did not move.
    fn write_rest(&self, attributes: &[(&'static str, JsonText<'_>)], event: &mut Event<'_>) {
        let any_left = self.members.iter().any(|member| !matches!(member.state, State::Moved));
        if !any_left && attributes.is_empty() && self.duplicates.is_empty() {
            return;
        }
        let mut out = event.vendor();
        let mut runs = Runs::new(self.text);
        for member in &self.members {
            match member.state {
                State::Kept => runs.keep_span(member.start, member.end),
                State::Moved => runs.flush(&mut out),
                State::Rest(number) => {
                    runs.flush(&mut out);
                    let rest = self.rests.get(usize::from(number)).map_or("{}", String::as_str);
                    out.raw_member(member.key, rest);
                }
            }
        }
        runs.flush(&mut out);
        for (name, value) in attributes {
            out.string(name, &value.unescape());
        }
        if !self.duplicates.is_empty() {
            let text = format!("{{{}}}", self.duplicates);
            out.object("duplicates", |object| {
                object.string(TEXT_MEMBER, &text);
            });
        }
    }
}

fn set(field: AnyField, content: &Content<'_>, event: &mut Event<'_>) {
    match (field.kind(), content) {
        (_, Content::Instant(instant)) if field == AnyField::from(ecs::TIMESTAMP) => {
            event.timestamp(*instant);
        }
        (_, Content::Instant(instant)) => {
            let mut json = Vec::with_capacity(32);
            time::push_time(&mut json, *instant);
            event.set_raw(field, std::str::from_utf8(&json).unwrap_or("null"));
        }
        (FieldKind::KeywordList, Content::Text(text)) => {
            if !note(field, *text, event) {
                event.set_raw(field, &format!("[\"{}\"]", text.raw()));
            }
        }
        (FieldKind::KeywordList, Content::Json(list)) => {
            let mut noted = false;
            each(Reader::new(list).value(), |item| {
                noted |= item.string().is_some_and(|text| note(field, text, event));
            });
            if !noted {
                event.set_raw(field, list);
            }
        }
        (kind, Content::Text(text)) => {
            event.set_any_text(field, *text);
            if kind == FieldKind::Ip {
                event.related_ip(text.raw());
            } else if field == AnyField::from(ecs::USER_NAME) {
                event.related_user(&text.unescape());
            } else if field == AnyField::from(ecs::HOST_HOSTNAME) || field == AnyField::from(ecs::HOST_NAME) {
                event.related_host(&text.unescape());
            }
        }
        (_, Content::Json(json)) => event.set_raw(field, json),
        (FieldKind::Long, Content::Made(digits)) => event.set_raw(field, digits),
        (_, Content::Made(text)) => {
            if field == AnyField::from(ecs::URL_DOMAIN) {
                relate(text, event);
            }
            let mut json = Vec::with_capacity(text.len() + 8);
            json::push_string(&mut json, text);
            event.set_raw(field, std::str::from_utf8(&json).unwrap_or("null"));
        }
    }
}

/// Notes a host that a URL names.
fn relate(domain: &str, event: &mut Event<'_>) {
    let address = domain.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(domain);
    if ip_version(address).is_some() {
        event.related_ip(address);
    } else {
        event.related_host(domain);
    }
}

/// Notes one of the values that an event gathers from several fields; false for other fields.
fn note(field: AnyField, text: JsonText<'_>, event: &mut Event<'_>) -> bool {
    let is = |other: AnyField| field == other;
    let value = text.unescape();
    if is(ecs::TAGS.into()) {
        event.tag(&value);
    } else if is(ecs::RELATED_IP.into()) {
        event.related_ip(&value);
    } else if is(ecs::RELATED_USER.into()) {
        event.related_user(&value);
    } else if is(ecs::RELATED_HOSTS.into()) {
        event.related_host(&value);
    } else if is(ecs::RELATED_HASH.into()) {
        event.related_hash(&value);
    } else {
        return false;
    }
    true
}
