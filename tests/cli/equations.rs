//! What is lost on purpose shows: an event that a sink swallows, a frame that is not kept, a count that was edited.

use super::logs::{FLOW_HEADER, flow};
use super::place::Place;
use crate::support::host::{MODIFIED, full, open_folder, shared_cache};
use crate::support::parsers_folder;
use std::io::Cursor;
use weir::event::object_id;
use weir::host::Host;
use weir::ingest::stream::Input;
use weir::ledger::{Ledger, ObjectId, ObjectRecord};
use weir::output::embedded::SearchRequest;
use weir::pipeline::{Delivered, Finished, ObjectRef, ObjectSink, SetAside, SinkError};
use weir::store::{Earlier, ObjectWriter, Store};

/// What the sink between loses.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    Nothing,
    /// An event of the first batch never reaches the store.
    Event,
    /// The store has it, but the acknowledgement says one less.
    Acknowledgement,
    /// A malformed frame is not kept.
    Frame,
}

struct Leaky<'a> {
    inner: ObjectWriter<'a>,
    loss: Loss,
}

impl ObjectSink for Leaky<'_> {
    fn wants_original(&self) -> bool {
        self.inner.wants_original()
    }

    fn deliver(&mut self, batch: &Finished<'_>) -> Result<Delivered, SinkError> {
        if self.loss != Loss::Event || batch.events.is_empty() {
            let mut delivered = self.inner.deliver(batch)?;
            if self.loss == Loss::Acknowledgement {
                delivered.archived_only = delivered.archived_only.saturating_sub(1);
            }
            return Ok(delivered);
        }
        self.loss = Loss::Nothing;
        let events = batch.events.iter().skip(1).map(|event| weir::pipeline::FinishedEvent {
            document: event.document.clone(),
            redacted_original: event.redacted_original.clone(),
            ..*event
        });
        let fewer = Finished { text: batch.text.clone(), events: events.collect(), ..*batch };
        self.inner.deliver(&fewer)
    }

    fn set_aside(&mut self, frame: &SetAside<'_>) -> Result<(), SinkError> {
        if self.loss == Loss::Frame { Ok(()) } else { self.inner.set_aside(frame) }
    }
}

fn object(version: &str) -> ObjectRef {
    ObjectRef {
        bucket: "tests".to_owned(),
        key: "flows".to_owned(),
        version: version.to_owned(),
        id: object_id("tests", "flows", version),
        modified: MODIFIED,
        base: 0,
    }
}

/// The committed record of four flows and a malformed line, with this lost on the way.
fn record(loss: Loss, settings: &str) -> ObjectRecord {
    let folder = tempfile::tempdir().unwrap();
    let host = open_folder(&parsers_folder(), settings, &shared_cache())
        .unwrap_or_else(|error| panic!("{}", full(&error)));
    let store = Store::open(&host.config, folder.path()).unwrap();
    commit(&host, &store, &object("1"), loss)
}

fn commit(host: &Host, store: &Store, object: &ObjectRef, loss: Loss) -> ObjectRecord {
    let text = format!("{FLOW_HEADER}{}{}{}{}broken\n", flow(1), flow(1), flow(2), flow(3));
    let router = host.pipeline().router;
    let Earlier::Again { day, claim, .. } = store.earlier(object, &router, Some("vpcflow"), false).unwrap()
    else {
        panic!("the object is new")
    };
    store.announce(std::slice::from_ref(object)).unwrap();
    let mut sink = Leaky { inner: store.begin(object, day, claim).unwrap(), loss };
    let input = Input::Reader { reader: Box::new(Cursor::new(text.into_bytes())), length: None };
    let counts = host.pipeline().process(object, input, Some("vpcflow"), &mut sink).unwrap();
    let by = store.processed_by(object, &counts.log_types, &router, Some("vpcflow"));
    let prepared = sink.inner.finish(&counts, by, None).unwrap();
    let mut records = store.add(prepared).unwrap();
    records.extend(store.commit().unwrap());
    assert_eq!(records.len(), 1);
    records.remove(0)
}

#[test]
fn nothing_lost_leaves_nothing_unexplained() {
    let whole = record(Loss::Nothing, "");
    assert_eq!((whole.unexplained(), whole.frames.total, whole.events.indexed), (0, 5, 4), "{whole:?}");
}

#[test]
fn an_event_lost_before_the_index_is_unexplained() {
    let lossy = record(Loss::Event, "");
    assert_eq!((lossy.events.total, lossy.events.indexed), (4, 3));
    assert_eq!(lossy.unexplained(), 1, "{lossy:?}");
}

#[test]
fn an_event_that_no_sink_acknowledged_is_unexplained() {
    let lossy = record(Loss::Acknowledgement, "[index]\nenabled = false\n");
    assert_eq!((lossy.events.total, lossy.events.archived_only), (4, 3));
    assert_eq!(lossy.unexplained(), 1, "{lossy:?}");
}

