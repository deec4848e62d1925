//! Where a JSON value in brackets ends, without looking at anything else in it.
//!
//! Works on 64 bytes at a time as bit masks: which bytes are quotes, backslashes, brackets, line feeds; from these which
//! lie in strings; and only the brackets outside strings are then visited one by one. Whether the value is valid inside
//! is the parser's business, with exceptions that find a value cut short where the next one begins, and not at the end
//! of the object: a line feed inside a string, a bracket where none can follow at the beginning of a line, or of a line
//! indented as the value itself is, and an object that begins the line behind a value's only line, which ends with a
//! colon.

/// Deepest nesting followed.
const MAX_DEPTH: usize = 1024;
const WORDS: usize = MAX_DEPTH / 64;
const NOT_CLOSED: &str = "a value is not closed where the next one begins";

/// What a scan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The value ends before this position.
    End(usize),
    /// The value goes on; scan again from this position with more data.
    More(usize),
    /// The value is broken. The next value may begin behind the first line feed from this position on.
    Broken(usize, &'static str),
}

/// The state of the scan of one value.
#[derive(Debug, Clone)]
pub(crate) struct BracketScan {
    depth: usize,
    /// One bit for each open bracket: set for an object.
    objects: [u64; WORDS],
    /// All ones inside a string.
    in_string: u64,
    /// 1 when the last byte was a backslash that escapes the next.
    escaped: u64,
    /// 1 when the last byte was a line feed.
    line_feed: u64,
    /// How many lines the value has gone on for.
    lines: u32,
    /// The last byte scanned that is no white space.
    last: u8,
}

impl BracketScan {
    /// The state before the first bracket.
    pub(crate) fn new() -> Self {
        Self { depth: 0, objects: [0; WORDS], in_string: 0, escaped: 0, line_feed: 0, lines: 0, last: b',' }
    }

    /// Makes ready for another value.
    pub(crate) fn reset(&mut self) {
        // The bits of `objects` are written before they are read.
        (self.depth, self.in_string, self.escaped, self.line_feed, self.lines, self.last) =
            (0, 0, 0, 0, 0, b',');
    }

    /// Scans `data` from `from` on, which is where the last scan stopped (at first the opening bracket). Stops up to
    /// 63 bytes before the end when `more` is set. `indent` are the blanks before the value in its line; empty when it
    /// does not begin a line, or begins it at once.
    pub(crate) fn scan(&mut self, data: &[u8], from: usize, more: bool, indent: &[u8]) -> Scan {
        let mut at = from;
        while let Some(block) = data.get(at..).and_then(<[u8]>::first_chunk::<64>) {
            if let Some(found) = self.block(block, data, from, at, indent) {
                return found;
            }
            at += 64;
        }
        if !more && at < data.len() {
            let mut block = [b' '; 64];
            block[..data.len() - at].copy_from_slice(&data[at..]);
            if let Some(found) = self.block(&block, data, from, at, indent) {
                return found;
            }
            at = data.len();
        }
        if let Some(last) = data[from..at].iter().rev().find(|byte| !is_space(**byte)) {
            self.last = *last;
        }
        Scan::More(at)
    }

