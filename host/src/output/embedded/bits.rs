//! A set of documents of one segment.

/// One bit for each document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bits {
    words: Vec<u64>,
    length: u32,
}

impl Bits {
    pub(super) fn none(length: u32) -> Self {
        Self { words: vec![0; length.div_ceil(64) as usize], length }
    }

    pub(super) fn all(length: u32) -> Self {
        let mut bits = Self { words: vec![u64::MAX; length.div_ceil(64) as usize], length };
        bits.clear_behind();
        bits
    }

    /// Bits behind the last document stay clear.
    fn clear_behind(&mut self) {
        let used = self.length % 64;
        if let Some(last) = self.words.last_mut().filter(|_| used > 0) {
            *last &= (1 << used) - 1;
        }
    }

    /// A document outside the segment is ignored; no list of a sound index has one.
    pub(super) fn insert(&mut self, document: u32) {
        if let Some(word) = self.words.get_mut(document as usize / 64) {
            *word |= 1 << (document % 64);
        }
    }

    pub(super) fn contains(&self, document: u32) -> bool {
        self.words.get(document as usize / 64).is_some_and(|word| word >> (document % 64) & 1 == 1)
    }

    pub(super) fn intersect(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub(super) fn unite(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    pub(super) fn invert(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.clear_behind();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().zip(0_u32..).flat_map(|(word, position)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros();
                    rest &= rest - 1;
                    position * 64 + bit
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        for length in [0, 1, 63, 64, 65, 200] {
            let mut bits = Bits::none(length);
            assert!(bits.is_empty() && bits.count() == 0);
            bits.invert();
            assert_eq!(bits, Bits::all(length));
            assert_eq!(bits.count(), u64::from(length));
            assert_eq!(bits.iter().collect::<Vec<_>>(), (0..length).collect::<Vec<_>>());
        }
        let mut odd = Bits::none(130);
        (1..130).step_by(2).for_each(|document| odd.insert(document));
        odd.insert(500);
        let mut even = odd.clone();
        even.invert();
        assert!(odd.contains(129) && !odd.contains(128) && even.contains(128) && !odd.contains(500));
        let mut both = odd.clone();
        both.unite(&even);
        assert_eq!(both, Bits::all(130));
        both.intersect(&even);
        assert_eq!(both, even);
        assert_eq!((odd.count(), even.count()), (65, 65));
    }
}
