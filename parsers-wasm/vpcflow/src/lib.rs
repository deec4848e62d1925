//! Amazon VPC Flow Logs: text with a header in any order, headerless version 2, and Parquet rows.
//!
//! Format: "Flow log records" and "Flow log files" in the Amazon VPC User Guide.

use weir_parser_sdk::columns::{self, Table};
use weir_parser_sdk::template::Templates;
use weir_parser_sdk::{
    Category, Context, DESTINATION, Event, EventOutcome, Frame, Instant, Kind, Outcome, ParseError, Parser,
    SOURCE, Skip, Type, ecs, ip_version, network, time,
};

/// Version 2's fields in their default order: what a file without a header holds.
const DEFAULT_FORMAT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                              start end action log-status";

// Every field of versions 2 to 10; fields of later versions are kept under their own names.
weir_parser_sdk::known_columns! {
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

type Row<'a> = columns::Row<'a, KNOWN>;

const ADDRESSES: [usize; 4] = [
    Known::srcaddr as usize,
    Known::dstaddr as usize,
    Known::pkt_srcaddr as usize,
    Known::pkt_dstaddr as usize,
];

/// The fields whose texts the shape of a document depends on.
const CLASSES: [usize; 5] = [
    Known::action as usize,
    Known::protocol as usize,
    Known::log_status as usize,
    Known::version as usize,
    Known::account_id as usize,
];

const TIMES: [usize; 2] = [Known::start as usize, Known::end as usize];

/// The parser; one table for each batch.
pub struct VpcFlow {
    table: Table,
    templates: Templates,
}

impl Parser for VpcFlow {
    const MODULE: &'static str = "aws";
    const DATASET: &'static str = "aws.vpcflow";
    const VENDOR: &'static str = "aws.vpcflow";

    fn new(batch: &Context<'_>) -> Result<Self, ParseError> {
        let table = Table::new(batch, NAMES, NUMERIC, DEFAULT_FORMAT)?;
        let templates = table.templates(&CLASSES, &ADDRESSES, &TIMES);
        Ok(VpcFlow { table, templates })
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let Some(text) = frame.as_str() else {
            return Err(ParseError::no_match("a flow log record is ASCII"));
        };
        let text = text.trim_end();
        if text.is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        self.templates.parse(text, event, |text, event| parse_record(&self.table, text, frame, event))
    }
}

fn parse_record(
    table: &Table,
    text: &str,
    frame: &Frame<'_>,
    event: &mut Event<'_>,
) -> Result<Outcome, ParseError> {
    let values = table.read(text)?;
    // Without a header only version 2's default format can be told from others.
    let row: Row<'_> =
        table.row(&values).map_err(|error| if table.is_assumed() { unknown_layout() } else { error })?;
    if table.is_assumed() && row.get(Known::version as usize) != "2" {
        return Err(unknown_layout());
    }
    table.check_addresses(&row, &ADDRESSES)?;
    write_fields(&row, frame, event)?;
    table.write(&values, &mut event.vendor())?;
    Ok(Outcome::Event)
}

fn unknown_layout() -> ParseError {
    ParseError::unknown_layout(
        "no header, and not version 2's default format; name the fields in the source's `header` setting",
    )
}

fn seconds(row: &Row<'_>, field: Known) -> Option<i64> {
    time::parse_epoch_seconds(row.some(field as usize)?)
}

/// Whether a record is of traffic; NODATA and SKIPDATA say that nothing was seen or recorded.
fn has_traffic(row: &Row<'_>) -> bool {
    let idle = matches!(row.get(Known::log_status as usize), "NODATA" | "SKIPDATA");
    !idle && ADDRESSES.iter().any(|field| row.some(*field).is_some())
}

fn write_fields(row: &Row<'_>, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<(), ParseError> {
    let get = |field: Known| row.get(field as usize);
    let some = |field: Known| row.some(field as usize);
    let action = get(Known::action);
    let (types, outcome): (&[Type], _) = match action {
        "ACCEPT" => (&[Type::Connection, Type::Allowed], EventOutcome::Success),
        "REJECT" => (&[Type::Connection, Type::Denied], EventOutcome::Failure),
        // A format without this column has flows all the same.
        "-" if has_traffic(row) => (&[Type::Connection], EventOutcome::Unknown),
        "-" => (&[Type::Info], EventOutcome::Unknown),
        other => {
            return Err(ParseError::bad_field("action", format!("{other:?} is neither ACCEPT nor REJECT")));
        }
    };
    event.categorize(Kind::Event, &[Category::Network], types);
    match action {
        "ACCEPT" => event.set(ecs::EVENT_ACTION, "accept"),
        "REJECT" => event.set(ecs::EVENT_ACTION, "reject"),
        _ => {}
    }
    event.set(ecs::EVENT_OUTCOME, outcome);
    event.set_some(ecs::EVENT_REASON, some(Known::reject_reason));
    let (start, end) = (seconds(row, Known::start), seconds(row, Known::end));
    if let Some(start) = start {
        event.set(ecs::EVENT_START, Instant(start));
    }
    if let Some(end) = end {
        event.set(ecs::EVENT_END, Instant(end));
    }
    if let Some(time) = end.or(start).or(frame.wrapper_time()) {
        event.timestamp(time);
    }

    // The interface's addresses; a log that records only the packet's gives those.
    let source = some(Known::srcaddr).or(some(Known::pkt_srcaddr)).unwrap_or("-");
    let destination = some(Known::dstaddr).or(some(Known::pkt_dstaddr)).unwrap_or("-");
    event.set_endpoint(SOURCE, source, some(Known::srcport));
    for (field, known) in [(ecs::SOURCE_BYTES, Known::bytes), (ecs::SOURCE_PACKETS, Known::packets)] {
        event.set_integer(field, get(known));
    }
    event.set_endpoint(DESTINATION, destination, some(Known::dstport));
    if let Some(version) = ip_version(source).or(ip_version(destination)) {
        event.set(ecs::NETWORK_TYPE, if version == 4 { "ipv4" } else { "ipv6" });
    }
    if let Some(protocol) = some(Known::protocol) {
        if let Some(transport) = network::transport(protocol) {
            event.set(ecs::NETWORK_TRANSPORT, transport);
        }
        event.set(ecs::NETWORK_IANA_NUMBER, protocol);
    }
    event.set_some(ecs::NETWORK_DIRECTION, some(Known::flow_direction));
    event.set_integer(ecs::NETWORK_BYTES, get(Known::bytes));
    event.set_integer(ecs::NETWORK_PACKETS, get(Known::packets));
    event.set_some(ecs::CONTAINER_ID, some(Known::ecs_container_id));
    event.set_some(ecs::ORCHESTRATOR_CLUSTER_NAME, some(Known::ecs_cluster_name));
    event.set(ecs::CLOUD_PROVIDER, "aws");
    event.cloud(some(Known::account_id).filter(|id| *id != "unknown"), some(Known::region));
    event.set_some(ecs::CLOUD_INSTANCE_ID, some(Known::instance_id));
    for field in [Known::pkt_srcaddr, Known::pkt_dstaddr] {
        if let Some(address) = some(field) {
            event.related_ip(address);
        }
    }
    Ok(())
}

weir_parser_sdk::export_parser!(VpcFlow);
