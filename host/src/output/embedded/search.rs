//! Searching all days: hits newest first, their number, and how they spread over time.
//!
//! Each search sees every day as its last commit left it, also while another process writes. Segments are asked in
//! parallel; their partial answers are exact and so is what is made of them.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::fs;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering as Atomic};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;
use tantivy::Searcher;
use tantivy::index::SegmentReader;
use tantivy::schema::{TantivyDocument, Value};

use super::bits::Bits;
use super::day::{self, Span};
use super::document::whole;
use super::error::IndexError;
use super::evaluate::{Failure, Segment};
use super::schema::schema;
use super::{EmbeddedIndex, lock, postings};
use crate::query::Plan;
use crate::query::fields::TIMESTAMP;
use crate::query::plan::Predicate;

/// Hits of one search, with those skipped.
const MAXIMUM_HITS: usize = 1_000_000;

/// Buckets that a histogram without an interval has at most.
const BUCKETS: i64 = 60;

/// Seconds that the buckets of such a histogram may be long.
const INTERVALS: [i64; 19] = [
    1,
    5,
    10,
    30,
    60,
    300,
    600,
    1800,
    3600,
    10_800,
    21_600,
    43_200,
    86_400,
    432_000,
    864_000,
    2_592_000,
    7_776_000,
    31_536_000,
    315_360_000,
];

/// What to search for.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    pub plan: Plan,
    /// Earliest event time, nanoseconds since 1970.
    pub from: Option<i64>,
    /// Event time from which on nothing is wanted.
    pub to: Option<i64>,
    /// Hits wanted.
    pub limit: usize,
    /// Hits to skip before those.
    pub offset: usize,
}

impl SearchRequest {
    /// All time, the newest 50 hits.
    pub fn new(plan: Plan) -> Self {
        Self { plan, from: None, to: None, limit: 50, offset: 0 }
    }

    /// The times that hits can have, from the request and from the query itself.
    fn times(&self) -> RangeInclusive<i64> {
        let from = self.from.unwrap_or(i64::MIN);
        let to = match self.to {
            Some(to) => to.checked_sub(1),
            None => Some(i64::MAX),
        };
        // Nothing lies before the first instant there is.
        let Some(to) = to else { return empty() };
        intersect(&(from..=to), &times_of(&self.plan.predicate))
    }
}

#[expect(clippy::reversed_empty_ranges, reason = "no instant")]
fn empty() -> RangeInclusive<i64> {
    1..=0
}

fn intersect(left: &RangeInclusive<i64>, right: &RangeInclusive<i64>) -> RangeInclusive<i64> {
    *left.start().max(right.start())..=*left.end().min(right.end())
}

/// A range of times outside of which the predicate never holds.
fn times_of(predicate: &Predicate) -> RangeInclusive<i64> {
    match predicate {
        Predicate::Time(range) => range.clone(),
        Predicate::And(operands) => {
            operands.iter().map(times_of).fold(i64::MIN..=i64::MAX, |left, right| intersect(&left, &right))
        }
        _ => i64::MIN..=i64::MAX,
    }
}

/// The answer to a search.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Found {
    /// All documents that match, those not returned included.
    pub total: u64,
    /// Newest first; at the same time, by id.
    pub hits: Vec<Hit>,
}

/// A document found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub id: [u8; 16],
    pub frame: [u8; 16],
    pub timestamp_ns: i64,
    /// As it was added, byte for byte.
    pub json: Vec<u8>,
}

/// Hits by time.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Length of a bucket in nanoseconds; buckets start at multiples of it since 1970.
    pub interval_ns: i64,
    /// Those that are not empty, oldest first.
    pub buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    pub start_ns: i64,
    pub documents: u64,
}

/// A day as its last commit left it.
#[derive(Debug)]
pub(super) struct OpenDay {
    dir: PathBuf,
    /// Identifies the file that names the commit: each commit makes a new one.
    stamp: (u64, i64, i64),
    span: Span,
    searcher: SearcherDebug,
}

/// The engine's searcher, which prints nothing useful.
struct SearcherDebug(Searcher);

impl std::fmt::Debug for SearcherDebug {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} segments", self.0.segment_readers().len())
    }
}

/// A segment of an open day.
#[derive(Clone)]
pub(super) struct Part {
    day: Arc<OpenDay>,
    ordinal: u32,
}

impl Part {
    pub(super) fn reader(&self) -> &SegmentReader {
        self.day.searcher.0.segment_reader(self.ordinal)
    }

    pub(super) fn segment(&self) -> Segment<'_> {
        Segment::new(self.reader())
    }

    fn failed(&self, failure: Failure) -> IndexError {
        match failure {
            Failure::Engine(error) => IndexError::engine("search", &self.day.dir)(error),
            Failure::Refused(error) => error,
        }
    }
}

