//! Network traffic: VPC flow logs in two layouts, Transit Gateway flow logs, and the records of a Network and a Classic
//! Load Balancer. The password guesser is refused by all servers but the bastion.

use super::company::{
    self, BACKUP, BASTION, BUILD, DATABASE, FRANKFURT, GUESSER, KEY_THIEF, PLATFORM, PRODUCTION, SCANNER,
    Server, VIRGINIA, WEB_1, WEB_2, WEB_US,
};
use super::moment::Moment;
use super::objects::{Objects, Timed};
use super::random::Random;
use anyhow::Result;

/// A flow as an interface saw it.
struct Flow {
    end: Moment,
    server: &'static Server,
    source: String,
    destination: String,
    source_port: u64,
    destination_port: u64,
    packets: u64,
    bytes: u64,
    accepted: bool,
}

/// All of it.
pub(super) fn write(objects: &mut Objects) -> Result<()> {
    let mut random = Random::new("vpcflow");
    let mut flows: Vec<Flow> = (0..17_500).map(|_| ordinary(&mut random)).collect();
    flows.extend(intruders(&mut random));
    for server in [&WEB_1, &BASTION, &BACKUP] {
        let mut lines = Timed::new();
        for flow in flows
            .iter()
            .filter(|flow| flow.server.account == server.account && flow.server.region == FRANKFURT)
        {
            lines.push(flow.end, default_layout(flow));
        }
        for quiet in 0..40 {
            let time = Moment::at(quiet % 24, quiet, 58);
            lines.push(
                time,
                format!(
                    "2 {} {} - - - - - - - {} {} - NODATA",
                    server.account,
                    server.interface,
                    time.seconds() - 58,
                    time.seconds()
                ),
            );
        }
        let header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
        deliver(objects, lines, header, server, "vpcflowlogs", "fl-0a1b2c3d4e5f60718", &mut random)?;
    }
    let mut lines = Timed::new();
    for flow in flows.iter().filter(|flow| flow.server.region == VIRGINIA) {
        lines.push(flow.end, custom_layout(flow));
    }
    let header = "end start action srcaddr srcport dstaddr dstport protocol bytes packets vpc-id interface-id tcp-flags \
                  flow-direction region account-id log-status";
    deliver(objects, lines, header, &WEB_US, "vpcflowlogs", "fl-0fedcba9876543210", &mut random)?;
    transit_gateway(objects)?;
    network_balancer(objects)?;
    classic_balancer(objects)
}

fn ordinary(random: &mut Random) -> Flow {
    let server = random.weighted(&[
        (30, &WEB_1),
        (30, &WEB_2),
        (12, &DATABASE),
        (4, &BASTION),
        (10, &BUILD),
        (8, &BACKUP),
        (14, &WEB_US),
    ]);
    let inside = server.address.to_owned();
    let high = random.between(32_768, 60_999);
    let packets = random.between(4, 60);
    let (source, destination, source_port, destination_port, accepted) = match random.below(100) {
        // What knocks at every address of the internet.
        0..=6 => (
            company::customer_v4(random),
            inside,
            high,
            random.weighted(&[(3, 23), (2, 3389), (2, 445), (1, 8088)]),
            false,
        ),
        // What servers fetch.
        7..=24 => (inside, format!("198.51.100.{}", random.between(2, 9)), high, 443, true),
        25..=44 => (inside, "10.20.2.21".to_owned(), high, 5432, true),
        45..=74 => (format!("10.20.0.{}", random.between(4, 9)), inside, high, 8080, true),
        75..=86 => (inside, format!("10.20.0.{}", random.between(4, 9)), 8080, high, true),
        _ => (inside, "10.20.0.2".to_owned(), high, 53, true),
    };
    Flow {
        end: Moment::of_business(random),
        server,
        source,
        destination,
        source_port,
        destination_port,
        packets: if accepted { packets } else { random.between(1, 3) },
        bytes: if accepted { packets * random.between(60, 1200) } else { 40 * random.between(1, 3) },
        accepted,
    }
}

