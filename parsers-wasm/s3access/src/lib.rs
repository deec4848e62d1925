//! Amazon S3 server access logs: one line for each request, each object of a batch deletion, and each action of a
//! lifecycle rule.
//!
//! Format: "Amazon S3 server access log format" in the Amazon S3 user guide. Fields are known by position and new ones
//! come at the end, so a line with more fields than are known here is an event like others.

mod columns;
mod line;
mod operation;

use columns::{Field, REQUIRED};
use line::Line;
use operation::Operation;
use weir_parser_sdk::aws::{self, Arn};
use weir_parser_sdk::positional::integer;
use weir_parser_sdk::quoted::Splitter;
use weir_parser_sdk::text;
use weir_parser_sdk::url::{Request, Url, percent_decode};
use weir_parser_sdk::{
    CLIENT, Context, DESTINATION, Event, EventOutcome, Frame, Instant, Joined, Kind, Outcome, ParseError,
    Parser, SOURCE, Skip, ecs, ip_version, network,
};

const MILLISECOND: i64 = 1_000_000;

/// The parser; it has no settings.
pub struct S3Access;

impl Parser for S3Access {
    const MODULE: &'static str = "aws";
    const DATASET: &'static str = "aws.s3access";
    const VENDOR: &'static str = "aws.s3access";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(S3Access)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let text = frame.text();
        let text = text.trim();
        if text.is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        if text.starts_with('{') {
            return Err(ParseError::no_match(
                "expected a bucket's owner; records in JSON, as S3 delivers them to CloudWatch Logs, are another log type",
            ));
        }
        let mut splitter = Splitter::verbatim(text);
        let line = line::read(&mut splitter)?;
        let get = |field: Field| line.get(field as usize);
        let Some(time) = get(Field::Time).and_then(|text| event.context().parse_clf(text)) else {
            return Err(ParseError::bad_field("time", "not a time like 15/Jan/2026:10:00:00 +0000"));
        };
        line.write(&mut event.vendor(), REQUIRED, splitter)?;
        let Some(operation) = get(Field::Operation) else {
            return Err(ParseError::missing_field("operation"));
        };
        let requester = Requester::of(get(Field::Requester));
        let key = get(Field::Key).and_then(|key| decode_key(key, operation));
        event
            .vendor()
            .optional("key_decoded", key.as_deref())
            .optional("requester_account", requester.account);
        write_fields(&line, time, operation, &requester, event);
        Ok(Outcome::Event)
    }
}

fn write_fields(line: &Line<'_>, time: i64, name: &str, requester: &Requester<'_>, event: &mut Event<'_>) {
    let get = |field: Field| line.get(field as usize);
    let status = get(Field::HttpStatus);
    let error = get(Field::ErrorCode);
    let operation = Operation::of(name);
    let outcome = match network::http_outcome(status).1 {
        _ if status.is_none() && error.is_some() => EventOutcome::Failure,
        // S3 logs what a lifecycle rule has done; only requests have a status.
        _ if status.is_none() && !operation.requested => EventOutcome::Success,
        outcome => outcome,
    };
    let failed = outcome != EventOutcome::Success;
    let types = operation.types(failed, status.is_some_and(|status| status.starts_with('5')));
    event.categorize(Kind::Event, operation.categories(), types);
    event.set(ecs::EVENT_ACTION, name);
    event.set(ecs::EVENT_OUTCOME, outcome);
    event.set(ecs::EVENT_START, Instant(time));
    let taken = get(Field::TotalTime).and_then(|taken| taken.parse::<i64>().ok());
    if let Some(duration) = taken.and_then(|taken| taken.checked_mul(MILLISECOND)) {
        event.set(ecs::EVENT_DURATION, duration);
    }
    event.timestamp(time);

    let address = get(Field::RemoteIp).unwrap_or_default();
    event.set_endpoint(SOURCE, address, None);
    // What the client asked for; S3 logs no address of its own.
    let (host, port) = network::split_host_port(get(Field::HostHeader).unwrap_or_default());
    event.set_endpoint(DESTINATION, host, port);
    event.set_endpoint(CLIENT, address, None);
    if let Some(version) = ip_version(address) {
        event.set(ecs::NETWORK_TYPE, if version == 4 { "ipv4" } else { "ipv6" });
    }
    if status.is_some() {
        event.set(ecs::NETWORK_PROTOCOL, "http");
    }
    write_request(line, event);

    event.set_some(ecs::USER_NAME, requester.name);
    event.set_some(ecs::USER_ID, requester.id);
    event.set_some(ecs::ERROR_CODE, error);
    event.set(ecs::CLOUD_PROVIDER, "aws");
    let access_point = get(Field::AccessPointArn).and_then(Arn::parse);
    let region = access_point.and_then(|arn| arn.region).or(get(Field::HostHeader).and_then(endpoint_region));
    event.cloud(access_point.and_then(|arn| arn.account), region);
    for user in [requester.name, requester.session].into_iter().flatten() {
        event.related_user(user);
    }
}

