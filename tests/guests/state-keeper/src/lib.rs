//! A parser that remembers: each event says how many lines the instance saw before. `GROW` makes the instance's memory
//! larger than the host keeps, `TRAP` ends it.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use weir_parser_sdk::{Category, Context, Event, Frame, Kind, Outcome, ParseError, Parser, Type, ecs};

static SEEN: AtomicU64 = AtomicU64::new(0);

struct StateKeeper;

impl Parser for StateKeeper {
    const MODULE: &'static str = "hostile";
    const DATASET: &'static str = "hostile.state";
    const VENDOR: &'static str = "hostile.state";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(StateKeeper)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        match frame.bytes() {
            b"TRAP" => panic!("asked to"),
            b"GROW" => drop(black_box(vec![1_u8; 40 << 20])),
            _ => {}
        }
        event.categorize(Kind::Event, &[Category::Process], &[Type::Info]);
        event.set(ecs::MESSAGE, SEEN.fetch_add(1, Ordering::Relaxed).to_string().as_str());
        Ok(Outcome::Event)
    }
}

weir_parser_sdk::export_parser!(StateKeeper);
