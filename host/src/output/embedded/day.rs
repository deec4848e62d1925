//! The index of one object day while it is written.
//!
//! What happens to a day between commits is a list of operations in order: segments written, objects deleted, frames
//! deleted. A commit replays it on the engine's writer, where a deletion concerns what came before it and never what
//! comes after, so deleting an object and adding it again in one commit leaves exactly the new documents. The engine
//! publishes a day's commit by renaming one file; a process that dies before that leaves the day as it was, and the
//! orphaned files are removed by the next commit.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::civil::Date;
use tantivy::directory::{Directory, MmapDirectory};
use tantivy::index::{Segment, SegmentId, SegmentMeta, SegmentReader};
use tantivy::indexer::{IndexWriterOptions, NoMergePolicy};
use tantivy::store::Compressor;
use tantivy::{Index, IndexMeta, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, TantivyError};

use super::builder::{Builder, Written};
use super::deletion::{Deletion, Target};
use super::document::halves;
use super::error::IndexError;
use super::schema::{schema, tokenizers};
use super::{Settings, lock, postings};

/// First and last event time of a day's documents, kept with each commit so that a search can pass the day by.
pub(super) type Span = Option<(i64, i64)>;

pub(super) struct Day {
    pub(super) date: Date,
    pub(super) dir: PathBuf,
    index: Index,
    state: Mutex<State>,
}

struct State {
    idle: Vec<Builder>,
    operations: Vec<Operation>,
    span: Span,
    writer: Option<IndexWriter>,
    /// A merge runs on `writer`, which must stay open.
    merging: bool,
    /// When the engine's writer was last needed, by the writer's own count.
    used: u64,
}

enum Operation {
    Segment(Written),
    Delete(Target),
}

/// An idle builder, as the writer of all days chooses among them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idle {
    pub(super) memory: usize,
    pub(super) used: u64,
}

/// The folder of a day.
pub(super) fn folder(dir: &Path, date: Date) -> PathBuf {
    dir.join(date.to_string())
}

/// Opens or makes the engine's index of a day. `directory` is the day's folder as the engine sees it.
fn open_or_create(directory: Box<dyn Directory>) -> Result<Index, TantivyError> {
    let settings = IndexSettings {
        docstore_compression: Compressor::Lz4,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    };
    let mut index = Index::builder()
        .schema(schema().0.clone())
        .settings(settings)
        .tokenizers(tokenizers())
        .open_or_create(directory)?;
    index.set_tokenizers(tokenizers());
    Ok(index)
}

/// Opens a day's index for reading; `None` if there is none (any more).
pub(super) fn open_existing(dir: &Path) -> Result<Option<Index>, IndexError> {
    if !dir.join("meta.json").exists() {
        return Ok(None);
    }
    let index = Index::open_in_dir(dir).map_err(IndexError::engine("open", dir))?;
    if index.schema() != schema().0 {
        return Err(IndexError::SchemaVersion { dir: dir.to_owned(), found: "of unknown fields".to_owned() });
    }
    Ok(Some(index))
}

/// A reader of what is committed now.
pub(super) fn open_reader(index: &Index) -> Result<IndexReader, TantivyError> {
    index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()
}

/// Reads the span a commit recorded; a commit without one (none of ours) may hold any time.
pub(super) fn span_of(payload: Option<&str>) -> Span {
    let payload = payload?;
    let value: serde_json::Value = serde_json::from_str(payload).ok()?;
    Some((value.get("first")?.as_i64()?, value.get("last")?.as_i64()?))
}

/// Removes lists of deleted documents that a killed process wrote and did not commit. The engine would give the next
/// ones the same names, and refuses to write over them.
fn remove_stray_deletions(dir: &Path, meta: &IndexMeta) -> std::io::Result<()> {
    let name_of = |segment: &SegmentMeta| {
        segment
            .delete_opstamp()
            .map(|stamp| PathBuf::from(format!("{}.{stamp}.del", segment.id().uuid_string())))
    };
    let known: HashSet<PathBuf> = meta.segments.iter().filter_map(name_of).collect();
    for entry in fs::read_dir(dir)? {
        let name = PathBuf::from(entry?.file_name());
        if name.extension().is_some_and(|extension| extension == "del") && !known.contains(&name) {
            fs::remove_file(dir.join(name))?;
        }
    }
    Ok(())
}

