//! A parser like any other: every line is an event. It has no parser.toml, so that tests can give it the manifest they
//! need; without one the host refuses it.

use weir_parser_sdk::{Category, Context, Event, Frame, Kind, Outcome, ParseError, Parser, Type, ecs};

struct Plain;

impl Parser for Plain {
    const MODULE: &'static str = "hostile";
    const DATASET: &'static str = "hostile.line";
    const VENDOR: &'static str = "hostile.line";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(Plain)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        event.categorize(Kind::Event, &[Category::Process], &[Type::Info]);
        event.set(ecs::MESSAGE, frame.text().as_ref());
        Ok(Outcome::Event)
    }
}

weir_parser_sdk::export_parser!(Plain);
