//! A host of the library with a folder of parsers of its own.

use super::sink::{MemorySink, Passed};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use weir::config::Config;
use weir::event::object_id;
use weir::host::{Host, HostError};
use weir::ingest::stream::Input;
use weir::parser::contract::{Batch, FramingKind, Origin, TimeZone};
use weir::parser::{Answer, Parser, Verdict};
use weir::pipeline::{ObjectRef, Pipeline};

/// 2026-01-15T00:00:00Z, nanoseconds since 1970: the LastModified of every object here.
pub(crate) const MODIFIED: i64 = 1_768_435_200_000_000_000;

/// A host, and the folder that its parsers lie in.
pub(crate) struct TestHost {
    pub folder: TempDir,
    pub host: Host,
}

impl TestHost {
    /// A host with these components (name of the file, bytes) and this text of a weir.toml.
    pub(crate) fn with(components: &[(&str, Vec<u8>)], settings: &str) -> Self {
        Self::open(components, settings, &shared_cache()).unwrap_or_else(|error| panic!("{}", full(&error)))
    }

    /// As [`TestHost::with`], which may fail, and with a place for compiled code.
    pub(crate) fn open(
        components: &[(&str, Vec<u8>)],
        settings: &str,
        cache: &Path,
    ) -> Result<Self, HostError> {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in components {
            put(folder.path(), name, bytes);
        }
        let host = open_folder(folder.path(), settings, cache)?;
        Ok(TestHost { folder, host })
    }

    /// Puts a component into the parsers' folder, at once.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        put(self.folder.path(), name, bytes);
    }

    /// The parser of a log type.
    pub(crate) fn parser(&self, log_type: &str) -> Arc<Parser> {
        self.host.registry.parser(log_type).unwrap()
    }

    /// An object through the parsers in force now.
    pub(crate) fn pass(&self, log_type: &str, content: &[u8]) -> Passed {
        pass(&self.host.pipeline(), Some(log_type), "object", content)
    }
}

/// A host over a folder of components.
pub(crate) fn open_folder(folder: &Path, settings: &str, cache: &Path) -> Result<Host, HostError> {
    let variable = |name: &str, path: &Path| (name.to_owned(), path.to_str().unwrap().to_owned());
    let places = [variable("WEIR__PARSERS__FOLDER", folder), variable("WEIR__PARSERS__CACHE", cache)];
    Host::open(Config::from_text(&folder.join("weir.toml"), settings, places)?)
}

/// Compiled code that all tests share, so that each component is compiled once.
pub(crate) fn shared_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

fn put(folder: &Path, name: &str, bytes: &[u8]) {
    let temporary = folder.join(format!("{name}.new"));
    std::fs::write(&temporary, bytes).unwrap();
    std::fs::rename(&temporary, folder.join(format!("{name}.wasm"))).unwrap();
}

/// Takes an object through a pipeline, into memory, and checks its counts.
pub(crate) fn pass(pipeline: &Pipeline, log_type: Option<&str>, key: &str, content: &[u8]) -> Passed {
    pass_into(pipeline, log_type, key, content.to_vec(), MemorySink::default())
}

/// As [`pass`], into a sink that the caller made.
pub(crate) fn pass_into(
    pipeline: &Pipeline,
    log_type: Option<&str>,
    key: &str,
    content: Vec<u8>,
    mut sink: MemorySink,
) -> Passed {
    let object = ObjectRef {
        bucket: "tests".to_owned(),
        key: key.to_owned(),
        version: "1".to_owned(),
        id: object_id("tests", key, "1"),
        modified: MODIFIED,
        base: 0,
    };
    let length = Some(content.len() as u64);
    let input = Input::Reader { reader: Box::new(Cursor::new(content)), length };
    let counts = pipeline
        .process(&object, input, log_type, &mut sink)
        .unwrap_or_else(|error| panic!("{}", full(&error)));
    Passed::check(counts, sink)
}

/// Gives frames to a parser as one batch.
pub(crate) fn parse<T: AsRef<[u8]>>(parser: &Parser, frames: &[T]) -> Answer {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for frame in frames {
        bytes.extend_from_slice(frame.as_ref());
        ends.push(bytes.len() as u32);
    }
    let batch = Batch {
        origin: Origin {
            account: None,
            region: None,
            bucket: "tests",
            key: "object",
            version_id: None,
            archive_member: None,
            log_type: &parser.manifest().log_types[0],
            team: None,
            log_group: None,
            log_stream: None,
            container: None,
            host: None,
            attributes: &[],
        },
        reference_time: MODIFIED,
        time_zone: TimeZone { name: "UTC", initial_offset: 0, transitions: &[] },
        framing: FramingKind::Text,
        header: None,
        frames: &bytes,
        ends: &ends,
        wrapped: &[],
    };
    let answer = parser.parse(&batch).unwrap_or_else(|error| panic!("{}", full(&error)));
    assert_eq!(answer.verdicts.len(), frames.len(), "every frame has a verdict");
    answer
}

/// The `message` of every document of an answer.
pub(crate) fn messages(answer: &Answer) -> Vec<String> {
    let value = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
    answer
        .entries
        .iter()
        .map(|entry| value(answer.document(entry))["message"].as_str().unwrap().to_owned())
        .collect()
}

/// A verdict in one word: `event`, `skipped`, `malformed`, `waiting`, or the kind of the breach.
pub(crate) fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Events(_) => "event",
        Verdict::Skipped(_) => "skipped",
        Verdict::Malformed(_) => "malformed",
        Verdict::Condemned(breach) => breach.kind(),
        Verdict::Waiting => "waiting",
    }
}

/// An error with what caused it.
pub(crate) fn full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
