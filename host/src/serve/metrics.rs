//! Counters for Prometheus, in the OpenMetrics text format.

use crate::ledger::ObjectRecord;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// The counters of one process, since its start.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    objects: Counter,
    bytes: Counter,
    frames: Family<OutcomeLabel, Counter>,
    events: Family<OutcomeLabel, Counter>,
    duplicates: Counter,
    unexplained: Counter,
    failures: Counter,
    reloads: Family<OutcomeLabel, Counter>,
    last_commit: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("weir");
        let metrics = Metrics {
            objects: Counter::default(),
            bytes: Counter::default(),
            frames: Family::default(),
            events: Family::default(),
            duplicates: Counter::default(),
            unexplained: Counter::default(),
            failures: Counter::default(),
            reloads: Family::default(),
            last_commit: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("objects", "Objects committed", metrics.objects.clone());
        registry.register_with_unit("read", "Decompressed bytes read", Unit::Bytes, metrics.bytes.clone());
        registry.register("frames", "Frames by outcome", metrics.frames.clone());
        registry.register("events", "Events by end", metrics.events.clone());
        registry.register("duplicates", "Events that were in the index before", metrics.duplicates.clone());
        registry.register(
            "unexplained",
            "Frames, events and bytes that the ledger cannot explain",
            metrics.unexplained.clone(),
        );
        registry.register(
            "failures",
            "Objects that could not be processed and will be tried again",
            metrics.failures.clone(),
        );
        registry.register(
            "parser_reloads",
            "Component files loaded, removed or refused",
            metrics.reloads.clone(),
        );
        registry.register_with_unit(
            "last_commit_timestamp",
            "When a group was committed last",
            Unit::Seconds,
            metrics.last_commit.clone(),
        );
        Metrics { registry, ..metrics }
    }
}

impl Metrics {
    /// Counts a committed object, or a piece of one.
    pub fn committed(&self, record: &ObjectRecord) {
        self.objects.inc();
        self.bytes.inc_by(record.bytes.read);
        let (frames, events) = (record.frames, record.events);
        for (outcome, count) in [
            ("parsed", frames.parsed),
            ("skipped", frames.skipped),
            ("quarantined", frames.quarantined),
            ("waiting", frames.waiting),
            ("unrouted", frames.unrouted),
        ] {
            self.frames.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
        }
        for (outcome, count) in [
            ("indexed", events.indexed),
            ("archived_only", events.archived_only),
            ("reduced", events.reduced),
            ("dead_lettered", events.dead_lettered),
        ] {
            self.events.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
        }
        self.duplicates.inc_by(events.duplicates);
        self.unexplained.inc_by(record.unexplained());
        self.last_commit.set(jiff::Timestamp::now().as_second());
    }

    /// Counts an object that will be tried again.
    pub fn failed(&self) {
        self.failures.inc();
    }

    /// Counts what a look at the parsers' folder changed.
    pub fn reloaded(&self, outcome: &'static str, count: usize) {
        self.reloads.get_or_create(&OutcomeLabel { outcome }).inc_by(count as u64);
    }

    /// The metrics as text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::ObjectId;

    #[test]
    fn a_committed_object_shows_in_every_counter() {
        let metrics = Metrics::default();
        let mut record = ObjectRecord::new(ObjectId([1; 16]), "b", "k", "v", jiff::civil::date(2026, 1, 1));
        record.frames.total = 3;
        record.frames.parsed = 2;
        record.events.indexed = 2;
        metrics.committed(&record);
        let text = metrics.encode();
        for line in [
            "weir_objects_total 1",
            "weir_frames_total{outcome=\"parsed\"} 2",
            "weir_events_total{outcome=\"indexed\"} 2",
            "weir_unexplained_total 3",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
