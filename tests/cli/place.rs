//! A folder with logs, a configuration and a data folder, and the program run over it.

use crate::support::host::shared_cache;
use crate::support::{parsers_folder, target};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use weir::ledger::{Ledger, ObjectRecord, RecordFilter};
use weir::output::archive::{ArchivedRow, rows};

/// The program.
pub(super) fn program() -> PathBuf {
    let path = std::env::var_os("WEIR_BIN").map_or_else(|| target().join("release/weir"), PathBuf::from);
    assert!(path.is_file(), "{} is no file; run `cargo xtask test`, which builds it", path.display());
    path
}

/// What one run of the program came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// The same outcome, when the exit code is as expected.
    pub(super) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// The lines of standard output as JSON.
    pub(super) fn json_lines(&self) -> Vec<Value> {
        let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(read).collect()
    }
}

/// A folder of a test's own.
pub(super) struct Place {
    folder: TempDir,
}

impl Place {
    /// With this text in weir.toml, before the section that says where the parsers are.
    pub(super) fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { folder };
        std::fs::create_dir(place.logs()).unwrap();
        place.configure(settings);
        place
    }

    /// With the defaults.
    pub(super) fn new() -> Self {
        Self::with("")
    }

    /// Writes another weir.toml.
    pub(super) fn configure(&self, settings: &str) {
        let parsers = parsers_folder();
        let (parsers, cache) = (parsers.display(), shared_cache());
        let text = if settings.contains("[parsers]") {
            settings.to_owned()
        } else {
            format!("{settings}\n[parsers]\nfolder = \"{parsers}\"\ncache = \"{}\"\n", cache.display())
        };
        std::fs::write(self.path("weir.toml"), text).unwrap();
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of logs.
    pub(super) fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    /// Writes a log object.
    pub(super) fn log(&self, key: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.logs().join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The program with these arguments, to be run in the folder, with nothing of the environment's configuration.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WEIR_")) {
            command.env_remove(name);
        }
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Outcome {
        outcome(self.command(arguments).output().unwrap())
    }

    /// Ingests the folder of logs; the totals.
    pub(super) fn ingest(&self) -> Value {
        totals(&self.run(&["ingest", "logs", "--json"]))
    }

    /// How many documents of the index a query finds.
    pub(super) fn count(&self, query: &str) -> u64 {
        let outcome = self.run(&["search", query, "--limit", "0"]).expect(0);
        let line = outcome.out.lines().last().unwrap();
        let total = line.strip_prefix("0 of ").and_then(|rest| rest.split(' ').next());
        total.and_then(|total| total.parse().ok()).unwrap_or_else(|| panic!("{}", outcome.out))
    }

    /// What a query finds, as JSON.
    pub(super) fn search(&self, query: &str) -> Vec<Value> {
        self.run(&["search", query, "--limit", "10000", "--json"]).expect(0).json_lines()
    }

    /// The ledger's records.
    pub(super) fn records(&self) -> Vec<ObjectRecord> {
        let ledger = Ledger::open_read_only(&self.path("data")).unwrap();
        ledger.records(RecordFilter::default()).unwrap().map(Result::unwrap).collect()
    }

    /// The rows of every file of the archive that the ledger names, in no order that means anything.
    pub(super) fn archived(&self) -> Vec<ArchivedRow> {
        let is_archived = |file: &String| file.ends_with(".parquet");
        let files = self.records().into_iter().flat_map(|record| record.files).filter(is_archived);
        files.flat_map(|file| rows(&self.path("data").join(file)).unwrap()).map(Result::unwrap).collect()
    }

    /// Every byte under a folder, file by file.
    pub(super) fn bytes_under(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        walk(&self.path(name), &mut files);
        files
    }
}

fn walk(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| walk(&entry.unwrap().path(), files));
    } else {
        files.insert(path.to_owned(), std::fs::read(path).unwrap());
    }
}

/// What an ended process left.
pub(super) fn outcome(output: std::process::Output) -> Outcome {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Outcome { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The totals of an ingest that went well: the last line of standard output.
pub(super) fn totals(outcome: &Outcome) -> Value {
    assert_eq!(outcome.code, Some(0), "{}\n{}", outcome.out, outcome.err);
    serde_json::from_str(outcome.out.lines().last().unwrap()).unwrap()
}

/// Both equations of the ledger, and what it says of them.
pub(super) fn assert_balanced(totals: &Value) {
    let of = |name: &str| totals[name].as_u64().unwrap_or_else(|| panic!("no {name} in {totals}"));
    let sum = |names: &[&str]| names.iter().map(|name| of(name)).sum::<u64>();
    assert_eq!(of("unexplained"), 0, "{totals}");
    let outcomes = ["parsed", "skipped", "quarantined", "waiting", "unrouted"];
    assert_eq!(of("frames"), sum(&outcomes), "{totals}");
    assert_eq!(of("events"), sum(&["indexed", "archived_only", "reduced", "dead_lettered"]), "{totals}");
}

/// Chosen counts of the totals, in the order asked for.
pub(super) fn counts<const N: usize>(totals: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| totals[name].as_u64().unwrap_or_else(|| panic!("no {name} in {totals}")))
}

/// A process that ends with its test.
pub(super) struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Waits for the end of the process; the highest resident size seen meanwhile, in bytes. The kernel keeps the
    /// highest mark (`VmHWM`, proc(5)), so that looking now and then misses nothing but the last moment.
    pub(super) fn peak_memory(&mut self) -> (ExitStatus, u64) {
        let status = format!("/proc/{}/status", self.0.id());
        let mut peak = 0;
        loop {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kilobytes = mark.and_then(|mark| mark.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            peak = peak.max(kilobytes.unwrap_or(0) * 1024);
            if let Some(ended) = self.0.try_wait().unwrap() {
                return (ended, peak);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