    /// One block that stands at `at`.
    #[inline]
    fn block(
        &mut self,
        block: &[u8; 64],
        data: &[u8],
        from: usize,
        at: usize,
        indent: &[u8],
    ) -> Option<Scan> {
        let masks = Masks::of(block);
        let quotes = masks.quote & !self.escaped_bytes(masks.backslash);
        let in_string = prefix_xor(quotes) ^ self.in_string;
        self.in_string = ((in_string as i64) >> 63) as u64;
        let line_begins = (masks.line_feed << 1) | self.line_feed;
        self.line_feed = masks.line_feed >> 63;
        let cut = masks.line_feed & in_string;
        let mut visit = ((masks.open | masks.close) & !in_string) | cut;
        while visit != 0 {
            let bit = visit & visit.wrapping_neg();
            let index = visit.trailing_zeros() as usize;
            let place = at + index;
            // Curly, if it is a bracket.
            let brace = block.get(index).is_some_and(|byte| byte & 0x20 != 0);
            visit ^= bit;
            if bit & masks.open != 0 {
                if bit & line_begins != 0 && self.depth > 0 {
                    let second_line = self.lines + (masks.line_feed & (bit - 1)).count_ones() == 1;
                    if !self.may_open(brace && second_line, data, from, place) {
                        return Some(Scan::Broken(place - 1, NOT_CLOSED));
                    }
                }
                if !indent.is_empty() && self.depth > 0 {
                    let line = data.get(..place).and_then(|before| before.strip_suffix(indent));
                    if line.is_some_and(|line| line.ends_with(b"\n")) && !self.can_open(data, from, place) {
                        return Some(Scan::Broken(place - indent.len() - 1, NOT_CLOSED));
                    }
                }
                if self.depth == MAX_DEPTH {
                    return Some(Scan::Broken(place, "nested deeper than 1024"));
                }
                self.push(brace);
            } else if bit & cut != 0 {
                return Some(Scan::Broken(place, "a string is not closed at the end of its line"));
            } else {
                if self.depth == 0 || self.top_is_object() != brace {
                    if !brace && let Some(line_feed) = array_ends(data, place, indent) {
                        return Some(Scan::Broken(line_feed, NOT_CLOSED));
                    }
                    return Some(Scan::Broken(place, "the brackets do not match"));
                }
                self.depth -= 1;
                if self.depth == 0 {
                    return Some(Scan::End(place + 1));
                }
            }
        }
        self.lines = self.lines.saturating_add(masks.line_feed.count_ones());
        None
    }

    /// The bytes that a backslash escapes. A run of backslashes escapes what follows it when its length is odd.
    #[inline]
    fn escaped_bytes(&mut self, backslash: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslash == 0 {
            return std::mem::take(&mut self.escaped);
        }
        // A backslash that is itself escaped begins no run.
        let backslash = backslash & !self.escaped;
        let follows = (backslash << 1) | self.escaped;
        let odd_starts = backslash & !EVEN & !follows;
        let (even_sequences, carried) = odd_starts.overflowing_add(backslash);
        self.escaped = u64::from(carried);
        (EVEN ^ (even_sequences << 1)) & follows
    }

    #[inline]
    fn push(&mut self, object: bool) {
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        if let Some(word) = self.objects.get_mut(word) {
            *word = if object { *word | bit } else { *word & !bit };
        }
        self.depth += 1;
    }

    #[inline]
    fn top_is_object(&self) -> bool {
        let top = self.depth.saturating_sub(1);
        self.objects.get(top / 64).is_some_and(|word| word & (1 << (top % 64)) != 0)
    }

    /// Whether a bracket may open here at the beginning of a line, by what stands before it. An object behind a key is
    /// valid there; but where one line alone came before, it is a line cut behind a colon and the value of the next.
    #[cold]
    fn may_open(&self, brace_in_second_line: bool, data: &[u8], from: usize, place: usize) -> bool {
        !(brace_in_second_line && self.top_is_object()) && self.can_open(data, from, place)
    }

    /// Whether JSON has a bracket opening here, by what stands before it.
    #[cold]
    fn can_open(&self, data: &[u8], from: usize, place: usize) -> bool {
        let before =
            data[from..place].iter().rev().find(|byte| !is_space(**byte)).copied().unwrap_or(self.last);
        if self.top_is_object() { before == b':' } else { matches!(before, b'[' | b',') }
    }
}

/// Where the line feed stands before a `]` at `place` that is indented less than the value: the end of the array in
/// which the value lies.
#[cold]
fn array_ends(data: &[u8], place: usize, indent: &[u8]) -> Option<usize> {
    let before = data.get(..place)?;
    let blanks =
        before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).take(indent.len()).count();
    let line_feed = place.checked_sub(blanks + 1)?;
    (blanks < indent.len() && before.get(line_feed) == Some(&b'\n')).then_some(line_feed)
}

/// JSON's white space.
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// One bit for each of 64 bytes.
struct Masks {
    quote: u64,
    backslash: u64,
    line_feed: u64,
    open: u64,
    close: u64,
}

impl Masks {
    #[inline]
    fn of(block: &[u8; 64]) -> Self {
        Self {
            quote: mask(block, |byte| byte == b'"'),
            backslash: mask(block, |byte| byte == b'\\'),
            line_feed: mask(block, |byte| byte == b'\n'),
            // The square and the curly bracket differ in bit 5 alone.
            open: mask(block, |byte| byte | 0x20 == b'{'),
            close: mask(block, |byte| byte | 0x20 == b'}'),
        }
    }
}

