//! Transit Gateway flow logs: text with a header in any order, headerless in the default format, and Parquet rows.
//!
//! Format: "Transit Gateway Flow Log records" in the Amazon VPC Transit Gateways guide.

use weir_parser_sdk::columns::{self, Table};
use weir_parser_sdk::template::Templates;
use weir_parser_sdk::{
    Category, Context, DESTINATION, Event, EventOutcome, Frame, Instant, Kind, Outcome, ParseError, Parser,
    SOURCE, Skip, Type, ecs, ip_version, network, time,
};

/// The fields in their default order: what a file without a header holds.
const DEFAULT_FORMAT: &str = "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id \
    tgw-dst-vpc-account-id tgw-src-vpc-id tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni \
    tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
    log-status type packets-lost-no-route packets-lost-blackhole packets-lost-mtu-exceeded packets-lost-ttl-expired \
    tcp-flags region flow-direction pkt-src-aws-service pkt-dst-aws-service";

// Every field up to version 6, the last; fields of later versions are kept under their own names.
weir_parser_sdk::known_columns! {
    version = "version" number, resource_type = "resource_type" text, account_id = "account_id" text,
    tgw_id = "tgw_id" text, tgw_attachment_id = "tgw_attachment_id" text,
    tgw_src_vpc_account_id = "tgw_src_vpc_account_id" text, tgw_dst_vpc_account_id = "tgw_dst_vpc_account_id" text,
    tgw_src_vpc_id = "tgw_src_vpc_id" text, tgw_dst_vpc_id = "tgw_dst_vpc_id" text,
    tgw_src_subnet_id = "tgw_src_subnet_id" text, tgw_dst_subnet_id = "tgw_dst_subnet_id" text,
    tgw_src_eni = "tgw_src_eni" text, tgw_dst_eni = "tgw_dst_eni" text, tgw_src_az_id = "tgw_src_az_id" text,
    tgw_dst_az_id = "tgw_dst_az_id" text, tgw_pair_attachment_id = "tgw_pair_attachment_id" text,
    srcaddr = "srcaddr" text, dstaddr = "dstaddr" text, srcport = "srcport" number, dstport = "dstport" number,
    protocol = "protocol" number, packets = "packets" number, bytes = "bytes" number, start = "start" number,
    end = "end" number, log_status = "log_status" text, type_ = "type" text,
    packets_lost_no_route = "packets_lost_no_route" number, packets_lost_blackhole = "packets_lost_blackhole" number,
    packets_lost_mtu_exceeded = "packets_lost_mtu_exceeded" number,
    packets_lost_ttl_expired = "packets_lost_ttl_expired" number, tcp_flags = "tcp_flags" number,
    region = "region" text, flow_direction = "flow_direction" text, pkt_src_aws_service = "pkt_src_aws_service" text,
    pkt_dst_aws_service = "pkt_dst_aws_service" text,
}

type Row<'a> = columns::Row<'a, { NAMES.len() }>;

const ADDRESSES: [usize; 2] = [Known::srcaddr as usize, Known::dstaddr as usize];

/// Why packets were lost, as `event.reason` says it.
const LOSSES: [(Known, &str); 4] = [
    (Known::packets_lost_no_route, "no-route"),
    (Known::packets_lost_blackhole, "blackhole"),
    (Known::packets_lost_mtu_exceeded, "mtu-exceeded"),
    (Known::packets_lost_ttl_expired, "ttl-expired"),
];

/// The fields whose texts the shape of a document depends on.
const CLASSES: [usize; 9] = [
    Known::protocol as usize,
    Known::log_status as usize,
    Known::version as usize,
    Known::resource_type as usize,
    Known::account_id as usize,
    Known::packets_lost_no_route as usize,
    Known::packets_lost_blackhole as usize,
    Known::packets_lost_mtu_exceeded as usize,
    Known::packets_lost_ttl_expired as usize,
];

const TIMES: [usize; 2] = [Known::start as usize, Known::end as usize];

/// The parser; one table for each batch.
pub struct TgwFlow {
    table: Table,
    templates: Templates,
}

impl Parser for TgwFlow {
    const MODULE: &'static str = "aws";
    const DATASET: &'static str = "aws.tgwflow";
    const VENDOR: &'static str = "aws.tgwflow";

    fn new(batch: &Context<'_>) -> Result<Self, ParseError> {
        let table = Table::new(batch, NAMES, NUMERIC, DEFAULT_FORMAT)?;
        let templates = table.templates(&CLASSES, &ADDRESSES, &TIMES);
        Ok(TgwFlow { table, templates })
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
    let row: Row<'_> =
        table.row(&values).map_err(|error| if table.is_assumed() { unknown_layout() } else { error })?;
    if table.is_assumed() && row.get(Known::resource_type as usize) != "TransitGateway" {
        return Err(unknown_layout());
    }
    table.check_addresses(&row, &ADDRESSES)?;
    write_fields(&row, frame, event);
    table.write(&values, &mut event.vendor())?;
    Ok(Outcome::Event)
}

fn unknown_layout() -> ParseError {
    ParseError::unknown_layout(
        "no header, and not the default format of Transit Gateways; name the fields in the source's `header` setting",
    )
}

fn seconds(row: &Row<'_>, field: Known) -> Option<i64> {
    time::parse_epoch_seconds(row.some(field as usize)?)
}

fn write_fields(row: &Row<'_>, frame: &Frame<'_>, event: &mut Event<'_>) {
    let some = |field: Known| row.some(field as usize);
    // NODATA and SKIPDATA say that nothing was seen or recorded.
    let seen = !matches!(some(Known::log_status), Some("NODATA" | "SKIPDATA"));
    event.categorize(
        Kind::Event,
        &[Category::Network],
        if seen { &[Type::Connection] } else { &[Type::Info] },
    );
    let loss = LOSSES.iter().find(|(field, _)| some(*field).is_some_and(|count| count != "0"));
    let counted = LOSSES.iter().any(|(field, _)| some(*field).is_some());
    event.set(
        ecs::EVENT_OUTCOME,
        match loss {
            Some(_) => EventOutcome::Failure,
            None if seen && counted => EventOutcome::Success,
            None => EventOutcome::Unknown,
        },
    );
    event.set_some(ecs::EVENT_REASON, loss.map(|(_, reason)| *reason));
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

    let (source, destination) =
        (some(Known::srcaddr).unwrap_or_default(), some(Known::dstaddr).unwrap_or_default());
    event.set_endpoint(SOURCE, source, some(Known::srcport));
    for (field, known) in [(ecs::SOURCE_BYTES, Known::bytes), (ecs::SOURCE_PACKETS, Known::packets)] {
        event.set_integer(field, some(known).unwrap_or_default());
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
    for (field, known) in [(ecs::NETWORK_BYTES, Known::bytes), (ecs::NETWORK_PACKETS, Known::packets)] {
        event.set_integer(field, some(known).unwrap_or_default());
    }
    event.set(ecs::CLOUD_PROVIDER, "aws");
    event.cloud(some(Known::account_id).filter(|id| *id != "unknown"), some(Known::region));
}

weir_parser_sdk::export_parser!(TgwFlow);
