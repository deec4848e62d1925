//! A batch of frames in the shape of the contract.

use super::{ObjectRef, Origin};
use crate::ingest::stream::{FrameBatch, FrameKind};
use crate::parser::contract::{self, FramingKind, TimeZone, ZoneTransition};
use crate::route::Route;

fn pairs(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Lends a batch of frames to `run` in the shape of the contract.
pub fn with_contract_batch<T>(
    object: &ObjectRef,
    origin: &Origin,
    route: &Route,
    batch: &FrameBatch,
    run: impl FnOnce(&contract::Batch<'_>) -> T,
) -> T {
    let stream = &origin.stream;
    let attributes = pairs(&stream.attributes);
    let transitions: Vec<ZoneTransition> = route
        .zone
        .transitions
        .iter()
        .map(|(at, offset)| ZoneTransition { at: *at, offset: *offset })
        .collect();
    let wrapped_attributes: Vec<Vec<(&str, &str)>> =
        batch.wrapped.iter().map(|wrapped| pairs(&wrapped.attributes)).collect();
    let wrapped: Vec<contract::Wrapped<'_>> = batch
        .wrapped
        .iter()
        .zip(&wrapped_attributes)
        .map(|(wrapped, attributes)| contract::Wrapped {
            id: wrapped.id.as_deref(),
            time: wrapped.time_ns,
            attributes,
        })
        .collect();
    run(&contract::Batch {
        origin: contract::Origin {
            account: origin.account.as_deref(),
            region: origin.region.as_deref(),
            bucket: &object.bucket,
            key: &object.key,
            version_id: Some(&object.version),
            archive_member: stream.member.as_deref(),
            log_type: &route.log_type,
            team: origin.team.as_deref(),
            log_group: stream.log_group.as_deref(),
            log_stream: stream.log_stream.as_deref(),
            container: stream.container.as_deref(),
            host: origin.host.as_deref(),
            attributes: &attributes,
        },
        reference_time: origin.reference_time,
        time_zone: TimeZone {
            name: &route.zone.name,
            initial_offset: route.zone.initial_offset,
            transitions: &transitions,
        },
        framing: match batch.kind {
            FrameKind::Text => FramingKind::Text,
            FrameKind::Json => FramingKind::Json,
            FrameKind::ParquetRow => FramingKind::ParquetRow,
        },
        header: batch.header.as_deref(),
        frames: &batch.bytes,
        ends: &batch.ends,
        wrapped: &wrapped,
    })
}
