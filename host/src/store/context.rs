//! What is kept of a frame so that it can be parsed again without its object, and the way back.

use crate::ingest::stream::{FrameBatch, FrameKind, Wrapped};
use crate::ledger::ObjectId;
use crate::pipeline::{Origin, SetAside, SetAsideKind};
use crate::quarantine::{Entry, EntryKind, EntryParser, FrameContext, Framing, WrappedContext};
use crate::route::Route;

/// The context of a frame of a batch.
pub(super) fn of_batch(batch: &FrameBatch, index: usize, origin: &Origin, route: &Route) -> FrameContext {
    of(batch.kind, batch.header.as_deref(), batch.wrapped.get(index), origin, Some(route))
}

fn of(
    kind: FrameKind,
    header: Option<&str>,
    wrapped: Option<&Wrapped>,
    origin: &Origin,
    route: Option<&Route>,
) -> FrameContext {
    let stream = &origin.stream;
    FrameContext {
        framing: match kind {
            FrameKind::Text => Framing::Text,
            FrameKind::Json => Framing::Json,
            FrameKind::ParquetRow => Framing::ParquetRow,
        },
        reference_time: origin.reference_time,
        time_zone: route.map_or_else(|| "UTC".to_owned(), |route| route.zone.name.clone()),
        account: origin.account.clone(),
        region: origin.region.clone(),
        team: origin.team.clone(),
        log_group: stream.log_group.clone(),
        log_stream: stream.log_stream.clone(),
        container: stream.container.clone(),
        host: origin.host.clone(),
        attributes: stream.attributes.clone(),
        header: header.map(str::to_owned),
        wrapped: wrapped.map(|wrapped| WrappedContext {
            id: wrapped.id.clone(),
            time: wrapped.time_ns,
            attributes: wrapped.attributes.clone(),
        }),
    }
}

/// The quarantine's entry of a frame that is set aside.
pub(super) fn entry_of(frame: &SetAside<'_>) -> Entry {
    Entry {
        frame_id: frame.frame_id.0,
        object: ObjectId(frame.object.id),
        bucket: frame.object.bucket.clone(),
        key: frame.object.key.clone(),
        version: frame.object.version.clone(),
        member: frame.origin.stream.member.clone(),
        offset: frame.offset,
        length: frame.length,
        complete: frame.complete,
        kind: match frame.kind {
            SetAsideKind::Malformed => EntryKind::Malformed,
            SetAsideKind::Condemned => EntryKind::Condemned,
            SetAsideKind::Damaged => EntryKind::Damaged,
            SetAsideKind::Waiting => EntryKind::Waiting,
        },
        reason: frame.reason.clone(),
        log_type: frame.route.map(|route| route.log_type.clone()),
        parser: frame.route.map(|route| EntryParser {
            name: route.parser.manifest().name.clone(),
            version: route.parser.manifest().version.clone(),
            digest: route.parser.digest().to_owned(),
        }),
        context: of(frame.framing, frame.header, frame.wrapped, frame.origin, frame.route),
    }
}