fn intruders(random: &mut Random) -> Vec<Flow> {
    let mut flows = Vec::new();
    let mut push = |random: &mut Random, end, server: &'static Server, source: &str, port, accepted| {
        let packets = if accepted { random.between(14, 30) } else { random.between(1, 2) };
        flows.push(Flow {
            end,
            server,
            source: source.to_owned(),
            destination: server.address.to_owned(),
            source_port: random.between(40_000, 60_999),
            destination_port: port,
            packets,
            bytes: packets * if accepted { 160 } else { 44 },
            accepted,
        });
    };
    // The guesser tries port 22 of every server, then stays with the one that answers.
    for server in [&WEB_1, &WEB_2, &DATABASE, &BUILD, &BACKUP, &WEB_US] {
        for _ in 0..25 {
            let time = Moment::within(random, Moment::at(3, 58, 0), Moment::at(4, 6, 0));
            push(random, time, server, GUESSER, 22, false);
        }
    }
    for _ in 0..380 {
        let time = Moment::within(random, Moment::at(4, 0, 0), Moment::at(4, 38, 0));
        push(random, time, &BASTION, GUESSER, 22, true);
    }
    for port in [21, 25, 3306, 5432, 6379, 9200, 27017] {
        for server in [&WEB_1, &WEB_2, &WEB_US] {
            let time = Moment::within(random, Moment::at(2, 8, 0), Moment::at(2, 12, 0));
            push(random, time, server, SCANNER, port, false);
        }
    }
    let time = Moment::at(3, 49, 10);
    push(random, time, &BACKUP, KEY_THIEF, 22, false);
    flows
}

fn default_layout(flow: &Flow) -> String {
    let action = if flow.accepted { "ACCEPT" } else { "REJECT" };
    let protocol = if flow.destination_port == 53 { 17 } else { 6 };
    let end = flow.end.seconds();
    format!(
        "2 {} {} {} {} {} {} {protocol} {} {} {} {end} {action} OK",
        flow.server.account,
        flow.server.interface,
        flow.source,
        flow.destination,
        flow.source_port,
        flow.destination_port,
        flow.packets,
        flow.bytes,
        end - 58
    )
}

fn custom_layout(flow: &Flow) -> String {
    let action = if flow.accepted { "ACCEPT" } else { "REJECT" };
    let (protocol, flags) = match (flow.destination_port, flow.accepted) {
        (53, _) => (17, 0),
        (_, true) => (6, 19),
        (_, false) => (6, 2),
    };
    let direction = if flow.destination == flow.server.address { "ingress" } else { "egress" };
    let end = flow.end.seconds();
    format!(
        "{end} {} {action} {} {} {} {} {protocol} {} {} vpc-0d44e55f66a77b88c {} {flags} {direction} {} {} OK",
        end - 58,
        flow.source,
        flow.source_port,
        flow.destination,
        flow.destination_port,
        flow.bytes,
        flow.packets,
        flow.server.interface,
        flow.server.region,
        flow.server.account
    )
}

/// Flow logs of an account and a region, an object each hour, each with its header.
fn deliver(
    objects: &mut Objects,
    lines: Timed<String>,
    header: &str,
    server: &Server,
    folder: &str,
    log: &str,
    random: &mut Random,
) -> Result<()> {
    let (account, region) = (server.account, server.region);
    for (start, text) in lines.texts(24) {
        let key = format!(
            "AWSLogs/{account}/{folder}/{region}/2026/03/11/{account}_vpcflowlogs_{region}_{log}_{}_{}.log.gz",
            start.delivery(),
            random.hex(8)
        );
        objects.add_gzip(key, format!("{header}\n{text}").as_bytes())?;
    }
    Ok(())
}

