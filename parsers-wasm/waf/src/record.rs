//! One web request: read in one walk, then written field by field.

use crate::headers::Headers;
use weir_parser_sdk::aws::Arn;
use weir_parser_sdk::fit::{self, Bounds, TEXT_MEMBER};
use weir_parser_sdk::reader::{JsonText, Raw, Reader, Runs, Shape};
use weir_parser_sdk::url::Url;
use weir_parser_sdk::{
    Category, Event, EventOutcome, Joined, Kind, ObjectWriter, ParseError, SOURCE, Type, ecs, ip_version,
    json, time,
};

/// The most addresses of `X-Forwarded-For` that go into `related.ip`: the header is what the client sends.
const MAXIMUM_FORWARDED: usize = 30;

/// What the ECS fields are made of. Everything else is in the vendor's tree already.
#[derive(Default)]
pub(crate) struct Record<'a> {
    pub(crate) headers: Headers<'a>,
    /// Nanoseconds since 1970.
    time: Option<i64>,
    action: Option<JsonText<'a>>,
    acl: Option<JsonText<'a>>,
    rule: Option<JsonText<'a>>,
    rule_kind: Option<JsonText<'a>>,
    groups: Option<Raw<'a>>,
    request: Request<'a>,
    response_code: Option<&'a str>,
    body_size: Option<&'a str>,
    autonomous_system: Option<&'a str>,
    ja3: Option<JsonText<'a>>,
    ja4: Option<JsonText<'a>>,
    has_request: bool,
    fields: u32,
    depth: u32,
}

#[derive(Default)]
struct Request<'a> {
    address: Option<JsonText<'a>>,
    country: Option<JsonText<'a>>,
    uri: Option<JsonText<'a>>,
    args: Option<JsonText<'a>>,
    fragment: Option<JsonText<'a>>,
    scheme: Option<JsonText<'a>>,
    host: Option<JsonText<'a>>,
    version: Option<JsonText<'a>>,
    method: Option<JsonText<'a>>,
    id: Option<JsonText<'a>>,
}

