//! The values of `related.*` and `tags`.

use crate::json;

/// A set of strings in the order in which they came, as they stand in JSON, for `related.*`.
#[derive(Debug, Default)]
pub(crate) struct Related {
    /// `"a","b"`
    text: Vec<u8>,
    ends: Vec<u32>,
}

impl Related {
    pub(crate) fn add(&mut self, value: &str) {
        if value.is_empty() || value == "-" {
            return;
        }
        let start = self.text.len() + usize::from(!self.ends.is_empty());
        if !self.ends.is_empty() {
            self.text.push(b',');
        }
        json::push_string(&mut self.text, value);
        let mut from = 0;
        for &end in &self.ends {
            if self.text.get(from..end as usize) == self.text.get(start..) {
                self.text.truncate(start - 1);
                return;
            }
            from = end as usize + 1;
        }
        self.ends.push(self.text.len() as u32);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The values as they stand in JSON, with commas between them.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }
}