fn transit_gateway(objects: &mut Objects) -> Result<()> {
    let mut random = Random::new("tgwflow");
    let header = "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id srcaddr \
                  dstaddr srcport dstport protocol packets bytes start end log-status type packets-lost-no-route \
                  packets-lost-blackhole region flow-direction";
    let mut lines = Timed::new();
    for _ in 0..1_800 {
        let end = Moment::of_business(&mut random);
        let (from, to) =
            random.weighted(&[(5, (&WEB_1, &BACKUP)), (3, (&BUILD, &WEB_2)), (2, (&BASTION, &DATABASE))]);
        let packets = random.between(10, 900);
        lines.push(end, format!(
            "6 TransitGateway {PLATFORM} tgw-0123456789abcdef0 tgw-attach-0123456789abcdef1 {} {} {} {} {} {} 6 {packets} {} {} {} \
             OK IPv4 {} 0 {FRANKFURT} ingress",
            from.account, to.account, from.address, to.address,
            random.between(32_768, 60_999),
            random.weighted(&[(4, 443), (2, 22), (2, 5432)]),
            packets * 820,
            end.seconds() - 60, end.seconds(),
            if random.chance(2) { random.between(1, 9) } else { 0 },
        ));
    }
    for (start, text) in lines.texts(8) {
        let key = format!(
            "transit-gateway/AWSLogs/{PLATFORM}/vpcflowlogs/{FRANKFURT}/2026/03/11/{PLATFORM}_vpcflowlogs_{FRANKFURT}_fl-0tgw_{}_{}.log.gz",
            start.delivery(),
            random.hex(8)
        );
        objects.add_gzip(key, format!("{header}\n{text}").as_bytes())?;
    }
    Ok(())
}

/// The stock levels that stores report over TLS.
fn network_balancer(objects: &mut Objects) -> Result<()> {
    let mut random = Random::new("nlb");
    let mut lines = Timed::new();
    for _ in 0..1_300 {
        let end = Moment::of_business(&mut random);
        let took = random.between(40, 9_000);
        let (cipher, alert) =
            if random.chance(3) { ("- -", "40") } else { ("TLS_AES_128_GCM_SHA256 tlsv13", "0") };
        lines.push(end, format!(
            "tls 2.0 {ended} net/stock-feed/c6e77e28c25b2234 g3d4b5e8bb8464cd {client}:{port} 10.20.3.4:8883 {took} {handshake} \
             {received} {sent} {alert} arn:aws:acm:{FRANKFURT}:{PRODUCTION}:certificate/2a108f19-aded-46b0-8493-c63eb1ef4a99 - \
             {cipher} - stock.kestrelmoss.example - - - {started}",
            ended = end.iso().trim_end_matches('Z'),
            client = company::customer_v4(&mut random),
            port = random.between(32_768, 60_999),
            handshake = random.between(2, 40),
            received = random.between(90, 4_000),
            sent = random.between(200, 2_000),
            started = end.minus(took).iso().trim_end_matches('Z'),
        ));
    }
    for (start, text) in lines.texts(8) {
        let key = format!(
            "AWSLogs/{PRODUCTION}/elasticloadbalancing/{FRANKFURT}/2026/03/11/{PRODUCTION}_elasticloadbalancing_{FRANKFURT}_net.stock-feed.c6e77e28c25b2234_{}_{}.log.gz",
            start.delivery(),
            random.hex(8)
        );
        objects.add_gzip(key, text.as_bytes())?;
    }
    Ok(())
}

/// The old shop of wholesale customers, which nobody has moved yet.
fn classic_balancer(objects: &mut Objects) -> Result<()> {
    let mut random = Random::new("clb");
    let mut lines = Timed::new();
    for _ in 0..900 {
        let time = Moment::of_business(&mut random);
        let status = random.weighted(&[(30, 200), (4, 302), (2, 404), (1, 503)]);
        lines.push(time, format!(
            "{} wholesale {}:{} 10.20.1.31:80 0.000073 0.{:06} 0.000057 {status} {status} 0 {} \"GET https://wholesale.kestrelmoss.example:443/{} HTTP/1.1\" \"{}\" \
             ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2",
            time.iso_precise(),
            company::customer_v4(&mut random),
            random.between(32_768, 60_999),
            random.between(900, 300_000),
            random.between(200, 30_000),
            random.pick(&["orders", "orders/open", "prices.csv", "login", "catalogue"]),
            company::browser(&mut random),
        ));
    }
    for (start, text) in lines.texts(4) {
        objects.add(
            format!(
                "AWSLogs/{PRODUCTION}/elasticloadbalancing/{FRANKFURT}/2026/03/11/{PRODUCTION}_elasticloadbalancing_{FRANKFURT}_wholesale_{}_10.20.0.9_{}.log",
                start.delivery(),
                random.letters(8)
            ),
            text,
        );
    }
    Ok(())
}