impl<'a> Record<'a> {
    /// Walks the record, and copies its members into the vendor's tree. `headers` are given for a text that was
    /// taken apart by [`fit()`].
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        text: &'a str,
        event: &mut Event<'_>,
        headers: Option<Headers<'a>>,
    ) -> Result<Self, ParseError> {
        let mut record = Record { headers: headers.unwrap_or_default(), ..Record::default() };
        let zone = event.context();
        let mut out = event.vendor();
        let mut runs = Runs::new(text);
        reader.object();
        while let Some(key) = reader.key() {
            if key.raw() == "httpRequest" && reader.peek() == b'{' {
                runs.flush(&mut out);
                out.object("httpRequest", |request| record.read_request(reader, text, request));
                continue;
            }
            let value = reader.value();
            record.count(value, 0);
            match key.raw() {
                "timestamp" => {
                    runs.flush(&mut out);
                    let number = value.scalar().map(JsonText::raw).unwrap_or_default();
                    let millis = number.parse::<i64>().ok();
                    let nanos = millis.and_then(time::from_epoch_millis).or_else(|| zone.parse_iso(number));
                    let Some(nanos) = nanos else {
                        return Err(ParseError::bad_field(
                            "timestamp",
                            "neither milliseconds since 1970 nor a time",
                        ));
                    };
                    record.time = Some(nanos);
                    out.integer("timestamp", nanos.div_euclid(1_000_000));
                    continue;
                }
                "action" => record.action = value.string(),
                "webaclId" => record.acl = value.string(),
                "terminatingRuleId" => record.rule = value.string(),
                "terminatingRuleType" => record.rule_kind = value.string(),
                "ruleGroupList" => record.groups = Some(value),
                "responseCodeSent" => record.response_code = number(value),
                "requestBodySize" => record.body_size = number(value),
                "clientAsn" => record.autonomous_system = number(value),
                "ja3Fingerprint" => record.ja3 = value.string(),
                "ja4Fingerprint" => record.ja4 = value.string(),
                _ => {}
            }
            keep(key, value, reader, &mut runs, &mut out);
        }
        runs.flush(&mut out);
        Ok(record)
    }

    fn read_request(&mut self, reader: &mut Reader<'a>, text: &'a str, out: &mut ObjectWriter<'_>) {
        let mut runs = Runs::new(text);
        self.has_request = true;
        self.fields += 1;
        reader.object();
        while let Some(key) = reader.key() {
            if key.raw() == "headers" {
                runs.flush(out);
                self.headers = Headers::read(reader);
                self.fields += 1;
                continue;
            }
            let value = reader.value();
            self.count(value, 1);
            let text = value.string().filter(|text| !text.is_absent());
            match key.raw() {
                "clientIp" => self.request.address = text,
                "country" => self.request.country = text,
                "uri" => self.request.uri = text,
                "args" => self.request.args = text,
                "fragment" => self.request.fragment = text,
                "scheme" => self.request.scheme = text,
                "host" => self.request.host = text,
                "httpVersion" => self.request.version = text,
                "httpMethod" => self.request.method = text,
                "requestId" => self.request.id = text,
                _ => {}
            }
            keep(key, value, reader, &mut runs, out);
        }
        runs.flush(out);
        if !self.headers.is_empty() {
            self.headers.write(out);
        }
    }

    fn count(&mut self, value: Raw<'_>, level: u32) {
        self.fields += 1 + value.fields;
        self.depth = self.depth.max(level + value.depth);
    }

    pub(crate) fn exceeds(&self, bounds: Bounds) -> bool {
        self.fields > bounds.fields || self.depth >= bounds.depth
    }

    /// Writes the ECS fields, in the order in which documents carry them.
    pub(crate) fn write(&self, wrapper_time: Option<i64>, event: &mut Event<'_>) -> Result<(), ParseError> {
        // `action` alone could be anybody's.
        if self.acl.is_none() && self.rule.is_none() && !self.has_request {
            return Err(ParseError::no_match(
                "no web ACL log: neither webaclId nor terminatingRuleId nor httpRequest",
            ));
        }
        let action =
            self.action.filter(|action| !action.is_absent()).ok_or(ParseError::missing_field("action"))?;
        let (types, outcome): (&[Type], _) = match action.raw() {
            "ALLOW" | "COUNT" => (&[Type::Access, Type::Allowed], EventOutcome::Success),
            // A puzzle is the last action when its answer was missing or wrong; the request then went no further.
            "BLOCK" | "CAPTCHA" | "CHALLENGE" => (&[Type::Access, Type::Denied], EventOutcome::Failure),
            _ => (&[Type::Access], EventOutcome::Unknown),
        };
        event.categorize(Kind::Event, &[Category::Web, Category::Network], types);
        let name = match action.raw() {
            "ALLOW" => "allow",
            "BLOCK" => "block",
            "COUNT" => "count",
            "CAPTCHA" => "captcha",
            "CHALLENGE" => "challenge",
            _ => "",
        };
        if name.is_empty() {
            event.set(ecs::EVENT_ACTION, action.unescape().to_lowercase());
        } else {
            event.set(ecs::EVENT_ACTION, name);
        }
        event.set(ecs::EVENT_OUTCOME, outcome);
        if let Some(time) = self.time.or(wrapper_time) {
            event.timestamp(time);
        }
        self.write_source(event);
        self.write_http(event);
        self.write_url(event);
        event.set_text(ecs::USER_AGENT_ORIGINAL, self.headers.get("user-agent"));
        event.set_text(ecs::TLS_CLIENT_JA3, self.ja3);
        self.write_rule(event);
        event.set(ecs::CLOUD_PROVIDER, "aws");
        let acl = self.acl.map(JsonText::unescape);
        let arn = acl.as_deref().and_then(Arn::parse);
        event.cloud(arn.and_then(|arn| arn.account), arn.and_then(|arn| arn.region));
        for hash in [self.ja3, self.ja4].into_iter().flatten() {
            event.related_hash(&hash.unescape());
        }
        Ok(())
    }

    fn write_source(&self, event: &mut Event<'_>) {
        let address = self.request.address.map(JsonText::unescape);
        if let Some(address) = &address {
            event.set_endpoint(SOURCE, address, None);
        }
        event.set_text(ecs::SOURCE_GEO_COUNTRY_ISO_CODE, self.request.country);
        if let Some(number) = self.autonomous_system {
            event.set_integer(ecs::SOURCE_AS_NUMBER, number);
        }
        if let Some(version) = address.as_deref().and_then(ip_version) {
            event.set(ecs::NETWORK_TYPE, if version == 4 { "ipv4" } else { "ipv6" });
        }
        event.set(ecs::NETWORK_PROTOCOL, "http");
        let mut found = 0;
        for forwarded in self.headers.all("x-forwarded-for") {
            for address in forwarded.unescape().split(',').map(str::trim) {
                if found < MAXIMUM_FORWARDED && ip_version(address).is_some() {
                    // The first is the client, as far as the proxies between say.
                    if found == 0 {
                        event.set_ip(ecs::NETWORK_FORWARDED_IP, address);
                    }
                    event.related_ip(address);
                    found += 1;
                }
            }
        }
    }

    fn write_http(&self, event: &mut Event<'_>) {
        if let Some(version) = self.request.version {
            let number = version.raw().strip_prefix("HTTP/").unwrap_or(version.raw());
            event.set(ecs::HTTP_VERSION, version.part(number));
        }
        event.set_text(ecs::HTTP_REQUEST_METHOD, self.request.method);
        event.set_text(ecs::HTTP_REQUEST_ID, self.request.id);
        event.set_text(ecs::HTTP_REQUEST_REFERRER, self.headers.get("referer"));
        event.set_text(ecs::HTTP_REQUEST_MIME_TYPE, self.headers.get("content-type"));
        if let Some(size) = self.body_size {
            event.set_integer(ecs::HTTP_REQUEST_BODY_BYTES, size);
        }
        if let Some(code) = self.response_code {
            event.set_integer(ecs::HTTP_RESPONSE_STATUS_CODE, code);
        }
    }

    fn write_url(&self, event: &mut Event<'_>) {
        let text = |value: Option<JsonText<'a>>| value.map(JsonText::unescape);
        let (path, query) = (text(self.request.uri), text(self.request.args));
        let (scheme, fragment) = (text(self.request.scheme), text(self.request.fragment));
        let host = text(self.headers.get("host").or(self.request.host));
        let authority = host.as_deref().map(Url::parse_authority).unwrap_or_default();
        match (path.as_deref(), query.as_deref()) {
            (Some(path), Some(query)) => event.set(ecs::URL_ORIGINAL, Joined(&[path, "?", query])),
            (path, _) => event.set_some(ecs::URL_ORIGINAL, path),
        }
        let url = Url {
            scheme: scheme.as_deref(),
            path: path.as_deref(),
            query: query.as_deref(),
            fragment: fragment.as_deref(),
            ..authority
        };
        url.set_parts(event);
        if let Some(host) = url.host() {
            if ip_version(host).is_some() {
                event.related_ip(host);
            } else {
                event.related_host(host);
            }
        }
    }

    /// The web ACL's rule; `rule.id` is the rule inside a rule group that ended the inspection.
    fn write_rule(&self, event: &mut Event<'_>) {
        let inner = self
            .groups
            .filter(|_| self.rule.is_some_and(|rule| rule.raw() != "Default_Action"))
            .and_then(terminating_rule);
        event.set_text(ecs::RULE_ID, inner);
        event.set_text(ecs::RULE_NAME, self.rule);
        event.set_text(ecs::RULE_RULESET, self.acl.map(acl_name));
        event.set_text(ecs::RULE_CATEGORY, self.rule_kind);
    }
}

