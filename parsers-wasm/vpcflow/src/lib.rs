//! Amazon VPC Flow Logs: text with a header in any order, headerless version 2, and Parquet rows.
//!
//! Format: "Flow log records" and "Flow log files" in the Amazon VPC User Guide.

use weir_parser_sdk::columns::{self, Layout};
use weir_parser_sdk::{
    Category, Context, DESTINATION, Event, EventOutcome, Frame, FramingKind, Instant, Kind, ObjectWriter, Outcome,
    ParseError, Parser, SOURCE, Skip, Type, ecs, ip_version, json, time,
};

/// Version 2's fields in their default order: what a file without a header holds.
const DEFAULT_FORMAT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                              start end action log-status";

macro_rules! known_fields {
    ($($name:ident = $text:literal $kind:ident),* $(,)?) => {
        #[derive(Clone, Copy)]
        #[allow(dead_code, non_camel_case_types, reason = "the flow log's own field names; not all have an ECS field")]
        enum Known { $($name),* }
        const NAMES: &[&str] = &[$($text),*];
        /// Whether the vendor's tree holds the field as a number.
        const NUMERIC: &[bool] = &[$(known_fields!(@$kind)),*];
    };
    (@number) => { true };
    (@text) => { false };
}

// Every field of versions 2 to 10; fields of later versions are kept under their own names.
known_fields! {
    version = "version" number, account_id = "account_id" text, interface_id = "interface_id" text,
    srcaddr = "srcaddr" text, dstaddr = "dstaddr" text, srcport = "srcport" number, dstport = "dstport" number,
    protocol = "protocol" number, packets = "packets" number, bytes = "bytes" number, start = "start" number,
    end = "end" number, action = "action" text, log_status = "log_status" text, vpc_id = "vpc_id" text,
    subnet_id = "subnet_id" text, instance_id = "instance_id" text, tcp_flags = "tcp_flags" number,
    type_ = "type" text, pkt_srcaddr = "pkt_srcaddr" text, pkt_dstaddr = "pkt_dstaddr" text, region = "region" text,
    az_id = "az_id" text, sublocation_type = "sublocation_type" text, sublocation_id = "sublocation_id" text,
    pkt_src_aws_service = "pkt_src_aws_service" text, pkt_dst_aws_service = "pkt_dst_aws_service" text,
    flow_direction = "flow_direction" text, traffic_path = "traffic_path" number,
    ecs_cluster_arn = "ecs_cluster_arn" text, ecs_cluster_name = "ecs_cluster_name" text,
    ecs_container_instance_arn = "ecs_container_instance_arn" text,
    ecs_container_instance_id = "ecs_container_instance_id" text, ecs_container_id = "ecs_container_id" text,
    ecs_second_container_id = "ecs_second_container_id" text, ecs_service_name = "ecs_service_name" text,
    ecs_task_definition_arn = "ecs_task_definition_arn" text, ecs_task_arn = "ecs_task_arn" text,
    ecs_task_id = "ecs_task_id" text, reject_reason = "reject_reason" text, resource_id = "resource_id" text,
    encryption_status = "encryption_status" number,
}

const KNOWN: usize = NAMES.len();

/// One record's known values by field; `-` where it has none.
struct Row<'a>([&'a str; KNOWN]);

impl<'a> Row<'a> {
    fn empty() -> Self {
        Row(["-"; KNOWN])
    }

    #[inline]
    fn set(&mut self, index: u16, value: &'a str) {
        if let Some(slot) = self.0.get_mut(usize::from(index)) {
            *slot = value;
        }
    }

    #[inline]
    fn get(&self, field: Known) -> &'a str {
        self.0.get(field as usize).copied().unwrap_or("-")
    }

    #[inline]
    fn some(&self, field: Known) -> Option<&'a str> {
        let value = self.get(field);
        (value != "-" && !value.is_empty()).then_some(value)
    }
}

/// The parser; one layout for each batch.
pub struct VpcFlow {
    layout: Layout,
    /// Without a header only version 2's default format can be told from others.
    assumed: bool,
    rows: bool,
}

impl Parser for VpcFlow {
    const MODULE: &'static str = "aws";
    const DATASET: &'static str = "aws.vpcflow";
    const VENDOR: &'static str = "aws.vpcflow";

    fn new(batch: &Context<'_>) -> Result<Self, ParseError> {
        let layout = Layout::from_header(batch.header.unwrap_or(DEFAULT_FORMAT), NAMES)?;
        Ok(VpcFlow { layout, assumed: batch.header.is_none(), rows: batch.framing == FramingKind::ParquetRow })
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let Some(text) = frame.as_str() else { return Err(ParseError::no_match("a flow log record is ASCII")) };
        let mut row = Row::empty();
        if self.rows {
            let values = columns::row_values(text)?;
            for (name, value) in &values {
                if let Some(index) = NAMES.iter().position(|known| known == name) {
                    row.set(index as u16, value);
                }
            }
            check(&row)?;
            write_fields(&row, event)?;
            let mut vendor = event.vendor();
            for (name, value) in &values {
                let known = NAMES.iter().position(|known| known == name);
                write_vendor(&mut vendor, known, name, value);
            }
            return Ok(Outcome::Event);
        }
        let text = text.trim_end();
        if text.is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        self.layout
            .split(text, |known, _, value| {
                if let Some(index) = known {
                    row.set(index, value);
                }
            })
            .map_err(|error| if self.assumed { unknown_layout() } else { error })?;
        if self.assumed && row.get(Known::version) != "2" {
            return Err(unknown_layout());
        }
        check(&row)?;
        write_fields(&row, event)?;
        let mut vendor = event.vendor();
        self.layout.split(text, |known, name, value| {
            write_vendor(&mut vendor, known.map(usize::from), name, value);
        })?;
        Ok(Outcome::Event)
    }
}

