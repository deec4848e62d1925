//! Values whose changes take effect later, as IAM's do.

use serde::{Deserialize, Serialize};

/// Changes older than this can no longer matter: no lag is longer.
const LONGEST_LAG_MS: i64 = 3_600_000;

/// A value and what it was before its latest changes. Its JSON form is the value alone: a loaded value is in effect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Eventual<T> {
    value: T,
    /// For each change still of interest: when it was made (ms of the fake's clock), and the value before.
    #[serde(skip)]
    changes: Vec<(i64, T)>,
}

impl<T> From<T> for Eventual<T> {
    fn from(value: T) -> Self {
        Self { value, changes: Vec::new() }
    }
}

impl<T: Clone + PartialEq> Eventual<T> {
    /// The value as IAM's own reads answer it.
    pub fn latest(&self) -> &T {
        &self.value
    }

    /// The value as it was at an instant: with `now - lag`, the value in effect.
    pub fn at(&self, instant_ms: i64) -> &T {
        self.changes
            .iter()
            .find(|(changed, _)| *changed > instant_ms)
            .map_or(&self.value, |(_, before)| before)
    }

    /// Changes the value.
    pub fn change(&mut self, now_ms: i64, value: T) {
        if value == self.value {
            return;
        }
        self.changes.retain(|(changed, _)| *changed > now_ms - LONGEST_LAG_MS);
        let before = std::mem::replace(&mut self.value, value);
        self.changes.push((now_ms, before));
    }

    /// Replaces the value as if it had always been so: for loading a world.
    pub(crate) fn correct(&mut self, change: impl FnOnce(&mut T)) {
        change(&mut self.value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_at_once_and_takes_effect_later() {
        let mut value = Eventual::from(1);
        value.change(1_000, 2);
        value.change(2_000, 3);
        assert_eq!(*value.latest(), 3);
        assert_eq!((*value.at(999), *value.at(1_000), *value.at(1_999), *value.at(2_000)), (1, 2, 2, 3));
    }
}