/// Keeps a member as it stands, unless it is `null`; a member of the record that is text by its documentation stays
/// text by itself.
fn keep<'a>(
    key: JsonText<'a>,
    value: Raw<'a>,
    reader: &Reader<'a>,
    runs: &mut Runs<'a>,
    out: &mut ObjectWriter<'_>,
) {
    match (key.raw(), value.shape) {
        (_, Shape::Null) => runs.flush(out),
        // An object elsewhere; what is none stands in one, so that the member has one type.
        ("httpRequest" | "captchaResponse" | "challengeResponse", shape) if shape != Shape::Object => {
            runs.flush(out);
            out.object(&key.unescape(), |object| {
                object.raw(TEXT_MEMBER, value.text);
            });
        }
        (
            "responseCodeSent" | "requestBodySize" | "requestBodySizeInspectedByWAF" | "clientAsn",
            Shape::String,
        ) => {
            runs.flush(out);
            out.raw_member(key, number(value).unwrap_or(value.text));
        }
        _ => runs.keep(reader),
    }
}

/// The digits of a number, which some fields hold as text.
fn number(value: Raw<'_>) -> Option<&str> {
    let digits = value.scalar()?.raw();
    json::is_integer(digits.as_bytes()).then_some(digits)
}

/// The ACL's name in `arn:aws:wafv2:…:regional/webacl/NAME/ID`. WAF Classic gives the ACL's id alone.
fn acl_name(acl: JsonText<'_>) -> JsonText<'_> {
    let name = Arn::parse(acl.raw()).and_then(|arn| arn.resource.split('/').nth(2));
    name.map_or(acl, |name| acl.part(name))
}

/// The id of the rule inside a rule group that ended the inspection.
fn terminating_rule(groups: Raw<'_>) -> Option<JsonText<'_>> {
    let mut found = None;
    if groups.shape == Shape::Array {
        let mut reader = Reader::new(groups.text);
        reader.array();
        while reader.element() {
            if reader.peek() != b'{' {
                reader.value();
                continue;
            }
            reader.object();
            while let Some(key) = reader.key() {
                if key.raw() == "terminatingRule" && reader.peek() == b'{' {
                    reader.object();
                    while let Some(key) = reader.key() {
                        let value = reader.value();
                        if key.raw() == "ruleId" {
                            found = value.string();
                        }
                    }
                } else {
                    reader.value();
                }
            }
        }
    }
    found
}

/// The record without its headers, and within `bounds`: see [`fit::fit_object`]. The headers, of which some are
/// credentials, must not become part of a text.
#[cold]
pub(crate) fn fit(text: &str, bounds: Bounds) -> Result<String, ParseError> {
    let mut bare = String::with_capacity(text.len());
    copy_without_headers(&mut Reader::new(text), false, &mut bare);
    fit::fit_object(&fit::quote_large_numbers(&bare), bounds)
}

fn copy_without_headers(reader: &mut Reader<'_>, in_request: bool, out: &mut String) {
    out.push('{');
    let start = out.len();
    reader.object();
    while let Some(key) = reader.key() {
        if in_request && key.raw() == "headers" {
            reader.value();
            continue;
        }
        if out.len() > start {
            out.push(',');
        }
        out.push('"');
        out.push_str(key.raw());
        out.push_str("\":");
        if !in_request && key.raw() == "httpRequest" && reader.peek() == b'{' {
            copy_without_headers(reader, true, out);
        } else {
            out.push_str(reader.value().text);
        }
    }
    out.push('}');
}
