//! Servers and applications: logins, system messages (as files, and through CloudWatch Logs and Firehose), Apache, and
//! what the shop's containers write through FireLens.
//!
//! From 04:00 somebody guesses passwords on the bastion, and at 04:37 guesses one right.

use super::company::{
    self, BACKUP, BASTION, BUILD, DATABASE, FRANKFURT, GUESSER, OFFICE, PLATFORM, PRODUCTION, Server, WEB_1,
};
use super::moment::Moment;
use super::objects::{Objects, Timed, gzip};
use super::random::Random;
use anyhow::Result;
use serde_json::json;

/// All of it.
pub(super) fn write(objects: &mut Objects) -> Result<()> {
    for server in [&BASTION, &BUILD, &DATABASE, &BACKUP] {
        logins(objects, server)?;
        messages(objects, server)?;
    }
    subscription(objects)?;
    apache(objects)?;
    containers(objects)
}

fn folder(server: &Server) -> String {
    format!("hosts/{}/{}/{}", server.account, server.region, server.name)
}

fn logins(objects: &mut Objects, server: &Server) -> Result<()> {
    let mut random = Random::new(&format!("secure {}", server.name));
    let mut lines = Timed::new();
    let people = ["nadia", "tomas", "li", "priya", "deploy"];
    for _ in 0..160 {
        let time = Moment::of_business(&mut random);
        let (person, address) = (random.pick(&people), random.pick(&OFFICE));
        let (process, port) = (random.between(2_000, 30_000), random.between(32_768, 60_999));
        let mut say = |time: Moment, text: String| {
            lines.push(time, format!("{} {} {text}", time.syslog(), server.name));
        };
        if random.chance(4) {
            say(
                time,
                format!("sshd[{process}]: Failed password for {person} from {address} port {port} ssh2"),
            );
        }
        say(
            time.plus(2_000),
            format!(
                "sshd[{process}]: Accepted publickey for {person} from {address} port {port} ssh2: ED25519 SHA256:{}",
                random.letters(43)
            ),
        );
        say(
            time.plus(2_000),
            format!(
                "sshd[{process}]: pam_unix(sshd:session): session opened for user {person}(uid=1001) by (uid=0)"
            ),
        );
        if random.chance(30) {
            say(
                time.plus(40_000),
                format!(
                    "sudo[{}]: {person} : TTY=pts/0 ; PWD=/home/{person} ; USER=root ; COMMAND=/usr/bin/systemctl {}",
                    process + 9,
                    random.pick(&["status shopd", "restart shopd", "reload nginx"])
                ),
            );
        }
        let end = time.plus(random.between(60_000, 1_800_000));
        say(
            end,
            format!(
                "sshd[{process}]: Received disconnect from {address} port {port}:11: disconnected by user"
            ),
        );
    }
    if server.name == BASTION.name {
        guesses(&mut random, &mut lines);
    }
    for (start, text) in lines.texts(4) {
        objects
            .add_gzip(format!("{}/secure-2026-03-11-{}.gz", folder(server), start.hour()), text.as_bytes())?;
    }
    Ok(())
}

fn guesses(random: &mut Random, lines: &mut Timed<String>) {
    let mut time = Moment::at(4, 0, 3);
    let mut process = 18_200;
    while time < Moment::at(4, 37, 0) {
        let who = random.weighted(&[
            (4, "root"),
            (3, "invalid user admin"),
            (2, "invalid user oracle"),
            (2, "invalid user test"),
            (2, "deploy"),
        ]);
        lines.push(
            time,
            format!(
                "{} bastion-1 sshd[{process}]: Failed password for {who} from {GUESSER} port {} ssh2",
                time.syslog(),
                random.between(40_000, 60_999)
            ),
        );
        time = time.plus(random.between(2_000, 9_000));
        process += random.between(1, 3);
    }
    let mut say =
        |time: Moment, text: String| lines.push(time, format!("{} bastion-1 {text}", time.syslog()));
    say(
        Moment::at(4, 37, 12),
        format!("sshd[19804]: Accepted password for deploy from {GUESSER} port 51514 ssh2"),
    );
    say(
        Moment::at(4, 37, 12),
        "sshd[19804]: pam_unix(sshd:session): session opened for user deploy(uid=1005) by (uid=0)".to_owned(),
    );
    for (time, command) in [
        (Moment::at(4, 38, 2), "/usr/bin/cat /etc/shadow"),
        (Moment::at(4, 38, 40), "/usr/sbin/useradd -m -s /bin/bash support"),
        (Moment::at(4, 40, 15), "/usr/bin/systemctl stop auditd"),
    ] {
        say(
            time,
            format!("sudo[19850]:   deploy : TTY=pts/1 ; PWD=/home/deploy ; USER=root ; COMMAND={command}"),
        );
    }
    say(Moment::at(4, 38, 41), "useradd[19861]: new user: name=support, UID=1011, GID=1011, home=/home/support, shell=/bin/bash, from=/dev/pts/1".to_owned());
}

