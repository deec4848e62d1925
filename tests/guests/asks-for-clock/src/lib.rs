//! A parser that would write the time of processing into its events, and imports a clock for it.

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/v0.1.0", "wit/clocks", "wit"],
        world: "hostile:clock/asks-for-clock",
        generate_all,
    });
}

use bindings::exports::weir::parser::parsing::{Batch, Guest, Outcome, Parsed};
use bindings::wasi::clocks::wall_clock;

struct Component;

impl Guest for Component {
    fn parse(batch: Batch) -> Parsed {
        let now = wall_clock::now();
        let mut parsed = Parsed {
            documents: Vec::new(),
            ends: Vec::new(),
            frames: Vec::new(),
            timestamps: Vec::new(),
            outcomes: Vec::new(),
        };
        for frame in 0..batch.ends.len() as u32 {
            parsed.documents.extend_from_slice(format!("{{\"now\":{}}}", now.seconds).as_bytes());
            parsed.ends.push(parsed.documents.len() as u32);
            parsed.frames.push(frame);
            parsed.timestamps.push(now.seconds as i64 * 1_000_000_000 + i64::from(now.nanoseconds));
            parsed.outcomes.push(Outcome::Events(1));
        }
        parsed
    }
}

bindings::export!(Component with_types_in bindings);
