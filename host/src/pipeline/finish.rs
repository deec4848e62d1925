//! From a parser's answer to finished events.

use super::{Finished, FinishedEvent, ObjectRef, Origin, Stages};
use crate::event::{DocumentId, FrameId, Provenance, push_finished};
use crate::ingest::stream::FrameBatch;
use crate::parser::Answer;
use crate::parser::json_scan::{DocumentLimits, Member, scan};
use crate::route::Route;
use crate::volume::Decision;
use serde_json::{Map, Value};

/// Adds what is the host's, and decides about every event.
#[expect(clippy::too_many_arguments, reason = "the parts of one batch, each used once")]
pub(super) fn finish<'a>(
    stages: &Stages,
    wants_original: bool,
    object: &'a ObjectRef,
    batch: &'a FrameBatch,
    answer: &Answer,
    ids: &[FrameId],
    origin: &'a Origin,
    route: &'a Route,
) -> Finished<'a> {
    let manifest = route.parser.manifest();
    let member = batch.stream.member.as_deref();
    let parser = (manifest.name.as_str(), manifest.version.as_str(), route.parser.digest());
    let provenance = Provenance::new(&object.bucket, &object.key, member, &route.log_type, parser);
    let plain = stages.enricher.is_idle()
        && stages.redactor.is_idle(&route.log_type)
        && stages.volume.is_idle(&route.log_type);
    let mut text = Vec::with_capacity(answer.documents.len() + answer.entries.len() * 400);
    let mut events = Vec::with_capacity(answer.entries.len());
    for entry in &answer.entries {
        let Some(&frame_id) = ids.get(entry.frame as usize) else { continue };
        let offset = batch.positions.get(entry.frame as usize).map_or(0, |position| position.offset);
        let raw = batch.frame(entry.frame as usize);
        let id = frame_id.document(entry.number);
        let start = text.len();
        let (mut decision, mut redacted_original) = (Decision::Index, None);
        if plain {
            let original = wants_original.then_some(raw);
            let (document, members) = (answer.document(entry), answer.members_of(entry));
            push_finished(&mut text, document, members, &frame_id, offset, &provenance, original);
        } else {
            let changed = change(stages, answer.document(entry), origin, route, id, raw);
            decision = changed.decision;
            let original = changed.original.as_ref().map_or(Some(raw), |redacted| redacted.as_deref());
            let (document, members) = (changed.document.as_slice(), changed.members.as_slice());
            let original = original.filter(|_| wants_original);
            push_finished(&mut text, document, members, &frame_id, offset, &provenance, original);
            redacted_original = changed.original;
        }
        events.push(FinishedEvent {
            id,
            frame_id,
            frame: entry.frame,
            number: entry.number,
            timestamp: entry.timestamp,
            document: start..text.len(),
            decision,
            redacted_original,
        });
    }
    Finished { object, route, frames: batch, origin, text, events }
}

/// An event that was looked into.
struct Changed {
    document: Vec<u8>,
    members: Vec<Member>,
    decision: Decision,
    /// As [`FinishedEvent::redacted_original`].
    original: Option<Option<Vec<u8>>>,
}

/// Enrichment, the volume decision (on what the event says), and redaction, last, of everything that was added.
fn change(
    stages: &Stages,
    document: &[u8],
    origin: &Origin,
    route: &Route,
    id: DocumentId,
    raw: &[u8],
) -> Changed {
    // The answer was checked: it is an object.
    let mut event: Map<String, Value> = serde_json::from_slice(document).unwrap_or_default();
    stages.enricher.enrich(&mut event);
    let account =
        event.get("cloud").and_then(|cloud| cloud.get("account")?.get("id")?.as_str()).map(str::to_owned);
    let account = account.as_deref().or(origin.account.as_deref());
    let decision = stages.volume.decide(&route.log_type, account, &event, id);
    let original = if stages.redactor.is_idle(&route.log_type) {
        None
    } else {
        let redacted = stages.redactor.redact(&route.log_type, account, &mut event, raw);
        (redacted.as_deref() != Some(raw)).then_some(redacted)
    };
    // Writing to a Vec cannot fail, and what was parsed can be written.
    let document = serde_json::to_vec(&event).unwrap_or_else(|_| b"{}".to_vec());
    let mut members = Vec::new();
    let _ = scan(&document, DocumentLimits { fields: u32::MAX, depth: 64 }, &mut members);
    Changed { document, members, decision, original }
}
