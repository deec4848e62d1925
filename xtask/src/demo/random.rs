//! Random numbers that are the same on every machine and in every run, so that the demo's logs are, too.

/// A generator (SplitMix64), seeded by a name: each log type has its own, so that a change of one leaves the others.
pub(super) struct Random(u64);

impl Random {
    /// The generator of this name. FNV-1a spreads the name over the seed.
    pub(super) fn new(name: &str) -> Self {
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when the limit is.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    /// A number from `first` to `last`, both included.
    pub(super) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of the items, which must not be none.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len() as u64) as usize]
    }

    /// One of the items, by their weights.
    pub(super) fn weighted<T: Clone>(&mut self, items: &[(u64, T)]) -> T {
        let mut left = self.below(items.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in items {
            if left < *weight {
                return item.clone();
            }
            left -= weight;
        }
        items[items.len() - 1].1.clone()
    }

    /// That many hexadecimal digits.
    pub(super) fn hex(&mut self, digits: usize) -> String {
        self.text(digits, b"0123456789abcdef")
    }

    /// That many capital letters and digits.
    pub(super) fn capitals(&mut self, count: usize) -> String {
        self.text(count, b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    }

    /// That many small and capital letters and digits.
    pub(super) fn letters(&mut self, count: usize) -> String {
        self.text(count, b"0123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ")
    }

    /// `8-4-4-4-12` hexadecimal digits.
    pub(super) fn uuid(&mut self) -> String {
        format!("{}-{}-4{}-8{}-{}", self.hex(8), self.hex(4), self.hex(3), self.hex(3), self.hex(12))
    }

    /// Bytes of any value.
    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    fn text(&mut self, count: usize, alphabet: &[u8]) -> String {
        (0..count).map(|_| char::from(alphabet[self.below(alphabet.len() as u64) as usize])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_always_gives_the_same_numbers() {
        let draw = |name: &str| Random::new(name).hex(16);
        assert_eq!(draw("vpcflow"), draw("vpcflow"));
        assert_ne!(draw("vpcflow"), draw("alb"));
        let mut random = Random::new("bounds");
        assert!((0..1000).all(|_| (3..=5).contains(&random.between(3, 5))));
        assert!((0..1000).all(|_| random.weighted(&[(0, "never"), (1, "always")]) == "always"));
    }
}