fn message(random: &mut Random) -> String {
    let number = random.between(300, 30_000);
    match random.below(8) {
        0 => "systemd[1]: Started Daily cleanup of temporary directories.".to_owned(),
        1 => format!("CRON[{number}]: (root) CMD (run-parts --report /etc/cron.hourly)"),
        2 => format!(
            "dhclient[{number}]: bound to 10.30.1.17 -- renewal in {} seconds.",
            random.between(1_000, 3_000)
        ),
        3 => format!("chronyd[{number}]: Selected source 10.20.0.2"),
        4 => format!(
            "kernel: [{}.{:06}] eth0: link up, 1000 Mbps",
            random.between(10, 90_000),
            random.below(1_000_000)
        ),
        5 => format!("shopd[{number}]: reloaded {} products", random.between(400, 500)),
        6 => format!(
            "systemd[1]: shopd.service: Consumed {}.{:03}s CPU time.",
            random.between(1, 80),
            random.below(1000)
        ),
        _ => format!("amazon-ssm-agent[{number}]: INFO Agent is healthy"),
    }
}

fn messages(objects: &mut Objects, server: &Server) -> Result<()> {
    let mut random = Random::new(&format!("messages {}", server.name));
    let mut lines = Timed::new();
    for _ in 0..500 {
        let time = Moment::any(&mut random);
        lines.push(time, format!("{} {} {}", time.syslog(), server.name, message(&mut random)));
    }
    for (start, text) in lines.texts(2) {
        objects.add_gzip(
            format!("{}/messages-2026-03-11-{}.gz", folder(server), start.hour()),
            text.as_bytes(),
        )?;
    }
    Ok(())
}

/// The system log of the container hosts: CloudWatch Logs subscription data, several gzip members in one object, as
/// Firehose concatenates them.
fn subscription(objects: &mut Objects) -> Result<()> {
    let mut random = Random::new("subscription");
    let mut lines = Timed::new();
    for _ in 0..1_400 {
        let time = Moment::any(&mut random);
        lines.push(
            time,
            format!("{} ecs-host-{} {}", time.syslog(), random.between(1, 3), message(&mut random)),
        );
    }
    let control = json!({"messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "", "logStream": "", "subscriptionFilters": [],
        "logEvents": [{"id": "", "timestamp": Moment::at(0, 0, 9).milliseconds(), "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose."}]});
    for (start, lines) in lines.by_part(8) {
        let mut bytes =
            if start == Moment::at(0, 0, 0) { gzip(control.to_string().as_bytes())? } else { Vec::new() };
        for chunk in lines.chunks(60) {
            let events: Vec<_> = chunk
                .iter()
                .map(|(time, line)| json!({"id": format!("3700{}", random.between(10_u64.pow(15), 10_u64.pow(16))), "timestamp": time.milliseconds(), "message": line}))
                .collect();
            let envelope = json!({"messageType": "DATA_MESSAGE", "owner": PLATFORM, "logGroup": "/kestrelmoss/linux/messages",
                "logStream": "ecs-hosts", "subscriptionFilters": ["to-log-archive"], "logEvents": events});
            bytes.extend(gzip(envelope.to_string().as_bytes())?);
        }
        objects.add(
            format!(
                "firehose/{PLATFORM}/{FRANKFURT}/linux/2026/03/11/{}/system-logs-1-{}-{}",
                start.hour(),
                start.dashed(),
                random.uuid()
            ),
            bytes,
        );
    }
    Ok(())
}