/// `http.*`, `url.*`, `user_agent.*` and `tls.*`
fn write_request(line: &Line<'_>, event: &mut Event<'_>) {
    let get = |field: Field| line.get(field as usize);
    let request = Request::split(get(Field::RequestUri).unwrap_or_default());
    event.set_some(ecs::HTTP_VERSION, request.version());
    event.set_some(ecs::HTTP_REQUEST_METHOD, request.method);
    event.set_some(ecs::HTTP_REQUEST_ID, get(Field::RequestId));
    event.set_some(ecs::HTTP_REQUEST_REFERRER, get(Field::Referrer));
    for (field, number) in [
        (ecs::HTTP_RESPONSE_STATUS_CODE, Field::HttpStatus),
        (ecs::HTTP_RESPONSE_BODY_BYTES, Field::BytesSent),
    ] {
        if let Some(digits) = get(number).and_then(integer) {
            event.set_integer(field, digits);
        }
    }
    let cipher = get(Field::CipherSuite);
    let host = get(Field::HostHeader);
    let mut url = request.url();
    let target = request.target.unwrap_or_default();
    event.set_some(ecs::URL_ORIGINAL, Some(target));
    if let Some(host) = host.filter(|_| url.full.is_none()) {
        let Url { domain, port, .. } = Url::parse_authority(host);
        (url.domain, url.port) = (domain, port);
        if target.starts_with('/') {
            // Old lines end before the host, so where it stands, a missing cipher says that there was no TLS.
            let scheme = if cipher.is_some() { "https" } else { "http" };
            url.scheme = Some(scheme);
            event.set(ecs::URL_FULL, Joined(&[scheme, "://", host, target]));
        }
    } else {
        event.set_some(ecs::URL_FULL, url.full);
    }
    url.set_parts(event);
    event.set_some(ecs::USER_AGENT_ORIGINAL, get(Field::UserAgent));
    network::set_tls(event, get(Field::TlsVersion), cipher);
    if cipher.is_some() {
        event.set(ecs::TLS_ESTABLISHED, true);
    }
    if let Some(host) = url.host() {
        event.related_host(host);
    }
}

/// Who asked: a canonical user id, an ARN, or the name of a service.
#[derive(Debug, Default)]
struct Requester<'a> {
    id: Option<&'a str>,
    /// The user's or role's name, as CloudTrail has it.
    name: Option<&'a str>,
    /// The name that tells apart those who share a role.
    session: Option<&'a str>,
    /// The requester's account, which need not be the bucket's.
    account: Option<&'a str>,
}

impl<'a> Requester<'a> {
    fn of(text: Option<&'a str>) -> Self {
        let Some(arn) = text.and_then(Arn::parse) else {
            return Requester { id: text, ..Requester::default() };
        };
        let (name, session) = match text::cut(arn.resource, "/") {
            Some(("assumed-role", rest)) => match text::cut(rest, "/") {
                Some((role, session)) => (role, Some(session)),
                None => (rest, None),
            },
            Some((_, rest)) => (rest.rsplit('/').next().unwrap_or(rest), None),
            None => (arn.resource, None),
        };
        Requester {
            id: text,
            name: Some(name).filter(|name| !name.is_empty()),
            session,
            account: arn.account,
        }
    }
}

/// The object's key where it differs from the field: S3 encodes it twice for requests, and once for what it does itself
/// and for each object of a batch deletion.
fn decode_key(key: &str, operation: &str) -> Option<String> {
    let once = percent_decode(key)?;
    if operation.starts_with("S3.") || operation.starts_with("BATCH.") {
        return Some(once);
    }
    Some(percent_decode(&once).unwrap_or(once))
}

/// The region in an endpoint: `bucket.s3.eu-west-1.amazonaws.com`, `s3-eu-west-1.amazonaws.com`,
/// `bucket.s3-website.eu-central-1.amazonaws.com`, `bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com`.
fn endpoint_region(host: &str) -> Option<&str> {
    let host = host.split(':').next()?;
    let labels = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    for label in labels.rsplit('.') {
        let region = label.strip_prefix("s3-website-").or_else(|| label.strip_prefix("s3-")).unwrap_or(label);
        if aws::is_region(region) {
            return Some(region);
        }
        // Left of the service's label stands the bucket, whose name may look like a region.
        if label.starts_with("s3") {
            return None;
        }
    }
    None
}

weir_parser_sdk::export_parser!(S3Access);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_come_from_endpoints_and_not_from_bucket_names() {
        for (host, expected) in [
            ("logs.s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("logs.s3-website-us-east-1.amazonaws.com", Some("us-east-1")),
            ("logs.s3-website.eu-central-1.amazonaws.com", Some("eu-central-1")),
            ("logs.s3.dualstack.ap-south-1.amazonaws.com:443", Some("ap-south-1")),
            ("logs.vpce-0a1b-2c3d.s3.us-east-1.vpce.amazonaws.com", Some("us-east-1")),
            ("s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("ap-111122223333.s3-accesspoint.us-west-2.amazonaws.com", Some("us-west-2")),
            ("s3-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("eu-west-1.s3.amazonaws.com", None),
            ("s3.amazonaws.com", None),
            ("cdn.example.com", None),
            ("", None),
        ] {
            assert_eq!(endpoint_region(host), expected, "{host}");
        }
    }

    #[test]
    fn keys_are_decoded_as_often_as_they_were_encoded() {
        assert_eq!(decode_key("a%2520b", "REST.GET.OBJECT").as_deref(), Some("a b"));
        assert_eq!(decode_key("100%2525", "REST.GET.OBJECT").as_deref(), Some("100%"));
        assert_eq!(decode_key("100%25", "S3.EXPIRE.OBJECT").as_deref(), Some("100%"));
        assert_eq!(decode_key("a%2520b", "BATCH.DELETE.OBJECT").as_deref(), Some("a%20b"));
        assert_eq!(decode_key("plain", "REST.GET.OBJECT"), None);
    }
}
