//! A parser whose start never ends: instances of it cannot be made, and no line of it is ever to blame.

use weir_parser_sdk::{Category, Context, Event, Frame, Kind, Outcome, ParseError, Parser, Type, ecs};

struct SlowStart;

impl Parser for SlowStart {
    const MODULE: &'static str = "hostile";
    const DATASET: &'static str = "hostile.line";
    const VENDOR: &'static str = "hostile.line";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(SlowStart)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        event.categorize(Kind::Event, &[Category::Process], &[Type::Info]);
        event.set(ecs::MESSAGE, frame.text().as_ref());
        Ok(Outcome::Event)
    }
}

weir_parser_sdk::export_parser!(SlowStart);

/// What runs when an instance is made.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}