/// The company's handbook, which runs on Apache.
fn apache(objects: &mut Objects) -> Result<()> {
    let mut random = Random::new("apache");
    let (mut access, mut errors) = (Timed::new(), Timed::new());
    for _ in 0..1_300 {
        let time = Moment::of_business(&mut random);
        let client = format!("10.20.9.{}", random.between(2, 90));
        let (path, status) = random.weighted(&[
            (9, ("/handbook/", 200)),
            (6, ("/handbook/travel.html", 200)),
            (5, ("/handbook/search?q=holidays", 200)),
            (3, ("/handbook/style.css", 304)),
            (2, ("/handbook/old.html", 404)),
            (1, ("/handbook/admin", 403)),
        ]);
        let size = if status == 304 { "-".to_owned() } else { random.between(300, 20_000).to_string() };
        access.push(
            time,
            format!(
                "{client} - {} [{}] \"GET {path} HTTP/1.1\" {status} {size} \"-\" \"{}\"",
                random.pick(&["-", "nadia", "tomas", "li"]),
                time.common_log(),
                company::browser(&mut random)
            ),
        );
        if status == 403 {
            errors.push(time, format!(
                "[{}] [authz_core:error] [pid 911:tid 14012] [client {client}:{}] AH01630: client denied by server configuration: /srv/handbook/admin",
                time.apache_error(),
                random.between(40_000, 60_000)
            ));
        }
    }
    errors.push(Moment::at(0, 0, 1), format!(
        "[{}] [mpm_event:notice] [pid 911:tid 14000] AH00489: Apache/2.4.62 (Unix) configured -- resuming normal operations",
        Moment::at(0, 0, 1).apache_error()
    ));
    for (start, text) in access.texts(2) {
        objects.add_gzip(
            format!("{}/httpd/access_log-2026-03-11-{}.gz", folder(&BUILD), start.hour()),
            text.as_bytes(),
        )?;
    }
    for (_, text) in errors.texts(1) {
        objects.add(format!("{}/httpd/error_log-2026-03-11", folder(&BUILD)), text);
    }
    Ok(())
}

/// The checkout service, in ECS, through FireLens and Firehose.
fn containers(objects: &mut Objects) -> Result<()> {
    let mut random = Random::new("containers");
    let mut lines = Timed::new();
    for _ in 0..2_600 {
        let time = Moment::of_business(&mut random);
        let (level, text) = random.weighted(&[
            (30, ("info", "order placed")),
            (20, ("info", "cart updated")),
            (6, ("warn", "payment provider is slow")),
            (2, ("error", "payment was refused")),
            (1, ("error", "no connection to the database")),
        ]);
        let log = json!({"level": level, "time": time.iso_precise(), "msg": text, "service.name": "checkout", "order": format!("KM-{}", random.between(10_000, 99_999)),
            "duration_ms": random.between(3, 900), "client_ip": company::customer_v4(&mut random)});
        let task = random.pick(&["4f2e8a1b0c9d", "91c0d3e4f5a6"]);
        let record = json!({"log": if random.chance(2) { "GC pause 31 ms".to_owned() } else { log.to_string() }, "source": "stdout",
            "container_id": format!("{task}-2531612879"), "container_name": "checkout", "ecs_cluster": "shop",
            "ecs_task_arn": format!("arn:aws:ecs:{FRANKFURT}:{PRODUCTION}:task/shop/{task}"), "ecs_task_definition": "checkout:31",
            "date": time.iso_precise()});
        lines.push(time, record.to_string());
    }
    for (start, text) in lines.texts(12) {
        let key = format!(
            "firelens/{}/{}/checkout/2026/03/11/{}/checkout-1-{}-{}.gz",
            WEB_1.account,
            WEB_1.region,
            start.hour(),
            start.dashed(),
            random.uuid()
        );
        objects.add_gzip(key, text.as_bytes())?;
    }
    Ok(())
}
