//! One whole local file, from its path into the store: what `weir ingest` and `weir run` do with each.

use crate::event::object_id;
use crate::ingest::source::{LocalObject, Stamp, content_version};
use crate::ingest::stream::Input;
use crate::ledger::{ObjectId, ObjectRecord};
use crate::pipeline::{ObjectRef, Pipeline};
use crate::store::{Earlier, Store};
use anyhow::Context;
use std::fs::File;
use std::io::Seek;

/// What a file came to.
#[derive(Debug)]
pub(crate) enum Taken {
    /// To be committed with its group; the records of the groups committed by it.
    Processed(Vec<ObjectRecord>),
    /// Done before, by the same parsers and rules.
    Unchanged(Box<ObjectRecord>),
    /// The same object as another file's that is under way.
    Twin(ObjectId),
}

/// Processes a file, unless the store has done so. `forced` is a log type in place of the route; `again` processes what
/// is done, too.
///
/// # Errors
/// When it cannot be read or stored, or changed while it was read: then nothing of it counts.
pub(crate) fn take(
    local: &LocalObject,
    pipeline: &Pipeline,
    store: &Store,
    forced: Option<&str>,
    again: bool,
) -> anyhow::Result<Taken> {
    let unreadable = || format!("cannot read {}", local.path.display());
    let mut file = File::open(&local.path).with_context(unreadable)?;
    let stamp = Stamp::of(&file.metadata().with_context(unreadable)?);
    let version = content_version(&mut file).with_context(unreadable)?;
    stamp.check(&file, &local.path)?;
    file.rewind()?;
    let object = ObjectRef {
        id: object_id(&local.bucket, &local.key, &version),
        bucket: local.bucket.clone(),
        key: local.key.clone(),
        version,
        modified: stamp.modified,
        base: 0,
    };
    let (day, before, claim) = match store.earlier(&object, &pipeline.router, forced, again)? {
        Earlier::Done(record) => return Ok(Taken::Unchanged(record)),
        Earlier::UnderWay => return Ok(Taken::Twin(ObjectId(object.id))),
        Earlier::Again { day, record, claim } => (day, record, claim),
    };
    store.announce(std::slice::from_ref(&object))?;
    let mut writer = store.begin(&object, day, claim)?;
    let watched = file.try_clone().with_context(unreadable)?;
    let counts = pipeline.process(&object, Input::File(file), forced, &mut writer);
    // Before anything that failed: a file that changed is the likelier cause.
    if let Err(changed) = stamp.check(&watched, &local.path) {
        store.abandon(writer)?;
        return Err(changed.into());
    }
    let counts = counts?;
    let processed_by = store.processed_by(&object, &counts.log_types, &pipeline.router, forced);
    let mut prepared = writer.finish(&counts, processed_by, before.as_deref())?;
    prepared.record.path = Some(local.path.display().to_string());
    prepared.record.size = stamp.length;
    Ok(Taken::Processed(store.add(prepared)?))
}