/// Written so that the compiler compares all bytes at once: each selected byte keeps the bit of its place, and a
/// multiplication gathers eight of them.
#[inline]
fn mask(block: &[u8; 64], select: impl Fn(u8) -> bool) -> u64 {
    let mut selected = [0u8; 64];
    for (index, (out, byte)) in selected.iter_mut().zip(block).enumerate() {
        *out = if select(*byte) { 1 << (index % 8) } else { 0 };
    }
    let mut mask = 0;
    for (index, word) in selected.as_chunks::<8>().0.iter().enumerate() {
        let gathered = u64::from_le_bytes(*word).wrapping_mul(0x0101_0101_0101_0101) >> 56;
        mask |= gathered << (8 * index);
    }
    mask
}

/// Each bit becomes the parity of itself and all below: ones from an opening quote to before its closing one.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, a byte at a time.
    fn reference(data: &[u8]) -> Scan {
        let (mut stack, mut in_string, mut escaped) = (Vec::new(), false, false);
        for (place, byte) in data.iter().enumerate() {
            let was_escaped = std::mem::take(&mut escaped);
            match byte {
                b'\\' => escaped = !was_escaped,
                b'"' if !was_escaped => in_string = !in_string,
                b'\n' if in_string => return Scan::Broken(place, ""),
                b'{' | b'[' if !in_string => {
                    if place > 0 && data[place - 1] == b'\n' {
                        let before = data[..place].iter().rev().find(|byte| !is_space(**byte)).unwrap();
                        let may = match (stack.last(), byte) {
                            (Some(b'{'), b'{') if !data[..place - 1].contains(&b'\n') => b"" as &[u8],
                            (Some(b'{'), _) => b":",
                            _ => b"[,",
                        };
                        if !may.contains(before) {
                            return Scan::Broken(place - 1, "");
                        }
                    }
                    stack.push(*byte);
                }
                b'}' | b']' if !in_string => {
                    if stack.pop() != Some(byte - 2) {
                        return Scan::Broken(place, "");
                    }
                    if stack.is_empty() {
                        return Scan::End(place + 1);
                    }
                }
                _ => {}
            }
        }
        Scan::More(data.len())
    }

    fn scan_in_steps(data: &[u8], steps: &[usize]) -> Scan {
        let mut state = BracketScan::new();
        let (mut from, mut shown) = (0, 0);
        for step in steps.iter().cycle() {
            shown = (shown + step).min(data.len());
            match state.scan(&data[..shown], from, shown < data.len(), b"") {
                Scan::More(at) if shown < data.len() => from = at,
                Scan::Broken(place, _) => return Scan::Broken(place, ""),
                found => return found,
            }
        }
        unreachable!()
    }

    #[test]
    fn a_string_hides_brackets_and_escaped_quotes() {
        for text in [r#"{"a":"}"}"#, r#"{"a":"\"}"}"#, r#"{"a":"\\"}"#, r#"["\\\"]",{}]"#] {
            assert_eq!(scan_in_steps(text.as_bytes(), &[1]), Scan::End(text.len()));
        }
    }

    #[test]
    fn nesting_is_followed_to_its_bound() {
        for (depth, ends) in [(63, true), (64, true), (65, true), (1024, true), (1025, false)] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            let found = BracketScan::new().scan(text.as_bytes(), 0, false, b"");
            assert_eq!(found == Scan::End(text.len()), ends, "{depth}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn blocks_find_what_bytes_find(
            text in proptest::collection::vec(prop::sample::select(&b"{}[]\"\\\n :,ax"[..]), 0..300),
            steps in proptest::collection::vec(1usize..130, 1..5),
        ) {
            let data = [b"{".to_vec(), text].concat();
            prop_assert_eq!(scan_in_steps(&data, &steps), reference(&data));
        }

        #[test]
        fn long_values_end_where_they_end(
            keys in proptest::collection::vec("[a-z\\\\\"{}\\[\\]]{0,40}", 0..20),
            steps in proptest::collection::vec(1usize..130, 1..5),
        ) {
            let value: serde_json::Value = keys.iter().map(|key| (key.clone(), serde_json::json!([key, {key: 1}]))).collect::<serde_json::Map<_, _>>().into();
            let data = [serde_json::to_vec(&value).unwrap(), b",{}]}".to_vec()].concat();
            prop_assert_eq!(scan_in_steps(&data, &steps), Scan::End(data.len() - 5));
        }
    }
}
