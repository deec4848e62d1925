//! A fake organization, an accounts.toml for it, and the commands as a process.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use weir_aws_fake::builder::{Blueprint, EXTERNAL_ID, LOG, MANAGEMENT, MANAGEMENT_KEY};
use weir_aws_fake::{Server, World};

pub(crate) const REGION: &str = "eu-west-1";
/// No command of these tests takes longer, whatever the machine does beside.
const PATIENCE: Duration = Duration::from_mins(10);

/// An organization, and somebody in front of it.
pub(crate) struct Scene {
    // The server stops before its runtime.
    server: Server,
    _runtime: tokio::runtime::Runtime,
    folder: TempDir,
    key: String,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
    /// The most memory that the process had, in kibibytes; 0 where the system does not tell.
    pub(crate) peak_kib: u64,
}

impl Outcome {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Fails with all that was printed.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "`{text}` is missing\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
    }
}

/// The smallest blueprint that has everything: three members in one unit.
pub(crate) fn blueprint(accounts: usize) -> Blueprint {
    Blueprint { accounts, units: 3, regions: vec![REGION.to_owned()], ..Blueprint::default() }
}

impl Scene {
    /// A clock that runs sixty times as fast, and an accounts.toml that takes every member.
    pub(crate) fn new(world: World) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(Server::start(world)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let scene = Self { server, _runtime: runtime, folder, key: MANAGEMENT_KEY.to_owned() };
        scene.write_desired(&desired());
        scene.control("POST", "clock", &json!({ "speed": 60 }));
        scene
    }

    pub(crate) fn small() -> Self {
        Self::new(blueprint(3).build().unwrap())
    }

    /// The same with an inline change of the world.
    pub(crate) fn with(accounts: usize, change: impl FnOnce(&mut Value)) -> Self {
        let mut world = serde_json::to_value(blueprint(accounts).build().unwrap()).unwrap();
        change(&mut world);
        Self::new(World::from_json(world.to_string().as_bytes()).unwrap())
    }

    pub(crate) fn caller(&mut self, key: &str) {
        key.clone_into(&mut self.key);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write_desired(&self, text: &str) {
        std::fs::write(self.path("accounts.toml"), text).unwrap();
    }

    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir-accounts"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", &self.key)
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("WEIR_AWS_ENDPOINT_URL", self.endpoint())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        run(self.command(arguments))
    }

    /// Applies and waits until every canary is through.
    pub(crate) fn apply(&self) -> Outcome {
        self.run(&["apply", "--yes", "--wait"])
    }

    pub(crate) fn apply_json(&self) -> (i32, Value) {
        let outcome = self.run(&["apply", "--yes", "--wait", "--json"]);
        assert!(!outcome.stdout.is_empty(), "no report: {outcome:#?}");
        (outcome.code, outcome.json())
    }

    /// A request to the control endpoint of the fake.
    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let address = self.endpoint().replace("http://", "");
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "{method} /_fake/{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.control("GET", path, &Value::Null)
    }

    pub(crate) fn patch(&self, change: &Value) {
        self.control("PATCH", "world", change);
    }

    pub(crate) fn faults(&self, faults: &Value) {
        self.control("POST", "faults", faults);
    }

    /// How many writes the fake has taken.
    pub(crate) fn writes(&self) -> u64 {
        self.get("writes")["count"].as_u64().unwrap()
    }

    /// The writes since, as `account operation resource`.
    pub(crate) fn writes_from(&self, number: u64) -> Vec<String> {
        let answer = self.get(&format!("writes?from={}", number + 1));
        let text = |write: &Value, field: &str| write[field].as_str().unwrap_or_default().to_owned();
        answer["writes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|write| {
                format!("{} {} {}", text(write, "account"), text(write, "operation"), text(write, "resource"))
            })
            .collect()
    }

    /// The world without times, message ids and version ids, and without the canaries, whose keys are new each time.
    pub(crate) fn end_state(&self) -> Value {
        let mut world = self.get("world?canonical");
        for bucket in world["buckets"].as_object_mut().unwrap().values_mut() {
            if let Some(objects) = bucket.get_mut("objects").and_then(Value::as_object_mut) {
                objects.retain(|key, _| !key.contains("weir-canary"));
            }
        }
        world
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data/accounts")
    }
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command) -> Outcome {
    finish(command.spawn().unwrap())
}