impl EmbeddedIndex {
    /// The newest hits and how many there are in all.
    ///
    /// # Errors
    /// When a day cannot be read, or the request goes beyond what one search returns.
    pub fn search(&self, request: &SearchRequest) -> Result<Found, IndexError> {
        let wanted = request.offset.saturating_add(request.limit);
        if wanted > MAXIMUM_HITS {
            return Err(IndexError::TooManyHits { limit: MAXIMUM_HITS });
        }
        let partial = self
            .over_segments(request, |part, hits| Ok((hits.count(), newest(part.reader(), &hits, wanted)?)))?;
        let total = partial.iter().map(|(_, (total, _))| total).sum();
        let mut candidates: Vec<(Candidate, &Part)> = partial
            .iter()
            .flat_map(|(part, (_, candidates))| candidates.iter().map(move |candidate| (*candidate, part)))
            .collect();
        candidates.sort_unstable_by(|(left, _), (right, _)| right.cmp(left));
        let chosen = candidates.into_iter().skip(request.offset).take(request.limit);
        Ok(Found { total, hits: load(chosen)? })
    }

    /// Hits by time; without an `interval_ns` one is chosen that gives at most 60 buckets. `limit` and `offset` of the
    /// request do not matter.
    ///
    /// # Errors
    /// When a day cannot be read.
    pub fn histogram(
        &self,
        request: &SearchRequest,
        interval_ns: Option<i64>,
    ) -> Result<Histogram, IndexError> {
        let times = |part: &Part| {
            let column = part.reader().fast_fields().date(TIMESTAMP)?;
            Ok(column.first_or_default_col(tantivy::DateTime::MIN))
        };
        let partial = self.over_segments(request, |part, hits| {
            let times = times(part)?;
            let mut span: Span = None;
            for document in hits.iter() {
                let time = times.get_val(document).into_timestamp_nanos();
                span = Some(span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
            }
            Ok((hits, span))
        })?;
        let spans = || partial.iter().filter_map(|(_, (_, span))| *span);
        let (Some(first), Some(last)) = (spans().map(|span| span.0).min(), spans().map(|span| span.1).max())
        else {
            return Ok(Histogram::default());
        };
        let interval_ns =
            interval_ns.filter(|interval| *interval > 0).unwrap_or_else(|| automatic_interval(first, last));
        let mut buckets: BTreeMap<i64, u64> = BTreeMap::new();
        for (part, (hits, _)) in &partial {
            let times = times(part).map_err(|failure| part.failed(failure))?;
            for document in hits.iter() {
                *buckets
                    .entry(times.get_val(document).into_timestamp_nanos().div_euclid(interval_ns))
                    .or_default() += 1;
            }
        }
        let buckets = buckets
            .into_iter()
            .map(|(number, documents)| Bucket { start_ns: number.saturating_mul(interval_ns), documents })
            .collect();
        Ok(Histogram { interval_ns, buckets })
    }

    /// Committed documents of an object.
    ///
    /// # Errors
    /// When a day cannot be read.
    pub fn count_object(&self, object: [u8; 16]) -> Result<u64, IndexError> {
        let mut count = 0;
        for part in self.parts(&(i64::MIN..=i64::MAX))? {
            count +=
                postings::count_object(part.reader(), object).map_err(|error| part.failed(error.into()))?;
        }
        Ok(count)
    }

    /// Runs `work` on the hits of every segment that can have some, on several threads.
    pub(super) fn over_segments<T: Send>(
        &self,
        request: &SearchRequest,
        work: impl Fn(&Part, Bits) -> Result<T, Failure> + Sync,
    ) -> Result<Vec<(Part, T)>, IndexError> {
        let times = request.times();
        if times.is_empty() {
            return Ok(Vec::new());
        }
        let parts = self.parts(&times)?;
        let results = Mutex::new(Vec::with_capacity(parts.len()));
        let next = AtomicUsize::new(0);
        let run = || {
            while let Some(part) = parts.get(next.fetch_add(1, Atomic::Relaxed)) {
                let hits = part.segment().hits(&request.plan.predicate, &times);
                let result =
                    hits.and_then(|hits| work(part, hits)).map_err(|failure| part.failed(failure))?;
                lock(&results).push((part.clone(), result));
            }
            Ok(())
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(parts.len()).min(8);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
            let mut result = run();
            for thread in threads {
                let other =
                    thread.join().unwrap_or_else(|_| Err(IndexError::Stopped { dir: self.dir.clone() }));
                result = result.and(other);
            }
            result
        })?;
        Ok(results.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The segments of the days that may have events at these times.
    fn parts(&self, times: &RangeInclusive<i64>) -> Result<Vec<Part>, IndexError> {
        let mut parts = Vec::new();
        let dates = self.days()?;
        lock(&self.days).retain(|date, _| dates.binary_search(date).is_ok());
        for date in dates {
            let Some(day) = self.open_day(date)? else { continue };
            let outside = day.span.is_some_and(|(first, last)| last < *times.start() || *times.end() < first);
            if outside {
                continue;
            }
            let count = day.searcher.0.segment_readers().len() as u32;
            parts.extend((0..count).map(|ordinal| Part { day: Arc::clone(&day), ordinal }));
        }
        Ok(parts)
    }

    /// `None` for a day without a commit, or removed meanwhile.
    fn open_day(&self, date: Date) -> Result<Option<Arc<OpenDay>>, IndexError> {
        let dir = day::folder(&self.dir, date);
        // Read before opening: a commit in between makes the next search open the day again, and never the reverse.
        let Some(stamp) = stamp(&dir) else { return Ok(None) };
        if let Some(day) = lock(&self.days).get(&date).filter(|day| day.stamp == stamp) {
            return Ok(Some(Arc::clone(day)));
        }
        let Some(index) = day::open_existing(&dir)? else { return Ok(None) };
        let meta = index.load_metas().map_err(IndexError::engine("read", &dir))?;
        let reader = day::open_reader(&index).map_err(IndexError::engine("open", &dir))?;
        // A commit between these two reads can only have widened the span.
        let meta_after = index.load_metas().map_err(IndexError::engine("read", &dir))?;
        let span = match (day::span_of(meta.payload.as_deref()), day::span_of(meta_after.payload.as_deref()))
        {
            (Some(before), Some(after)) => Some((before.0.min(after.0), before.1.max(after.1))),
            _ => None,
        };
        let day = Arc::new(OpenDay { dir, stamp, span, searcher: SearcherDebug(reader.searcher()) });
        lock(&self.days).insert(date, Arc::clone(&day));
        Ok(Some(day))
    }
}

fn stamp(dir: &Path) -> Option<(u64, i64, i64)> {
    let metadata = fs::metadata(dir.join("meta.json")).ok()?;
    Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
}

fn automatic_interval(first: i64, last: i64) -> i64 {
    let intervals = INTERVALS.into_iter().map(|seconds| seconds * 1_000_000_000);
    let fits = |interval: &i64| last.div_euclid(*interval) - first.div_euclid(*interval) < BUCKETS;
    intervals.into_iter().find(fits).unwrap_or(i64::MAX)
}

/// A hit before its document is read. Greater is earlier in the answer: newer, then the lower id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    timestamp: i64,
    id: Reverse<[u64; 2]>,
    document: u32,
}

/// The first `wanted` hits of a segment, in no order.
fn newest(reader: &SegmentReader, hits: &Bits, wanted: usize) -> Result<Vec<Candidate>, Failure> {
    if wanted == 0 || hits.is_empty() {
        return Ok(Vec::new());
    }
    let columns = reader.fast_fields();
    let times = columns.date(TIMESTAMP)?.first_or_default_col(tantivy::DateTime::MIN);
    let high = columns.column_first_or_default::<u64>("id_high")?;
    let low = columns.column_first_or_default::<u64>("id_low")?;
    let mut heap: BinaryHeap<Reverse<Candidate>> = BinaryHeap::new();
    for document in hits.iter() {
        let timestamp = times.get_val(document).into_timestamp_nanos();
        let worst = heap.peek().filter(|_| heap.len() == wanted);
        if worst.is_some_and(|worst| timestamp < worst.0.timestamp) {
            continue;
        }
        let id = Reverse([high.get_val(document), low.get_val(document)]);
        let candidate = Candidate { timestamp, id, document };
        match worst.map(|worst| candidate.cmp(&worst.0)) {
            None => heap.push(Reverse(candidate)),
            Some(Ordering::Greater) => {
                heap.pop();
                heap.push(Reverse(candidate));
            }
            Some(_) => {}
        }
    }
    Ok(heap.into_iter().map(|Reverse(candidate)| candidate).collect())
}

/// Reads the documents, block by block of each segment's store.
fn load<'a>(chosen: impl Iterator<Item = (Candidate, &'a Part)>) -> Result<Vec<Hit>, IndexError> {
    let field = schema().1.json;
    let mut stores = BTreeMap::new();
    let mut hits = Vec::new();
    for (candidate, part) in chosen {
        let mut read = || {
            let key = (Arc::as_ptr(&part.day), part.ordinal);
            let (store, frames) = match stores.entry(key) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let columns = part.reader().fast_fields();
                    let high = columns.column_first_or_default::<u64>("frame_high")?;
                    let low = columns.column_first_or_default::<u64>("frame_low")?;
                    entry.insert((part.reader().get_store_reader(8)?, [high, low]))
                }
            };
            let document: TantivyDocument = store.get(candidate.document)?;
            let json = document
                .get_first(field)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
                .as_bytes()
                .to_vec();
            Ok(Hit {
                id: whole(candidate.id.0),
                frame: whole([frames[0].get_val(candidate.document), frames[1].get_val(candidate.document)]),
                timestamp_ns: candidate.timestamp,
                json,
            })
        };
        hits.push(read().map_err(|failure| part.failed(failure))?);
    }
    Ok(hits)
}
