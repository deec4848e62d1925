//! Listings of objects and versions.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::object::canonical_id;
use super::{Target, bucket, invalid_argument};
use crate::call::Call;
use crate::error::AwsError;
use crate::http::Reply;
use crate::state::State;
use crate::world::ObjectVersion;
use crate::xml::Element;

const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'*');

/// The parameters of a listing.
struct Wanted<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    most: usize,
    encoded: bool,
}

impl<'a> Wanted<'a> {
    fn of(call: &'a Call<'_>) -> Result<Self, AwsError> {
        let most = match call.request.parameter("max-keys") {
            None => 1_000,
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| invalid_argument("Provided max-keys not an integer or within integer range"))?,
        };
        Ok(Self {
            prefix: call.request.parameter("prefix").unwrap_or_default(),
            delimiter: call.request.parameter("delimiter").unwrap_or_default(),
            most: most.min(1_000),
            encoded: call.request.parameter("encoding-type") == Some("url"),
        })
    }

    fn show(&self, text: &str) -> String {
        if self.encoded { utf8_percent_encode(text, RESERVED).to_string() } else { text.to_owned() }
    }

    /// The common prefix that stands for a key, if a delimiter rolls it up.
    fn rolled<'k>(&self, key: &'k str) -> Option<&'k str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = key.get(self.prefix.len()..)?;
        let at = rest.find(self.delimiter)?;
        key.get(..self.prefix.len() + at + self.delimiter.len())
    }
}

pub(super) fn objects(state: &State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let wanted = Wanted::of(call)?;
    let bucket = bucket(state, target)?;
    let token = call.request.parameter("continuation-token");
    let start = call.request.parameter("start-after");
    let after = match token {
        Some(token) => token
            .strip_prefix("after:")
            .ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))?,
        None => start.unwrap_or_default(),
    };
    let mut shown: Vec<Element> = Vec::new();
    let mut prefixes: BTreeSet<&str> = BTreeSet::new();
    let (mut last, mut more) = ("", false);
    for (key, versions) in bucket.objects.range(wanted.prefix.to_owned()..) {
        if !key.starts_with(wanted.prefix) {
            break;
        }
        let Some(version) = versions.last().filter(|version| !version.delete_marker) else { continue };
        let rolled = wanted.rolled(key);
        if key.as_str() <= after
            || rolled.is_some_and(|prefix| !after.is_empty() && after.starts_with(prefix))
        {
            continue;
        }
        if rolled.is_some_and(|prefix| prefixes.contains(prefix)) {
            last = key;
            continue;
        }
        if shown.len() + prefixes.len() >= wanted.most {
            more = wanted.most > 0;
            break;
        }
        last = key;
        match rolled {
            Some(prefix) => {
                prefixes.insert(prefix);
            }
            None => shown.push(
                Element::new("Contents")
                    .text("Key", wanted.show(key))
                    .text("LastModified", crate::clock::iso_ms(version.modified_ms))
                    .text("ETag", &*version.etag)
                    .text("Size", version.body.size().to_string())
                    .text("StorageClass", &*version.storage_class),
            ),
        }
    }
    let mut answer = Element::new("ListBucketResult")
        .text("Name", &*target.bucket)
        .text("Prefix", wanted.show(wanted.prefix))
        .text("MaxKeys", wanted.most.to_string())
        .text("KeyCount", (shown.len() + prefixes.len()).to_string())
        .text("IsTruncated", more.to_string());
    if !wanted.delimiter.is_empty() {
        answer = answer.text("Delimiter", wanted.show(wanted.delimiter));
    }
    if wanted.encoded {
        answer = answer.text("EncodingType", "url");
    }
    if let Some(token) = token {
        answer = answer.text("ContinuationToken", token);
    }
    if let Some(start) = start {
        answer = answer.text("StartAfter", wanted.show(start));
    }
    if more {
        answer = answer.text("NextContinuationToken", format!("after:{last}"));
    }
    let rolled =
        prefixes.iter().map(|prefix| Element::new("CommonPrefixes").text("Prefix", wanted.show(prefix)));
    Ok(Reply::s3(&answer.all(shown).all(rolled)))
}

pub(super) fn versions(state: &State, call: &Call<'_>, target: &Target) -> Result<Reply, AwsError> {
    let wanted = Wanted::of(call)?;
    let bucket = bucket(state, target)?;
    let key_marker = call.request.parameter("key-marker").unwrap_or_default();
    let id_marker = call.request.parameter("version-id-marker");
    let all = bucket
        .objects
        .range(wanted.prefix.to_owned()..)
        .take_while(|(key, _)| key.starts_with(wanted.prefix))
        .filter(|(key, _)| key.as_str() >= key_marker)
        // Latest first within a key.
        .flat_map(|(key, versions)| {
            versions.iter().rev().enumerate().map(move |(index, version)| (key, index == 0, version))
        });
    let mut shown = Vec::new();
    let mut next: Option<(&String, &ObjectVersion)> = None;
    let mut passed = key_marker.is_empty();
    let mut last: Option<(&String, &ObjectVersion)> = None;
    for (key, latest, version) in all {
        if !passed {
            if key.as_str() > key_marker {
                passed = true;
            } else {
                passed = id_marker.is_some_and(|marker| marker == version.version_id);
                continue;
            }
        }
        if shown.len() >= wanted.most {
            next = last;
            break;
        }
        last = Some((key, version));
        let element = Element::new(if version.delete_marker { "DeleteMarker" } else { "Version" })
            .text("Key", wanted.show(key))
            .text("VersionId", &*version.version_id)
            .text("IsLatest", latest.to_string())
            .text("LastModified", crate::clock::iso_ms(version.modified_ms))
            .with(Element::new("Owner").text("ID", canonical_id(state, &version.owner)));
        shown.push(if version.delete_marker {
            element
        } else {
            element
                .text("ETag", &*version.etag)
                .text("Size", version.body.size().to_string())
                .text("StorageClass", &*version.storage_class)
        });
    }
    let mut answer = Element::new("ListVersionsResult")
        .text("Name", &*target.bucket)
        .text("Prefix", wanted.show(wanted.prefix))
        .text("KeyMarker", wanted.show(key_marker))
        .text("MaxKeys", wanted.most.to_string())
        .text("IsTruncated", next.is_some().to_string());
    if wanted.encoded {
        answer = answer.text("EncodingType", "url");
    }
    if let Some((key, version)) = next {
        answer =
            answer.text("NextKeyMarker", wanted.show(key)).text("NextVersionIdMarker", &*version.version_id);
    }
    Ok(Reply::s3(&answer.all(shown)))
}
