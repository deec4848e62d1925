//! The same random numbers in every run.

/// Xorshift (Marsaglia, "Xorshift RNGs", 2003).
pub(crate) struct Random(u64);

impl Random {
    /// `seed` must not be 0.
    pub(crate) const fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 up to, not including, `bound`.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.next() % if bound == 0 { 1 } else { bound }
    }

    pub(crate) fn of<'a, T: ?Sized>(&mut self, values: &[&'a T]) -> Option<&'a T> {
        let index = self.below(values.len() as u64) as usize;
        values.get(index).copied()
    }

    pub(crate) fn text(&mut self, values: &[&'static str]) -> &'static str {
        self.of(values).unwrap_or_default()
    }

    /// An address out of so many that few are seen often and most are seen rarely.
    pub(crate) fn public_address(&mut self) -> String {
        let (one, other) = (self.below(20_000), self.below(20_000));
        let which = one.min(other);
        format!("203.{}.{}.{}", which % 223, which / 223 % 251, which % 241)
    }

    pub(crate) fn private_address(&mut self) -> String {
        let which = self.below(2_000);
        format!("10.{}.{}.{}", which % 4, which % 251, which % 253 + 1)
    }
}
