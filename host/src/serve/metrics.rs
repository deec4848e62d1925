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
    /// Counts a committed object; of one that grew, what it gained over `before`.
    pub fn grew(&self, record: &ObjectRecord, before: Option<&ObjectRecord>) {
        let gained = |of: fn(&ObjectRecord) -> u64| of(record).saturating_sub(before.map_or(0, of));
        self.objects.inc_by(u64::from(before.is_none()));
        self.bytes.inc_by(gained(|record| record.bytes.read));
        for (outcome, count) in [
            ("parsed", gained(|record| record.frames.parsed)),
            ("skipped", gained(|record| record.frames.skipped)),
            ("quarantined", gained(|record| record.frames.quarantined)),
            ("waiting", gained(|record| record.frames.waiting)),
            ("unrouted", gained(|record| record.frames.unrouted)),
        ] {
            self.frames.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
        }
        for (outcome, count) in [
            ("indexed", gained(|record| record.events.indexed)),
            ("archived_only", gained(|record| record.events.archived_only)),
            ("reduced", gained(|record| record.events.reduced)),
            ("dead_lettered", gained(|record| record.events.dead_lettered)),
        ] {
            self.events.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
        }
        self.duplicates.inc_by(gained(|record| record.events.duplicates));
        self.unexplained.inc_by(gained(ObjectRecord::unexplained));
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
        metrics.grew(&record, None);
        let mut more = record.clone();
        more.frames.total += 4;
        more.frames.parsed += 4;
        metrics.grew(&more, Some(&record));
        let text = metrics.encode();
        for line in [
            "weir_objects_total 1",
            "weir_frames_total{outcome=\"parsed\"} 6",
            "weir_events_total{outcome=\"indexed\"} 2",
            "weir_unexplained_total 3",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
