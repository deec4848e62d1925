//! What goes wrong with an answer.

use weir_parser_sdk::{FrameOutcome, MalformedReason, Parsed, SkipReason};

/// Makes the answer a lie of the kind that `word` names, about `frame` where a lie is about one frame.
pub fn tell(word: &[u8], frame: usize, parsed: &mut Parsed) {
    match word {
        b"FLOOD" => replace(parsed, frame, text_of(8 << 20)),
        b"DEEP" => replace(parsed, frame, nested(100)),
        b"WIDE" => replace(parsed, frame, members(5000)),
        b"BYTES" => replace(parsed, frame, b"{\"message\":\"\xff\xfe\"}".to_vec()),
        b"HALF" => replace(parsed, frame, b"{\"message\":".to_vec()),
        b"LIST" => replace(parsed, frame, b"[1]".to_vec()),
        b"EMPTY" => replace(parsed, frame, Vec::new()),
        b"DESCEND" => parsed.ends[frame] = 0,
        b"BEYOND" => parsed.ends.iter_mut().for_each(|end| *end += 1),
        b"FEWER" => drop(parsed.outcomes.pop()),
        b"MORE" => parsed.outcomes.push(FrameOutcome::Skipped(SkipReason::Empty)),
        b"COUNT" => parsed.outcomes[frame] = FrameOutcome::Events(7),
        b"NONE" => parsed.outcomes[frame] = FrameOutcome::Events(0),
        // In company, the first frame is blamed, whatever it is.
        b"CROWD" if parsed.outcomes.len() > 1 => parsed.outcomes[0] = FrameOutcome::Events(7),
        b"GHOST" => parsed.outcomes[frame] = FrameOutcome::Skipped(SkipReason::Comment),
        b"STRANGER" => parsed.frames[frame] = u32::MAX,
        b"UNTIMED" => drop(parsed.timestamps.pop()),
        b"ALIAS" => parsed.outcomes = aliased(1 << 16, 1 << 20),
        b"OUTSIDE" => parsed.documents = outside(),
        b"TEXT" => parsed.outcomes[frame] = FrameOutcome::Malformed(MalformedReason::Other(not_text())),
        b"LONG" => {
            remove(parsed, frame);
            parsed.outcomes[frame] = FrameOutcome::Malformed(MalformedReason::Other("long ".repeat(20_000)));
        }
        _ => {}
    }
}

/// Puts `document` in the place of the only one that the frame has.
fn replace(parsed: &mut Parsed, frame: usize, document: Vec<u8>) {
    let at = parsed.frames.iter().position(|named| *named as usize == frame).unwrap();
    let start = at.checked_sub(1).map_or(0, |before| parsed.ends[before]) as usize;
    let old = parsed.ends[at] as usize - start;
    let new = document.len();
    parsed.documents.splice(start..start + old, document);
    for end in &mut parsed.ends[at..] {
        *end = (*end as usize - old + new) as u32;
    }
}

/// Takes the frame's document away.
fn remove(parsed: &mut Parsed, frame: usize) {
    replace(parsed, frame, Vec::new());
    let at = parsed.frames.iter().position(|named| *named as usize == frame).unwrap();
    parsed.ends.remove(at);
    parsed.frames.remove(at);
    parsed.timestamps.remove(at);
}

fn text_of(length: usize) -> Vec<u8> {
    let mut document = b"{\"message\":\"".to_vec();
    document.resize(document.len() + length, b'x');
    document.extend_from_slice(b"\"}");
    document
}

fn nested(depth: usize) -> Vec<u8> {
    let mut document = b"{\"a\":".repeat(depth);
    document.push(b'1');
    document.resize(document.len() + depth, b'}');
    document
}

fn members(count: usize) -> Vec<u8> {
    let members: Vec<String> = (0..count).map(|number| format!("\"m{number}\":{number}")).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// `count` reasons that are all the same `length` bytes of memory: a few MiB here, 64 GiB for whoever copies them.
fn aliased(count: usize, length: usize) -> Vec<FrameOutcome> {
    let text = Box::leak(vec![b'x'; length].into_boxed_slice());
    let reason = || {
        // SAFETY: none; that several strings own the same bytes is the point. The host does not call back to free them.
        let text = unsafe { String::from_raw_parts(text.as_ptr().cast_mut(), length, length) };
        FrameOutcome::Malformed(MalformedReason::Other(text))
    };
    (0..count).map(|_| reason()).collect()
}

/// A list that begins inside memory and ends far outside.
fn outside() -> Vec<u8> {
    let inside = Box::leak(vec![b'x'; 16].into_boxed_slice());
    // SAFETY: none; it is handed to the host as it is.
    unsafe { Vec::from_raw_parts(inside.as_mut_ptr(), 0x7000_0000, 0x7000_0000) }
}

fn not_text() -> String {
    // SAFETY: none; it is handed to the host as it is.
    unsafe { String::from_utf8_unchecked(b"\xc3\x28".to_vec()) }
}
