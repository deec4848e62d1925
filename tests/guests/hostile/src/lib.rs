//! A parser that does what a parser must not, where a line begins with the word for it; every other line is an event.
//!
//! One component for all misdeeds, so that a test can put a hostile line among honest ones. Those that a parser written
//! with the SDK could commit happen while the line is parsed ([`deeds`]); those that only a parser written against the
//! bare contract could are done to the finished answer ([`lies`]).

mod deeds;
mod lies;

use weir_parser_sdk::glue::exports::weir::parser::parsing::Guest;
use weir_parser_sdk::{
    Batch, Category, Context, Event, Frame, Kind, Outcome, ParseError, Parsed, Parser, Type, ecs, parse_batch,
};

struct Hostile;

impl Parser for Hostile {
    const MODULE: &'static str = "hostile";
    const DATASET: &'static str = "hostile.line";
    const VENDOR: &'static str = "hostile.line";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(Hostile)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let text = frame.text();
        deeds::commit(first_word(text.as_bytes()));
        event.categorize(Kind::Event, &[Category::Process], &[Type::Info]);
        event.set(ecs::MESSAGE, text.as_ref());
        Ok(Outcome::Event)
    }
}

struct Component;

impl Guest for Component {
    fn parse(batch: Batch) -> Parsed {
        let mut parsed = parse_batch::<Hostile>(&batch);
        let mut start = 0;
        for (frame, end) in batch.ends.iter().enumerate() {
            let bytes = &batch.frames[start..*end as usize];
            start = *end as usize;
            // Lines that begin with a capital are few: an honest one costs one comparison.
            if bytes.first().is_some_and(u8::is_ascii_uppercase) {
                lies::tell(first_word(bytes), frame, &mut parsed);
            }
        }
        parsed
    }
}

fn first_word(line: &[u8]) -> &[u8] {
    line.split(|byte| *byte == b' ').next().unwrap_or_default()
}

weir_parser_sdk::export_component!(Component with_types_in weir_parser_sdk::glue);
