//! A digest file: which log files CloudTrail delivered in an hour, with their hashes.
//!
//! One JSON object is the whole file. Its members stand under `aws.cloudtrail.digest`.

use crate::BOUNDS;
use weir_parser_sdk::aws::is_region;
use weir_parser_sdk::fit::{self, Bounds};
use weir_parser_sdk::reader::{JsonText, Raw, Reader, Runs, Shape};
use weir_parser_sdk::{Category, Event, EventOutcome, Instant, Kind, ParseError, Type, ecs};

/// What a digest may hold beside its hashes, which also stand in `related.hash`.
const DIGEST_BOUNDS: Bounds = Bounds { fields: BOUNDS.fields - MAXIMUM_HASHES, depth: BOUNDS.depth - 1 };

/// The most hashes that are listed in `related.hash`. Every one is in the vendor's tree.
const MAXIMUM_HASHES: u32 = 200;

#[derive(Default)]
struct Digest<'a> {
    account: Option<JsonText<'a>>,
    start: Option<JsonText<'a>>,
    end: Option<JsonText<'a>>,
    object: Option<JsonText<'a>>,
    previous_hash: Option<JsonText<'a>>,
    files: Option<Raw<'a>>,
    fields: u32,
    depth: u32,
}

/// Whether the object is a digest.
pub(crate) fn is_digest(text: &str) -> bool {
    let mut reader = Reader::new(text);
    reader.object();
    while let Some(key) = reader.key() {
        if key.raw() == "digestEndTime" {
            return true;
        }
        reader.value();
    }
    false
}

pub(crate) fn parse(text: &str, event: &mut Event<'_>) -> Result<(), ParseError> {
    let text = fit::quote_large_numbers(text);
    let text = text.as_str();
    let digest = Digest::read(text)?;
    let hashes = digest.hashes();
    let fitted;
    let tree = if digest.fields > DIGEST_BOUNDS.fields || digest.depth >= DIGEST_BOUNDS.depth {
        fitted = fit::fit_object(text, DIGEST_BOUNDS)?;
        fitted.as_str()
    } else {
        text
    };
    let mut count = 0_u32;
    digest.each_file(|_| count += 1);
    write_tree(tree, count, event);

    let time = |text: Option<JsonText<'_>>| text.and_then(|text| event.context().parse_iso(text.raw()));
    let (start, end) = (time(digest.start), time(digest.end));
    event.categorize(Kind::State, &[Category::File], &[Type::Info]);
    event.set(ecs::EVENT_ACTION, "digest");
    event.set(ecs::EVENT_OUTCOME, EventOutcome::Unknown);
    if let Some(start) = start {
        event.set(ecs::EVENT_START, Instant(start));
    }
    if let Some(end) = end {
        event.set(ecs::EVENT_END, Instant(end));
        event.timestamp(end);
    }
    event.set_text(ecs::FILE_PATH, digest.object);
    event.set_text(ecs::FILE_NAME, digest.object.and_then(file_name));
    event.set(ecs::CLOUD_PROVIDER, "aws");
    let account = digest.account.map(JsonText::unescape);
    event.cloud(account.as_deref(), digest.object.and_then(region));
    for hash in hashes {
        event.related_hash(&hash.unescape());
    }
    Ok(())
}

impl<'a> Digest<'a> {
    fn read(text: &'a str) -> Result<Self, ParseError> {
        let mut digest = Digest::default();
        let mut reader = Reader::new(text);
        reader.object();
        while let Some(key) = reader.key() {
            let value = reader.value();
            digest.fields += 1 + value.fields;
            digest.depth = digest.depth.max(value.depth);
            match key.raw() {
                "awsAccountId" => digest.account = value.scalar(),
                "digestStartTime" => digest.start = value.string(),
                "digestEndTime" => digest.end = value.string(),
                "digestS3Object" => digest.object = value.string(),
                "previousDigestHashValue" => digest.previous_hash = value.string(),
                "logFiles" if value.shape == Shape::Array => digest.files = Some(value),
                _ => {}
            }
        }
        reader.end()?;
        Ok(digest)
    }

    fn each_file(&self, mut take: impl FnMut(Raw<'a>)) {
        let Some(files) = self.files else { return };
        let mut reader = Reader::new(files.text);
        reader.array();
        while reader.element() {
            take(reader.value());
        }
    }

    fn hashes(&self) -> Vec<JsonText<'a>> {
        let mut hashes: Vec<JsonText<'a>> = self.previous_hash.into_iter().collect();
        self.each_file(|file| {
            if file.shape == Shape::Object
                && hashes.len() < MAXIMUM_HASHES as usize
                && let Some(hash) = hash_of(file)
            {
                hashes.push(hash);
            }
        });
        hashes
    }
}

fn hash_of(file: Raw<'_>) -> Option<JsonText<'_>> {
    let mut reader = Reader::new(file.text);
    reader.object();
    let mut hash = None;
    while let Some(key) = reader.key() {
        let value = reader.value();
        if key.raw() == "hashValue" {
            hash = value.string();
        }
    }
    hash
}

/// The members as they stand, but those that are `null`, and the number of log files.
fn write_tree(text: &str, count: u32, event: &mut Event<'_>) {
    let mut reader = Reader::new(text);
    let mut runs = Runs::new(text);
    event.vendor().object("digest", |tree| {
        reader.object();
        while reader.key().is_some() {
            if reader.value().is_null() {
                runs.flush(tree);
            } else {
                runs.keep(&reader);
            }
        }
        runs.flush(tree);
        tree.integer("logFileCount", count);
    });
}

fn file_name(object: JsonText<'_>) -> Option<JsonText<'_>> {
    let (_, name) = object.raw().rsplit_once('/')?;
    Some(object.part(name))
}

/// The region in `…/CloudTrail-Digest/REGION/…`.
fn region(object: JsonText<'_>) -> Option<&str> {
    let (_, rest) = object.raw().split_once("CloudTrail-Digest/")?;
    rest.split('/').next().filter(|name| is_region(name))
}