#[test]
fn a_malformed_frame_that_was_not_kept_is_unexplained() {
    let lossy = record(Loss::Frame, "");
    assert_eq!((lossy.frames.total, lossy.frames.parsed, lossy.frames.quarantined), (5, 4, 0));
    assert_eq!(lossy.unexplained(), 1, "{lossy:?}");
}

#[test]
fn a_record_that_does_not_balance_is_found_by_the_commands() {
    let place = Place::new();
    super::ingest::mixed(&place);
    place.ingest();
    let mut record = place.records().into_iter().find(|record| record.key.ends_with("secure")).unwrap();
    record.frames.parsed -= 1;
    record.events.indexed -= 2;
    Ledger::open(&place.path("data")).unwrap().commit(&[record]).unwrap();
    let shown = place.run(&["ledger", "show", "--unbalanced", "--json"]).expect(0).json_lines();
    assert_eq!(shown.len(), 2, "the one object, and the totals");
    assert!(shown[0]["key"].as_str().unwrap().ends_with("secure"));
    assert_eq!(shown[1]["unexplained"], 3);
    // An ingest says so, too, instead of passing over an object that is done.
    assert_eq!(
        place.run(&["ingest", "logs", "--json"]).expect(0).json_lines().last().unwrap()["unexplained"],
        3
    );
}

#[test]
fn what_is_half_replaced_does_not_pass_for_done() {
    let folder = tempfile::tempdir().unwrap();
    let host = open_folder(&parsers_folder(), "", &shared_cache())
        .unwrap_or_else(|error| panic!("{}", full(&error)));
    let store = Store::open(&host.config, folder.path()).unwrap();
    let (object, router) = (object("1"), host.pipeline().router);
    let earlier = |store: &Store, again| store.earlier(&object, &router, Some("vpcflow"), again).unwrap();
    commit(&host, &store, &object, Loss::Nothing);
    assert!(matches!(earlier(&store, false), Earlier::Done(_)));

    let Earlier::Again { day, claim, .. } = earlier(&store, true) else { panic!("it was asked for") };
    assert!(matches!(earlier(&store, false), Earlier::UnderWay), "one processing at a time");
    store.announce(std::slice::from_ref(&object)).unwrap();
    drop(store.begin(&object, day, claim).unwrap());
    // The commit of another object takes its deletions along; then the process ends.
    commit(&host, &store, &self::object("2"), Loss::Nothing);
    drop(store);
    let store = Store::open(&host.config, folder.path()).unwrap();
    assert!(matches!(earlier(&store, false), Earlier::Again { .. }), "its documents are gone");
    assert_eq!(commit(&host, &store, &object, Loss::Nothing).events.indexed, 4);
}

#[test]
fn what_was_written_of_a_changed_file_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let host = open_folder(&parsers_folder(), "", &shared_cache())
        .unwrap_or_else(|error| panic!("{}", full(&error)));
    let store = Store::open(&host.config, folder.path()).unwrap();
    let (object, router) = (object("1"), host.pipeline().router);
    let documents = |store: &Store| {
        let query = weir::query::parse("*").unwrap();
        let request = SearchRequest::new(weir::query::Plan::new(&query, None).unwrap());
        store.index().unwrap().search(&request).unwrap().total
    };
    let begin = || {
        let Earlier::Again { day, claim, .. } =
            store.earlier(&object, &router, Some("vpcflow"), false).unwrap()
        else {
            panic!("it is not done")
        };
        store.announce(std::slice::from_ref(&object)).unwrap();
        let mut writer = store.begin(&object, day, claim).unwrap();
        let text = format!("{FLOW_HEADER}{}", flow(1));
        let input = Input::Reader { reader: Box::new(Cursor::new(text.into_bytes())), length: None };
        host.pipeline().process(&object, input, Some("vpcflow"), &mut writer).unwrap();
        writer
    };
    // Of two changes, the commit of another object comes before what is taken back of the second.
    store.abandon(begin()).unwrap();
    let writer = begin();
    assert_eq!(commit(&host, &store, &self::object("2"), Loss::Nothing).unexplained(), 0);
    store.abandon(writer).unwrap();
    store.commit().unwrap();
    assert_eq!(commit(&host, &store, &self::object("3"), Loss::Nothing).unexplained(), 0);
    assert_eq!(documents(&store), 8, "of the two others");
    assert!(store.ledger().record(ObjectId(object.id)).unwrap().is_none());
    // The same content, once it is whole, is exact.
    let whole = commit(&host, &store, &object, Loss::Nothing);
    assert_eq!((whole.events.indexed, whole.unexplained(), documents(&store)), (4, 0, 12));
}