fn unknown_layout() -> ParseError {
    ParseError::unknown_layout(
        "no header, and not version 2's default format; name the fields in the source's `header` setting",
    )
}

/// Values that show that the columns are not what the header says.
fn check(row: &Row<'_>) -> Result<(), ParseError> {
    for field in [Known::start, Known::end, Known::bytes, Known::packets, Known::srcport, Known::dstport, Known::protocol] {
        if let Some(value) = row.some(field)
            && !columns::is_integer(value)
        {
            return Err(ParseError::bad_field(NAMES.get(field as usize).unwrap_or(&""), "not a number"));
        }
    }
    for field in [Known::srcaddr, Known::dstaddr, Known::pkt_srcaddr, Known::pkt_dstaddr] {
        if let Some(value) = row.some(field)
            && ip_version(value).is_none()
        {
            return Err(ParseError::bad_field(NAMES.get(field as usize).unwrap_or(&""), "not an IP address"));
        }
    }
    Ok(())
}

fn seconds(row: &Row<'_>, field: Known) -> Option<i64> {
    time::parse_epoch_seconds(row.some(field)?)
}

fn write_fields(row: &Row<'_>, event: &mut Event<'_>) -> Result<(), ParseError> {
    let action = row.get(Known::action);
    let (types, outcome): (&[Type], _) = match action {
        "ACCEPT" => (&[Type::Connection, Type::Allowed], EventOutcome::Success),
        "REJECT" => (&[Type::Connection, Type::Denied], EventOutcome::Failure),
        // NODATA and SKIPDATA say that nothing was seen or recorded.
        "-" => (&[Type::Info], EventOutcome::Unknown),
        other => return Err(ParseError::bad_field("action", format!("{other:?} is neither ACCEPT nor REJECT"))),
    };
    event.categorize(Kind::Event, &[Category::Network], types);
    match action {
        "ACCEPT" => event.set(ecs::EVENT_ACTION, "accept"),
        "REJECT" => event.set(ecs::EVENT_ACTION, "reject"),
        _ => {}
    }
    event.set(ecs::EVENT_OUTCOME, outcome);
    event.set_some(ecs::EVENT_REASON, row.some(Known::reject_reason));
    let (start, end) = (seconds(row, Known::start), seconds(row, Known::end));
    if let Some(start) = start {
        event.set(ecs::EVENT_START, Instant(start));
    }
    if let Some(end) = end {
        event.set(ecs::EVENT_END, Instant(end));
    }
    if let Some(time) = end.or(start) {
        event.timestamp(time);
    }

    // The interface's addresses; a log that records only the packet's gives those.
    let source = row.some(Known::srcaddr).or(row.some(Known::pkt_srcaddr)).unwrap_or("-");
    let destination = row.some(Known::dstaddr).or(row.some(Known::pkt_dstaddr)).unwrap_or("-");
    event.set_endpoint(SOURCE, source, row.some(Known::srcport));
    for (field, known) in [(ecs::SOURCE_BYTES, Known::bytes), (ecs::SOURCE_PACKETS, Known::packets)] {
        event.set_integer(field, row.get(known));
    }
    event.set_endpoint(DESTINATION, destination, row.some(Known::dstport));
    if let Some(version) = ip_version(source).or(ip_version(destination)) {
        event.set(ecs::NETWORK_TYPE, if version == 4 { "ipv4" } else { "ipv6" });
    }
    if let Some(protocol) = row.some(Known::protocol) {
        if let Some(transport) = transport(protocol) {
            event.set(ecs::NETWORK_TRANSPORT, transport);
        }
        event.set(ecs::NETWORK_IANA_NUMBER, protocol);
    }
    event.set_some(ecs::NETWORK_DIRECTION, row.some(Known::flow_direction));
    event.set_integer(ecs::NETWORK_BYTES, row.get(Known::bytes));
    event.set_integer(ecs::NETWORK_PACKETS, row.get(Known::packets));
    event.set_some(ecs::CONTAINER_ID, row.some(Known::ecs_container_id));
    event.set_some(ecs::ORCHESTRATOR_CLUSTER_NAME, row.some(Known::ecs_cluster_name));
    event.set(ecs::CLOUD_PROVIDER, "aws");
    event.cloud(row.some(Known::account_id).filter(|id| *id != "unknown"), row.some(Known::region));
    event.set_some(ecs::CLOUD_INSTANCE_ID, row.some(Known::instance_id));
    for field in [Known::pkt_srcaddr, Known::pkt_dstaddr] {
        if let Some(address) = row.some(field) {
            event.related_ip(address);
        }
    }
    Ok(())
}

#[inline]
fn write_vendor(vendor: &mut ObjectWriter<'_>, known: Option<usize>, name: &str, value: &str) {
    if value == "-" || value.is_empty() {
        return;
    }
    let numeric = known.and_then(|index| NUMERIC.get(index)).is_some_and(|numeric| *numeric);
    if numeric && json::is_integer(value.as_bytes()) {
        vendor.raw(name, value);
    } else {
        vendor.string(name, value);
    }
}

/// IANA "Assigned Internet Protocol Numbers", as ECS spells `network.transport`.
fn transport(protocol: &str) -> Option<&'static str> {
    Some(match protocol {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "2" => "igmp",
        "4" => "ipv4",
        "41" => "ipv6",
        "47" => "gre",
        "50" => "esp",
        "51" => "ah",
        "58" => "ipv6-icmp",
        "89" => "ospf",
        "103" => "pim",
        "112" => "vrrp",
        "132" => "sctp",
        _ => return None,
    })
}

weir_parser_sdk::export_parser!(VpcFlow);