/// Waits for a command that runs.
pub(crate) fn finish(mut child: Child) -> Outcome {
    // Both pipes are read at once, so that neither blocks the command.
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let mut errors = child.stderr.take().unwrap();
    let error_reader = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    let began = Instant::now();
    let (code, peak_kib) = wait(&mut child, began);
    Outcome {
        code,
        stdout: reader.join().unwrap().unwrap(),
        stderr: error_reader.join().unwrap().unwrap(),
        took: began.elapsed(),
        peak_kib,
    }
}

fn wait(child: &mut Child, began: Instant) -> (i32, u64) {
    let mut peak_kib = 0;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (status.code().unwrap_or(-1), peak_kib);
        }
        peak_kib = peak_kib.max(peak_memory(child.id()));
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            return (-2, peak_kib);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The high-water mark of a process's resident memory (proc(5), `VmHWM`), in kibibytes.
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Every member, one destination, AWS's own layout.
pub(crate) fn desired() -> String {
    desired_with("", "aws-logs", "")
}

/// The same with more lines in `[[destination]]`, another layout, and more sections.
pub(crate) fn desired_with(destination: &str, layout: &str, more: &str) -> String {
    format!(
        r#"
[log-account]
id = "{LOG}"

[[destination]]
region = "{REGION}"
bucket = "weir-logs-{REGION}"
queue = "arn:aws:sqs:{REGION}:{LOG}:weir-logs"
{destination}

[members]
role = "weir-onboarding"
external-id = "{EXTERNAL_ID}"

[members.select]
exclude = ["{MANAGEMENT}", "{LOG}"]

[[source]]
buckets = ["logs-{{account}}-*"]
layout = "{layout}"

[limits]
organizations-per-second = 500.0
assume-role-per-second = 500.0

{more}
"#
    )
}

/// The report's entry of an account.
#[track_caller]
pub(crate) fn of_account<'a>(report: &'a Value, account: &str) -> &'a Value {
    report["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["account"] == account)
        .unwrap_or_else(|| panic!("account {account} is not in {report:#}"))
}

/// Every other selected account came through, and there is one.
#[track_caller]
pub(crate) fn others_are_done(report: &Value, but: &[&str]) {
    let mut done = 0;
    for entry in report["accounts"].as_array().unwrap() {
        let account = entry["account"].as_str().unwrap();
        if but.contains(&account) || account == MANAGEMENT {
            continue;
        }
        let state = entry["state"].as_str().unwrap();
        // Without a write in it, the log account is one without log buckets.
        let is_quiet_log_account = account == LOG && state == "skipped";
        assert!(matches!(state, "done" | "unchanged") || is_quiet_log_account, "{entry:#}");
        done += usize::from(account != LOG);
    }
    assert!(done >= 1, "no other account was onboarded: {report:#}");
}

/// Lines of a file of JSON lines.
pub(crate) fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Stands between the commands and the fake, and puts other words into answers of the same length.
pub(crate) fn proxy(target: &str, request_has: &'static str, from: &'static str, to: &'static str) -> String {
    assert_eq!(from.len(), to.len());
    let target = target.replace("http://", "");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let target = target.clone();
            std::thread::spawn(move || pass(client, &target, request_has, from, to));
        }
    });
    format!("http://{address}")
}

/// One request, one answer; then the connection ends.
fn pass(mut client: TcpStream, target: &str, request_has: &str, from: &str, to: &str) -> Option<()> {
    let mut request = Vec::new();
    let mut buffer = [0_u8; 8_192];
    let head = loop {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&buffer[..count]);
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    while request.len() < head + length.unwrap_or(0) {
        let count = client.read(&mut buffer).ok().filter(|count| *count > 0)?;
        request.extend_from_slice(&buffer[..count]);
    }
    let line = request.windows(2).position(|window| window == b"\r\n")? + 2;
    let mut server = TcpStream::connect(target).ok()?;
    server.write_all(&request[..line]).ok()?;
    server.write_all(b"connection: close\r\n").ok()?;
    server.write_all(&request[line..]).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    if String::from_utf8_lossy(&request).contains(request_has) {
        while let Some(at) = answer.windows(from.len()).position(|window| window == from.as_bytes()) {
            answer[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    client.write_all(&answer).ok()
}
