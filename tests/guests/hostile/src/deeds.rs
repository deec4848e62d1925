//! What goes wrong while a line is parsed.

use std::hint::black_box;

/// Does what `word` names, and nothing for any other word.
pub fn commit(word: &[u8]) {
    match word {
        b"LOOP" => {
            let mut turns = 0_u64;
            loop {
                turns = black_box(turns.wrapping_add(1));
            }
        }
        b"TRAP" => panic!("asked to"),
        b"RECURSE" => {
            black_box(recurse(1));
        }
        b"HOG" => {
            let mut held = Vec::new();
            loop {
                held.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        // Asks for more than there is, is told no, and goes on: nothing is wrong with that.
        b"ASK" => {
            let refused = Vec::<u8>::new().try_reserve_exact(black_box(1 << 30)).is_err();
            assert!(refused, "a limit that holds refuses this");
        }
        _ => {}
    }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if black_box(depth) == 0 { 0 } else { black_box(recurse(depth + 1)) + depth }
}