impl Day {
    pub(super) fn open(date: Date, settings: &Settings, parent: &Path) -> Result<Self, IndexError> {
        let dir = folder(parent, date);
        fs::create_dir_all(&dir).map_err(IndexError::io("make the folder", &dir))?;
        fs::File::open(parent)
            .and_then(|file| file.sync_all())
            .map_err(IndexError::io("sync the folder", parent))?;
        let directory = MmapDirectory::open(&dir)
            .map_err(TantivyError::from)
            .and_then(|directory| open_or_create(settings.wrap(directory)))
            .map_err(IndexError::engine("open", &dir));
        let index = directory?;
        if index.schema() != schema().0 {
            return Err(IndexError::SchemaVersion { dir, found: "of unknown fields".to_owned() });
        }
        let meta = index.load_metas().map_err(IndexError::engine("read", &dir))?;
        remove_stray_deletions(&dir, &meta).map_err(IndexError::io("tidy up", &dir))?;
        let span = span_of(meta.payload.as_deref());
        let state =
            State { idle: Vec::new(), operations: Vec::new(), span, writer: None, merging: false, used: 0 };
        Ok(Self { date, dir, index, state: Mutex::new(state) })
    }

    pub(super) fn engine(&self, action: &'static str) -> impl FnOnce(TantivyError) -> IndexError + use<> {
        IndexError::engine(action, &self.dir)
    }

    /// A builder to add to, for the caller alone until it is put back.
    pub(super) fn take(&self) -> Result<Builder, IndexError> {
        if let Some(builder) = lock(&self.state).idle.pop() {
            return Ok(builder);
        }
        Builder::new(&self.index).map_err(self.engine("add to"))
    }

    pub(super) fn put_back(&self, builder: Builder) {
        let mut state = lock(&self.state);
        let (first, last) = builder.span();
        if first <= last {
            let span = state.span.unwrap_or((first, last));
            state.span = Some((span.0.min(first), span.1.max(last)));
        }
        state.idle.push(builder);
    }

    pub(super) fn idle(&self) -> Vec<Idle> {
        lock(&self.state)
            .idle
            .iter()
            .map(|builder| Idle { memory: builder.memory(), used: builder.used })
            .collect()
    }

    /// Writes the idle builder chosen by `idle` to disk and gives the memory it freed; 0 if another thread took it.
    pub(super) fn write_out(&self, chosen: Idle) -> Result<usize, IndexError> {
        let builder = {
            let mut state = lock(&self.state);
            let position = state.idle.iter().position(|builder| builder.used == chosen.used);
            position.map(|position| state.idle.swap_remove(position))
        };
        builder.map_or(Ok(0), |builder| self.write(builder))
    }

    fn write(&self, builder: Builder) -> Result<usize, IndexError> {
        let memory = builder.memory();
        let written = builder.write().map_err(self.engine("write to"))?;
        lock(&self.state).operations.push(Operation::Segment(written));
        Ok(memory)
    }

    /// Writes out every idle builder; gives the memory freed.
    pub(super) fn write_all(&self) -> Result<usize, IndexError> {
        self.write_those(|_| true)
    }

    fn write_those(&self, chosen: impl Fn(&Builder) -> bool) -> Result<usize, IndexError> {
        let mut freed = 0;
        loop {
            let builder = {
                let mut state = lock(&self.state);
                let position = state.idle.iter().position(&chosen);
                position.map(|position| state.idle.swap_remove(position))
            };
            match builder {
                Some(builder) => freed += self.write(builder)?,
                None => return Ok(freed),
            }
        }
    }

    /// Deletes an object's documents added so far. Gives the memory that writing out freed.
    pub(super) fn delete_object(&self, object: [u8; 16]) -> Result<usize, IndexError> {
        let freed = self.write_those(|builder| builder.holds_object(&object))?;
        let mut state = lock(&self.state);
        let is_pending = state.operations.iter().any(|operation| match operation {
            Operation::Segment(written) => written.objects.contains(&object),
            Operation::Delete(_) => false,
        });
        if is_pending || self.count(&self.index, object)? > 0 {
            state.operations.push(Operation::Delete(Target::Object(object)));
        }
        Ok(freed)
    }

    /// Deletes the frames' documents added so far. Gives the memory that writing out freed.
    pub(super) fn delete_frames(&self, frames: &[[u8; 16]]) -> Result<usize, IndexError> {
        let frames: HashSet<[u64; 2]> = frames.iter().map(|frame| halves(*frame)).collect();
        let prefixes: BTreeSet<u64> = frames.iter().map(|[high, _]| *high).collect();
        let freed = self.write_those(|builder| builder.may_hold_frame(&prefixes))?;
        let mut state = lock(&self.state);
        if let Some(Operation::Delete(Target::Frames(before))) = state.operations.last_mut() {
            Arc::make_mut(before).extend(frames);
        } else if !frames.is_empty() {
            state.operations.push(Operation::Delete(Target::Frames(Arc::new(frames))));
        }
        Ok(freed)
    }

