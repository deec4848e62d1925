//! A parser like any other, but that its memory begins at 48 MiB (build.rs): within the limit that most parsers have,
//! above what a host with less to give grants.

use weir_parser_sdk::{Category, Context, Event, Frame, Kind, Outcome, ParseError, Parser, Type, ecs};

struct LargeStart;

impl Parser for LargeStart {
    const MODULE: &'static str = "hostile";
    const DATASET: &'static str = "hostile.line";
    const VENDOR: &'static str = "hostile.line";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(LargeStart)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        event.categorize(Kind::Event, &[Category::Process], &[Type::Info]);
        event.set(ecs::MESSAGE, frame.text().as_ref());
        Ok(Outcome::Event)
    }
}

weir_parser_sdk::export_parser!(LargeStart);
