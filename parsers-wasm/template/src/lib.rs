//! Logs of the example service, a line each: `TIME LEVEL USER@ADDRESS ACTION RESULT TEXT`.
//!
//! Copy this folder, give it your log's name, and change what follows.

use weir_parser_sdk::{
    Category, Context, Event, EventOutcome, Frame, Kind, Outcome, ParseError, Parser, SOURCE, Skip, Type, ecs,
};

/// The parser. What the header or the origin decides for a whole batch can be a field of it, set in `new`.
pub struct Example;

impl Parser for Example {
    const MODULE: &'static str = "example";
    const DATASET: &'static str = "example.service";
    /// Where your own fields go: not the name of an ECS field set.
    const VENDOR: &'static str = "example.service";

    fn new(_batch: &Context<'_>) -> Result<Self, ParseError> {
        Ok(Example)
    }

    fn parse(&self, frame: &Frame<'_>, event: &mut Event<'_>) -> Result<Outcome, ParseError> {
        let text = frame.text();
        let line = text.trim();
        if line.is_empty() {
            return Ok(Outcome::Skipped(Skip::Empty));
        }
        // A line that is not what it should be is malformed, never half an event: it goes to quarantine with this
        // reason, and can be replayed when the parser understands it.
        let mut words = line.splitn(6, ' ');
        let mut word = |name: &str| {
            words.next().filter(|word| !word.is_empty()).ok_or_else(|| ParseError::missing_field(name))
        };
        let time = word("TIME")?;
        let level = word("LEVEL")?;
        let who = word("USER@ADDRESS")?;
        let action = word("ACTION")?;
        let result = word("RESULT")?;
        let message = word("TEXT")?;
        // A time without a zone is read in the zone configured for the source.
        let time =
            event.context().parse_iso(time).ok_or_else(|| ParseError::bad_field("TIME", "not ISO 8601"))?;
        let (user, address) =
            who.split_once('@').ok_or_else(|| ParseError::no_match("expected USER@ADDRESS as third word"))?;
        let outcome = match result {
            "ok" => EventOutcome::Success,
            "failed" => EventOutcome::Failure,
            _ => EventOutcome::Unknown,
        };

        event.timestamp(time);
        event.categorize(Kind::Event, &[Category::Web], &[Type::Access]);
        event.set(ecs::EVENT_ACTION, action);
        event.set(ecs::EVENT_OUTCOME, outcome);
        event.set(ecs::MESSAGE, message);
        event.set(ecs::LOG_LEVEL, level.to_lowercase());
        // Sets source.address, and source.ip or source.domain; an address is noted in related.ip.
        event.set_endpoint(SOURCE, address, None);
        event.set_some(ecs::USER_NAME, Some(user));
        event.related_user(user);
        // Your own fields, as they stand in the log.
        event.vendor().string("level", level).string("result", result);
        Ok(Outcome::Event)
    }
}

weir_parser_sdk::export_parser!(Example);