    fn count(&self, index: &Index, object: [u8; 16]) -> Result<u64, IndexError> {
        // Through a reader, which keeps a merge that ends meanwhile from removing files just listed.
        let reader = open_reader(index).map_err(self.engine("read"))?;
        let mut count = 0;
        for segment in reader.searcher().segment_readers() {
            count += postings::count_object(segment, object).map_err(self.engine("read"))?;
        }
        Ok(count)
    }

    pub(super) fn is_pending(&self) -> bool {
        let state = lock(&self.state);
        !state.operations.is_empty() || !state.idle.is_empty()
    }

    /// Makes all operations so far durable and visible. Gives, for each object, the documents of it that are new in
    /// this commit, counted in the committed segments.
    pub(super) fn commit(&self, used: u64) -> Result<BTreeMap<[u8; 16], u64>, IndexError> {
        let mut state = lock(&self.state);
        if state.operations.is_empty() {
            return Ok(BTreeMap::new());
        }
        state.used = used;
        let operations = std::mem::take(&mut state.operations);
        let payload =
            state.span.map(|(first, last)| serde_json::json!({"first": first, "last": last}).to_string());
        let writer = self.writer(&mut state)?;
        let added = replay(operations, writer, payload).map_err(self.engine("commit to"))?;
        // The engine syncs the files and then renames the one that names them, and leaves the renaming to the system.
        fs::File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(IndexError::io("sync the folder", &self.dir))?;
        self.acknowledge(&added)
    }

    fn acknowledge(&self, added: &HashSet<SegmentId>) -> Result<BTreeMap<[u8; 16], u64>, IndexError> {
        let mut counts = BTreeMap::new();
        let segments = self.index.searchable_segments().map_err(self.engine("read"))?;
        for segment in segments.iter().filter(|segment| added.contains(&segment.id())) {
            SegmentReader::open(segment)
                .and_then(|reader| postings::count_objects(&reader, &mut counts))
                .map_err(self.engine("read"))?;
        }
        Ok(counts)
    }

    fn writer<'a>(&self, state: &'a mut State) -> Result<&'a mut IndexWriter, IndexError> {
        if state.writer.is_none() {
            // Documents never go through the engine's own threads: the smallest budget it allows stays unused.
            let options = IndexWriterOptions::builder().num_worker_threads(1).num_merge_threads(1).build();
            let writer: IndexWriter =
                self.index.writer_with_options(options).map_err(self.engine("open for writing"))?;
            writer.set_merge_policy(Box::new(NoMergePolicy));
            state.writer = Some(writer);
        }
        state.writer.as_mut().ok_or_else(|| IndexError::Stopped { dir: self.dir.clone() })
    }

    /// Starts merging the segments that `choose` picks from the committed ones, and waits for the end of it.
    /// `Ok(false)` when there was nothing to merge.
    pub(super) fn merge(
        &self,
        choose: impl Fn(&Path, &[Segment]) -> Vec<SegmentId>,
    ) -> Result<bool, IndexError> {
        let merge = {
            let mut state = lock(&self.state);
            let segments = self.index.searchable_segments().map_err(self.engine("read"))?;
            let chosen = choose(&self.dir, &segments);
            if chosen.is_empty() {
                return Ok(false);
            }
            drop(segments);
            let merge = self.writer(&mut state)?.merge(&chosen);
            state.merging = true;
            merge
        };
        let merged = merge.wait();
        lock(&self.state).merging = false;
        merged.map(|_| true).map_err(self.engine("merge"))
    }

    /// When the engine's writer was last used; `None` if it is closed or has to stay open.
    pub(super) fn closable(&self) -> Option<u64> {
        let state = lock(&self.state);
        (state.writer.is_some() && !state.merging).then_some(state.used)
    }

    /// Whether the engine's writer is open.
    pub(super) fn is_open(&self) -> bool {
        lock(&self.state).writer.is_some()
    }

    /// Closes the engine's writer and its threads, unless it merges.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        if !state.merging {
            state.writer = None;
        }
    }
}

fn replay(
    operations: Vec<Operation>,
    writer: &mut IndexWriter,
    payload: Option<String>,
) -> Result<HashSet<SegmentId>, TantivyError> {
    let id = |operation: &Operation| match operation {
        Operation::Segment(written) => Some(written.meta.id()),
        Operation::Delete(_) => None,
    };
    let added: HashSet<SegmentId> = operations.iter().filter_map(id).collect();
    let mut after = added.clone();
    for operation in operations {
        match operation {
            Operation::Segment(written) => {
                after.remove(&written.meta.id());
                writer.add_segment(written.meta)?;
            }
            Operation::Delete(target) => {
                writer.delete_query(Box::new(Deletion { target, spared: Arc::new(after.clone()) }))?;
            }
        }
    }
    let mut commit = writer.prepare_commit()?;
    if let Some(payload) = payload {
        commit.set_payload(&payload);
    }
    commit.commit()?;
    Ok(added)
}
